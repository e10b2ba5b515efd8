#!/usr/bin/python3
"""What each constant of the clock discipline is worth: halved and doubled.

    constants.py [--seeds N] [--first N] [--only NAME ...] [--markdown]

Builds the simulation once for each variant (in build/constants) and compares
the rms errors with those of the constants as they are: the geometric mean over
fifteen scenarios, the scenario that got worst among them, and requests an
hour.  Seeds are those of the simulation, the same for all variants.
"""
import argparse
import concurrent.futures
import math
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build", "constants")
ROOMS = ["core/%s.c" % r for r in ("filter", "select", "discipline", "source")]
FIXED = ["core/address.c", "core/ntp.c", "core/constraint.c", "core/calm.c",
         "core/edge.c",
         "tests/sim/sim.c", "tests/sim/sim_scenarios.c"]
SCENARIOS = ("lan cloud wan4 noisy cold300ms cold1000s tempstep loss30 false1s "
             "falsedrift outage jump60 oneway gauss congest").split()
# source.c: only what bears on accuracy, not the rules of politeness
SOURCE = {"BURST", "BURST_GAP", "WAIT", "RETRY", "SOURCE_POLL_LEAST", "JITTER"}
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
SHAPE = ["out", "floor", "prior", "least"]      # columns of filter.c's table
MEMORY = {"FILTER_DELAYS": (32, 128), "FILTER_GROUPS": (32, 128),
          "FILTER_GROUP": (4, 16)}


def text(name):
    with open(os.path.join(TOP, name)) as f:
        return f.read()


def constants():
    """(file, name, value, text of the whole, place of the number)"""
    for name in ROOMS + ["core/filter.h", "core/source.h"]:
        body = text(name)
        for line in re.finditer(r"static const (?:double|int|int64_t) ([^;{(]*"
                                r"(?:\([^)]*\))?[^;{]*);|#define (\w+) (\S+)",
                                body):
            for one in re.finditer(r"(\w+)(?: = |[ \t]+\(?)(%s)" % NUMBER,
                                   line.group(0)):
                if (name.startswith("core/source.") and
                        one.group(1) not in SOURCE or
                        name == "core/filter.h" and
                        not one.group(1).startswith("FREQ_AGING")):
                    continue
                if one.group(1) == "root2pi":  # mathematics
                    continue
                at = line.start() + one.start(2)
                yield name, one.group(1), one.group(2), at
    # tables: every entry of one column at once
    body = text("core/filter.c")
    for column in SHAPE:
        yield "core/filter.c", "shapes: " + column, None, column
    yield "core/filter.c", "wander2", None, "wander"
    for name in MEMORY:
        yield "core/filter.h", name, None, name


def changed(file, value, at, factor):
    body = text(file)
    if value is not None:
        new = float(value) * factor
        if body[:at].endswith("FORGET = "):     # twice or half the memory
            new = 1 - (1 - float(value)) / factor
        whole = re.fullmatch(r"-?\d+", value)
        new = str(max(1, round(new))) if whole else repr(new)
        return body[:at] + new + body[at + len(value):], new
    if at in SHAPE:
        def row(m):
            cells = [float(c) for c in m.group(1).split(",")]
            k = SHAPE.index(at)
            if at == "out":                     # 0.02 and its mirror, 0.98
                if cells[k] not in (0, 0.5):
                    cells[k] = 0.5 + math.copysign(
                        0.5 - 0.02 * factor, cells[k] - 0.5)
            else:
                cells[k] *= factor
            return "{ %s }" % ", ".join("%.6g" % c for c in cells)
        new, n = re.subn(r"\{ (-?[\d.]+(?:, -?[\d.]+){3}) \}", row, body)
        assert n == 5 and new != body, at
        return new, "x %g" % factor
    if at == "wander":
        def table(m):
            return m.group(1) + ", ".join(
                "%g" % (float(v) * factor ** 2)
                for v in re.findall(r"[\d.e-]+", m.group(2))) + m.group(3)
        new = re.sub(r"(wander2\[FILTER_WANDERS\] = \{)([^}]*)(\})", table,
                     body)
        assert new != body
        return new, "x %g" % factor
    new = MEMORY[at][factor > 1]
    return re.sub(r"\b%s = \d+" % at, "%s = %d" % (at, new), body), str(new)


def build(tag, file=None, body=None):
    """The simulation with one file replaced; its path."""
    place = os.path.join(BUILD, re.sub(r"\W+", "_", tag))
    os.makedirs(place, exist_ok=True)
    paths = []
    for name in ROOMS + FIXED:
        if name != file:
            paths.append(os.path.join(TOP, name))
    if file:
        os.makedirs(os.path.join(place, "core"), exist_ok=True)
        with open(os.path.join(place, file), "w") as f:
            f.write(body)
        if file.endswith(".c"):
            paths.append(os.path.join(place, file))
    program = os.path.join(place, "sim")
    subprocess.run(["cc", "-O2", "-std=gnu11", "-w", "-D_GNU_SOURCE",
                    "-I" + place, "-I" + TOP, "-o", program] + paths + ["-lm"],
                   check=True)
    return program


def measure(program, options):
    """scenario -> (rms, requests an hour)"""
    out = subprocess.run([program, "-r", "-n", str(options.seeds), "-f",
                          str(options.first)] + SCENARIOS,
                         stdout=subprocess.PIPE, text=True).stdout
    runs = {}
    for line in out.splitlines():
        words = line.split()
        if words[:1] == ["run"]:
            runs.setdefault(words[1], []).append(
                (float(words[3]), float(words[7])))
    return {name: (math.sqrt(sum(r * r for r, _ in v) / len(v)),
                   sum(p for _, p in v) / len(v)) for name, v in runs.items()}


def compare(mine, base):
    ratio = {n: mine[n][0] / base[n][0] for n in SCENARIOS}
    mean = math.exp(sum(math.log(r) for r in ratio.values()) / len(ratio))
    worst = max(ratio, key=ratio.get)
    packets = sum(mine[n][1] for n in SCENARIOS) / \
        sum(base[n][1] for n in SCENARIOS)
    return mean, worst, ratio[worst], packets


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    base = measure(build("base"), options)
    jobs = []

    def one(file, name, value, at, factor):
        body, new = changed(file, value, at, factor)
        program = build("%s %s %g" % (file, name, factor), file, body)
        return file, name, value, new, compare(measure(program, options), base)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for file, name, value, at in constants():
            if options.only and name not in options.only:
                continue
            for factor in (0.5, 2):
                jobs.append(pool.submit(one, file, name, value, at, factor))
        form = "%-14s %-22s %9s %9s  %+6.1f %%  %-10s %+6.0f %%  %+6.1f %%"
        if options.markdown:
            form = "| %s | %s | %s | %s | %+.1f | %s | %+.0f | %+.1f |"
            print("| file | constant | is | becomes | rms, mean % | worst in "
                  "| % | requests % |\n|---|---|---|---|---|---|---|---|")
        for job in jobs:
            file, name, value, new, (mean, worst, ratio, packets) = job.result()
            print(form % (os.path.basename(file), name, value or "", new, (mean - 1) * 100,
                          worst, (ratio - 1) * 100, (packets - 1) * 100))
            sys.stdout.flush()


if __name__ == "__main__":
    main()

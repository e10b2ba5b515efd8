#!/usr/bin/python3
"""The daemon's bars beside the peers that are there.

    bench.py [--quick] [--only NAME,...] [--runs N] [PART ...]

Parts: size, footprint, startup, outage, loss; all of them by default.  Needs
root.  The daemon is ./ntpd or $NTPD; chronyd, OpenNTPD and NTPsec take part
when peers.py can get them, busybox when $BUSYBOX names one that has ntpd.

Each daemon lives in a world of its own with four servers on the loopback
interface, its clock calls answered by clockguard, so nothing is ever set.

footprint  memory at rest (sum over processes), CPU time until then and in the
           window that follows, voluntary context switches there ("wake-ups",
           less those that waited for clockguard's answer) per request that
           the servers saw
startup    from execve to the first request (the server's kernel stamp) and to
           the first step or slew; medians
outage     servers silent from the start, 30 s long: seconds from their return
           to the set
loss       half of the queries lost at random, seeded: seconds to the set

--quick shortens the footprint's window and the outage.
"""

import argparse
import os
import random
import statistics
import sys
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "live")]
import peers  # noqa: E402
import world  # noqa: E402

SERVERS = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]


# ------------------------------------------------------------------ the daemons

def openntpd_users(w):
    """6.2 wants a user, a home that root owns, and its state directories."""
    empty = os.path.join(w.dir, "empty")
    os.makedirs(empty, mode=0o755)
    os.chmod(w.dir, 0o755)
    for name, line in (("passwd", "%s:x:990:990::" + empty + ":/bin/false"),
                       ("group", "%s:x:990:")):
        with open("/etc/" + name) as f:
            text = f.read()
        path = w.file(name, text + "".join(
            line % u + "\n" for u in ("_ntp", "openntpd", "ntpd")))
        w.run("mount", "--bind", path, "/etc/" + name)
    for d in ("/var/lib/openntpd/run", "/var/lib/openntpd/db"):
        os.makedirs(d, exist_ok=True)


def ntpsec_address(w):
    """It asks from the addresses of interfaces only."""
    w.run("ip", "address", "add", "10.99.9.9/16", "dev", "lo")


class Kind:
    def __init__(self, name, program, arguments, conf="", line="server %s\n",
                 prepare=None):
        self.name, self.program, self.arguments = name, program, arguments
        self.conf, self.line, self.prepare = conf, line, prepare

    def start(self, w, **keywords):
        if self.prepare:
            self.prepare(w)
        arguments = []
        if self.line:
            conf = w.file("bench.conf", self.conf % {"dir": w.dir} + "".join(
                self.line % a for a in SERVERS))
            arguments = [a.replace("CONF", conf) for a in self.arguments]
        else:
            arguments = list(self.arguments)
            for a in SERVERS:
                arguments += ["-p", a]
        return w.start(*arguments, program=self.program, **keywords)


def kinds(only):
    found = [Kind("ours", world.NTPD, ["-d", "-s", "-f", "CONF"])]
    for name, build in (
            ("busybox", lambda p: Kind("busybox", p, ["ntpd", "-n"],
                                       line=None)),
            ("chronyd", lambda p: Kind(
                "chrony", p, ["-d", "-u", "root", "-f", "CONF"],
                "cmdport 0\nbindcmdaddress /\npidfile %(dir)s/chrony.pid\n"
                "makestep 0.1 3\n", "server %s iburst\n")),
            ("openntpd", lambda p: Kind(
                "OpenNTPD 6.2", p, ["-d", "-s", "-f", "CONF"],
                prepare=openntpd_users)),
            ("ntpsec", lambda p: Kind(
                "NTPsec", p, ["-n", "-g", "-c", "CONF"],
                "interface ignore wildcard\ninterface listen 10.99.9.9\n",
                "server %s iburst\n", ntpsec_address))):
        path = os.environ.get("BUSYBOX") if name == "busybox" \
            else peers.path(name)
        if path is None:
            print("%s: not to be had, takes no part" % name)
        else:
            found.append(build(path))
    if only:
        found = [k for k in found if k.name in only.split(",")]
    return found


def side_by_side(jobs):
    """Run functions of a World at once; their results in order."""
    results = [None] * len(jobs)

    def one(i, job):
        w = world.World("bench")
        try:
            results[i] = job(w)
        finally:
            w.close()
    threads = [threading.Thread(target=one, args=(i, j))
               for i, j in enumerate(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def family(pid):
    """pid and all of its children."""
    found = [pid]
    for p in found:
        found += world.children(p)
    return found


def cpu_and_switches(pid):
    cpu = switches = 0
    for p in family(pid):
        with open("/proc/%d/schedstat" % p) as f:
            cpu += int(f.read().split()[0])
        with open("/proc/%d/status" % p) as f:
            for line in f:
                if line.startswith("voluntary_ctxt"):
                    switches += int(line.split()[1])
    return cpu / 1e6, switches


def memory(pid):
    rss = anonymous = 0
    for p in family(pid):
        with open("/proc/%d/smaps_rollup" % p) as f:
            for line in f:
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Anonymous:"):
                    anonymous += int(line.split()[1])
    return rss, anonymous


# -------------------------------------------------------------------- reporting

missed = []


def bar(name, value, most, unit):
    if value is None or value > most:
        missed.append(name)
    print("  bar  %-38s %s %s, at most %g: %s" % (
        name, "none" if value is None else "%.4g" % value, unit, most,
        "ok" if value is not None and value <= most else "MISSED"))


def table(head, rows):
    rows = [[("" if c is None else "%.4g" % c if isinstance(c, float) else
              str(c)) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in rows + [head]) for i in range(len(head))]
    for row in [head] + rows:
        print("  " + "  ".join(
            c.ljust(n) if i == 0 else c.rjust(n)
            for i, (c, n) in enumerate(zip(row, widths))))


# ------------------------------------------------------------------------ parts

def size(options):
    print("size of the program on disk")
    table(["", "bytes", "needs libraries"], [
        [k.name, os.path.getsize(k.program),
         "no" if world.is_static(k.program) else "yes"]
        for k in options.kinds])
    bar("size with roots, server and status", os.path.getsize(world.NTPD) / 1e3,
        315, "kB")


def footprint(options):
    settle, window = (20, 70) if options.quick else (60, 240)
    print("footprint with four servers, after %d s, window of %d s"
          % (settle, window))

    def job(kind):
        def measure(w):
            for a in SERVERS:
                w.ntp(a)
            d = kind.start(w, guard_options=("-a",))
            time.sleep(settle)
            if not d.alive():
                return [kind.name] + [None] * 8
            cpu0, switches0 = cpu_and_switches(d.pid)
            switches0 -= len(d.clock())     # each waited for the guard
            requests0 = sum(len(s.queries) for s in w.servers)
            time.sleep(window)
            cpu1, switches1 = cpu_and_switches(d.pid)
            switches1 -= len(d.clock())
            requests = sum(len(s.queries) for s in w.servers) - requests0
            rss, anonymous = memory(d.pid)
            return [kind.name, len(family(d.pid)), rss, anonymous, cpu0,
                    cpu1 - cpu0, switches1 - switches0, requests,
                    (switches1 - switches0) / requests if requests else None]
        return measure
    rows = side_by_side([job(k) for k in options.kinds])
    table(["", "processes", "RSS KiB", "anon KiB", "CPU ms before",
           "CPU ms", "wake-ups", "requests", "wake-ups/request"], rows)
    for r in rows:
        if r[0] == "ours":
            bar("resident memory", r[2], 400, "KiB")
            bar("anonymous memory", r[3], 100, "KiB")
            bar("processes", r[1], 1, "")
            bar("wake-ups per request", r[8], 2, "")
            bar("CPU time in two minutes",
                None if r[5] is None else r[5] * 120 / window, 1.6, "ms")


def startup(options):
    print("start-up with four instant servers, medians of %d" % options.runs)
    rows = []

    def job(kind, offset, guard_options=()):
        def measure(w):
            for a in SERVERS:
                w.ntp(a, offset)
            d = kind.start(w, guard_options=guard_options)
            if guard_options:
                time.sleep(1.5)
            end = time.monotonic() + 12
            acted = None
            while time.monotonic() < end and acted is None and \
                    not guard_options:
                time.sleep(0.05)
                acted = next((r for r in d.clock() if r["errno"] == 0 and (
                    abs(r["step"]) > 5e7 or
                    r["modes"] == 0x8001 and r["offset"])), None)
            start = d.executed()
            first = min((s.times[0] for s in w.servers if s.queries),
                        default=None)
            return (None if first is None else
                    (first - start["exec"] / 1e9) * 1e3,
                    None if acted is None else
                    (acted["t"] - (start["exec"] - start["zero"])) / 1e6)
        return measure

    for kind in options.kinds:
        for offset in (0.5, 120.0):
            # One after the other, so that each is alone on the machine.
            got = [side_by_side([job(kind, offset)])[0]
                   for _ in range(options.runs)]
            # The first request is timed without the guard, whose answers take
            # time.
            alone = [side_by_side([job(kind, offset, ("-n",))])[0]
                     for _ in range(options.runs)]
            firsts = [g[0] for g in alone if g[0] is not None] or \
                [g[0] for g in got if g[0] is not None]
            sets = [g[1] for g in got if g[1] is not None]
            rows.append([kind.name, offset,
                         statistics.median(firsts) if firsts else None,
                         statistics.median(sets) if sets else None,
                         "%d/%d" % (len(sets), len(got))])
    table(["", "offset s", "first request ms", "set ms", "set"], rows)
    for r in rows:
        if r[0] == "ours":
            bar("exec to first request (%g s off)" % r[1], r[2], 1, "ms")
            bar("exec to clock set (%g s off)" % r[1], r[3], 20, "ms")


def set_after(w, kind, begin_well, prepare):
    """Seconds from begin_well (after the start) to the set, or None."""
    for a in SERVERS:
        w.ntp(a, 20.0)
    prepare(w)
    d = kind.start(w)
    if begin_well:
        time.sleep(begin_well)
        for s in w.servers:
            s.silent = False
    well = time.monotonic()
    while time.monotonic() - well < 70:
        step = next((r for r in d.clock() if abs(r["step"]) > 5e7
                     and r["errno"] == 0), None)
        if step:
            return step["t"] / 1e9 + d.executed()["zero"] / 1e9 - well
        if not d.alive():
            return None
        time.sleep(0.05)
    return None


def outage(options):
    seconds = 15 if options.quick else 30
    print("servers silent for %d s from the start: set after their return"
          % seconds)

    def silence(w):
        for s in w.servers:
            s.silent = True
    got = side_by_side([
        lambda w, k=k: set_after(w, k, seconds, silence)
        for k in options.kinds for _ in range(3)])
    rows = []
    for i, k in enumerate(options.kinds):
        mine = got[3 * i:3 * i + 3]
        rows.append([k.name] + [g if g is not None else "not in 70 s"
                                for g in mine])
        if k.name == "ours":
            worst = None if None in mine else max(mine)
    table(["", "s", "s", "s"], rows)
    if any(k.name == "ours" for k in options.kinds):
        bar("set after an outage at start", worst, 15, "s")


def loss(options):
    seeds = list(range(1, 1 + 2 * options.runs))
    print("half of the replies lost: seconds to the set, seeds %d to %d"
          % (seeds[0], seeds[-1]))

    def lossy(seed):
        def prepare(w):
            chance = random.Random(seed)
            for s in w.servers:
                s.behave = lambda q, r: [r] if chance.random() < 0.5 else []
        return prepare
    got = side_by_side([
        lambda w, k=k, s=s: set_after(w, k, 0, lossy(s))
        for k in options.kinds for s in seeds])
    rows = []
    for i, k in enumerate(options.kinds):
        mine = got[len(seeds) * i:len(seeds) * (i + 1)]
        known = [g for g in mine if g is not None]
        rows.append([k.name, statistics.median(known) if known else None,
                     max(known) if known else None,
                     "%d/%d" % (len(known), len(mine))])
        if k.name == "ours":
            worst = None if None in mine else max(mine)
    table(["", "median s", "worst s", "set"], rows)
    if any(k.name == "ours" for k in options.kinds):
        bar("set with half of the replies lost", worst, 12, "s")


PARTS = {"size": size, "footprint": footprint, "startup": startup,
         "outage": outage, "loss": loss}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS],
                        default=list(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.py: needs root (network namespaces)")
    if not os.access(world.NTPD, os.X_OK):
        sys.exit("bench.py: %s is not built" % world.NTPD)
    world.give_up_sys_time()
    world.guard()
    options.kinds = kinds(options.only)
    for name in options.parts or PARTS:
        PARTS[name](options)
        print()
    print("all bars hold" if not missed else
          "missed: " + ", ".join(missed))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Our clock beside the peers', in simulation: a table, and a plot as SVG.

    bench_clock.py [--seeds N] [--first N] [--world NAME ...] [--svg FILE]
                   [--poll MIN..MAX]

Runs where CLKNETSIM names a built clknetsim and chronyd can be had (unpacked,
never installed); else it says so and stops.  OpenNTPD's processes talk over
pipes and Debian's busybox is fortified: neither can be simulated.  The fifteen worlds are those of
tests/clknetsim/simlab.py.  `make bench-clock` runs the guest's kernel clock too.
"""
import argparse
import concurrent.futures
import math
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "clknetsim")]
import simlab                                                      # noqa: E402
import peers                                                    # noqa: E402

NTPD = os.environ.get("NTPD_GLIBC", os.path.join(
    simlab.TOP, "build", "glibc", "ntpd"))
# what the plot shows of each client: colour
COLOURS = {"ntpd": "#0a7d4f", "chrony": "#c0392b", "chrony 16-64 s": "#d98a1f"}
PANELS = (("cold300ms", "start: 0.3 s and 100 ppm off, server 10 ms away"),
          ("tempstep", "frequency jumps by 5 ppm after 5.6 h"),
          ("wan4", "four pool servers, asymmetric paths"))


def ours(poll):
    def arguments(d, addresses):
        conf = "".join("server %s%s\n" % (a, " poll " + poll if poll else "")
                       for a in addresses)
        return [NTPD, "-d", "-s", "-f", simlab.write(d + "/ntpd.conf", conf)]
    return arguments


def chrony(program, options):
    def arguments(d, addresses):
        conf = "".join("server %s iburst %s\n" % (a, options)
                       for a in addresses)
        conf += ("makestep 1 3\nmaxupdateskew 100\nrtcsync\ncmdport 0\n"
                 "bindcmdaddress /\npidfile %s/client.pid\n" % d)
        return [program, "-d", "-f", simlab.write(d + "/chrony.conf", conf)]
    return arguments


def clients(options):
    if not os.access(NTPD, os.X_OK):
        sys.exit("bench_clock: no %s (make glibc)" % NTPD)
    found = {"ntpd": ours(options.poll)}
    chronyd = peers.path("chronyd")
    found["chrony"] = chrony(chronyd, "")
    found["chrony 16-64 s"] = chrony(chronyd, "minpoll 4 maxpoll 6")
    return found, chronyd


def show(s):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if s >= size:
            return "%.3g %s" % (s / size, unit)
    return "%.0f ns" % (s * 1e9)


def summary(rows):
    """Over the seeds: rms of rms and frequency, largest maximum, the middle of
    the 95 % values, mean of the packets."""
    p95 = sorted(r["p95"] for r in rows)
    return dict(rms=simlab.rms([r["rms"] for r in rows]),
                max=max(r["max"] for r in rows), p95=p95[len(p95) // 2],
                freq=simlab.rms([r["freq"] for r in rows]),
                packets=sum(r["packets"] for r in rows) / len(rows))


def table(results, names, worlds):
    for w in worlds:
        print("\n%s" % w)
        for n in names:
            s = summary(results[n, w])
            print("  %-15s rms %8s  95 %% %8s  max %8s  freq %.3g ppm  "
                  "%.0f packets/h" % (n, show(s["rms"]), show(s["p95"]),
                                      show(s["max"]), s["freq"] * 1e6,
                                      s["packets"]))
    print("\ngeometric means of ntpd's figures against")
    for n in names[1:]:
        cells = []
        for key in "rms", "p95", "max", "freq":
            logs = [math.log(summary(results[names[0], w])[key] /
                             summary(results[n, w])[key]) for w in worlds]
            cells.append("%s %.3f" % (key, math.exp(sum(logs) / len(logs))))
        packets = [sum(summary(results[m, w])["packets"] for w in worlds) /
                   len(worlds) for m in (names[0], n)]
        print("  %-15s %s  packets/h %.1f : %.1f" % (
            n, "  ".join(cells), *packets))


# ---------------------------------------------------------------------- plot

WIDTH, HEIGHT, LEFT, RIGHT, ABOVE, GAP = 760, 190, 62, 14, 46, 44
LOW, HIGH = -6, 0               # decades of seconds on the y axis


def envelope(offset, columns):
    """(time, error) for each column: the largest of its seconds."""
    points = []
    for i in range(columns):
        a = i * len(offset) // columns
        b = max(a + 1, (i + 1) * len(offset) // columns)
        points.append(((a + b) / 2, max(abs(v) for v in offset[a:b])))
    return points


def panel(title, top, curves):
    plot = WIDTH - LEFT - RIGHT
    seconds = max(len(c) for c in curves.values())

    def x(t):
        return LEFT + plot * t / seconds

    def y(v):
        decade = math.log10(max(v, 10.0 ** LOW))
        return top + HEIGHT * (HIGH - min(decade, HIGH)) / (HIGH - LOW)

    out = ['<text x="%d" y="%g" class="t">%s</text>' % (LEFT, top - 8, title)]
    for decade in range(LOW, HIGH + 1):
        at = y(10.0 ** decade)
        out.append('<path class="g" d="M%d %.1fH%d"/>' %
                   (LEFT, at, WIDTH - RIGHT))
        out.append('<text x="%d" y="%.1f" class="y">%s</text>' %
                   (LEFT - 6, at + 4, show(10.0 ** decade)))
    hours = seconds / 3600
    for h in range(0, int(hours) + 1, 1 if hours < 8 else 2):
        out.append('<text x="%.1f" y="%g" class="x">%d h</text>' %
                   (x(h * 3600), top + HEIGHT + 16, h))
    for name, offset in curves.items():
        points = envelope(offset, 380)
        d = "M" + "L".join("%.1f %.1f" % (x(t), y(v)) for t, v in points)
        out.append('<path d="%s" fill="none" stroke="%s" stroke-width="%s"/>' %
                   (d, COLOURS[name], 1.8 if name == "ntpd" else 1.1))
    return out


def plot(results, names):
    height = ABOVE + len(PANELS) * (HEIGHT + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' %
           (WIDTH, height, WIDTH, height),
           "<style>.t{font-weight:bold}.g{stroke:#ddd;fill:none}"
           ".y{text-anchor:end}.x{text-anchor:middle}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, name in enumerate(names):
        out.append('<path d="M%d 14h22" stroke="%s" stroke-width="3"/>'
                   '<text x="%d" y="18">%s</text>' % (
                       LEFT + i * 150, COLOURS[name], LEFT + 28 + i * 150,
                       name))
    for i, (world, title) in enumerate(PANELS):
        curves = {n: results[n, world] for n in reversed(names)}
        out += panel(title, ABOVE + i * (HEIGHT + GAP), curves)
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--world", action="append", choices=list(simlab.WORLDS))
    parser.add_argument("--svg", help="draw error over time of one seed there")
    parser.add_argument("--poll", help="ours with this range")
    parser.add_argument("--jobs", type=int,
                        default=max(1, (os.cpu_count() or 2) // 2))
    options = parser.parse_args()
    home = os.environ.get("CLKNETSIM")
    if not home or not os.path.exists(home + "/clknetsim.so"):
        print("bench_clock: skipped, CLKNETSIM names no clknetsim")
        return
    os.environ["CLKNETSIM"] = os.path.abspath(home)
    if peers.path("chronyd") is None:
        print("bench_clock: skipped, chronyd is not to be had")
        return
    found, server = clients(options)
    names, worlds = list(found), options.world or list(simlab.WORLDS)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as workers:
        if options.svg:
            jobs = {(n, w): workers.submit(simlab.run, w, options.first,
                                           found[n], server)
                    for n in names for w, _ in PANELS}
            simlab.write(options.svg, plot({k: j.result()[0] for k, j in
                                         jobs.items()}, names))
            if not options.seeds:
                return
        results = {}
        jobs = [(n, w, workers.submit(simlab.run, w, seed, found[n], server))
                for w in worlds for n in names
                for seed in range(options.first, options.first + options.seeds)]
        for n, w, job in jobs:
            results.setdefault((n, w), []).append(
                simlab.figures(w, *job.result()))
    table(results, names, worlds)


if __name__ == "__main__":
    main()

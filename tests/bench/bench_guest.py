#!/usr/bin/python3
"""How well a real kernel clock is kept: twelve hours in an accelerated guest.

    bench_guest.py [--client NAME ...] [--kernel quiet|idle ...] [--seed N]
                   [--hours H] [--poll MIN..MAX] [--json FILE] [--svg FILE]

Four servers 10 to 40 ms away whose replies are late by 1 to 10 ms (mean of an
exponential, each way), an oscillator 37 ppm off that a sine of 0.5 ppm over
four hours warms and cools.  Printed are the error's rms and maximum over some
windows, the error of the frequency word, and the requests sent.

Clients: ntpd is ours; the others are Debian's, unpacked into build/peers,
never installed, and the busybox that $BUSYBOX names, since Debian's has no
ntpd.  A quiet kernel has no periodic wake-ups, an idle one those that
Debian's kernel comes with.
"""
import argparse
import json
import math
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "guest")]
import guest                                                    # noqa: E402
import peers                                                    # noqa: E402

NTPD = os.environ.get("NTPD", os.path.join(guest.TOP, "ntpd"))
DELAYS = (0.010, 0.020, 0.030, 0.040)
JITTERS = (0.001, 0.002, 0.004, 0.010)
HOUR = 3600


def script(hours, seed):
    lines = guest.clock_script(hours * HOUR, seed=seed, servers=(),
                               looks=("30 0 1e9",), more=["sine 0.5 14400"])
    for address, delay, jitter in zip(guest.SERVERS, DELAYS, JITTERS):
        lines.append("server %s up %g down %g jitter %g" % (
            address, delay, delay, jitter))
    return lines


def ours(options):
    conf = "".join("server %s%s\n" % (a, " poll " + options.poll
                                      if options.poll else "")
                   for a in guest.SERVERS)
    return dict(programs=[("ntpd", NTPD)],
                files=[("etc/ntpd.conf", conf)],
                steps=[(0, "start /ntpd -d -s -f /etc/ntpd.conf")])


def peer(name, conf, steps, files=(), **more):
    """A dynamic program of Debian's, with what it loads."""
    path = os.environ.get("BUSYBOX") if name == "busybox" else peers.path(name)
    if path is None:
        raise guest.Missing(name + " is not to be had")
    return dict(programs=[(name, path)] + [(x, x) for x in
                                           guest.libraries(path)],
                files=[("etc/peer.conf", conf)] + list(files),
                steps=[(0, steps)], **more)


def chrony(options):
    conf = "".join("server %s iburst\n" % a for a in guest.SERVERS)
    conf += "makestep 1 3\nmaxupdateskew 100\nrtcsync\ncmdport 0\n"
    return peer("chronyd", conf, "mkdir -p /var/lib/chrony /var/run/chrony\n"
                "start /chronyd -d -u root -f /etc/peer.conf",
                files=[("etc/passwd", "root:x:0:0::/:/bin/sh\n")])


def openntpd(options):
    conf = "".join("server %s\n" % a for a in guest.SERVERS)
    return peer("openntpd", conf, "start /openntpd -d -s -f /etc/peer.conf",
                files=[("etc/passwd", "root:x:0:0::/:/bin/sh\n"
                        "openntpd:x:99:99::/var/lib/openntpd/run:/bin/sh\n"
                        "ntpd:x:99:99::/var/lib/openntpd/run:/bin/sh\n"),
                       ("etc/group", "root:x:0:\nopenntpd:x:99:\n"),
                       ("etc/services", "ntp 123/udp\n"),
                       ("var/lib/openntpd/run/.keep", ""),
                       ("var/lib/openntpd/db/.keep", "")])


def busybox(options):
    return peer("busybox", "", "start /busybox ntpd -n %s" %
                " ".join("-p " + a for a in guest.SERVERS))


CLIENTS = {"ntpd": ours, "busybox": busybox, "chrony": chrony,
           "openntpd": openntpd}


def windows(hours):
    return [(a, b) for a, b in ((10 / 60, 1), (1, 4), (4, 12)) if b <= hours]


def measure(client, quiet, options):
    """Run one client; its figures."""
    name = "bench-%s-%s-%d" % (client, "quiet" if quiet else "idle",
                               options.seed)
    run = guest.boot(name, script(options.hours, options.seed), quiet=quiet,
                     limit=1800, **CLIENTS[client](options))
    out = dict(client=client, kernel="quiet" if quiet else "idle",
               seed=options.seed, real=run.real, windows=[],
               error=[(x.t, x.err) for x in run.looks])
    for start, stop in windows(options.hours):
        a, b = start * HOUR, stop * HOUR - 30
        looks = run.between(a, b)
        out["windows"].append(dict(
            start=start, stop=stop, rms=run.rms(a, b), worst=run.worst(a, b),
            freq=(sum((x.freq_ppm - x.want) ** 2 for x in looks) /
                  len(looks)) ** 0.5,
            requests=run.requests(a, b) / (stop - start),
            unsynced=sum(not x.synced for x in looks),
            beyond=sum(abs(x.err) > x.maxerror for x in looks)))
    return out


def show(out):
    for w in out["windows"]:
        print("%-8s %-6s seed %d  %4.1f-%2.0f h  rms %7.3f ms  max %7.3f ms  "
              "freq %5.2f ppm  %3.0f requests/h  unsynced %d  beyond maxerror %d"
              % (out["client"], out["kernel"], out["seed"], w["start"],
                 w["stop"], w["rms"] * 1e3, w["worst"] * 1e3, w["freq"],
                 w["requests"], w["unsynced"], w["beyond"]), flush=True)


COLOURS = {"ntpd": "#0a6", "chrony": "#c50", "openntpd": "#55c",
           "busybox": "#888"}
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 360, 70, 40
LEAST, MOST = 1e-5, 1e-1        # s; the ends of the error axis
BUCKET = 600                    # s; each point is the rms of so many


def place(seconds, error, length):
    x = LEFT + (WIDTH - LEFT - 10) * seconds / length
    e = min(max(error, LEAST), MOST)
    y = (HEIGHT - BOTTOM) * (1 - math.log(e / LEAST) / math.log(MOST / LEAST))
    return "%.1f,%.1f" % (x, y + 5)


def draw(results, hours):
    """The error over time on a logarithmic scale, as SVG."""
    length = hours * HOUR
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT + 10),
           '<rect width="100%" height="100%" fill="white"/>']

    def line(points, colour, width):
        out.append('<polyline fill="none" stroke="%s" stroke-width="%s" '
                   'points="%s"/>' % (colour, width, " ".join(points)))

    def text(x, y, words, colour="black", anchor="end"):
        out.append('<text x="%s" y="%s" fill="%s" text-anchor="%s">%s</text>'
                   % (x, y, colour, anchor, words))

    for power, label in ((-5, "10 us"), (-4, "0.1 ms"), (-3, "1 ms"),
                         (-2, "10 ms"), (-1, "0.1 s")):
        line([place(0, 10.0 ** power, length),
              place(length, 10.0 ** power, length)], "#ccc", 1)
        y = place(0, 10.0 ** power, length).split(",")[1]
        text(LEFT - 8, float(y) + 4, label)
    for hour in range(0, hours + 1, 2 if hours > 2 else 1):
        x = place(hour * HOUR, LEAST, length).split(",")[0]
        text(x, HEIGHT - BOTTOM + 22, "%d h" % hour, anchor="middle")
    for i, one in enumerate(results):
        buckets = {}
        for t, error in one["error"]:
            if t >= BUCKET / 10:        # the set at the start is no error
                buckets.setdefault(t // BUCKET, []).append(error)
        points = [place((n + 0.5) * BUCKET, math.sqrt(
            sum(e * e for e in es) / len(es)), length)
            for n, es in sorted(buckets.items())]
        colour = COLOURS[one["client"]]
        line(points, colour, 2)
        text(LEFT + 10 + 170 * i, HEIGHT + 2, "%s, %s kernel" % (
            one["client"], one["kernel"]), colour, "start")
    return "\n".join(out + ["</svg>\n"])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--client", action="append", choices=sorted(CLIENTS))
    p.add_argument("--kernel", action="append", choices=("quiet", "idle"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--hours", type=int, default=12)
    p.add_argument("--poll", help="poll range of our servers, MIN..MAX")
    p.add_argument("--json", help="write all figures and the errors there")
    p.add_argument("--svg", help="draw the error over time there")
    options = p.parse_args()
    results = []
    try:
        guest.fetch()
    except guest.Missing as reason:
        sys.exit("bench_guest: skipped, %s" % reason)
    for client in options.client or sorted(CLIENTS):
        for kind in options.kernel or ["quiet", "idle"]:
            try:
                results.append(measure(client, kind == "quiet", options))
            except guest.Missing as reason:
                print("%s, %s: skipped, %s" % (client, kind, reason))
                continue
            show(results[-1])
    if options.json:
        with open(options.json, "w") as f:
            json.dump(results, f)
    if options.svg and results:
        with open(options.svg, "w") as f:
            f.write(draw(results, options.hours))


if __name__ == "__main__":
    main()

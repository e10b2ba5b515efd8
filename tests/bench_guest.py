#!/usr/bin/python3
"""How well a real kernel clock is kept: twelve hours in an accelerated guest.

    bench_guest.py [--client NAME ...] [--kernel quiet|idle ...] [--seed N]
                   [--hours H] [--poll MIN..MAX] [--json FILE]

Four servers 10 to 40 ms away whose replies are late by 1 to 10 ms (mean of an
exponential, each way), an oscillator 37 ppm off that a sine of 0.5 ppm over
four hours warms and cools.  Printed are the error's rms and maximum over some
windows, the error of the frequency word, and the requests sent.

Clients: ntpd is ours; chrony is Debian's, unpacked into build/peers, never
installed.  A quiet kernel has no periodic wake-ups, an idle one those that
Debian's kernel comes with.
"""
import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "guest")]
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


def chrony(options):
    path = peers.path("chronyd")
    if path is None:
        raise guest.Missing("chronyd is not to be had")
    libraries = guest.libraries(path)
    conf = "".join("server %s iburst\n" % a for a in guest.SERVERS)
    conf += "makestep 1 3\nmaxupdateskew 100\nrtcsync\ncmdport 0\n"
    return dict(programs=[("chronyd", path)] + [(x, x) for x in libraries],
                files=[("etc/chrony.conf", conf),
                       ("etc/passwd", "root:x:0:0::/:/bin/sh\n")],
                steps=[(0, "mkdir -p /var/lib/chrony /var/run/chrony\n"
                        "start /chronyd -d -u root -f /etc/chrony.conf")])


CLIENTS = {"ntpd": ours, "chrony": chrony}


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


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--client", action="append", choices=sorted(CLIENTS))
    p.add_argument("--kernel", action="append", choices=("quiet", "idle"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--hours", type=int, default=12)
    p.add_argument("--poll", help="poll range of our servers, MIN..MAX")
    p.add_argument("--json", help="write all figures and the errors there")
    options = p.parse_args()
    results = []
    try:
        for client in options.client or ["ntpd", "chrony"]:
            for kind in options.kernel or ["quiet", "idle"]:
                results.append(measure(client, kind == "quiet", options))
                show(results[-1])
    except guest.Missing as reason:
        print("skipped:", reason)
    if options.json:
        with open(options.json, "w") as f:
            json.dump(results, f)


if __name__ == "__main__":
    main()

"""Days or months of a guest in which something goes wrong every few hours.

    soak.py [DAYS [SEED]]

The daemon runs on a real kernel.  Troubles come at random, one after the other,
each followed by hours of calm: packets are lost, servers are silent or lie, the
route changes, somebody sets the clock, the machine sleeps,
the configuration is edited (also wrongly), and the daemon is started again,
ended or killed.  faults() says what must be true at any time.
"""
import math
import os
import random
import re
import sys

import guest
from guest import SERVERS, clock_script

NTPD = os.environ.get("NTPD", os.path.join(guest.TOP, "ntpd"))
START = "start /ntpd -d -s -f /etc/ntpd.conf"
DAY = 86400
# s between the end of a trouble and the next one, least and most.
CALM = (5400, 14400)
# s from the end of a trouble: by then the clock must be right again.  After an
# outage the servers are asked once in the longest poll, 1024 s; the frequency
# may have been given up, and is learnt anew from one reply in each poll.
HEALED = 4800
# s off at most when all is well.  Replies vary by 1 ms each way.
RIGHT = 0.005
# Bytes of the log in 30 days, without the replies that -d shows.
LOG_MONTH = 300e3
# KiB by which the private memory may be larger at the end of a life than an hour
# after its beginning: a page of the stack, one of the heap.
GROWTH = 8

CONF = {
    "usual": "".join("server %s\n" % a for a in SERVERS),
    "other order": "".join("server %s\n" % a for a in reversed(SERVERS)),
    "one less": "".join("server %s\n" % a for a in SERVERS[:3]),
    "weights": "".join("server %s weight %d\n" % (a, i + 1)
                       for i, a in enumerate(SERVERS)) + "listen on *\n",
    "wrong": "server %s\nsevrer %s\n" % SERVERS[:2],
}
KINDS = ("loss", "outage", "some dead", "liar", "rate", "route", "set", "sleep",
         "edit", "restart", "crash")
SHOW = r"""grep -h RssAnon /proc/$PID/status >/run/memory
ls /proc/$PID/fd | wc -l >>/run/memory
echo $PID $(cat /run/memory) | truth tag Life"""


def apart(steps):
    """In their order, each at least 2 s after the one before: it takes time,
    and a guest that comes late to a step breaks off."""
    out = []
    for t, text in sorted(steps, key=lambda x: x[0]):
        out.append((max(t, out[-1][0] + 2) if out else t, text))
    return out


class World:
    """The troubles of some days; all of them follow from the seed."""

    def __init__(self, days, seed, calm=CALM):
        self.end = days * DAY
        self.random = random.Random(seed)
        self.windows, self.steps, self.calm, self.kinds = [], [], [], []
        self.sets, self.deck = 0, []
        self.steps.append((0, START))
        t = 3600
        while True:
            self.calm.append((t - HEALED if t > HEALED else 1800, t))
            if t > self.end - 3 * 3600:
                break
            t = self.trouble(t) + self.random.uniform(*calm)
        self.end = math.ceil(t) + 60
        for day in range(days + 1):
            for hour in (1, 23):
                if day * DAY + hour * 3600 < self.end:
                    self.steps.append((day * DAY + hour * 3600, SHOW))
        self.steps = apart(self.steps)

    def during(self, t, seconds, server, key, value):
        self.windows.append("during %.3f %.3f %s %s %s" % (
            t, t + seconds, server, key, value))

    def trouble(self, t):
        """One that begins at t.  The time of its end."""
        if not self.deck:       # each comes before any comes again
            self.deck = self.random.sample(KINDS, len(KINDS))
        kind = self.deck.pop()
        self.kinds.append((t, kind))
        return getattr(self, kind.replace(" ", "_"))(t)

    def long(self, least, most):
        return math.exp(self.random.uniform(math.log(least), math.log(most)))

    def sign(self):
        return self.random.choice((-1, 1))

    def loss(self, t):
        s = self.long(600, 7200)
        self.during(t, s, "all", "loss", self.random.uniform(0.1, 0.9))
        return t + s

    def outage(self, t):
        s = self.long(30, 6 * 3600)
        self.during(t, s, "all", "dead", 1)
        return t + s

    def some_dead(self, t):
        s = self.long(600, 12 * 3600)
        for server in self.random.sample(SERVERS, self.random.randint(1, 3)):
            self.during(t, s, server, "dead", 1)
        return t + s

    def liar(self, t):
        s = self.long(600, 6 * 3600)
        self.during(t, s, self.random.choice(SERVERS), "offset",
                    self.sign() * self.long(0.01, 1e6))
        return t + s

    def rate(self, t):
        s = self.long(600, 7200)
        self.during(t, s, self.random.choice(SERVERS), "kiss", "RATE")
        return t + s

    def route(self, t):
        s = self.long(600, 7200)
        for server in self.random.sample(SERVERS, self.random.randint(1, 4)):
            self.during(t, s, server, self.random.choice(("up", "down")),
                        self.random.uniform(0.02, 0.2))
        return t + s

    def set(self, t):
        self.sets += 1
        self.steps.append((t, "truth step %.6f" % (
            self.sign() * self.long(0.002, 1e5))))
        return t

    def sleep(self, t):
        # Seconds of the host's time, and rounded by the clock that wakes it.
        self.steps.append((t, "echo +2 >/sys/class/rtc/rtc0/wakealarm\n"
                              "echo mem >/sys/power/state"))
        return t + 60

    def edit(self, t):
        for name in self.random.sample(sorted(CONF), 2):
            self.steps.append((t, "cp '/test/%s' /etc/ntpd.conf.new\n"
                                  "mv /etc/ntpd.conf.new /etc/ntpd.conf" %
                               name))
            t += self.long(5, 3600)
        self.steps.append((t, "cat /test/usual >/etc/ntpd.conf\n"
                              "kill -HUP $PID"))
        return t

    def restart(self, t):
        for _ in range(self.random.choice((1, 1, 5))):
            self.steps.append((t, "kill $PID; finish\n" + START))
            t += self.long(1, 600)
        return t

    def crash(self, t):
        self.steps.append((t, "kill -9 $PID; finish"))
        t += self.long(1, 7200)
        self.steps.append((t, START))
        return t

    def run(self):
        return guest.boot(
            "soak", clock_script(self.end, looks=("60 0 1e9",),
                                 more=["sine 1.5 %d" % DAY] + self.windows),
            self.steps + [(self.end - 10, "kill $PID; finish")],
            files=[("etc/ntpd.conf", CONF["usual"])] +
                  [("test/" + name, text) for name, text in CONF.items()],
            programs=[("ntpd", NTPD)], quiet=True, append=guest.FAST_BOOT,
            rtc_clock="host", limit=4 * 3600)

    def trouble_at(self, t):
        """The last one that began before t, for the reader of a fault."""
        return ([k for k in self.kinds if k[0] <= t] or [(0, "start")])[-1]


def faults(world, run):
    """What was not as promised, as lines of text."""
    out = []
    for look in run.looks:
        if look.synced and abs(look.err) > look.maxerror:
            out.append("beyond its bound, after %s: %r" % (
                world.trouble_at(look.t), look))
    for start, stop in world.calm:
        last = run.between(start, stop)[-1]
        if not last.synced or abs(last.err) > RIGHT:
            out.append("not right again after %s: %r" % (
                world.trouble_at(start), last))
    # One step at the start, and one for each foreign set at most.
    steps = run.said("^set local clock to ")
    if len(steps) > world.sets + 1:
        out.append("%d steps, but the clock was set %d times" % (
            len(steps), world.sets))
    for line in run.log("Exit"):
        if line.text not in ("0", "137"):
            out.append("ended with %s at %.0f s" % (line.text, line.t))
    lives = {}
    for line in run.log("Life"):
        pid, _, anon, _, files = line.text.split()
        first = lives.setdefault(pid, (int(anon), int(files)))
        if int(anon) > first[0] + GROWTH or int(files) > first[1] + 1:
            out.append("grew from %s to %s KiB and files at %.0f s" % (
                first, (anon, files), line.t))
    written = sum(len(x.text) + 1 for x in run.log()
                  if not re.match("reply from ", x.text))
    if written > LOG_MONTH * max(1, world.end / DAY / 30):
        out.append("%d bytes of log" % written)
    return out


def summary(world, run):
    synced = [abs(x.err) for x in run.looks if x.synced]
    return ("%.1f days, %d troubles, %d requests, %d of %d looks synchronised, "
            "%.6f s off at most then; %d bytes of log; %.0f s" % (
                world.end / DAY, len(world.kinds), run.looks[-1].requests,
                len(synced), len(run.looks), max(synced),
                sum(len(x.text) + 1 for x in run.log()
                    if not re.match("reply from ", x.text)), run.real))


def main(days="30", seed="1"):
    try:
        guest.fetch()
        guest.need()
    except guest.Missing as reason:
        sys.exit(str(reason))
    world = World(int(days), int(seed))
    run = world.run()
    found = faults(world, run)
    print(*found, summary(world, run), sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

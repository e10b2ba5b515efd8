"""Whole daemons in clknetsim: the worlds, one run, and what it measured.

clknetsim (github.com/mlichvar/clknetsim) preloads a library that replaces the
clock and network calls of dynamically linked programs.  CLKNETSIM names the
directory where it was built.  The servers are chronyd with a local reference.
Nothing here can touch the machine's clock: the right to do so is taken away
before a program starts, and it gets an empty network namespace where possible.
"""

import ctypes
import math
import os
import random
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CAP_SYS_TIME, PR_CAPBSET_DROP, CLONE_NEWNET = 25, 24, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# Expressions of the simulator: (exponential) has mean 1, (normal) sd 1, and
# (sum 1) counts the seconds of a frequency expression.


def queue(base, mean):
    return "(+ %g (* %g (exponential)))" % (base, mean)


def walk(freq, wander, more=""):
    return "(+ %g (sum (* %g (normal))) %s)" % (freq, wander, more)


def between(a, b, value):
    return "(* %g (equal %g time %g))" % (value, (b - a) / 2, (a + b) / 2)


def lossy(delay, share):
    return "(+ %s (* -1000 (equal %g (uniform) %g)))" % (
        delay, share / 2, share / 2)


def path(up, down=None, offset=0.0, freq=0.0):
    return dict(up=up, down=down or up, offset=offset, freq=freq)


def pool(seed, **third):
    """Four servers; each path is up to 10 % slower one way, faster back."""
    chance = random.Random(seed)
    servers = []
    for ms, jitter in (10, 1), (20, 2), (30, 2), (40, 3):
        skew = chance.uniform(-0.1, 0.1)
        servers.append(path(queue(ms * 1e-3 * (1 + skew), jitter * 1e-3),
                            queue(ms * 1e-3 * (1 - skew), jitter * 1e-3)))
    servers[2].update(third)
    return servers


LAN, RACK, METRO = queue(1e-4, 2e-5), queue(5e-4, 5e-5), queue(5e-3, 2e-4)
TAILS = ("(+ 25e-5 (* 4e-5 (exponential)) "
         "(* 3e-3 (exponential) (equal 0.05 (uniform) 0.05)) "
         "(* 3e-2 (exponential) (equal 0.005 (uniform) 0.005)))")


def world(servers, offset, freq, seconds, window, **more):
    return dict(servers=servers, offset=offset, freq=freq, seconds=seconds,
                window=window, **more)


WORLDS = {
    "lan": world([path(LAN)], 5e-3, walk(15e-6, 1e-9), 40000, (10000, 40000)),
    "cloud": world([path(TAILS)], -0.02, walk(-25e-6, 1e-8), 40000,
                   (10000, 40000)),
    "wan4": world(pool, 0.05, walk(30e-6, 1e-8), 60000, (15000, 60000)),
    "noisy": world([path(queue(0.04, 0.05)), path(queue(0.045, 0.05))], 0.1,
                   walk(20e-6, 1e-8), 60000, (20000, 60000)),
    "cold300ms": world([path(METRO)], 0.3, walk(1e-4, 1e-8), 20000,
                       (10000, 20000)),
    "cold1000s": world([path(METRO)], -1000, walk(-3e-4, 1e-8), 20000,
                       (10000, 20000)),
    "tempstep": world([path(RACK)], 2e-3, walk(
        1e-5, 3e-9, "(* 5e-6 (max 0 (min 1 (+ (sum 1) -20000))))"), 40000,
        (20000, 40000)),
    "loss30": world([path(lossy(METRO, 0.3))] * 2, 0.02, walk(-15e-6, 1e-8),
                    40000, (10000, 40000)),
    "false1s": world(lambda seed: pool(seed, offset=1.0), 0.05,
                     walk(30e-6, 1e-8), 40000, (15000, 40000)),
    "falsedrift": world(lambda seed: pool(seed, freq=2e-5), 0.05,
                        walk(30e-6, 1e-8), 40000, (1000, 40000)),
    "outage": world([path("(+ %s %s)" % (RACK, between(20000, 34400, -1000)))],
                    0.01, walk(25e-6, 2e-9), 45000, (20000, 34400)),
    "jump60": world([path(RACK)], 2e-3, walk(2e-5, 3e-9), 32000,
                    (24000, 32000),
                    step="(* -60 (equal 0.1 (sum 1) 20000))"),
    "oneway": world([path(queue(5e-3, 2e-3), queue(5e-3, 2e-5))], 0.01,
                    walk(-1e-5, 1e-8), 40000, (10000, 40000)),
    "gauss": world([path("(+ 1e-3 (* 5e-5 (normal)))")], 0.01,
                   walk(-1e-5, 1e-8), 40000, (10000, 40000)),
    "congest": world([path("(+ %s %s)" % (METRO, between(20000, 20600, 0.1)),
                           METRO)], 0.01, walk(5e-6, 1e-8), 30000,
                     (20000, 30000)),
}


def confine():
    """In the child: no right to set the clock, no network."""
    if _libc.prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) and \
            os.geteuid() == 0:
        os._exit(125)
    _libc.unshare(CLONE_NEWNET)
    os.setsid()


def write(name, text):
    with open(name, "w") as f:
        f.write(text)
    return name


def run(name, seed, client, server):
    """One client (arguments of its directory and its servers' addresses) in one
    world; offset and frequency for each second, packets' times it sent."""
    w, home = WORLDS[name], os.environ["CLKNETSIM"]
    servers = w["servers"](seed) if callable(w["servers"]) else w["servers"]
    me = len(servers) + 1
    started = []
    with tempfile.TemporaryDirectory(prefix="clknetsim-") as d:
        conf = ["node%d_start = 1" % me, "node%d_offset = %g" %
                (me, w["offset"]), "node%d_freq = %s" % (me, w["freq"])]
        if "step" in w:
            conf.append("node%d_step = %s" % (me, w["step"]))
        for i, s in enumerate(servers, 1):
            conf += ["node%d_offset = %g" % (i, s["offset"]),
                     "node%d_freq = %g" % (i, s["freq"]),
                     "node%d_delay%d = %s" % (me, i, s["up"]),
                     "node%d_delay%d = %s" % (i, me, s["down"])]
        write(d + "/conf", "\n".join(conf) + "\n")
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("LISTEN_FDS", "NOTIFY_SOCKET")}
        environment.update(
            CLKNETSIM_SOCKET=d + "/socket", CLKNETSIM_RANDOM_SEED=str(seed),
            CLKNETSIM_START_DATE="2000000000", CLKNETSIM_START_MONO="1000")

        def start(node, arguments):
            with open("%s/log.%d" % (d, node), "w") as log:
                started.append(subprocess.Popen(
                    arguments, cwd=d, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, preexec_fn=confine, env=dict(
                        environment, CLKNETSIM_NODE=str(node),
                        LD_PRELOAD=home + "/clknetsim.so")))
        try:
            for i in range(1, me):
                start(i, [server, "-d", "-f", write(
                    "%s/server%d.conf" % (d, i),
                    "local stratum 1\nallow\ncmdport 0\nbindcmdaddress /\n"
                    "pidfile %s/server%d.pid\n" % (d, i))])
            start(me, client(d, ["192.168.123.%d" % i for i in range(1, me)]))
            done = subprocess.run(
                [home + "/clknetsim", "-s", d + "/socket", "-l",
                 str(w["seconds"]), "-o", d + "/offset", "-f", d + "/freq",
                 "-p", d + "/packets", d + "/conf", str(me)],
                env=environment, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, timeout=300, preexec_fn=os.setsid)
            if done.returncode:
                raise RuntimeError("%s: %s" % (name, done.stderr.decode()))
            return series(d, me)
        finally:
            for p in started:
                p.terminate()
            for p in started:
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()


def series(d, me):
    def column(name):
        with open(name) as f:
            return [float(line.split("\t")[me - 1]) for line in f]

    with open(d + "/packets") as f:
        lines = [line.split("\t") for line in f]
    sent = [float(x[0]) for x in lines if int(x[1]) == me]
    return column(d + "/offset"), column(d + "/freq"), sent


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def figures(name, offset, freq, sent):
    """What the table shows of one run."""
    a, b = WORLDS[name]["window"]
    ordered = sorted(abs(v) for v in offset[a:b])
    return dict(rms=rms(ordered), p95=ordered[len(ordered) * 95 // 100],
                max=ordered[-1], freq=rms(freq[a:b]),
                packets=len(sent) * 3600 / WORLDS[name]["seconds"])

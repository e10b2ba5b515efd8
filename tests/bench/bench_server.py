#!/usr/bin/python3
"""How fast the server answers, as ratios of a plain loop in the same run.

    bench_server.py [--repeat N] [--only NAME,NAME] BUILD NTPD

BUILD holds ceiling, load and serve_alone; NTPD is the daemon.  Needs root,
iproute2 and util-linux.  chronyd and OpenNTPD take part when peers.py can get
them, busybox (Debian's has no ntpd) when BUSYBOX= names one that has.

Each server lives in a network namespace with a veth to the generator's, on a
processor of its own, as SCHED_FIFO in bursts of a quarter to one second: on a shared
machine anything else measures the neighbours.  Servers run without
CAP_SYS_TIME.

saturation  more requests than can be answered, from 20 000 addresses; the
            answers are counted by the server's kernel and divided by the CPU
            time of the server process; the best of five bursts, as noise only
            takes away.  The bars are on the ratio to `echo` in the same
            repeat: 0.95 in the median, and more than chronyd.
garbage     2000 valid requests a second beside noise as fast as it can be
            sent; lost is the share of the valid ones without answer (bar:
            0.005), also memory growth and bytes of log.
"""
import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
import peers  # noqa: E402

SERVER, CLIENT, FIRST = "10.81.0.1", "10.81.0.2", "10.82.0.1"
SERVER_CPU, CLIENT_CPU = 0, 1
NO_TIME = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time"]
BAR_RATIO, BAR_LOST = 0.95, 0.005


def run(*argv, **kw):
    return subprocess.run(argv, check=True, text=True, capture_output=True,
                          **kw).stdout


class Net:
    """Two namespaces and a veth; the client's owns 10.82/16 (AnyIP)."""

    def __enter__(self):
        tag = "b%d" % os.getpid()
        self.s, self.c = tag + "s", tag + "c"
        run("ip", "netns", "add", self.s)
        run("ip", "netns", "add", self.c)
        run("ip", "link", "add", "v0", "netns", self.s, "type", "veth",
            "peer", "name", "v0", "netns", self.c)
        mac = {}
        for ns, ip in ((self.s, SERVER), (self.c, CLIENT)):
            run("ip", "-n", ns, "addr", "add", ip + "/24", "dev", "v0")
            for dev in "lo", "v0":
                run("ip", "-n", ns, "link", "set", dev, "up")
            mac[ns] = json.loads(run("ip", "-n", ns, "-j", "link", "show",
                                     "v0"))[0]["address"]
        run("ip", "-n", self.c, "route", "add", "local", "10.82.0.0/16",
            "dev", "lo")
        run("ip", "-n", self.s, "route", "add", "10.82.0.0/16", "via", CLIENT)
        for ns, ip, other in ((self.s, CLIENT, self.c),
                              (self.c, SERVER, self.s)):
            run("ip", "-n", ns, "neigh", "replace", ip, "lladdr", mac[other],
                "dev", "v0", "nud", "permanent")
        return self

    def __exit__(self, *_):
        for ns in self.s, self.c:
            subprocess.run(["ip", "netns", "del", ns])

    def answers(self):
        """UDP datagrams sent by the server's namespace, from its own view."""
        text = run("ip", "netns", "exec", self.s, "cat", "/proc/net/snmp")
        head, row = [l.split() for l in text.splitlines()
                     if l.startswith("Udp:")]
        return int(row[head.index("OutDatagrams")])

    def load(self, *args):
        out = run("ip", "netns", "exec", self.c, "taskset", "-c",
                  str(CLIENT_CPU), "chrt", "-f", "10", A.build + "/load",
                  "-a", FIRST, "-n", "20000", *args, SERVER)
        time.sleep(0.6)          # pay back what real-time scheduling borrowed
        return json.loads(out)


class Server:
    def __init__(self, name, net):
        self.dir = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.dir, 0o755)
        self.log = open(self.dir + "/log", "w+b")
        argv, env = COMMANDS[name](self.dir)
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", net.s, "taskset", "-c", str(SERVER_CPU),
             "chrt", "-f", "10"] + NO_TIME + argv, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, cwd=self.dir,
            env=dict(os.environ, **env), start_new_session=True)
        for _ in range(50):
            time.sleep(0.2)
            if self.proc.poll() is not None:
                break
            got = net.load("-r", "500", "-s", "0.1")
            if got["answered"] >= 0.9 * got["sent"]:
                return
        self.stop()
        raise RuntimeError(name + " does not answer: " + self.text()[-300:])

    def text(self):
        with open(self.dir + "/log", errors="replace") as f:
            return f.read()

    def pids(self):
        """The process and its descendants."""
        found, grew = {self.proc.pid}, True
        while grew:
            grew = False
            for p in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open("/proc/%s/stat" % p) as f:
                        parent = int(f.read().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
                if parent in found and int(p) not in found:
                    found.add(int(p))
                    grew = True
        return found

    def cpu(self):
        total = 0
        for p in self.pids():
            with open("/proc/%d/schedstat" % p) as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def memory(self):
        total = 0
        for p in self.pids():
            with open("/proc/%d/status" % p) as f:
                total += sum(int(l.split()[1]) for l in f
                             if l.startswith("VmRSS"))
        return total

    def stop(self):
        if self.proc.poll() is None:
            try:
                os.killpg(self.proc.pid, signal.SIGTERM)
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait()
        self.log.close()

    def clean(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def ntpd(d):
    write(d + "/ntpd.conf", "listen on *\n")
    # a /run of its own for the control socket
    return ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && exec %s "
            "-d -f %s/ntpd.conf" % (A.ntpd, d)], {}


def chronyd(d):
    write(d + "/chrony.conf", "local stratum 3\nallow all\ncmdport 0\n"
          "bindcmdaddress /\npidfile %s/pid\n" % d)
    return [PEER["chronyd"], "-d", "-x", "-u", "root", "-f",
            d + "/chrony.conf"], {}


def busybox(d):
    return [PEER["busybox"], "ntpd", "-n", "-l"], {}


def openntpd(d):
    # a user, and directories it insists on, in a mount namespace of its own
    write(d + "/conf", "listen on *\n")
    write(d + "/passwd", "root:x:0:0::/root:/bin/sh\n"
          "_ntp:x:64999:64999::%s/home:/bin/false\n"
          "openntpd:x:64998:64999::%s/home:/bin/false\n"
          "ntpd:x:64997:64999::%s/home:/bin/false\n" % (d, d, d))
    write(d + "/group", "root:x:0:\n_ntp:x:64999:\nopenntpd:x:64999:\n")
    os.mkdir(d + "/home")
    script = ("mount --bind %s/passwd /etc/passwd && "
              "mount --bind %s/group /etc/group && "
              "mount -t tmpfs none /var/lib && "
              "mkdir -p /var/lib/openntpd/run /var/lib/openntpd/db && "
              "exec %s -d -f %s/conf" % (d, d, PEER["openntpd"], d))
    return ["unshare", "-m", "sh", "-c", script], {}


def ceiling(kind):
    return lambda d: ([A.build + "/ceiling", kind, "123"], {})


def find_peers():
    for name in "chronyd", "openntpd":
        PEER[name] = peers.path(name)
    PEER["busybox"] = os.environ.get("BUSYBOX")


def burst(server, net):
    cpu, sent = server.cpu(), net.answers()
    got = net.load("-r", "0", "-s", "0.25", "-q")
    answers, cpu = net.answers() - sent, server.cpu() - cpu
    return {"per_cpu_second": answers / cpu, "answers": answers,
            "offered": got["sent"], "busy": cpu / got["seconds"]}


def saturation(server, net):
    return max((burst(server, net) for _ in range(5)),
               key=lambda b: b["per_cpu_second"])


def garbage(server, net, kind):
    net.load("-r", "2000", "-s", "0.5")
    before, log = server.memory(), os.path.getsize(server.dir + "/log")
    got = net.load("-r", "2000", "-s", "1", "-g", kind)
    return {"lost": 1 - got["answered"] / got["sent"], "noise": got["noise"],
            "noise_answered": got["noise_answered"] / got["noise"],
            "back": got["noise_bytes_back"] / got["noise_bytes"],
            "grown_kib": server.memory() - before,
            "log": os.path.getsize(server.dir + "/log") - log}


def main():
    result, names = {}, list(COMMANDS)
    if A.only:
        names = [n for n in names if n in A.only.split(",") or n == "echo"]
    for turn in range(A.repeat):
        random.shuffle(names)
        for name in names:
            if name in result and result[name] is None:
                continue
            with Net() as net:
                server = None
                try:
                    server = Server(name, net)
                    row = {"sat": saturation(server, net)}
                    if name not in ("echo", "stamp", "batch"):
                        row["random"] = garbage(server, net, "random")
                        row["ntp"] = garbage(server, net, "ntp")
                    result.setdefault(name, []).append(row)
                except RuntimeError as e:
                    print(e, file=sys.stderr)
                    result[name] = None
                finally:
                    if server is not None:
                        server.stop()
                        server.clean()
    return report(result)


def median(rows, *path):
    values = []
    for r in rows:
        for key in path:
            r = r[key]
        values.append(r)
    return statistics.median(values)


def report(result):
    rows = {n: r for n, r in result.items() if r}
    echo = [r["sat"]["per_cpu_second"] for r in rows["echo"]]
    ratio = {}
    print("%-12s %10s %8s %11s %6s" % ("server", "answers/s", "of echo",
                                       "low..high", "busy"))
    for name, r in sorted(rows.items(), key=lambda i: -median(
            i[1], "sat", "per_cpu_second")):
        each = [x["sat"]["per_cpu_second"] / e for x, e in zip(r, echo)]
        ratio[name] = statistics.median(each)
        print("%-12s %10.0f %8.3f %5.2f..%4.2f %6.2f" % (
            name, median(r, "sat", "per_cpu_second"), ratio[name], min(each),
            max(each), median(r, "sat", "busy")))
    print("\n%-12s %7s %9s %9s %9s %8s %6s" % ("garbage", "noise/s", "lost",
          "answered", "bytes back", "grown", "log"))
    good = True
    for name, r in rows.items():
        for kind in "random", "ntp":
            if kind not in r[0]:
                continue
            lost = median(r, kind, "lost")
            if name == "ntpd":
                good = good and lost < BAR_LOST
            print("%-12s %7.0f %8.3f%% %8.2f%% %9.3f %4.0f KiB %6.0f" % (
                name + " " + kind[0], median(r, kind, "noise"), 100 * lost,
                100 * median(r, kind, "noise_answered"),
                median(r, kind, "back"), max(x[kind]["grown_kib"] for x in r),
                max(x[kind]["log"] for x in r)))
    if "ntpd" in ratio:
        good = good and ratio["ntpd"] >= BAR_RATIO
        good = good and ratio["ntpd"] > ratio.get("chronyd", 0)
        print("\nbars: %s" % ("met" if good else "NOT MET"))
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("ntpd")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="")
    A = parser.parse_args()
    A.build, A.ntpd = os.path.abspath(A.build), os.path.abspath(A.ntpd)
    PEER = {}
    find_peers()
    COMMANDS = {k: ceiling(k) for k in ("echo", "stamp", "batch")}
    COMMANDS["alone"] = lambda d: ([A.build + "/serve_alone"], {})
    if os.access(A.ntpd, os.X_OK):
        COMMANDS["ntpd"] = ntpd
    for peer, command in (("chronyd", chronyd), ("busybox", busybox),
                          ("openntpd", openntpd)):
        if PEER[peer]:
            COMMANDS[peer] = command
        else:
            print("%s: not here, left out" % peer, file=sys.stderr)
    sys.exit(main())

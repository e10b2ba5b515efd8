"""A world of its own for one scenario: network, files, servers, daemons.

A World belongs to one thread, which it puts into a network and a mount
namespace that nobody else sees (unshare(2) works for single threads).  Every
address of 10.99.0.0/16 and fd99::/64 is local there, so a server is just a
socket on port 123 of such an address, and what has no socket refuses.  The
only name server on earth is 127.0.0.1, and its answers are scripted here.

All sockets of a world are served by one more thread (see serve), which stops
when the world ends.
"""

import ctypes
import heapq
import json
import os
import random
import re
import selectors
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "net")
NTPD = os.path.abspath(os.environ.get("NTPD", os.path.join(TOP, "ntpd")))

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
SO_TIMESTAMPNS = 35             # asm-generic/socket.h
IP_RECVTOS, IPV6_RECVTCLASS, IPV6_TCLASS = 13, 66, 67
IPV6_FREEBIND = 78              # an address of a local route will do
UNIX = 2208988800               # 1970 in seconds since 1900

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (what, os.strerror(error)))


def install(program, where):
    """Copy a program, to be started from there; gives its path.  Another
    process does it: a descriptor of ours that may write would be in each
    process that another thread begins just now, and the kernel starts no
    program that somebody may write (ETXTBSY of execve(2))."""
    subprocess.run(["cp", program, where], check=True)
    return where


def give_up_sys_time():
    """Take CAP_SYS_TIME from every set of this process, for ever, so that
    nothing it starts can set the machine's clock."""
    CAP_SYS_TIME, PR_CAPBSET_DROP, VERSION_3 = 25, 24, 0x20080522
    libc.prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0)
    head = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    checked(libc.capget(head, sets), "capget")
    for i in range(3):
        sets[i] &= ~(1 << CAP_SYS_TIME)
    checked(libc.capset(head, sets), "capset")
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("Cap"):
                assert not int(line.split()[1], 16) >> CAP_SYS_TIME & 1, line


# Calls that a kernel may not have, by their numbers on x86-64.
SECCOMP, LANDLOCK = 317, 444
# Daemons are started as on a kernel without Landlock and without filters.
NO_SANDBOX = "NO_SANDBOX" in os.environ


def refuse(*calls):
    """From now on these calls give ENOSYS to this process and all that it
    starts, as an old kernel gives it, or the filter of a container engine."""
    load, equal, give = 0x20, 0x15, 0x06        # linux/bpf_common.h
    allow, enosys = 0x7fff0000, 0x00050000 | 38
    rows = [(load, 0, 0, 0)]
    for i, number in enumerate(calls):
        rows.append((equal, len(calls) - i, 0, number))
    rows += [(give, 0, 0, allow), (give, 0, 0, enosys)]
    program = b"".join(struct.pack("=HBBI", *row) for row in rows)
    text = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(rows), ctypes.addressof(text))
    PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER = 22, 38, 2
    if libc.prctl(PR_SET_SECCOMP, FILTER, head, 0, 0) != 0:
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        checked(libc.prctl(PR_SET_SECCOMP, FILTER, head, 0, 0), "seccomp")


def tool(name, source, *options):
    """The path of a C program of the tests, which is built when its source is
    newer."""
    binary = os.path.join(BUILD, name)
    with _build_lock:
        if not os.path.exists(binary) or \
                os.path.getmtime(binary) < os.path.getmtime(source):
            os.makedirs(BUILD, exist_ok=True)
            new = "%s.%d" % (binary, os.getpid())
            subprocess.run(["cc", "-std=gnu11", "-O1", *options, "-o", new,
                            source, "-lm"], check=True)
            os.rename(new, binary)
    return binary


_build_lock = threading.Lock()


def guard():
    return tool("clockguard", os.path.join(HERE, "clockguard.c"))


def hasten():
    """A library to preload, with which time passes $HASTEN times as fast."""
    return tool("hasten.so", os.path.join(HERE, "hasten.c"), "-shared", "-fPIC")


def is_static(path):
    """Does the program run in an empty root, since it needs no interpreter?"""
    out = subprocess.run(["readelf", "-lW", path], capture_output=True,
                         text=True).stdout
    return "INTERP" not in out


# s, as ntpd(8) promises.  A sanitized program searches its memory for leaks
# before it ends, in a second process, and a busy machine makes that long.
SOON = 2 if is_static(NTPD) else 30


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):     # just ended
        return []


def state(pid):
    """The state of a process: R, S, Z and so on, or "gone"."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):     # just ended
        return "gone"


class Patience:
    """So many seconds of waiting for what should come.  A machine that has more
    to do than processors gets more of them, since all waits there."""

    def __init__(self, seconds):
        self.seconds, self.began = seconds, time.monotonic()

    def left(self):
        crowd = os.getloadavg()[0] / (2 * os.cpu_count())
        return self.began + self.seconds * max(1, crowd) - time.monotonic()


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses.  It is below those that the kernel
    gives to clients, of which one could take it before the server does."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def until(condition, seconds=60):
    """Wait until condition() is true, and give what it returned."""
    patience = Patience(seconds)
    while True:
        result = condition()
        if result:
            return result
        assert patience.left() > 0, "not so in %d s" % seconds
        time.sleep(0.02)


def both_clocks():
    """The monotonic clock in s and the wall clock in ns, of one moment: they
    are read again when another thread may have run between two readings."""
    best = None
    for _ in range(10):
        a, real, b = time.monotonic(), time.time_ns(), time.monotonic()
        if best is None or b - a < best[0]:
            best = b - a, (a + b) / 2, real
        if b - a < 1e-4:
            break
    return best[1:]


class Query:
    """A query that came in at a scripted server."""

    def __init__(self, data, source, real, mono, tos):
        self.data, self.source, self.tos = data, source, tos
        self.real, self.mono = real, mono
        self.transmit = data[40:48]


class Reply:
    """One datagram to send.  Fields that are not set are those of an honest
    server of stratum 1."""

    def __init__(self, query, offset):
        self.leap, self.version, self.mode, self.stratum = 0, 4, 4, 1
        self.poll, self.precision = 6, -20
        self.root_delay = self.root_dispersion = 0.0001
        self.refid = b"TEST"
        self.query = query
        self.offset = offset            # s, of all stamps to come
        self.asked = query.real / 1e9
        self.reference = None           # s since 1970, or 8 bytes
        self.origin = query.transmit
        self.receive = None
        self.transmit = None
        self.extra = b""                # behind the 48 bytes
        self.cut = None                 # send only so many bytes
        self.wait = 0.0                 # s until it is sent
        self.socket = None              # another socket to send it from
        self.raw = None                 # send just this

    def stamp(self, value, default):
        if isinstance(value, bytes):
            return value
        if value is None:
            value = default + self.offset
        ntp = value + UNIX
        whole = int(ntp // 1)
        # A double of that size is too coarse, so it is done in two parts.
        return struct.pack("!II", whole & 0xffffffff,
                           int((ntp - whole) * 2**32) & 0xffffffff)

    def pack(self):
        if self.raw is not None:
            return self.raw
        first = self.leap << 6 | (self.version & 7) << 3 | self.mode & 7
        data = struct.pack(
            "!BBbbII4s", first, self.stratum, self.poll, self.precision,
            int(self.root_delay * 65536) & 0xffffffff,
            int(self.root_dispersion * 65536) & 0xffffffff, self.refid)
        data += self.stamp(self.reference, self.asked - 1)
        data += self.origin
        data += self.stamp(self.receive, self.asked)
        data += self.stamp(self.transmit, time.time())
        return (data + self.extra)[:self.cut]


class NtpServer:
    """A scripted server.  behave(query, reply) may change the reply and return
    None, or return a list of replies; an empty list is silence."""

    def __init__(self, world, address, offset=0.0, behave=None, delay=0.0):
        self.world, self.address, self.offset = world, address, offset
        self.behave, self.delay = behave, delay
        self.queries = []
        self.silent = False
        self.previous = None            # the last honest reply, packed
        self.late = 0                   # replies that a busy machine held up
        self.sock = world.bind(address, 123)
        world.watch(self.sock, self.readable)

    @property
    def times(self):
        return [q.mono for q in self.queries]

    def close(self):
        """Close the port: from now on ICMP refuses queries."""
        self.world.unwatch(self.sock)

    def open(self):
        self.sock = self.world.bind(self.address, 123)
        self.world.watch(self.sock, self.readable)

    def readable(self):
        data, ancillary, _, source = self.sock.recvmsg(65536, 256)
        (mono, real), tos = both_clocks(), None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, ns = struct.unpack("qq", value)
                mono -= (real - (seconds * 10**9 + ns)) / 1e9
                real = seconds * 10**9 + ns
            elif kind in (1, IPV6_TCLASS):      # IP_TOS is 1
                tos = value[0]
        query = Query(data, source, real, mono, tos)
        self.queries.append(query)
        if self.silent or len(data) < 48:
            return
        reply = Reply(query, self.offset)
        # A delay on the way back only is an asymmetry: shift the server's
        # stamps to the middle of it, as a slow path both ways would.
        if self.delay:
            reply.asked += self.delay / 2
            reply.transmit = reply.asked + self.offset
            reply.wait = self.delay
        replies = self.behave(query, reply) if self.behave else None
        for r in [reply] if replies is None else replies:
            if r.wait > 0:
                self.world.later(r.wait, lambda r=r: self.send(r, source))
            else:
                self.send(r, source)

    def send(self, reply, source):
        data = reply.pack()
        if reply.raw is None:
            self.previous = data
        self.late += time.monotonic() - reply.query.mono > reply.wait + 1
        try:
            (reply.socket or self.sock).sendto(data, source)
        except OSError:
            pass                        # the asker has closed its socket


class Dns:
    """The name server.  names maps a name to a list of addresses; a name that
    is missing does not exist.  Instead of a list there may be "servfail",
    "refused", "silent", or (seconds, list) for an answer that comes late."""

    def __init__(self, world, address="127.0.0.1"):
        self.world, self.address = world, address
        self.names = {}
        self.asked = []                 # (monotonic, name, type)
        self.sock = None

    def open(self):
        self.sock = self.world.bind(self.address, 53)
        self.world.watch(self.sock, self.readable)

    def close(self):
        self.world.unwatch(self.sock)
        self.sock = None

    def readable(self):
        data, source = self.sock.recvfrom(4096)
        if len(data) < 17:
            return
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        kind = struct.unpack("!H", data[at + 1:at + 3])[0]
        question = data[12:at + 5]
        name = ".".join(labels).lower()
        self.asked.append((time.monotonic(), name, kind))
        answer, wait, rcode = self.names.get(name), 0, 0
        if isinstance(answer, tuple):
            wait, answer = answer
        if answer == "silent":
            return
        if answer is None:
            rcode, answer = 3, []
        elif answer == "servfail":
            rcode, answer = 2, []
        elif answer == "refused":
            rcode, answer = 5, []
        records = []
        for a in answer:
            if kind == 1 and ":" not in a:
                records.append(socket.inet_pton(socket.AF_INET, a))
            elif kind == 28 and ":" in a:
                records.append(socket.inet_pton(socket.AF_INET6, a))
        reply = data[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1,
                                       len(records), 0, 0) + question
        for r in records:
            reply += struct.pack("!HHHIH", 0xc00c, kind, 1, 60, len(r)) + r
        self.world.later(wait, lambda: self.sock and
                         self.sock.sendto(reply, source))


class Device:
    """A hardware clock, /dev/ptpN, as clockguard.c pretends it for the daemons
    that are started after it.  show() changes what it shows from now on."""

    def __init__(self, world, name, clock=None, **shown):
        self.file = os.path.join(world.devices, name)
        os.mknod("/dev/" + name, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        self.place = "/sys/class/ptp/" + name
        os.makedirs(self.place + "/device")
        if clock is not None:
            with open(self.place + "/clock_name", "w") as f:
                f.write(clock + "\n")
        self.now = {"ways": 7, "offset": 0.0, "rate": 0.0, "width": 2000}
        self.show(**shown)

    def show(self, **shown):
        self.now.update(shown)
        with open(self.file + ".new", "w") as f:
            f.write("%(ways)s %(offset)s %(rate)s %(width)s\n" % self.now)
        os.rename(self.file + ".new", self.file)

    def bound(self, text):
        """What the device says that it may be wrong by, in a file of sysfs,
        for the daemons that start later."""
        with open(self.place + "/device/phc_error_bound", "w") as f:
            f.write(text)

    def vanish(self):
        os.unlink(self.file)


class Daemon:
    """A running program, its lines, and what it wanted of the clock."""

    def __init__(self, process, log, stream):
        self.process, self.log, self.stream = process, log, stream
        self.servers = ()               # of its world
        self.started = time.monotonic()
        self.timed = []                 # (monotonic, line)
        self.change = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        if stream is not None:
            self.reader.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        for line in self.stream:
            with self.change:
                self.timed.append((time.monotonic(), line.decode(
                    "utf-8", "replace").rstrip("\n")))
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    @property
    def lines(self):
        """The lines read so far; of a program that has ended, all of them."""
        if self.stream is not None and self.process.poll() is not None:
            self.reader.join(10)
        with self.change:
            return [line for _, line in self.timed]

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    def matching(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def when(self, pattern):
        """The seconds from the start to the first line that matches."""
        with self.change:
            for at, line in self.timed:
                if re.search(pattern, line):
                    return at - self.started
        return None

    def wait(self, pattern, seconds, count=1):
        """Wait until so many lines match, and give the last of them."""
        patience = Patience(seconds)
        with self.change:
            while True:
                found = [line for _, line in self.timed
                         if re.search(pattern, line)]
                if len(found) >= count:
                    return found[count - 1]
                left = patience.left()
                if left <= 0 or self.ended:
                    raise AssertionError(
                        "%d of %d lines /%s/ after %.1f s in:\n%s" % (
                            len(found), count, pattern,
                            time.monotonic() - self.started,
                            "\n".join(line for _, line in self.timed)))
                self.change.wait(left)

    def clock(self):
        """Every attempt to write to the clock, oldest first."""
        if not os.path.exists(self.log):
            return []                   # it is only just starting
        with open(self.log) as f:
            rows = [json.loads(line) for line in f
                    if line.endswith("\n")]
        return [r for r in rows if "call" in r]

    def executed(self):
        with open(self.log) as f:
            return json.loads(f.readline())

    def steps(self):
        """The seconds of each step that was ordered and granted."""
        return [r["step"] / 1e9 for r in self.clock()
                if r["step"] != 0 and r["errno"] == 0]

    def stepped_at(self):
        """When the first step was granted, on time.monotonic()."""
        zero = self.executed()["zero"]
        return next((zero + r["t"]) / 1e9 for r in self.clock()
                    if r["step"] != 0 and r["errno"] == 0)

    def set_after(self):
        """The seconds from the first request that any server got to the first
        step.  The time to start the program does not count."""
        return self.stepped_at() - min(
            s.queries[0].mono for s in self.servers if s.queries)

    def wait_step(self, seconds):
        """The first step, once the log has told of it too."""
        patience = Patience(seconds)
        while patience.left() > 0:
            steps = self.steps()
            if steps:
                if self.stream is not None:
                    self.wait("^set local clock to ", 30)
                return steps[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError("no step in %.0f s; %s; lines:\n%s"
                             % (seconds, self.where(), self.text))

    def slack(self):
        """By how many seconds honest servers may seem to be wrong: half of the
        longest round trip so far, less the delay that the server was told to
        make.  On an idle machine it is nothing; on a busy one the program
        cannot know better."""
        made = {s.address: s.delay for s in self.servers}
        return max([0] + [
            (float(m.group(2)) - made.get(m.group(1), 0)) / 2 for m in (
                re.match(r"reply from (\S+): offset \S+ delay (\S+),", line)
                for line in self.lines) if m])

    def stepped_once(self, seconds):
        """The only step was by so many, as far as it could know."""
        steps = self.steps()
        assert len(steps) == 1, steps
        assert abs(steps[0] - seconds) < 0.5 + self.slack(), self.text

    def alive(self):
        return self.process.poll() is None

    def where(self):
        """What the process is doing, for messages."""
        said = []
        for name in ("comm", "wchan", "syscall", "schedstat", "status"):
            try:
                with open("/proc/%d/%s" % (self.pid, name)) as f:
                    text = f.read()
            except OSError as e:
                text = str(e)
            if name == "status":
                text = ", ".join(re.findall(
                    r"(?:State|TracerPid|S(?:ig|hd)\w+):.*", text))
            said.append("%s %s" % (name, text.strip()))
        return "; ".join(said)

    def rss(self):
        """Resident and anonymous memory, in KiB."""
        with open("/proc/%d/smaps_rollup" % self.pid) as f:
            kib = {line.split(":")[0]: int(line.split()[1])
                   for line in f if " kB" in line}
        return kib["Rss"], kib["Anonymous"]

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Send a signal; gives the exit status and the seconds that it
        took."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            where = self.where()
            self.process.kill()
            self.process.wait()
            raise AssertionError("still there after %d s; %s; lines:\n%s"
                                 % (seconds, where, self.text))
        took = time.monotonic() - begin
        if self.stream is not None:
            self.reader.join(10)        # its last lines
        return status, took


class Syslog:
    """/dev/log of a root directory."""

    def __init__(self, world, root):
        os.makedirs(root + "/dev", exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(root + "/dev/log")
        self.sock.setblocking(False)
        self.lines = []                 # <priority>date ntpd[pid]: text
        world.watch(self.sock, self.readable)

    def readable(self):
        self.lines.append(self.sock.recv(8192).rstrip(b"\n\0").decode())

    def texts(self):
        return [line.split("]: ", 1)[-1] for line in list(self.lines)]

    def wait(self, pattern, seconds, count=1):
        patience = Patience(seconds)
        while patience.left() > 0:
            found = [t for t in self.texts() if re.search(pattern, t)]
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.02)
        raise AssertionError("%d of %d lines /%s/ in syslog:\n%s" % (
            len(found), count, pattern, "\n".join(self.lines)))


class World:
    def __init__(self, name="world"):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="net-")
        self.daemons, self.servers = [], []
        self.sockets = []               # closed at the end
        self.devices = None             # the directory of what they show
        self.selector = selectors.DefaultSelector()
        self.timers, self.order, self.lock = [], 0, threading.Lock()
        self.wake_r, self.wake_w = os.pipe()
        os.set_blocking(self.wake_r, False)
        self.over = False
        self.commands = 0
        self.rates = True               # let check_rates look
        self.refusals = False           # the sandbox is to refuse something
        checked(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
        self.run("mount", "--make-rprivate", "/")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "route", "add", "local", "10.99.0.0/16", "dev", "lo")
        # This is room for a daemon that is faster than our syslog (10 lines).
        try:
            with open("/proc/sys/net/unix/max_dgram_qlen", "w") as f:
                f.write("1000")
        except OSError:
            pass
        # Not every machine has IPv6; the tests that need it look at this.
        self.ipv6 = subprocess.run(
            ["ip", "-6", "route", "add", "local", "fd99::/64", "dev", "lo"],
            stderr=subprocess.DEVNULL).returncode == 0
        # Sockets and files of daemons are this world's own.
        for directory in ("/run", "/var/run", "/var/db", "/var/lib"):
            if os.path.isdir(directory) and not os.path.islink(directory):
                self.run("mount", "-t", "tmpfs", "world", directory)
        with open(os.path.join(self.dir, "resolv.conf"), "w") as f:
            f.write("nameserver 127.0.0.1\n")
        if os.path.exists("/etc/resolv.conf"):
            self.run("mount", "--bind", os.path.join(self.dir, "resolv.conf"),
                     os.path.realpath("/etc/resolv.conf"))
        self.dns = Dns(self)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def run(self, *command, **keywords):
        return subprocess.run(command, **{"check": True, **keywords})

    # ---- sockets, served by one thread

    def bind(self, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        s.setblocking(False)
        s.bind((address, port))
        return s

    def poke(self):
        os.write(self.wake_w, b"x")

    def watch(self, sock, ready):
        with self.lock:
            self.selector.register(sock, selectors.EVENT_READ, ready)
        self.poke()

    def unwatch(self, sock):
        with self.lock:
            try:
                self.selector.unregister(sock)
            except KeyError:
                return
            sock.close()
        self.poke()

    def later(self, seconds, what):
        with self.lock:
            self.order += 1
            heapq.heappush(self.timers,
                           (time.monotonic() + seconds, self.order, what))
        self.poke()

    def serve(self):
        self.selector.register(self.wake_r, selectors.EVENT_READ, None)
        while not self.over:
            with self.lock:
                wait = self.timers[0][0] - time.monotonic() \
                    if self.timers else 60
            ready = self.selector.select(max(0, wait)) if wait > 0 else []
            for key, _ in ready:
                if key.data is None:
                    try:
                        os.read(self.wake_r, 4096)
                    except BlockingIOError:
                        pass
                    continue
                try:
                    key.data()
                except (BlockingIOError, ConnectionError, ValueError):
                    pass
                except OSError:
                    if key.fileobj.fileno() != -1:
                        raise
            while True:
                with self.lock:
                    if not self.timers or \
                            self.timers[0][0] > time.monotonic():
                        break
                    what = heapq.heappop(self.timers)[2]
                what()

    # ---- what scenarios use

    def ntp(self, address, offset=0.0, behave=None, delay=0.0):
        server = NtpServer(self, address, offset, behave, delay)
        self.servers.append(server)
        return server

    def device(self, name, clock=None, **shown):
        if self.devices is None:
            self.devices = os.path.join(self.dir, "devices")
            os.makedirs(self.devices)
            self.run("mount", "-t", "tmpfs", "dev", "/dev")
            for node, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
                os.mknod("/dev/" + node, 0o666 | stat.S_IFCHR,
                         os.makedev(1, minor))
            self.run("mount", "-t", "tmpfs", "sys", "/sys/class")
        return Device(self, name, clock, **shown)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(path, mode) as f:
            f.write(text)
        return path

    def seal(self, root):
        """Make it read-only.  A process that another thread begins just now
        may have its files open for a moment, which the kernel refuses."""
        until(lambda: self.run("mount", "-o", "remount,ro", root, check=False,
                               stderr=subprocess.DEVNULL).returncode == 0, 30)

    def empty_root(self, read_only=False):
        """A root directory that holds nothing but the program."""
        root = os.path.join(self.dir, "root%d" % self.commands)
        os.makedirs(root)
        self.run("mount", "-t", "tmpfs", "-o", "size=4m", "root", root)
        install(NTPD, os.path.join(root, "ntpd"))
        if read_only:
            self.seal(root)
        return root

    def start(self, *arguments, conf=None, program=None, guard_options=(),
              guarded=True, root=None, env=None, stderr="pipe", prefix=(),
              default=False, stdout=subprocess.DEVNULL, **keywords):
        """Start the daemon (or program) with these arguments.  conf is
        written to a file that -f names; default: none is named."""
        self.commands += 1
        log = os.path.join(self.dir, "clock%d" % self.commands)
        command = list(prefix)
        if guarded:
            command += [guard(), "-l", log, *guard_options]
            if self.devices is not None:
                command += ["-p", self.devices]
            if root:
                command += ["-r", root]
        elif root:
            command += ["chroot", root]
        if NO_SANDBOX and not guarded:
            keywords.setdefault(
                "preexec_fn", lambda: refuse(SECCOMP, LANDLOCK))
        command += [program or ("/ntpd" if root else NTPD), *arguments]
        if conf is not None:
            if root:
                with open(os.path.join(root, "ntpd.conf"), "w") as f:
                    f.write(conf)
                command += ["-f", "/ntpd.conf"]
            else:
                command += ["-f", self.file("conf%d" % self.commands, conf)]
        elif not default and program is None and "-f" not in arguments:
            raise ValueError("which configuration?")
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("NTP_", "SSL_"))}
        environment.update(env or {})
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE if stderr == "pipe" else stderr,
            env=environment, cwd=self.dir, **keywords)
        daemon = Daemon(process, log, process.stderr)
        daemon.servers = self.servers
        self.daemons.append(daemon)
        return daemon

    def as_process_1(self, *arguments, **keywords):
        """Start it as process 1 of a namespace, without the guard.  Gives the
        Daemon of unshare(1), whose exit status is its own, and the pid."""
        d = self.start(*arguments, guarded=False, prefix=(
            "unshare", "-pf", "--kill-child", "--mount-proc"), **keywords)
        return d, until(lambda: children(d.pid))[0]

    def close(self):
        for d in self.daemons:
            if d.process.poll() is None:
                d.process.kill()
            d.process.wait()
            if d.stream is not None:
                d.reader.join(2)
                d.stream.close()
        # A background daemon is no child, but lives in this network.
        here = os.readlink("/proc/thread-self/ns/net")
        for p in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/ns/net" % p) == here and \
                        int(p) != os.getpid():
                    os.kill(int(p), signal.SIGKILL)
            except OSError:
                pass
        for s in self.sockets:
            s.close()
        self.over = True
        self.poke()
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            if key.data is not None:
                key.fileobj.close()
        self.selector.close()
        os.close(self.wake_r)
        os.close(self.wake_w)
        subprocess.run(["umount", "-R", "-l", self.dir],
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def check_rates(self):
        """Whatever a scenario does, no server gets more than one query a
        second, over all addresses from which a daemon asks."""
        for s in self.servers:
            times = s.times
            for a, b in zip(times, times[1:]):
                assert b - a > 0.9, "%s asked again after %.3f s" % (
                    s.address, b - a)

    def check_sandbox(self):
        """The sandbox forbids nothing that a daemon or a child needs."""
        for d in self.daemons if not self.refusals else ():
            assert not d.matching("^the sandbox refused"), d.text

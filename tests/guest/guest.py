"""QEMU guests for tests of a real kernel clock.

A guest is Debian's cloud kernel and an initramfs with busybox, the daemon
under test and truth.c, which plays the NTP servers and measures the clock.
There is no KVM and no network: time in the guest is the number of executed
instructions (-icount), it jumps over idle stretches, so hours take seconds and
every run of the same files is the same.

    guest.py fetch      get the kernel package into build/guest
"""
import collections
import functools
import glob
import os
import re
import shutil
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "guest")
QEMU = "qemu-system-x86_64"
BUSYBOX = "/bin/busybox"
CFLAGS = ("-static -O2 -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes "
          "-Wstrict-prototypes -Wvla -Wconversion").split()

# The true time at t = 0 of a test, unless it says otherwise: 2028-03-01.  That
# is later than any build of these sources, and years after the guest's RTC.
START = 1835481600
RTC = "2020-01-01T00:00:00"
SERVERS = ("10.99.0.1", "10.99.0.2", "10.99.0.3", "10.99.0.4")

# With these nothing wakes the kernel.  An idle Debian kernel is woken by the
# watchdogs of clock source and lockups, compaction and the vm statistics.
QUIET_BOOT = "tsc=reliable nowatchdog nosoftlockup"
# Let the HPET make the timer interrupts: the local APIC's timer is calibrated
# at boot by a busy loop, half of the time that booting takes here.
FAST_BOOT = "nolapic_timer"
QUIET_RUN = ("echo 0 >/proc/sys/vm/compaction_proactiveness\n"
             "echo 3600 >/proc/sys/vm/stat_interval\n")


class Missing(Exception):
    """The guest cannot run here; the text says what is missing."""


# ------------------------------------------------------------------- files

def kernel():
    """The path of the unpacked kernel, or Missing."""
    found = sorted(glob.glob(os.path.join(BUILD, "kernel/boot/vmlinuz-*")))
    if not found:
        raise Missing("no guest kernel; run: tests/guest/guest.py fetch")
    return found[-1]


def fetch():
    """Unpack the package on which linux-image-cloud-amd64 depends."""
    try:
        return kernel()
    except Missing:
        pass
    os.makedirs(BUILD, exist_ok=True)
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"],
                             capture_output=True, text=True).stdout
    match = re.search(r"Depends: (linux-image-\S+)", depends)
    if not match:
        raise Missing("apt knows no linux-image-cloud-amd64")
    for old in glob.glob(os.path.join(BUILD, "linux-image-*.deb")):
        os.unlink(old)
    got = subprocess.run(["apt-get", "-qq", "download", match.group(1)],
                         cwd=BUILD, stderr=subprocess.DEVNULL)
    debs = glob.glob(os.path.join(BUILD, "linux-image-*.deb"))
    if got.returncode != 0 or not debs:
        raise Missing("cannot download " + match.group(1))
    subprocess.run(["dpkg", "-x", debs[0], os.path.join(BUILD, "kernel")],
                   check=True)
    return kernel()


def need():
    """Everything that a guest needs, or Missing."""
    if os.uname().machine != "x86_64":
        raise Missing("the guest tests are for x86_64")
    for tool in (QEMU, "musl-gcc"):
        if shutil.which(tool) is None:
            raise Missing(tool + " is not installed")
    if not os.access(BUSYBOX, os.X_OK) or not is_static(BUSYBOX):
        raise Missing("busybox-static is not installed")
    return kernel()


def is_static(path):
    with open(path, "rb") as f:
        data = f.read(4096)
    return data[:4] == b"\x7fELF" and b"/ld-linux" not in data


@functools.lru_cache(maxsize=None)
def program(name, *extra):
    """Compile a C program of this directory statically; gives its path."""
    source = os.path.join(HERE, name + ".c")
    out = os.path.join(BUILD, name)
    os.makedirs(BUILD, exist_ok=True)
    part = "%s.%d" % (out, os.getpid())
    subprocess.run(["musl-gcc", *CFLAGS, "-o", part, source, *extra, "-lm"],
                   check=True)
    os.replace(part, out)
    return out


def https():
    """The path of the HTTPS server, which uses BearSSL, or Missing."""
    archive = subprocess.run(["cc", "-print-file-name=libbearssl.a"],
                             capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(archive):
        raise Missing("libbearssl-dev is not installed")
    # musl-gcc sees none of the system's headers, so these get links.
    include = os.path.join(BUILD, "include")
    os.makedirs(include, exist_ok=True)
    for name in ("bearssl.h", "bearssl"):
        link = os.path.join(include, name)
        if not os.path.islink(link):
            os.symlink("/usr/include/" + name, link)
    return program("https", "-fno-builtin", "-idirafter", include,
                   os.path.join(TOP, "sys", "fortify.c"), archive)


def certificates(leaves):
    """A root and servers' certificates, made by openssl in build/guest/pki.

    leaves: {name: (first day, last day, IP address)}, days as YYYYMMDD.  Gives
    (root as PEM, {name: (certificate, key), both DER}).
    """
    where = os.path.join(BUILD, "pki")
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=where, check=True,
                       capture_output=True)

    def read(name):
        with open(os.path.join(where, name), "rb") as f:
            return f.read()

    with open(os.path.join(where, "ca.conf"), "w") as f:
        f.write(CA_CONF)
    for name in ("index.txt", "index.txt.attr"):
        open(os.path.join(where, name), "w").close()
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-config", "ca.conf"]
    openssl("req", *new, "-subj", "/CN=guest test root", "-keyout", "ca.key",
            "-out", "ca.csr")
    openssl("ca", "-config", "ca.conf", "-batch", "-selfsign", "-in", "ca.csr",
            "-keyfile", "ca.key", "-out", "ca.pem", "-extensions", "v3_ca",
            "-startdate", "20000101000000Z", "-enddate", "20991231235959Z")
    out = {}
    for name, (first, last, address) in leaves.items():
        with open(os.path.join(where, name + ".ext"), "w") as f:
            f.write(LEAF_EXT % address)
        openssl("req", *new, "-subj", "/CN=" + name, "-keyout", name + ".pem",
                "-out", name + ".csr")
        openssl("ca", "-config", "ca.conf", "-batch", "-in", name + ".csr",
                "-cert", "ca.pem", "-keyfile", "ca.key", "-out", name + ".crt",
                "-extfile", name + ".ext", "-startdate", first + "000000Z",
                "-enddate", last + "235959Z")
        openssl("x509", "-in", name + ".crt", "-outform", "DER", "-out",
                name + ".der")
        openssl("ec", "-in", name + ".pem", "-outform", "DER", "-out",
                name + ".key")
        out[name] = read(name + ".der"), read(name + ".key")
    return read("ca.pem").decode(), out


CA_CONF = """
[req]
distinguished_name = dn
[dn]
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[v3_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
"""

LEAF_EXT = """
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:%s
"""


def libraries(path):
    """The shared objects that a program of this machine loads."""
    out = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", out)


class Archive:
    """A cpio archive in the kernel's format (initramfs buffer format)."""

    def __init__(self):
        self.parts = []
        self.dirs = set()
        self.ino = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        self.ino += 1
        raw = name.encode() + b"\0"
        head = "070701" + "".join("%08x" % n for n in (
            self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0))
        head = head.encode() + raw
        self.parts += [head, b"\0" * (-len(head) % 4),
                       data, b"\0" * (-len(data) % 4)]

    def directory(self, name):
        name = name.strip("/")
        if name in self.dirs or not name:
            return
        self.directory(os.path.dirname(name))
        self.dirs.add(name)
        self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o644):
        name = name.strip("/")
        self.directory(os.path.dirname(name))
        if isinstance(data, str):
            data = data.encode()
        self._entry(name, stat.S_IFREG | mode, data)

    def copy(self, name, path, mode=0o755):
        with open(path, "rb") as f:
            self.add(name, f.read(), mode)

    def link(self, name, target):
        name = name.strip("/")
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def write(self, path):
        self._entry("TRAILER!!!", 0)
        with open(path, "wb") as f:
            f.writelines(self.parts)


# ----------------------------------------------------------------- the run

class Look:
    """One look at the guest's clock, with the fields of truth.c's T lines."""

    def __init__(self, text):
        for key, value in (word.split("=") for word in text.split()):
            if key == "asked":          # of each server
                self.asked = [int(n) for n in value.split(",") if n]
            else:
                setattr(self, key, int(value)
                        if re.fullmatch(r"-?\d+", value) else float(value))

    @property
    def synced(self):
        """Is the clock synchronised as timedatectl and node_exporter see
        it?"""
        return self.rc != 5 and not self.status & 0x40

    @property
    def freq_ppm(self):
        """The rate that the kernel was told, with its tick."""
        return self.freq + (self.tick - 10000) * 100.0

    def __repr__(self):
        return ("t=%.1f err=%.6f %s maxerror=%.6f freq=%.3f (true %.3f)" % (
            self.t, self.err, "synced" if self.synced else "unsynced",
            self.maxerror, self.freq_ppm, self.want))


Line = collections.namedtuple("Line", "tag t text")


class Run:
    """What a guest printed."""

    def __init__(self, console, real):
        self.console = console
        self.real = real            # seconds of the host's time
        self.looks, self.lines = [], []
        self.end = None
        self.broken = []
        for row in console.splitlines():
            row = row.rstrip("\r")
            kind, _, rest = row.partition(" ")
            if kind == "T":
                self.looks.append(Look(rest))
            elif kind == "E":
                self.end = {k: float(v) for k, v in
                            (w.split("=") for w in rest.split())}
            elif kind == "X":
                self.broken.append(row)
            else:
                match = re.fullmatch(r"([A-Z][A-Za-z0-9]*) t=(\S+) (.*)", row)
                if match:
                    self.lines.append(Line(match[1], float(match[2]), match[3]))

    def between(self, start, stop=float("inf")):
        found = [x for x in self.looks if start <= x.t <= stop]
        assert found, "no look between %g and %g" % (start, stop)
        return found

    def at(self, t):
        """The first look that is not before t."""
        return self.between(t)[0]

    def worst(self, start, stop=float("inf")):
        return max(abs(x.err) for x in self.between(start, stop))

    def rms(self, start, stop=float("inf")):
        found = self.between(start, stop)
        return (sum(x.err ** 2 for x in found) / len(found)) ** 0.5

    def right_from(self, bound, start=0.0):
        """The time from which on the error of every look is below the
        bound."""
        since = None
        for look in self.looks:
            if look.t < start:
                continue
            if abs(look.err) >= bound:
                since = None
            elif since is None:
                since = look.t
        return since if since is not None else float("inf")

    def log(self, tag="D"):
        return [line for line in self.lines if line.tag == tag]

    def said(self, pattern, tag="D"):
        """The lines of the log that match a pattern."""
        return [x for x in self.log(tag) if re.search(pattern, x.text)]

    def requests(self, start, stop):
        """The requests between the looks nearest to the two times."""
        return self.at(stop).requests - self.at(start).requests


INIT = """#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /var/db
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
%(quiet)s
ip link set lo up
for a in %(addresses)s; do ip addr add $a/32 dev lo; done

# start COMMAND ...: in the background, its output tagged D, its pid in PID.
logs=0
start() {
	logs=$((logs + 1))
	mkfifo /run/log.$logs
	truth tag D </run/log.$logs &
	"$@" >/run/log.$logs 2>&1 &
	PID=$!
}

# finish: wait for the daemon and say how it ended.
finish() {
	wait $PID
	echo "$?" | truth tag Exit
}

truth serve /test/script &
SERVE=$!
%(before)s
truth until 0 || poweroff -f
%(steps)s
wait $SERVE
%(after)s
sync
poweroff -f
"""


def boot(name, script, steps, files=(), programs=(), links=(), before="",
         after="", quiet=False, rtc=RTC, limit=900, memory=128, append="",
         addresses=(), rtc_clock="vm"):
    """Run a guest to its end and read what it said.

    script: lines for truth.c.  steps: pairs of a time and shell text.  files:
    pairs of a path in the guest and text or bytes; programs: pairs of a path
    in the guest and a file of this machine; links: of a path and what it
    points to.  before: shell text that runs before t = 0, after: when the
    script has ended.  addresses: more of them on the loopback interface.
    rtc_clock: "vm", or "host" for a guest that suspends: virtual time stands
    still then, and only an RTC that runs on can wake it.
    """
    archive = Archive()
    archive.directory("dev")
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    archive.directory("bin")
    archive.directory("test")
    archive.copy("bin/busybox", BUSYBOX)
    archive.link("bin/sh", "busybox")
    archive.copy("bin/truth", program("truth"))
    for path, text in files:
        archive.add(path, text)
    for path, source in programs:
        archive.copy(path, source)
    for path, target in links:
        archive.link(path, target)
    archive.add("test/script", "\n".join(script) + "\n")
    addresses = list(addresses) + [line.split()[1] for line in script
                                   if line.startswith("server ")]
    body = "".join("truth until %s\n%s\n" % (t, text) if t else text + "\n"
                   for t, text in steps)
    archive.add("init", INIT % {
        "quiet": QUIET_RUN if quiet else "", "addresses": " ".join(addresses),
        "before": before, "steps": body, "after": after}, 0o755)
    return run(name, archive, append="%s %s" % (
        QUIET_BOOT if quiet else "", append), rtc=rtc, rtc_clock=rtc_clock,
               limit=limit, memory=memory)


def run(name, archive, append, rtc=RTC, rtc_clock="vm", limit=900, memory=128):
    """Run a guest with this initramfs to its end and read what it said."""
    stem = os.path.join(BUILD, "run", name)
    os.makedirs(os.path.dirname(stem), exist_ok=True)
    archive.write(stem + ".cpio")
    command = [QEMU, "-accel", "tcg", "-icount", "shift=0,sleep=off",
               "-rtc", "base=%s,clock=%s" % (rtc, rtc_clock), "-seed", "1",
               "-cpu", "max", "-m", str(memory), "-nodefaults", "-no-user-config",
               "-display", "none", "-no-reboot", "-serial",
               "file:" + stem + ".console", "-kernel", need(),
               "-initrd", stem + ".cpio", "-append",
               "console=ttyS0 quiet loglevel=3 panic=-1 nokaslr "
               "mitigations=off cryptomgr.notests " + append]
    begin = time.monotonic()
    with open(stem + ".qemu", "wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                 stdout=err, stderr=err)
        try:
            child.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            pass
        finally:
            child.kill()
            child.wait()
    with open(stem + ".console", errors="replace") as f:
        said = Run(f.read(), time.monotonic() - begin)
    if said.end is None or said.broken:
        raise AssertionError("guest %s failed: %s\n%s" % (
            name, "; ".join(said.broken) or "it never came to its end",
            "\n".join(said.console.splitlines()[-30:])))
    os.unlink(stem + ".cpio")
    return said


def clock_script(end, start=START, ppm=37.0, seed=1, looks=("10 0 1e9",),
                 servers=SERVERS, keys="up 0.015 down 0.015 jitter 0.001",
                 more=()):
    """The usual script: some servers that tell the truth."""
    return (["start %s" % start, "ppm %s" % ppm, "seed %s" % seed,
             "end %s" % end] + ["look " + x for x in looks] +
            ["server %s %s" % (s, keys) for s in servers] + list(more))


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        sys.exit(__doc__)
    try:
        print(fetch())
    except Missing as reason:
        sys.exit(str(reason))

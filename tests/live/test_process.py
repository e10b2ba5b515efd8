"""Living on a node, and life as a daemon."""

import fcntl
import os
import re
import signal
import subprocess
import time

import pytest

import world
from world import SOON, children, state, until

pytestmark = pytest.mark.scenario


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def three(w):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    return servers(*(s.address for s in w.servers))


def ended(w, d, pid, number):
    """Send a signal to pid; d must end soon, with status 0."""
    begin = time.monotonic()
    os.kill(pid, number)
    try:
        status = d.process.wait(30)
    except subprocess.TimeoutExpired:
        raise AssertionError("still there after 30 s")
    assert status == 0
    assert time.monotonic() - begin < SOON


SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@SIGNALS
def test_ends_soon_with_status_0(w, number):
    """The signal comes after the clock was set."""
    d = w.start("-d", "-s", conf=three(w), guard_options=("-o", "-30"))
    d.wait("now valid", 60, 3)
    status, took = d.stop(number)
    assert status == 0
    assert took < SOON
    assert d.matching("^Terminating$")


@SIGNALS
def test_ends_soon_while_dns_hangs(w, number):
    """The daemon ends soon, whatever a child does."""
    w.dns.open()
    w.dns.names["slow.test"] = "silent"
    d = w.start("-d", "-s", conf="server slow.test\n" * 5)
    until(lambda: w.dns.asked)
    status, took = d.stop(number)
    assert status == 0
    assert took < SOON


@SIGNALS
def test_ends_soon_as_process_1(w, number):
    """The kernel does not kill process 1 by a signal for which it has no
    handler.  -d is implied there."""
    d, pid = w.as_process_1(conf=three(w))
    d.wait("^ntp engine ready$", 30)
    ended(w, d, pid, number)


def test_ends_soon_as_process_1_while_dns_hangs(w):
    w.dns.open()
    w.dns.names["slow.test"] = "silent"
    d, pid = w.as_process_1("-d", conf="server slow.test\n")
    until(lambda: w.dns.asked)
    ended(w, d, pid, signal.SIGTERM)


def test_ends_soon_as_process_1_right_after_the_start(w):
    """A signal that comes before the handlers are installed is not lost.
    Process 1 does not get what it ignores, so the test repeats the very first
    milliseconds often; the program cannot answer before it runs."""
    w.rates = False                 # five daemons ask the same servers
    conf = three(w)
    for _ in range(5):
        d, pid = w.as_process_1(conf=conf)
        # The kernel drops the signal until the first statement is over.
        end = time.monotonic() + 60
        while True:
            with open("/proc/%d/status" % pid) as f:
                status = f.read()
            # The signal is blocked, or caught already if we were late.
            masks = re.findall(r"Sig(?:Blk|Cgt):\s*(\w+)", status)
            if "Name:\tunshare" not in status and any(
                    int(m, 16) >> (signal.SIGTERM - 1) & 1 for m in masks):
                break
            assert time.monotonic() < end
        ended(w, d, pid, signal.SIGTERM)


def test_children_are_reaped(w):
    """A lookup every second or so leaves no zombie."""
    d = w.start("-d", "-s", conf="".join(
        "server %s.test\n" % c for c in "abcdefgh"))
    w.dns.open()                    # no such name, at once
    until(lambda: len(w.dns.asked) > 32)
    zombies = [p for p in children(d.pid) if state(p) == "Z"]
    until(lambda: not [p for p in zombies if state(p) == "Z"])
    assert len(children(d.pid)) <= 8
    assert d.alive()


def test_orphans_are_reaped_as_process_1(w):
    """Process 1 inherits the children of others, and must wait for them."""
    d, pid = w.as_process_1(conf=three(w))
    d.wait("^ntp engine ready$", 30)
    subprocess.run(["nsenter", "-t", str(pid), "-p", "sh", "-c",
                    "sleep 999 & sleep 999 & sleep 999 & exit 0"], check=True)
    orphans = until(lambda: len(children(pid)) == 3 and children(pid))
    for orphan in orphans:
        os.kill(orphan, signal.SIGTERM)
    until(lambda: not children(pid))
    ended(w, d, pid, signal.SIGTERM)


def test_storms_of_signals_do_no_harm(w):
    """SIGHUP, SIGPIPE, SIGCHLD and SIGALRM come as fast as they can be
    sent."""
    d = w.start("-d", conf=three(w))
    d.wait("^ntp engine ready$", 30)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            os.kill(d.pid, number)
        time.sleep(0.0005)
    d.wait("now valid", 60, 3)
    assert len(d.lines) < 500
    status, took = d.stop()
    assert status == 0 and took < SOON


# ------------------------------------------------------------ standard error

def goes_on(w, daemon):
    """The daemon keeps asking although nobody can read what it says."""
    until(lambda: all(len(s.queries) >= 4 for s in w.servers))
    assert daemon.alive()
    status, took = daemon.stop()
    assert status == 0 and took < SOON


def test_stderr_closed(w):
    conf = w.file("c", three(w))
    d = w.start("-c", 'exec "$0" -d -vv -f %s 2>&-' % conf, world.NTPD,
                program="/bin/sh")
    goes_on(w, d)


def test_every_descriptor_closed(w):
    conf = w.file("c", three(w))
    d = w.start("-c", 'exec "$0" -d -vv -f %s <&- >&- 2>&-' % conf, world.NTPD,
                program="/bin/sh")
    goes_on(w, d)


def test_stderr_a_full_device(w):
    with open("/dev/full", "w") as full:
        d = w.start("-d", "-vv", conf=three(w), stderr=full)
    goes_on(w, d)


def test_stderr_a_broken_pipe(w):
    r, wr = os.pipe()
    d = w.start("-d", "-vv", conf=three(w), stderr=wr)
    os.close(wr)
    assert os.read(r, 1)                    # it has begun to speak
    os.close(r)
    goes_on(w, d)


def test_stderr_a_pipe_that_nobody_reads(w):
    """A full pipe must not stop the daemon from keeping the clock."""
    r, wr = os.pipe()
    fcntl.fcntl(wr, 1031, 4096)             # F_SETPIPE_SZ
    os.set_blocking(wr, False)
    try:
        while True:
            os.write(wr, b"x" * 512)
    except BlockingIOError:
        os.set_blocking(wr, True)
    d = w.start("-d", "-vv", conf=three(w), stderr=wr)
    os.close(wr)
    goes_on(w, d)
    os.close(r)


# ------------------------------------------- the permission to set the clock

def monitors(w, d):
    """The daemon logs one clear line with the remedy, and then only
    measures."""
    d.wait("now valid", 60, 3)
    time.sleep(3)
    told = [line for line in d.lines if re.search(
        "(?i)permit|permission|denied|not allowed|SYS_TIME|seccomp|cannot set",
        line)]
    assert len(told) == 1, told
    assert re.search("SYS_TIME|seccomp|user namespace",
                     told[0]), told
    assert d.matching("^reply from 10.99.0.1: offset ")
    assert not d.matching("set local clock|adjtime failed")


@pytest.mark.parametrize("errno", [1, 38], ids=["EPERM", "ENOSYS"])
def test_a_refused_clock_is_one_line_with_the_remedy(w, errno):
    d = w.start("-d", "-s", conf=three(w),
                guard_options=("-e", str(errno), "-o", "-90"))
    monitors(w, d)
    # One write that is refused tells it; it is not asked at every turn.
    assert len(d.clock()) <= 2


@pytest.mark.parametrize("errno", [1, 38], ids=["EPERM", "ENOSYS"])
def test_a_clock_that_may_not_even_be_read(w, errno):
    """Some seccomp profiles refuse even to read the clock's state."""
    d = w.start("-d", "-s", conf=three(w), guard_options=("-E", str(errno)))
    monitors(w, d)


def test_without_the_capability(w):
    """Here the kernel itself refuses, not a filter."""
    d = w.start("-d", "-s", conf=three(w), guarded=False)
    monitors(w, d)


def test_in_a_user_namespace_no_capability_helps(w):
    """In a rootless container the advice to add the capability would be in
    vain."""
    if subprocess.run(["unshare", "-U", "true"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no user namespaces")
    d = w.start("-d", "-s", conf=three(w), guarded=False,
                prefix=("unshare", "-U"))
    monitors(w, d)
    assert d.matching("user namespace") and not d.matching("SYS_TIME")


def test_a_refused_priority_is_silent(w):
    d = w.start("-d", conf=three(w), prefix=(
        "setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"))
    d.wait("now valid", 60, 3)
    assert not d.matching("priority")


def test_few_descriptors_and_processes(w):
    """Some calls fail with EMFILE or at the limit of processes; that is a
    warning at most."""
    for i in range(1, 31):
        w.ntp("10.99.3.%d" % i)
    w.dns.open()
    w.dns.names["a.test"] = ["10.99.3.30"]
    d = w.start("-d", conf="".join("server 10.99.3.%d\n" % i
                                   for i in range(1, 30)) + "server a.test\n",
                prefix=("prlimit", "--nofile=12", "--nproc=1"))
    d.wait("now valid", 90, 8)
    assert d.alive()
    assert len(d.lines) < 600


# ---------------------------------------------- a root with nothing but ntpd

def needs_static():
    if not world.is_static(world.NTPD):
        pytest.skip("a dynamic build needs its libraries")


@pytest.mark.parametrize("read_only", [False, True],
                         ids=["empty", "read-only"])
def test_a_root_that_holds_nothing_but_the_program(w, read_only):
    """There is no /etc, /dev, /proc, /run, /var or /tmp.  A name is looked up
    even so, by the name server on the loopback address."""
    needs_static()
    root = w.empty_root()
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    w.dns.open()
    # This is the default configuration's name.
    w.dns.names["time.cloudflare.com"] = [s.address for s in w.servers]
    with open(root + "/ntpd.conf", "w") as f:
        f.write("servers time.cloudflare.com\n")
    if read_only:
        w.seal(root)
    d = w.start("-s", "-f", "/ntpd.conf", root=root,
                guard_options=("-o", "-33"))
    d.wait("now valid", 60, 3)
    assert abs(d.steps()[0] - 33) < 0.1 + d.slack()
    bad = d.matching("(?i)fail|can't|cannot|error|no such file|read-only")
    # Each thing that it lacks is one line.
    assert [b for b in bad if not re.match(
        "no (drift file|control socket) ", b)] == []
    assert len(bad) <= 2
    status, took = d.stop()
    assert status == 0 and took < SOON


def test_small_memory(w):
    """The limit is far below the 20 MiB of a pod, and counts address space."""
    needs_static()
    d = w.start("-d", conf=three(w), prefix=("prlimit", "--as=4194304"),
                guarded=False)
    d.wait("now valid", 60, 3)


def test_an_uptime_below_one_second(w):
    """The monotonic clock's zero means nothing special."""
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    probe = subprocess.run(["unshare", "-T", "--monotonic", "0", "true"],
                           stderr=subprocess.DEVNULL)
    if probe.returncode != 0:
        pytest.skip("no time namespaces")
    d = w.start("-d", conf=three(w), guarded=False, prefix=(
        "unshare", "-T", "-f", "--kill-child",
        "--monotonic", "-%d" % int(now)))
    d.wait("now valid", 60, 3)


# ---------------------------------------------------------------- the drift file

def frequencies(d):
    """The frequency of each order, in ppm."""
    return [c["freq"] / 65536 + (c["tick"] - 10000) * 100
            if c["modes"] & 0x4000 else c["freq"] / 65536
            for c in d.clock() if c["modes"] & 2]


@pytest.mark.parametrize("mode", [0o644, 0o444])
def test_the_drift_file_is_used(w, mode):
    """A read-only drift file is used as well."""
    path = w.file("drift", "12.345\n")
    os.chmod(path, mode)
    if mode == 0o444:
        w.run("mount", "--bind", path, path)
        w.run("mount", "-o", "remount,bind,ro", path)
    d = w.start("-d", conf='driftfile "%s"\n' % path + three(w),
                guard_options=("-m",))
    d.wait("now valid", 60, 3)
    assert any(abs(f - 12.345) < 5 for f in frequencies(d)), frequencies(d)
    assert not d.matching("creating new")


def test_no_frequency_beyond_500_ppm_is_ordered_in_the_first_minutes(w):
    """This holds whatever the servers say; test_guest.py tests what comes
    later."""
    start = time.monotonic()

    def fast(query, reply):
        reply.offset = 2000e-6 * (query.mono - start)

    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, behave=fast)
    d = w.start("-d", guard_options=("-m",), conf="".join(
        "server %s poll 4..4\n" % s.address for s in w.servers))
    d.wait("now valid", 60, 3)
    time.sleep(30)
    assert max(frequencies(d)) > 490    # it was asked for
    assert all(abs(f) <= 500.01 for f in frequencies(d)), frequencies(d)


@pytest.mark.parametrize("drift, kernel, believed", [
    ("700.000\n", "690", True),         # two witnesses
    ("700.000\n", None, False),
    ("30.000\n", "700", False),
])
def test_a_frequency_beyond_500_ppm_at_the_start_takes_two_witnesses(
        w, drift, kernel, believed):
    path = w.file("drift", drift)
    d = w.start("-d", conf='driftfile "%s"\n' % path + three(w),
                guard_options=("-K", "-f", kernel, "-w", "-" + kernel)
                if kernel else ("-m",))
    d.wait("now valid", 60, 3)
    first = frequencies(d)[0]
    if believed:
        assert abs(first - 690) < 0.1
        assert len(d.matching("set by the length of the tick$")) <= 1
    else:
        assert abs(first) <= 500.01
        # a clock's own frequency may be so large
        assert drift != "30.000\n" or abs(first - 30) < 0.1
        assert len(d.matching("is not believed without a second witness")) == 1


@pytest.mark.parametrize("content", ["", "\n", "nonsense\n", "1e999\n",
                                     "nan\n", "\0\0\0\0", "99999999\n",
                                     "-inf\n", "7" * 100000])
def test_a_corrupt_drift_file_is_a_warning(w, content):
    path = w.file("drift", content)
    d = w.start("-d", conf='driftfile "%s"\n' % path + three(w),
                guard_options=("-m",))
    d.wait("now valid", 60, 3)
    assert d.matching("drift")
    assert all(abs(f) < 500 for f in frequencies(d))


def test_a_kernel_that_is_disciplined_keeps_its_frequency(w):
    """A restart continues with the kernel's frequency, not with the 300 ppm of
    the drift file.  The unit of filter.c and the simulation test how far noisy
    first samples may move it."""
    path = w.file("drift", "300.000\n")
    d = w.start("-d", conf='driftfile "%s"\n' % path + three(w),
                guard_options=("-K", "-f", "-7.25", "-w", "7.25"))
    d.wait("now valid", 60, 3)
    assert all(abs(f + 7.25) < 5 for f in frequencies(d)), frequencies(d)


def test_no_place_for_a_drift_file_is_no_warning(w):
    d = w.start("-d", conf='driftfile "/nonexistent/dir/drift"\n' + three(w),
                guard_options=("-m",))
    d.wait("now valid", 60, 3)
    assert not d.matching("^creating new")
    assert len(d.matching("/drift")) <= 1


def test_at_the_end_the_frequency_stays_and_the_slew_ends(w):
    d = w.start("-d", conf=three(w),
                guard_options=("-f", "20", "-w", "-20", "-o", "-0.05"))
    d.wait("now valid", 60, 3)
    time.sleep(1)
    d.stop()
    last = d.clock()[-1]
    assert last["modes"] & 1 and last["offset"] == 0, last     # ADJ_OFFSET
    assert last["freq"] == d.clock()[-2]["freq"] or not last["modes"] & 2


def test_the_kernel_is_told_that_it_is_synchronised(w):
    """STA_UNSYNC is cleared and the bound is true: timedatectl, node exporters
    and the copy to the RTC look at these."""
    d = w.start("-d", conf=three(w), guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    cleared = until(lambda: [c for c in d.clock() if c["modes"] & 0x10 and
                             not c["status"] & 0x40])
    assert all(0 < c["maxerror"] < 1000000 for c in cleared
               if c["modes"] & 4)
    assert any(c["modes"] & 4 for c in cleared)     # ADJ_MAXERROR beside it


# ----------------------------------------------------------------- a daemon

def test_becomes_a_daemon_with_syslog_and_pid_file(w):
    """Without -d every line goes to syslog.  OpenNTPD 6.2's engine was silent
    there."""
    needs_static()
    root = w.empty_root()
    conf = three(w)
    with open(root + "/ntpd.conf", "w") as f:
        f.write(conf)
    os.mkdir(root + "/state")
    log = world.Syslog(w, root)
    d = w.start("-f", "/ntpd.conf", "-p", "/state/ntpd.pid", root=root,
                guard_options=("-m",))
    assert d.process.wait(60) == 0
    log.wait("^peer .* now valid$", 60, 3)
    with open(root + "/state/ntpd.pid") as f:
        text = f.read()
    assert re.match(r"\d+\n$", text)
    pid = int(text)
    assert pid != d.pid
    assert os.getsid(pid) != os.getsid(0)
    # <30> is daemon.info.
    assert any(re.search(r"^<30>.*ntpd\[%d\]: ntp engine ready$" % pid, line)
               for line in log.lines), log.lines
    os.kill(pid, signal.SIGTERM)
    log.wait("^Terminating$", 30)
    until(lambda: state(pid) in ("gone", "Z"))
    assert not os.path.exists(root + "/state/ntpd.pid")


def test_a_daemon_that_cannot_start_exits_1(w):
    """In OpenNTPD a fatal error after the fork ended with status 0."""
    needs_static()
    root = w.empty_root()
    with open(root + "/ntpd.conf", "w") as f:
        f.write(three(w))
    world.Syslog(w, root)
    d = w.start("-f", "/ntpd.conf", "-p", "/nowhere/ntpd.pid", root=root)
    assert d.process.wait(60) == 1


def test_stays_in_the_foreground_where_there_is_no_dev_log(w):
    needs_static()
    root = w.empty_root()
    d = w.start(root=root, conf=three(w))
    d.wait("^ntp engine ready$", 30)
    d.wait("now valid", 60, 3)      # here, where it was started
    assert d.alive()


def test_log_lines_are_whole(w):
    """Each line is written at once, also when many come together, since
    `docker logs` shows them as they were written."""
    for i in range(1, 41):
        w.ntp("10.99.4.%d" % i)
    d = w.start("-d", conf="".join("server 10.99.4.%d\n" % i
                                   for i in range(1, 41)))
    d.wait("now valid", 60, 40)
    for line in d.lines:
        assert re.match(
            r"(reply from \S+: offset -?\d+\.\d{6} delay \d+\.\d{6}, next "
            r"query \d+s|peer \S+ now valid|no reply from \S+ received in "
            r"time, next query \d+s|\D*)$|adj|.*drift|constraint",
            line), line


def test_names_from_outside_are_cleaned(w):
    """Control characters in the reference id of a reply, or in a name, never
    reach the log."""
    def odd(q, r):
        r.stratum, r.refid = 0, b"\x1b[2J"
    w.ntp("10.99.0.1", 0, odd)
    d = w.start("-d", "-vv", conf="server 10.99.0.1\n")
    d.wait("^reply from 10.99.0.1: not synced", 60)
    e = w.start("-d", "-vv", conf="server \"a\x1b[2Jb\"\n")
    e.wait(r'found "a\?\[2Jb"$', 60)
    assert all(c >= " " for line in d.lines + e.lines for c in line)

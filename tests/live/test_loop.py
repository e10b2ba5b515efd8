"""The loop and what surrounds it: the step to a daemon in the background, a
majority that is lost, and other programs that change the clock."""

import os
import resource
import signal
import socket
import struct
import time

import pytest

import world

pytestmark = pytest.mark.scenario


def servers(*addresses, options=""):
    return "".join("server %s%s\n" % (a, options) for a in addresses)


def three(w, options=""):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    return servers(*(s.address for s in w.servers), options=options)


def as_daemon(w, *arguments, **keywords):
    """Start it as a daemon in a root of its own; gives its syslog."""
    if not world.is_static(world.NTPD):
        pytest.skip("not a static binary")
    root = w.empty_root()
    log = world.Syslog(w, root)
    d = w.start(*arguments, root=root, **keywords)
    return root, log, d


def wakes(pid):
    """How often it went to sleep by itself, from proc_pid_status(5)."""
    with open("/proc/%d/status" % pid) as f:
        return int(f.read().split("\nvoluntary_ctxt_switches:")[1].split()[0])


def end_of(pid):
    """End a daemon that is nobody's child."""
    os.kill(pid, signal.SIGTERM)
    world.until(lambda: world.state(pid) in ("gone", "Z"))


def test_a_lookup_survives_becoming_a_daemon(w):
    """With -s the clock is set, and the caller released, while a name is still
    being looked up."""
    conf = three(w)
    w.ntp("10.99.0.4")
    w.dns.open()
    w.dns.names["late.test"] = (4, ["10.99.0.4"])
    root, log, d = as_daemon(w, "-s", "-p", "ntpd.pid",
                             conf=conf + "server late.test\n",
                             guard_options=("-o", "-20"))
    assert d.process.wait(60) == 0
    assert time.monotonic() < w.dns.asked[0][0] + 4
    with open(root + "/ntpd.pid") as f:         # relative, where it began
        pid = int(f.read())
    d.wait("^set local clock", 30)      # to stderr, before it left
    log.wait("^peer 10.99.0.4 now valid$", 60)
    assert not [t for t in log.texts() if "could not resolve" in t]
    end_of(pid)
    # In the root directory, as in /run, it may remove nothing.
    assert os.path.getsize(root + "/ntpd.pid") == 0


def test_a_start_that_fails_is_told_to_the_caller(w):
    root, log, d = as_daemon(w, "-s", "-p", "/nowhere/ntpd.pid",
                             conf=three(w), guard_options=("-m",))
    assert d.process.wait(60) == 1
    d.wait("^can't write pid file /nowhere/ntpd.pid: ", 30)


@pytest.mark.parametrize("user", ["", "user 12345\n"])
def test_who_ends_the_caller_ends_the_daemon(w, user):
    """The kernel forgets that bond when the user changes."""
    conf = three(w) + user
    for s in w.servers:
        s.silent = True
    root, log, d = as_daemon(w, "-s", conf=conf)
    d.wait("^ntp engine ready$", 30)
    d.process.send_signal(signal.SIGTERM)
    d.wait("^Terminating$", 30)


def test_q_says_why_it_exits_1(w):
    conf = three(w)
    for s in w.servers:
        s.silent = True
    d = w.start("-q", "-d", conf=conf)
    assert d.process.wait(60) == 1
    d.wait("^no reply received in time$", 30)


def test_the_first_reply_after_an_outage_does_not_set_the_clock_alone(w):
    """The wait for the other servers begins with the first reply, not with the
    first request long before."""
    conf = three(w)
    liar = w.ntp("10.99.0.4", 1000)
    for s in w.servers:
        s.silent = True
    d = w.start("-d", "-s", conf=conf + servers(liar.address),
                guard_options=("-o", "-20"))
    d.wait("^no reply received in time", 60)

    def liar_first(q, r):
        for s in w.servers:             # the others from now on
            s.silent = False
    liar.behave = liar_first
    liar.silent = False
    assert abs(d.wait_step(60) - 20) < 0.5 + d.slack()
    assert d.matching("^reply from 10.99.0.4")
    assert len(d.steps()) == 1


def test_children_that_ask_https_leave_room_for_names(w):
    """Sixteen HTTPS servers that hang do not delay the lookup of a name."""
    w.ntp("10.99.0.1")
    w.dns.open()
    w.dns.names["time.test"] = ["10.99.0.1"]
    hanging = []
    for i in range(20):
        s = socket.socket()
        s.bind(("10.99.1.%d" % (i + 1), 443))
        s.listen(8)
        hanging.append(s)
    d = w.start("-d", guard_options=("-m",),
                conf="server time.test trusted\n" + "".join(
                    'constraint from "10.99.1.%d"\n' % (i + 1)
                    for i in range(20)))
    d.wait("^reply from 10.99.0.1", 30)
    # That was before any of these gave up, after 10 s.
    assert not d.matching("^no constraint reply")
    for s in hanging:
        s.close()


def test_no_majority_is_no_stratum_0_for_clients(w):
    """Clients get the last good values until these are too old."""
    conf = three(w, " poll 4..4")
    d = w.start("-d", conf=conf + "listen on 10.99.9.9\n",
                guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    for i, s in enumerate(w.servers):
        s.offset = 1000.0 * i
    d.wait("^no majority", 90)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.connect(("10.99.9.9", 123))
    s.send(struct.pack("!B47x", 0x23))
    answer = s.recv(100)
    s.close()
    stratum, leap = answer[1], answer[0] >> 6
    assert (leap, stratum) == (0, 2) or leap == 3, (leap, stratum)


def test_one_daemon_after_another_starts_from_a_quiet_clock(w):
    """The daemon ends the slew that its predecessor left in adjtime(3), and
    keeps the frequency."""
    d = w.start("-d", conf=three(w), guard_options=("-a", "-m", "-f", "7"))
    d.wait("^ntp engine ready$", 30)
    d.wait("now valid", 60, 3)
    calls = d.clock()
    singleshot = [c for c in calls if c["modes"] == 0x8001]
    assert singleshot and singleshot[0]["offset"] == 0
    first = [c for c in calls if c["modes"] & 2][0]
    assert abs(first["freq"] / 65536 - 7) < 0.01


def test_the_kernel_is_told_when_the_clock_is_no_longer_synchronised(w):
    d = w.start("-d", conf=three(w, " poll 4..4"), guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    for s in w.servers:
        s.silent = True
    d.wait("^clock is now unsynced due to lack of replies$", 150)
    world.until(lambda: d.clock()[-1]["status"] & 0x40)      # STA_UNSYNC


def test_who_may_not_set_the_clock_sleeps_between_requests(w):
    """An offset that nobody slews need not be looked at each second."""
    d = w.start("-d", "-x", conf=three(w, " poll 16..16"), guarded=False)
    for s in w.servers:
        s.offset = 0.1
    d.wait("now valid", 60, 3)
    time.sleep(3)
    before, asked = wakes(d.pid), sum(len(s.queries) for s in w.servers)
    time.sleep(20)
    woken = wakes(d.pid) - before       # before one more query is sent
    asked = sum(len(s.queries) for s in w.servers) - asked
    assert woken <= 2 * asked + 4


def test_a_kernel_that_refuses_to_wait_makes_no_busy_loop(w):
    """ppoll(2) fails for want of memory, or with more descriptors than are
    allowed."""
    d = w.start("-d", conf=three(w), guarded=False)
    d.wait("now valid", 60, 3)
    files = resource.RLIMIT_NOFILE
    soft, hard = resource.prlimit(d.pid, files)
    resource.prlimit(d.pid, files, (0, hard))
    d.process.send_signal(signal.SIGHUP)        # ends the present wait

    def ticks():
        with open("/proc/%d/stat" % d.pid) as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    before = ticks()
    time.sleep(3)
    assert ticks() - before < 0.2 * 3 * os.sysconf("SC_CLK_TCK")
    # Sanitizers want to open files at the end.
    resource.prlimit(d.pid, files, (soft, hard))
    status, took = d.stop()
    assert status == 0 and took < world.SOON


def test_sensors_that_are_named_but_missing_are_one_line_each(w):
    """A line "sensor *" names all sensors; there are none, and so no line
    tells of it."""
    d = w.start("-d", conf=three(w) + "sensor *\nsensor nmea0\n",
                guard_options=("-m",))
    d.wait("now valid", 60, 3)
    assert d.matching("sensor") == ["sensor nmea0: no such device, or no right to open it"]


def test_relocated_constants_are_read_only_while_it_runs(w):
    """The RELRO header of the file is only a wish, which a static program must
    fulfil itself."""
    if not world.is_static(world.NTPD):
        pytest.skip("not a static binary")
    d = w.start("-d", conf=three(w), guard_options=("-m",))
    d.wait("^ntp engine ready$", 30)
    with open("/proc/%d/maps" % d.pid) as f:
        rights = [line.split()[1] for line in f
                  if line.rstrip().endswith("/ntpd")]
    assert "r--p" in rights
    assert rights.count("rw-p") <= 1
    assert not [r for r in rights if "w" in r and "x" in r]

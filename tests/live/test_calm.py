"""Whatever fails, the log stays short, servers are asked rarely, and nothing
that was learnt is thrown away."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

import world
from resolver import NX, POD, Resolver, resolv_conf
from world import NTPD, until

pytestmark = pytest.mark.scenario


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def alarm(q, r):
    r.leap, r.stratum = 3, 16


def told(d):
    """The lines of the log, without those about replies."""
    return [line for line in d.lines if not line.startswith("reply from") or
            ": offset " not in line]


def test_a_refused_answer_is_one_line(w):
    """There is no "no reply" line beside it, and the line does not come again
    each time."""
    w.ntp("10.99.0.1", behave=alarm)
    d = w.start("-d", "-s", conf=servers("10.99.0.1"))
    until(lambda: len(w.servers[0].queries) >= 5)
    assert len(d.matching(r"^reply from 10\.99\.0\.1: not synced \(alarm\)")) == 1
    assert not d.matching("^no reply from")


def test_a_refused_port_is_one_line(w):
    w.ntp("10.99.0.1").close()
    d = w.start("-d", "-s", conf=servers("10.99.0.1"))
    d.wait("^recvmsg 10.99.0.1: Connection refused$", 30)
    time.sleep(12)
    assert len(d.matching("10.99.0.1")) == 1, d.text


def test_what_6_2_shows_at_start_is_shown_once(w):
    """While the clock is unset, -d -s does not show as much as -v -v."""
    w.dns.open()
    w.dns.names["pool.test"] = "servfail"
    d = w.start("-d", "-s", conf="servers pool.test\n")
    until(lambda: w.dns.asked and
          w.dns.asked[-1][0] - w.dns.asked[0][0] > 12, 60)
    assert len(d.matching("^trying to resolve pool.test$")) == 1
    assert len(d.matching("^adjtimex adjusted frequency by")) <= 1
    assert len(d.matching("pool.test")) <= 3, d.text


@pytest.mark.parametrize("how", ["silent", "alarm", "flapping"])
def test_many_servers_in_trouble_stay_in_the_budget(w, how):
    """64 servers and 8 constraints fail."""
    def flap(q, r):
        return [r] if int(time.monotonic()) % 2 else []
    names = ["10.99.6.%d" % (i + 1) for i in range(64)]
    for a in names:
        w.ntp(a, behave={"alarm": alarm, "flapping": flap}.get(how)).silent = \
            how == "silent"
    conf = servers(*names) + "".join(
        'constraint from "https://10.99.7.%d"\n' % (i + 1) for i in range(8))
    d = w.start("-d", "-s", conf=conf)
    time.sleep(60)
    assert len(told(d)) <= 60, len(told(d))
    # Each of them has had a few requests in a minute, by turns.
    assert max(sum(t < s.times[0] + 60 for t in s.times)
               for s in w.servers if s.times) <= 15


def test_what_is_tried_again_is_said_once(w):
    """This holds with -d as well: for an address that is not there, and for a
    server that is this daemon itself."""
    w.rates = False     # time is hastened here
    d = hastened(w, "listen on 192.0.2.7\nlisten on 10.99.0.50\n"
                 "server 10.99.0.50\n", 20)
    d.wait("^peer 10.99.0.50 is this daemon itself: not used$", 60)
    time.sleep(10)      # 200 s
    assert len(d.matching("^bind on 192.0.2.7 failed, retrying: ")) == 1, d.text
    assert len(d.matching("is this daemon itself")) == 1, d.text


def test_without_ipv6_its_addresses_cost_one_line(w):
    w.dns.open()
    w.dns.names["six.test"] = ["2001:db8::%d" % i for i in range(1, 7)]
    w.ntp("10.99.0.1")
    d = w.start("-d", "-s", conf="servers six.test\nserver 10.99.0.1\n")
    d.wait("peer 10.99.0.1 now valid", 60)
    time.sleep(10)
    assert len(d.matching("2001:db8::")) == 1, d.text


def seen(server, count, seconds=60):
    until(lambda: len(server.queries) >= count, seconds)


def test_a_change_of_address_asks_the_silent_at_once(w):
    """Changes of links and addresses begin a new series of requests."""
    s = w.ntp("10.99.0.1")
    s.silent = True
    d = w.start("-d", "-s", conf=servers("10.99.0.1"), guard_options=("-o", "-20"))
    seen(s, 5)              # the next one is 14 s away, or 64
    n = len(s.queries)
    w.run("ip", "address", "add", "10.98.0.1/32", "dev", "lo")
    s.silent = False
    begin = time.monotonic()
    seen(s, n + 1)
    assert time.monotonic() - begin < 5
    d.wait_step(60)


def test_a_change_of_address_begins_anew(w):
    """A new series begins even when fifteen requests were in vain just
    before."""
    w.rates = False     # time is hastened here
    s = w.ntp("10.99.0.1")
    s.silent = True
    d = hastened(w, servers("10.99.0.1"), 10)
    seen(s, 14)
    time.sleep(9)       # 300 s are over, the next request is not due
    w.run("ip", "address", "add", "10.98.0.1/32", "dev", "lo")
    n = len(s.queries)
    time.sleep(4)       # 40 s
    assert len(s.queries) - n >= 3
    assert d.alive()


FILTERED = "no reply from any server; UDP 123 may be filtered"


def ntpctl(w, *words):
    return subprocess.run([world.NTPD, "ctl", *words], capture_output=True,
                          text=True).stdout


def test_a_firewall_before_udp_123_is_named_once_after_a_minute(w):
    """Requests go out and are lost, while names resolve."""
    w.rates = False     # time is hastened here
    w.dns.open()
    w.dns.names["ntp.test"] = ["10.99.0.1", "10.99.0.2"]
    a, b = w.ntp("10.99.0.1"), w.ntp("10.99.0.2")
    a.silent = b.silent = True
    d = hastened(w, "servers ntp.test\n", 10)
    seen(a, 3)
    assert not d.matching("filtered")
    d.wait("^%s$" % FILTERED, 60)
    assert ntpctl(w, "-s", "ready") == \
        "not ready: no usable time: %s\n" % FILTERED
    assert "clock unsynced, UDP 123 may be filtered\n" in \
        ntpctl(w, "-s", "status")
    assert json.loads(ntpctl(w, "-j"))["ntp_filtered"] is True
    n = len(a.queries)
    seen(a, n + 3)
    assert len(d.matching(FILTERED)) == 1, d.text
    a.silent = b.silent = False
    d.wait("^reply from ", 60)
    until(lambda: json.loads(ntpctl(w, "-j"))["ntp_filtered"] is False)


@pytest.mark.parametrize("conf", [
    "server 10.99.0.3\n",          # nothing else works
    "server away.test\n",          # it cannot even be asked
    "server alarm.test\nserver 10.99.0.3\n"])     # it has no time itself
def test_no_firewall_is_suspected_without_evidence(w, conf):
    def alarm(q, r):
        r.leap = 3
    w.rates = False     # time is hastened here
    w.dns.open()
    w.dns.names.update({"away.test": ["192.0.2.1"],
                        "alarm.test": ["10.99.0.2"]})
    silent = w.ntp("10.99.0.3")
    silent.silent = True
    w.ntp("10.99.0.2", behave=alarm)
    d = hastened(w, conf, 20)
    if "10.99.0.3" in conf:
        seen(silent, 12)    # 14 s apart
    else:
        time.sleep(6)       # 120 s
    assert d.alive() and not d.matching("filtered"), d.text


def hastened(w, conf, factor):
    """The program that the C library of this machine is linked with.  It is not
    made here: a scenario sees no packages, whose versions are part of it."""
    program = os.path.join(world.TOP, "build/glibc/ntpd")
    if not os.path.exists(program):
        pytest.skip("network: build/glibc/ntpd is not built (make glibc)")
    return w.start("-d", "-s", conf=conf, program=program,
                   env={"LD_PRELOAD": world.hasten(), "HASTEN": str(factor)})


def test_a_node_where_containers_come_and_go_makes_no_storm(w):
    """Hundreds of changes come, and a silent server still gets at most fifteen
    requests."""
    s = w.ntp("10.99.0.1")
    s.silent = True
    w.start("-d", "-s", conf=servers("10.99.0.1"))
    end = time.monotonic() + 50
    while time.monotonic() < end:
        w.run("ip", "address", "add", "10.98.0.1/32", "dev", "lo")
        w.run("ip", "address", "del", "10.98.0.1/32", "dev", "lo")
        time.sleep(0.1)
    assert len(s.queries) <= 11, len(s.queries)


def test_changes_cost_nothing_while_all_is_well(w):
    """They cause neither a wake-up nor a query."""
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", "-s", conf="".join(
        "server 10.99.0.%d poll 6..6\n" % i for i in (1, 2, 3)))
    d.wait("clock is now synced", 60)
    d.wait("now valid", 60, 3)
    time.sleep(12)

    def switches():
        with open("/proc/%d/status" % d.pid) as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(),
                                 re.M).group(1))
    n, before = sum(len(s.queries) for s in w.servers), switches()
    begun = time.monotonic()
    for _ in range(100):
        w.run("ip", "address", "add", "10.98.0.1/32", "dev", "lo")
        w.run("ip", "address", "del", "10.98.0.1/32", "dev", "lo")
    woken = switches() - before
    n = sum(len(s.queries) for s in w.servers) - n
    # A busy machine needs longer for the changes, so usual polls go on beside
    # them: a server is asked every 6 s, which is 4 s at the soonest.
    assert n <= 3 * (1 + (time.monotonic() - begun) / 4), n
    assert woken < 60 + 10 * n, woken


def test_a_moment_without_a_route_keeps_the_address(w):
    """The first of the name's two addresses works; it and its samples are
    kept."""
    w.dns.open()
    w.dns.names["one.test"] = ["10.97.0.1", "10.97.0.2"]
    w.run("ip", "route", "add", "local", "10.97.0.0/16", "dev", "lo")
    for i in (1, 2):
        w.ntp("10.97.0.%d" % i)
    d = w.start("-d", conf="server one.test poll 4..4\n")
    first = d.wait("^reply from 10.97.0.[12]", 60).split()[2][:-1]
    d.wait("now valid", 60)
    good = next(s for s in w.servers if s.address == first)
    other = next(s for s in w.servers if s.address != first)
    w.run("ip", "route", "del", "local", "10.97.0.0/16", "dev", "lo")
    d.wait("^failed to send query to " + re.escape(first), 40)
    time.sleep(5)
    w.run("ip", "route", "add", "local", "10.97.0.0/16", "dev", "lo")
    n = len(good.queries)
    seen(good, n + 1)
    assert not other.queries
    assert not d.matching("now invalid")


def test_without_descriptors_nothing_is_thrown_away(w):
    """For half a minute opening fails with EMFILE. That is one line, and then
    everything goes on as before."""
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", conf="".join(
        "server 10.99.0.%d poll 4..4\n" % i for i in (1, 2, 3)))
    d.wait("now valid", 60, 3)
    d.wait("clock is now synced", 60)
    least = len(os.listdir("/proc/%d/fd" % d.pid))
    limit = subprocess.run(["prlimit", "--pid", str(d.pid), "--nofile", "-o",
                            "SOFT,HARD", "--noheadings"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    w.run("prlimit", "--pid", str(d.pid), "--nofile=%d:%s" % (
        max(3, least - 3), limit[1]))
    d.wait("^failed to send query to .*: No file descriptors available$|"
           "^failed to send query to .*: Too many open files$", 60)
    time.sleep(30)
    n = [len(s.queries) for s in w.servers]
    w.run("prlimit", "--pid", str(d.pid), "--nofile=%s:%s" % tuple(limit))
    for s, had in zip(w.servers, n):
        seen(s, had + 2)
    assert len(d.matching("^failed to send")) == 1, d.text
    assert not d.matching("now invalid|unsynced")
    state = subprocess.run([NTPD, "ctl", "-s", "status"], text=True,
                           stdout=subprocess.PIPE).stdout
    assert state.startswith("3/3 peers valid, clock synced"), state


# ---- hours in a minute

HASTEN = 100
HOURS = 2.2
EDGE = 60               # s: what a busy machine may shift a line by
BURST = 300             # s without any request end a burst


def busiest(times, window, begin):
    """The most of them in any window that begins after begin."""
    times = [t for t in times if t >= begin]
    return max([0] + [sum(1 for u in times if t <= u < t + window)
                      for t in times])


def per_day(times):
    """How many of these there are in a day, by those of the last hour, from the
    beginning of one burst to that of another.  To count the hour's bursts would
    be wrong by one, which is much if there are four."""
    last = [t for t in times if t > (HOURS - 1) * 3600]
    begin = [t for before, t in zip([0] + last, last) if t - before > BURST]
    if len(begin) < 2:
        return 24 * len(last)
    whole = sum(begin[0] <= t < begin[-1] for t in last)
    return whole * 86400 / (begin[-1] - begin[0])


def asked_rates(w, d):
    """The most requests to one server in the first 300 s, and the requests to
    all servers in a day."""
    first = max([0] + [sum((t - d.started) * HASTEN < 300 - EDGE / 3
                           for t in s.times) for s in w.servers])
    return first, sum(per_day([(t - d.started) * HASTEN for t in s.times])
                      for s in w.servers)


def silent(w):
    for a in FOUR:
        w.ntp(a).silent = True
    return servers(*FOUR)


def unsynchronised(w):
    for a in FOUR:
        w.ntp(a, behave=alarm)
    return servers(*FOUR)


def comes_and_goes(w):
    """The server says alarm at one time, nothing at another, and another
    stratum at a third."""
    def b(q, r):
        k = int(time.monotonic() * 3) % 3
        r.leap, r.stratum = (3, 0) if k == 0 else (0, 16)
        return [] if k == 2 else [r]
    for a in FOUR:
        w.ntp(a, behave=b)
    return servers(*FOUR)


def no_network(w):
    w.run("ip", "link", "set", "lo", "down")
    with open(os.path.join(world.TOP, "ntpd.conf")) as f:
        return f.read()


def many(w):
    """64 servers and 8 constraints."""
    names = ["10.99.6.%d" % (i + 1) for i in range(64)]
    for a in names:
        w.ntp(a).silent = True
    return servers(*names) + "".join(
        'constraint from "https://10.99.7.%d"\n' % (i + 1) for i in range(8))


def names_come_and_go(w):
    w.dns.open()

    def change(good):
        w.dns.names["pool.test"] = ["10.99.0.1"] if good else "refused"
        if not w.over:
            w.later(0.4, lambda: change(not good))
    change(False)
    w.ntp("10.99.0.1").silent = True
    return "servers pool.test\nserver pool.test\n"


def routes_come_and_go(w):
    def change(good):
        w.run("ip", "route", "add" if good else "del", "local", "10.96.0.0/24",
              "dev", "lo")
        if not w.over:
            w.later(0.5, lambda: change(not good))
    change(True)
    return servers("10.96.0.1", "10.96.0.2")


FOUR = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("how", [
    silent, unsynchronised, comes_and_goes, no_network, many, names_come_and_go,
    routes_come_and_go], ids=lambda f: f.__name__)
def test_hours_of_trouble_are_calm(w, how):
    """The log has at most 60 lines in five minutes, then 12 an hour.  A server
    gets at most fifteen requests in five minutes, and all servers together
    fewer than 10 000 a day."""
    w.rates = False     # time is hastened here
    d = hastened(w, how(w), HASTEN)
    time.sleep(HOURS * 3600 / HASTEN)
    assert d.alive()
    with d.change:
        times = [(at - d.started) * HASTEN for at, line in d.timed]
    assert sum(t < 300 - EDGE for t in times) <= 60
    assert busiest(times, 3600 - EDGE, 300 + EDGE) <= 12, d.text
    assert d.matching("^for 1 h: clock unsynced, 0 of")
    first, day = asked_rates(w, d)
    assert first <= 15, first
    assert day < 10000, day


@pytest.mark.parametrize("names", [1, 8])
@pytest.mark.parametrize("said", [None, NX], ids=["silent", "nxdomain"])
def test_hours_without_a_name_are_calm(w, said, names):
    """A pod's search list gives six candidates, each with two record types.  A
    name server gets each query fifteen times in five minutes at most, and
    fewer than 10 000 queries a day."""
    resolv_conf(w, POD)
    r = Resolver(w, lambda *_: said)
    d = hastened(w, "".join("servers p%d.test\n" % i for i in range(names)),
                 HASTEN)
    time.sleep(HOURS * 3600 / HASTEN)
    assert d.alive()
    asked = [((at - d.started) * HASTEN, name, kind)
             for at, name, kind, _ in list(r.asked)]
    first = [(name, kind) for at, name, kind in asked if at < 300 - EDGE / 3]
    assert max(first.count(q) for q in set(first)) <= 15
    times = {}
    for at, name, kind in asked:
        times.setdefault((name, kind), []).append(at)
    day = sum(map(per_day, times.values()))
    assert day < 10000, day


def test_a_lookup_whose_child_is_killed_is_not_free(w):
    """It sent its queries all the same, so the next one comes as late as after
    one that failed: 10 s for each of four queries of eight names.  So there are
    135 in an hour and a half, and not 450; on a busy machine, where hastened time
    is behind, a third of that or less."""
    resolv_conf(w, POD)
    Resolver(w, lambda *_: None)
    d = hastened(w, "".join("servers p%d.test\n" % i for i in range(8)), HASTEN)
    time.sleep(0.5 * 3600 / HASTEN)     # the start is over
    killed, end = set(), time.monotonic() + 1.5 * 3600 / HASTEN
    while time.monotonic() < end:
        for child in world.children(d.pid):
            killed.add(child)
            with contextlib.suppress(ProcessLookupError):       # just ended
                os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    assert d.alive()
    assert 15 <= len(killed) <= 200, len(killed)

"""ntpd -q sets or verifies the clock once and exits, for init containers and
cron."""

import os
import re
import subprocess

import pytest

from world import SOON, state, until

pytestmark = pytest.mark.scenario

AT_ONCE = 2.5           # s: from then on silent servers are not waited for


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def three(w, offsets=(0, 0, 0)):
    for i, o in enumerate(offsets):
        w.ntp("10.99.0.%d" % (i + 1), o)
    return servers(*(s.address for s in w.servers))


def processor_time(pid):
    """s, of a process that has ended and of its children (proc(5))."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def finished(d):
    """The exit status.  The program gives up after 15 s."""
    return d.process.wait(90)


@pytest.mark.parametrize("wrong", [-3600.0, -0.5, 0.5, 3600.0])
def test_q_sets_and_exits_0(w, wrong):
    d = w.start("-q", "-d", conf=three(w), guard_options=("-o", str(wrong)))
    assert finished(d) == 0
    assert len(d.steps()) == 1
    assert d.set_after() < AT_ONCE
    assert abs(d.steps()[0] + wrong) < 0.05 + d.slack()
    assert d.matching("^set local clock to .* UTC .*offset")


def test_q_verifies_and_exits_0(w):
    d = w.start("-q", "-d", conf=three(w), guard_options=("-m",))
    assert finished(d) == 0
    assert not d.steps()
    assert not d.matching("set local clock")


def test_q_needs_no_right_to_verify(w):
    """The status is 0: the offset is within its own error, so nothing has to
    be set."""
    d = w.start("-q", "-d", conf=three(w), guard_options=("-m", "-e", "1"))
    assert finished(d) in (0, 2)


@pytest.mark.parametrize("case", ["silent", "disagree", "no servers",
                                  "no name"])
def test_q_without_a_majority_exits_1_after_15_s(w, case):
    if case == "silent":
        conf = three(w)
        for s in w.servers:
            s.silent = True
    elif case == "disagree":
        conf = three(w, (100, 0, -100))
    elif case == "no servers":
        conf = servers("10.99.0.77")
    else:
        w.dns.open()
        conf = "servers nowhere.test\n"
    d = w.start("-q", "-d", conf=conf)
    until(lambda: state(d.process.pid) == "Z", 90)
    took = processor_time(d.process.pid)
    assert finished(d) == 1
    assert not d.steps()
    assert not d.matching("set local clock")
    # It sleeps while nothing is due.
    assert took < 2


def test_q_that_may_not_set_exits_2(w):
    d = w.start("-q", "-d", conf=three(w),
                guard_options=("-e", "1", "-o", "-50"))
    assert finished(d) == 2
    assert d.matching("SYS_TIME|permit")


def test_q_believes_the_majority(w):
    d = w.start("-q", "-d", conf=three(w, (0, 1000, 0)),
                guard_options=("-o", "-50"))
    assert finished(d) == 0
    d.stepped_once(50)


@pytest.mark.parametrize("rights", ["may", "may not"])
def test_q_refuses_beside_a_running_daemon(w, rights):
    """The daemon steers that clock, and a step would surprise it."""
    w.rates = False             # several daemons ask them
    conf = three(w)
    d = w.start("-d", conf=conf, guard_options=("-m",))
    d.wait("now valid", 60, 3)
    asked = sum(len(s.queries) for s in w.servers)
    options = ("-m", "-o", "-50") + (() if rights == "may" else ("-e", "1"))
    q = w.start("-q", conf=conf, guard_options=options)
    assert finished(q) == 1
    assert len(q.lines) == 1
    q.wait("^ntpd already running: it answers at /.*; ask it with ntpctl, or "
           "stop it before -q$", 30)
    assert not q.clock()
    # A run that changes nothing is allowed beside it.
    q = w.start("-q", "-x", conf=conf, guard_options=("-m",))
    assert finished(q) == 0
    q = w.start("-n", conf=conf, guard_options=("-m",))
    assert finished(q) == 0
    assert d.stop()[0] == 0
    q = w.start("-q", conf=conf, guard_options=("-m",))
    assert finished(q) == 0
    assert asked < sum(len(s.queries) for s in w.servers)


def diagnosed(w, conf, *arguments, **more):
    """The status and the screen of -q -v."""
    d = w.start("-q", "-v", *arguments, conf=conf, stdout=subprocess.PIPE,
                **more)
    status = finished(d)
    return status, d.process.stdout.read().decode(), d


def test_q_v_is_a_diagnosis_of_a_network(w):
    """It waits until all have answered, or for 15 s, and says of each what is
    wrong.  With -x it changes nothing."""
    w.rates = False             # two daemons ask them
    conf = three(w)
    # All answer, so it ends before the 15 s are over.
    status, screen, d = diagnosed(w, conf, "-x", guard_options=("-m",))
    assert status == 0
    assert re.match(r"\+ clock synchronised, ready: error bound .*\n\n  state ",
                    screen), screen
    assert len(re.findall(r"^\+ (?:agrees|followed) .*s     1  10\.99\.0\.[123]$",
                          screen, re.M)) == 3, screen
    assert not d.matching("in time")
    # One is wrong, one is silent, one has no address, one does not know the time.
    w.dns.open()
    w.ntp("10.99.0.4", 100, lambda q, r: setattr(r, "leap", 1))
    w.ntp("10.99.0.5").silent = True
    w.ntp("10.99.0.6", behave=lambda q, r: setattr(r, "leap", 3))
    status, screen, d = diagnosed(
        w, conf + servers("10.99.0.4", "10.99.0.5", "10.99.0.6",
                          "nowhere.test"), "-x", guard_options=("-m",))
    assert status == 0 and screen.startswith("+ clock synchronised, "), screen
    assert re.search(r"^! disagrees +100\.0s .* 1  10\.99\.0\.4, leap insert$",
                     screen, re.M), screen
    assert re.search(r"^! failed +10\.99\.0\.6, leap unsynchronised: alarm$",
                     screen, re.M), screen
    assert re.search(r"^! silent +10\.99\.0\.5$", screen, re.M), screen
    assert re.search(r"^! failed +nowhere\.test: no address known$", screen,
                     re.M), screen
    assert not d.clock()


def test_q_v_says_why_the_time_is_not_known(w):
    status, screen, d = diagnosed(
        w, three(w) + 'constraint from "https://10.99.0.80"\n',
        guard_options=("-m",))
    assert status == 1 and not d.steps()
    assert screen.startswith("! clock not synchronised, not ready: waiting "
                             "for constraint: 10.99.0.80: connect: "), screen
    assert re.search(r"^! failed +https://10\.99\.0\.80: connect: ", screen,
                     re.M), screen


def test_q_v_may_only_say_that_the_clock_is_wrong(w):
    status, screen, d = diagnosed(w, three(w), "-x",
                                  guard_options=("-m", "-o", "-50"))
    assert status == 2 and not d.clock()
    assert re.search(r"^. [a-z]+ +50\.0s ", screen, re.M), screen


def test_q_v_sets_the_clock_and_shows_it(w):
    status, screen, d = diagnosed(w, three(w), guard_options=("-o", "-50"))
    assert status == 0
    d.stepped_once(50)
    assert "disagrees" not in screen and "silent" not in screen, screen


def test_q_opens_no_door(w):
    """Neither to NTP nor to metrics, by address or by name."""
    w.dns.open()
    w.dns.names["me.test"] = ["10.99.1.1"]
    conf = three(w)
    for s in w.servers:
        s.silent = True
    d = w.start("-q", "-d", conf=conf + "listen on me.test\nlisten on "
                "10.99.1.2\nmetrics on me.test\nmetrics on 10.99.1.2\n")
    assert finished(d) == 1
    assert not d.matching("listening on|metrics on")


def test_q_ends_soon_when_told(w):
    conf = three(w)
    for s in w.servers:
        s.silent = True
    d = w.start("-q", "-d", conf=conf)
    d.wait("^ntp engine ready$", 30)
    status, took = d.stop()
    assert took < SOON

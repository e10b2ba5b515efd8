"""ntpd -q: set or verify once and exit, for init containers and cron."""

import time

import pytest

pytestmark = pytest.mark.scenario


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def three(w, offsets=(0, 0, 0)):
    for i, o in enumerate(offsets):
        w.ntp("10.99.0.%d" % (i + 1), o)
    return servers(*(s.address for s in w.servers))


def finished(d, seconds):
    return d.process.wait(seconds)


@pytest.mark.parametrize("wrong", [-3600.0, -0.5, 0.5, 3600.0])
def test_q_sets_and_exits_0(w, wrong):
    d = w.start("-q", "-d", conf=three(w), guard_options=("-o", str(wrong)))
    assert finished(d, 16) == 0
    assert time.monotonic() - d.started < 5
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] + wrong) < 0.05
    d.wait("^set local clock to .* UTC .*offset", 1)


def test_q_verifies_and_exits_0(w):
    d = w.start("-q", "-d", conf=three(w), guard_options=("-m",))
    assert finished(d, 16) == 0
    assert not d.steps()
    assert not d.matching("set local clock")


def test_q_needs_no_right_to_verify(w):
    """0: within its own error; nothing has to be set."""
    d = w.start("-q", "-d", conf=three(w), guard_options=("-m", "-e", "1"))
    assert finished(d, 16) in (0, 2)


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
    assert finished(d, 20) == 1
    assert not d.steps()
    assert not d.matching("set local clock")


def test_q_that_may_not_set_exits_2(w):
    d = w.start("-q", "-d", conf=three(w),
                guard_options=("-e", "1", "-o", "-50"))
    assert finished(d, 16) == 2
    assert d.matching("SYS_TIME|permit")


def test_q_believes_the_majority(w):
    d = w.start("-q", "-d", conf=three(w, (0, 1000, 0)),
                guard_options=("-o", "-50"))
    assert finished(d, 16) == 0
    assert [round(s) for s in d.steps()] == [50]


def test_q_ends_soon_when_told(w):
    conf = three(w)
    for s in w.servers:
        s.silent = True
    d = w.start("-q", "-d", conf=conf)
    time.sleep(1)
    begin = time.monotonic()
    d.stop()
    assert time.monotonic() - begin < 2

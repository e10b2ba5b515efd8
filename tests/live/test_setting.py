"""What may step a clock that runs: a test for each cell of the table "What
sets the clock" of ntpd(8). The cells of the start are in test_servers.py and
test_constraints.py.  A machine that slept, a stranger who sets the clock, and
jumps that last or go away are in test_guest.py, whose clock runs faster than a
test could wait."""

import re
import time

import pytest

import test_status as status
import web
from world import until

pytestmark = pytest.mark.scenario

YEAR = 31536000.0
ONE_LINE = r"too far to slew"


def often(conf):
    """Ask the servers often, so that a jump is noticed soon."""
    return re.sub(r"(?m)^(server .*)$", r"\1 poll 4..8", conf)


def three(w):
    web.ntp(w)
    return often("".join("server %s\n" % s.address for s in w.servers))


def running(w, conf, *arguments):
    """A daemon that has been in step with its servers for some seconds."""
    d = w.start("-d", *arguments, conf=conf, guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    d.wait("now valid", 60, 3)
    time.sleep(3)
    assert not d.steps()
    return d


def jump(w, seconds):
    for s in w.servers:
        s.offset = seconds


@pytest.mark.parametrize("arguments", [("-s",), ()])
def test_a_jump_of_all_servers_by_a_year_steps_nothing(w, arguments):
    """Whoever forwards the packets can fake such a jump; -s does not change
    that."""
    d = running(w, three(w), *arguments)
    jump(w, YEAR)
    said = d.wait("^time jumped against [23] of 3 peers by 315(35999.9|36000.0)", 60)
    assert "corrected" not in said      # since it is not
    d.wait("^clock is now unsynced$", 60)
    d.wait(ONE_LINE, 90)
    time.sleep(10)
    assert not d.steps()
    assert len(d.matching(ONE_LINE)) == 1
    until(lambda: d.clock()[-1]["status"] & 0x40)       # STA_UNSYNC


def test_a_jump_back_by_ten_years_steps_nothing(w):
    d = running(w, three(w), "-s")
    jump(w, -0.5 * YEAR)        # a date before the build is refused anyway
    time.sleep(60)
    assert not d.steps()


def test_a_small_jump_of_all_servers_is_waited_out_first(w):
    """The daemon waits for as long as the clock was right before, and gives no
    order until then."""
    d = running(w, three(w))
    jump(w, 3)
    said = d.wait("^time jumped against [23] of 3 peers by ", 60)
    wait = float(re.search(r"lasts for (\d+)s$", said).group(1))
    assert wait >= 5
    at = time.monotonic()
    d.wait("^adjusting local clock by ", wait + 60)
    assert time.monotonic() - at > wait - 2
    assert not d.steps()


@pytest.mark.parametrize("arguments, by, step", [
    (("-s",), 3600, True),
    (("-s",), -3600, True),
    ((), 3600, True),           # as at the start: forward only
    ((), -3600, False),
])
def test_constraints_asked_anew_that_agree_set_by_the_rules_of_the_start(
        w, arguments, by, step):
    web.ntp(w)
    server = web.https(w)
    d = running(w, often(web.conf()), *arguments)
    time.sleep(6)               # the questions of the start are over
    server.close()
    web.https(w, date=by)
    jump(w, by)
    d.wait("^Reset constraint info$", 60)
    d.wait("^constraint reply from", 60, 2)
    if step:
        assert abs(d.wait_step(60) - by) < 1
        d.wait("^clock is now synced$", 60, 2)
    else:
        d.wait(ONE_LINE, 90)
        assert not d.steps()
    assert len(d.steps()) == step


def test_constraints_that_stay_where_they_are_let_nothing_move(w):
    """The servers jump by an hour, the constraint does not."""
    web.ntp(w)
    web.https(w)
    d = running(w, often(web.conf()), "-s")
    before = len(d.clock())
    jump(w, 3600)
    d.wait("^reply from .*: constraint check failed$", 60, 3)
    d.wait("^constraint reply from", 60, 2)
    time.sleep(10)
    assert not d.steps()
    assert all(abs(r["offset"]) < 1e8 for r in d.clock()[before:])


def test_a_jump_within_the_bound_is_no_case_for_a_step(w):
    """The constraint cannot tell 100 s from 0."""
    web.ntp(w)
    web.https(w)
    d = running(w, often(web.conf()), "-s")
    jump(w, 100)
    d.wait("^time jumped against [23] of 3 peers by (100|99)", 60)
    time.sleep(20)
    assert not d.steps()


def test_a_clock_outside_of_the_constraints_is_not_called_right(w):
    """The servers agree with the clock and the constraints do not, so nobody
    is believed."""
    web.ntp(w)
    server = web.https(w)
    d = running(w, often(web.conf()), "-s")
    server.close()
    web.https(w, date=5000)
    # The servers' jump within the bound makes the daemon ask them.
    jump(w, 30)
    d.wait("^Reset constraint info$", 60)
    d.wait("^clock is off by about 50.0s by the constraints$", 60)
    d.wait("^clock is now unsynced", 60)
    assert re.match("not ready: clock is off by about 50.0s by the constraints",
                    status.ntpctl(w, "-s", "ready")[1])
    time.sleep(5)
    assert not d.steps()


def test_a_clock_that_follows_a_trusted_server_is_no_case_of_the_constraints(
        w):
    """It needs no constraints, even when they say something else."""
    web.ntp(w, 3600)
    web.https(w)
    d = w.start("-d", "-s", guard_options=("-m",), conf=often(
        web.conf(servers=0, more="".join(
            "server %s trusted\n" % s.address for s in w.servers))))
    assert abs(d.wait_step(30) - 3600) < 1
    d.wait("^clock is now synced$", 60)
    d.wait("^constraint reply from", 60)
    time.sleep(8)
    assert not d.matching("by the constraints|unsynced")


def test_s_slews_a_clock_that_the_kernel_calls_synchronised(w):
    conf = three(w)
    jump(w, 5)
    d = w.start("-d", "-s", conf=conf, guard_options=("-m", "-K"))
    d.wait(r"^cancel settime: an offset of (5.0|4.9)\d+s is slewed, since the "
           "kernel's clock was synchronised$", 60)
    d.wait("^adjusting local clock by 0.3", 60)
    assert not d.steps()


def test_s_sets_such_a_clock_if_a_slew_would_take_days(w):
    conf = three(w)
    jump(w, -3600)
    d = w.start("-d", "-s", conf=conf, guard_options=("-m", "-K"))
    assert abs(d.wait_step(60) + 3600) < 1


def test_a_clock_that_is_synchronised_and_right_stays_so(w):
    """From the first majority on it is called synchronised, without a step."""
    conf = three(w)
    w.servers[0].silent = True
    d = w.start("-d", "-s", conf=conf, guard_options=("-m", "-K"))
    d.wait("^clock is now synced$", 60)
    first = min(s.queries[0].mono for s in w.servers if s.queries)
    with d.change:
        synced = next(t for t, line in d.timed if line.endswith("now synced"))
    assert synced - first < 10
    assert not d.steps()

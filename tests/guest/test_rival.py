"""A second program that steers the same real kernel clock."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import guest                                                    # noqa: E402
import peers                                                    # noqa: E402
from guest import SERVERS, clock_script                         # noqa: E402
from test_guest import START, machine, story, tell              # noqa: E402,F401

CTL = "ntpctl -s status | truth tag Status\nntpctl -s ready | truth tag Ready\n"
PASSWD = ("etc/passwd", "root:x:0:0::/:/bin/sh\n")


def beside(name, start, stop, until, **more):
    """We steer from 0 on, and at 600 the other one begins."""
    more.setdefault("links", []).append(("bin/ntpctl", "/ntpd"))
    return tell(name, clock_script(until, looks=("10 0 1e9",)), [
        (0, START + "\nOURS=$PID"),
        (600, start),
        (1400, CTL + stop),
        (until - 60, CTL),
    ], quiet=False, **more)


@story
def chronyd():
    path = peers.path("chronyd")
    if path is None:
        pytest.skip("guest: chronyd is not to be had")
    conf = "".join("server %s iburst\n" % a for a in SERVERS)
    return beside(
        "chronyd", "mkdir -p /var/lib/chrony /var/run/chrony\n"
        "/chronyd -d -u root -f /etc/peer.conf 2>&1 | truth tag Other &\n"
        "sleep 1; OTHER=$(pidof chronyd)", "kill $OTHER", 2600,
        files=[("etc/peer.conf", conf + "rtcsync\ncmdport 0\n"), PASSWD],
        programs=[("chronyd", path)] +
        [(x, x) for x in guest.libraries(path)])


def yields(run):
    return run.said("^only measuring: another program ")


def returns(run):
    return run.said("^no other program steers the clock any more")


def test_chronyd_is_named_and_left_alone_until_it_ends():
    run = chronyd()
    assert len(yields(run)) == 1, run.log()
    said = yields(run)[0]
    assert "(probably chronyd)" in said.text and said.t < 600 + 420, said
    assert len(returns(run)) == 1, run.log()
    assert 1400 + 400 < returns(run)[0].t < 2450
    # What chronyd has written stays: it takes STA_PLL away with its replies,
    # of which the next one comes within two polls.
    for look in run.between(said.t + 2 * 64 + 2, 1400):
        assert not look.status & 1, look
    for look in run.between(returns(run)[0].t + 20, 2500):
        assert look.status & 1, look


def test_the_clock_is_right_and_ready_meanwhile_and_status_says_why():
    run = chronyd()
    for look in run.between(60, 2540):
        assert abs(look.err) < 0.02 and look.synced, look
    status, ready = run.log("Status"), run.log("Ready")
    assert "clock synced, stratum 2, only measuring: another program " \
        "(probably chronyd) steers the clock: systemctl disable" in \
        status[0].text
    assert ready[0].text.startswith("ready: ") and \
        "only measuring" in ready[0].text
    assert "only measuring" not in status[-1].text + ready[-1].text


def test_there_is_no_fight_in_the_log_and_no_query_storm():
    run = chronyd()
    assert len([x for x in run.log() if 600 < x.t < 2500 and
                "reply from" not in x.text]) < 20, run.log()
    # All servers together, chronyd's requests included.
    assert run.requests(1000, 1390) < 4 * 2 * 12


@story
def twins():
    """Each has a /var/run of its own, so there is no control socket that both
    see, as in two containers."""
    return beside(
        "twins", "unshare -m sh -c 'mount -t tmpfs none /var/run; "
        "exec /ntpd -d -s -f /etc/ntpd.conf' 2>&1 | truth tag Other &\n",
        "kill -9 $OURS", 4000)


def test_of_two_as_we_are_the_younger_one_stands_down():
    run = twins()
    yielded = run.said("^only measuring: another program "
                       r"\(probably another ntpd as this one\)", "Other")
    assert len(yielded) == 1 and yielded[0].t < 600 + 420, run.log("Other")
    assert not yields(run)
    for look in run.between(60, 1390):
        assert abs(look.err) < 0.003 and look.synced, look


def test_the_younger_one_takes_over_when_the_older_one_dies():
    run = twins()
    back = run.said("^no other program steers the clock any more", "Other")
    assert len(back) == 1 and 1400 < back[0].t < 1400 + 1920, run.log("Other")
    for look in run.between(back[0].t + 300, 3990):
        assert abs(look.err) < 0.003 and look.synced, look

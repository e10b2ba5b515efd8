"""A server may be wrong by more than its path explains.  What it says about
that decides whether the clock is set by it, and whether the clock is then
called right."""

import json
import subprocess

import pytest

import world

pytestmark = pytest.mark.scenario


def vague(dispersion=10.6, stratum=3):
    """A server that says of itself what a Windows domain controller says by
    default."""
    def behave(query, reply):
        reply.version, reply.stratum, reply.precision = 3, stratum, -6
        reply.root_delay, reply.root_dispersion = 0.03, dispersion
        reply.refid = b"LOCL"
    return behave


def conf(w, n, **how):
    return "".join("server %s poll 4..8\n" % w.ntp(
        "10.99.0.%d" % (i + 1), behave=vague(**how)).address
        for i in range(n))


def ntpctl(w, *arguments):
    p = subprocess.run([world.NTPD, "ctl", *arguments], text=True, cwd=w.dir,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=60)
    return p.returncode, p.stdout


@pytest.mark.parametrize("wrong", [-8.0, 8.0, -0.3])
def test_q_sets_by_servers_that_vouch_for_ten_seconds(w, wrong):
    """The offset is far beyond what the path explains, so it must be gone
    before the exit status may be 0."""
    d = w.start("-q", "-d", conf=conf(w, 1),
                guard_options=("-o", str(wrong)))
    assert d.process.wait(90) == 0
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] + wrong) < 0.05 + d.slack()


def test_q_that_may_not_set_does_not_call_such_a_clock_right(w):
    d = w.start("-q", "-d", conf=conf(w, 2),
                guard_options=("-o", "-8", "-e", "1"))
    assert d.process.wait(90) == 2


def test_s_sets_by_them_and_readiness_names_its_bound(w):
    """The clock is synchronised, since the offset is gone.  It is not ready,
    since the bound is what the servers say; the reason names the remedy."""
    d = w.start("-d", "-s", conf=conf(w, 2), guard_options=("-o", "-8"))
    assert abs(d.wait_step(60) - 8) < 0.1 + d.slack()
    d.wait("^clock is now synced$", 60)
    code, said = ntpctl(w, "-s", "ready")
    assert code != 0
    assert "set \"ready within 14\"" in said, said
    state = json.loads(ntpctl(w, "-j")[1])
    assert state["synced"] and state["error_bound"] > 10


def test_ready_as_configured_for_such_servers(w):
    w.start("-d", "-s", guard_options=("-o", "-8"),
            conf=conf(w, 2) + "ready within 14\n")
    code, said = ntpctl(w, "-w", "60")
    assert code == 0, said


def test_a_clock_that_is_slewed_seconds_is_not_called_synced(w):
    """Without -s, it takes more than a minute to slew eight seconds."""
    d = w.start("-d", conf=conf(w, 2), guard_options=("-o", "-8"))
    d.wait("now valid", 60, 2)
    d.wait("^adjusting local clock by", 30)
    assert not d.matching("clock is now synced")
    assert not json.loads(ntpctl(w, "-j")[1])["synced"]
    assert not d.steps()


def test_s_sets_by_the_only_server_of_an_isolated_network(w):
    """Its root distance is beyond 16 s, and so is our clock's offset.  The log
    names the server; afterwards nobody is followed and nothing is called
    synchronised."""
    d = w.start("-d", "-s", conf=conf(w, 1, dispersion=300),
                guard_options=("-o", "-60000"))
    assert abs(d.wait_step(60) - 60000) < 0.1 + d.slack()
    assert d.matching("^no peer is near enough to its root: setting the clock "
                      r"by 10\.99\.0\.1, which may be off by 300s$")
    assert len(d.matching("^peer 10.99.0.1 may be off by 300s itself: not used "
                          'beyond 16s, unless "maxdistance" allows it$')) == 1
    assert not d.matching("now synced|now valid|adjusting")
    state = json.loads(ntpctl(w, "-j")[1])
    assert not state["synced"]
    assert "---- peer not valid ---- (root distance)" in ntpctl(
        w, "-s", "peers")[1]
    assert d.clock()[-1]["status"] & 0x40       # STA_UNSYNC


@pytest.mark.parametrize("wrong", [-60000, 60000])
def test_q_sets_by_it_too(w, wrong):
    d = w.start("-q", "-d", conf=conf(w, 2, dispersion=300),
                guard_options=("-o", str(wrong)))
    assert d.process.wait(90) == 0
    assert len(d.steps()) == 1


def test_it_sets_nothing_within_what_it_may_be_off_by(w):
    d = w.start("-q", "-d", conf=conf(w, 1, dispersion=300),
                guard_options=("-o", "-200"))
    assert d.process.wait(90) == 1
    assert not d.steps()


def test_two_of_them_that_disagree_set_nothing(w):
    text = conf(w, 2, dispersion=300)
    w.servers[1].offset = 5000
    d = w.start("-q", "-d", conf=text, guard_options=("-o", "-60000"))
    assert d.process.wait(90) == 1
    assert not d.steps()


def test_a_near_server_that_comes_late_is_preferred(w):
    """It comes within the seconds for which the daemon waits for others."""
    text = conf(w, 1, dispersion=300)
    w.servers[0].offset = 100
    near = w.ntp("10.99.0.9", delay=1.5)
    d = w.start("-d", "-s", conf=text + "server %s\n" % near.address,
                guard_options=("-o", "-60000"))
    assert abs(d.wait_step(60) - 60000) < 2 + d.slack()
    d.wait("clock is now synced", 60)


def test_without_s_it_sets_nothing(w):
    d = w.start("-d", conf=conf(w, 1, dispersion=300),
                guard_options=("-o", "-60000"))
    world.until(lambda: len(w.servers[0].queries) >= 4)
    assert not d.steps()


def test_maxdistance_lets_it_keep_the_clock(w):
    """The clock is set by the server, follows it and is called synchronised,
    and the log says so."""
    text = conf(w, 1, dispersion=300).replace("\n", " maxdistance 600\n")
    d = w.start("-d", "-s", conf=text, guard_options=("-o", "-20"))
    assert abs(d.wait_step(60) - 20) < 0.1 + d.slack()
    d.wait("^clock is now synced$", 60)
    d.wait("now valid", 60)
    assert d.wait("^peer 10.99.0.1 may be off by 300s itself: used, as "
                  '"maxdistance" allows it$', 10)
    code, said = ntpctl(w, "-s", "ready")
    assert code != 0 and 'set "ready within 37' in said, said

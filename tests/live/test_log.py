"""Each line of the log is true, and says why."""

import re

import pytest

import world

pytestmark = pytest.mark.scenario

SKIPPING = "^no reply received in time, skipping initial time setting$"
LATER = "^no reply received in time: the clock will be set when the servers " \
    "answer$"
DENIED = ("-e", "1")


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def three(w, offsets=(0, 0, 0), **more):
    for i, o in enumerate(offsets):
        w.ntp("10.99.0.%d" % (i + 1), o, **more)
    return servers(*(s.address for s in w.servers))


def silent(w):
    conf = three(w)
    for s in w.servers:
        s.silent = True
    return conf


def alarm(query, reply):
    reply.leap = 3


def constrained(w):
    """All servers answer, but the constraint cannot be asked."""
    return three(w) + 'constraint from "10.99.7.7"\n'


def disagreeing(w):
    return three(w, (100, 0, -100))


def unsynchronised(w):
    return three(w, behave=alarm)


def nameless(w):
    w.dns.open()
    return "servers nowhere.test\n"


REASONS = [
    (constrained, r"waiting for constraint: 10\.99\.7\.7: .*"),
    (disagreeing, r"no majority: \d of 3 peers agree"),
    (unsynchronised, "no usable time: alarm"),
    (nameless, "no usable time: no address known of any peer"),
]


@pytest.mark.parametrize("state,why", REASONS)
def test_a_set_that_has_to_wait_names_the_reason(w, state, why):
    """The log does not say "no reply received in time" when every server has
    replied."""
    d = w.start("-d", "-s", conf=state(w))
    d.wait("^clock is not set yet: %s$" % why, 60)
    assert not d.matching("^no reply received|skipping")


@pytest.mark.parametrize("state,why", REASONS)
def test_q_names_the_reason_too(w, state, why):
    d = w.start("-q", conf=state(w))
    assert d.process.wait(60) == 1
    d.wait("^clock neither set nor found right in time: %s$" % why, 30)
    assert not d.matching("^no reply received")


def test_without_any_reply_the_set_is_still_to_come(w):
    d = w.start("-d", "-s", conf=silent(w))
    d.wait(LATER, 60)
    assert not d.matching("skipping|not set yet")


@pytest.mark.parametrize("arguments,conf,options", [
    # This daemon may not set the clock.
    (["-s"], "", DENIED), (["-s", "-x"], "", ()),
    # Without -s, a constraint would have to vouch for the set.
    ([], 'constraint from "10.99.7.7"\n', ())], ids=["may not", "x", "auto"])
def test_openntpds_words_where_no_set_will_come(w, arguments, conf, options):
    d = w.start("-d", *arguments, conf=silent(w) + conf,
                guard_options=options)
    d.wait(SKIPPING, 60)


def test_who_may_not_set_says_why_it_skips(w):
    d = w.start("-d", "-s", conf=disagreeing(w), guard_options=DENIED)
    d.wait("^skipping initial time setting: no majority: ", 60)
    assert not d.matching("^no reply received")


def test_who_never_sets_the_clock_skips_nothing(w):
    d = w.start("-d", conf=silent(w))
    world.until(lambda: all(len(s.queries) > 4 for s in w.servers), 120)
    assert not d.matching("^no reply received|set yet")


def test_a_name_without_address_says_why(w):
    w.dns.open()
    d = w.start("-d", "-s", conf="server nowhere.test\n")
    d.wait(r"^resolve nowhere\.test done: 0 \(\w.*\)$", 60)


def test_a_long_name_does_not_cut_the_reason(w):
    w.dns.open()
    name = ".".join(["x" * 60] * 4) + ".test"
    w.dns.names[name] = "servfail"
    d = w.start("-d", "-s",
                conf=three(w) + 'constraint from "https://%s"\n' % name)
    d.wait("^waiting for constraint: " + name + ": name lookup failed: "
           "Try again: SERVFAIL from 127.0.0.1$", 60)


def test_syslog_tells_warnings_from_events(w):
    """<28> is daemon.warning, <30> daemon.info."""
    if not world.is_static(world.NTPD):
        pytest.skip("a dynamic build needs its libraries")
    root = w.empty_root()
    log = world.Syslog(w, root)
    w.dns.open()
    d = w.start(root=root, conf="server nowhere.test\n")
    assert d.process.wait(60) == 0
    log.wait("^could not resolve", 60)
    priority = {line.split("]: ")[1].split('"')[0]: line[:4]
                for line in log.lines}
    assert priority["could not resolve "] == "<28>"
    assert priority["ntp engine ready"] == "<30>"


# ------------------------------------------------------- the first ten lines

ALARMING = "(?i)no such|fail|error|denied|not permitted|can't|cannot|could " \
    "not|warning|unable|invalid|no drift"


@pytest.mark.parametrize("arguments", [["-d"], ["-d", "-s"]], ids=str)
@pytest.mark.parametrize("root", ["empty", "read-only"])
def test_a_healthy_start_looks_like_one(w, arguments, root):
    """An image has no drift file at any start, which is nothing to warn of."""
    if not world.is_static(world.NTPD):
        pytest.skip("a dynamic build needs its libraries")
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    w.dns.open()
    w.dns.names["pool.ntp.org"] = [s.address for s in w.servers]
    directory = w.empty_root()
    with open(directory + "/ntpd.conf", "w") as f:
        f.write("servers pool.ntp.org\nsensor *\n")     # OpenNTPD's own
    if root == "read-only":
        w.seal(directory)
    d = w.start(*arguments, "-f", "/ntpd.conf", root=directory,
                guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    bad = [line for line in d.lines[:10] if re.search(ALARMING, line)]
    # The container runtime makes the place for the control socket.
    assert not [line for line in bad if "control socket" not in line], bad
    if root == "empty":
        assert not bad


def test_a_new_drift_file_is_told_when_it_is_there(w):
    """It is not told as a warning, since there is nothing to warn of."""
    d = w.start("-d", conf='driftfile "%s/drift"\n' % w.dir + three(w),
                guard_options=("-m",))
    d.wait("^ntp engine ready$", 30)
    assert not d.matching("drift")


def test_too_far_to_slew_names_what_was_not_done(w):
    d = w.start("-d", conf=three(w), guard_options=("-o", "-4000"))
    d.wait("too far to slew: restart with -s to set it$", 60)


def test_too_far_to_slew_asks_for_no_s_that_was_there(w):
    server = w.ntp("10.99.0.1")
    d = w.start("-d", "-s", conf="server 10.99.0.1 poll 4..4\n",
                guard_options=("-m",))
    d.wait("^clock is now synced$", 60)
    server.offset = -4000
    assert not d.wait("too far to slew", 200).endswith("with -s to set it")

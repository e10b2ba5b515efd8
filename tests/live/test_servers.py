"""Whom to believe, and when to set the clock."""

import re
import time

import pytest

from world import until

pytestmark = pytest.mark.scenario

AT_ONCE = 2.5           # s: from then on silent servers are not waited for
SET = r"^set local clock to (Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} " \
    r"[ \d]\d \d\d:\d\d:\d\d UTC \d{4} \(offset (-?\d+\.\d{6})s\)$"


def servers(*addresses):
    return "".join("server %s\n" % a for a in addresses)


def offsets(daemon, address):
    return [float(m.group(1)) for m in (
        re.match(r"reply from %s: offset (\S+) delay" % re.escape(address),
                 line) for line in daemon.lines) if m]


@pytest.mark.parametrize("wrong", [-86400.0, -0.7, 0.7, 100.0, 86400.0 * 365])
def test_s_sets_the_clock_both_ways_and_once(w, wrong):
    """The clock is set whatever the sign and the size of the offset.  Samples
    from before the step act no more: no delay is negative, and all four
    servers stay in use."""
    for i, delay in enumerate((0, 0.02, 0.05, 0.3)):
        w.ntp("10.99.0.%d" % (i + 1), delay=delay)
    d = w.start("-d", "-s", guard_options=("-o", str(wrong)),
                conf=servers(*(s.address for s in w.servers)))
    d.wait("now valid", 60, 4)
    time.sleep(3)
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] + wrong) < 0.01 + d.slack()
    line = d.wait("^set local clock to", 30)
    assert re.match(SET, line), line
    assert abs(float(re.match(SET, line).group(2)) - d.steps()[0]) < 1e-5
    assert d.set_after() < AT_ONCE
    assert not d.matching("negative delay|invalid")
    after = d.lines[d.lines.index(line) + 1:]
    late = [(float(m.group(1)), float(m.group(2))) for m in (re.match(
        r"reply from \S+ offset (\S+) delay (\S+),", a) for a in after) if m]
    assert len(late) >= 8
    assert all(abs(o) < 0.02 + d.slack() + delay / 2
               for o, delay in late), late


def test_an_offset_within_its_own_error_is_not_stepped(w):
    """There is no "set local clock" line for a set that did not happen."""
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, delay=0.02)
    d = w.start("-d", "-s", guard_options=("-m",),
                conf=servers(*(s.address for s in w.servers)))
    d.wait("now valid", 60, 3)
    assert not d.steps()
    assert not d.matching("set local clock")


def test_no_reachable_server_sets_nothing_and_says_nothing_of_success(w):
    """OpenNTPD 6.2 printed that it set the clock by 0 s when no server could
    be asked."""
    d = w.start("-d", "-s", conf=servers("10.99.0.1", "192.0.2.1"))
    d.wait("^no reply received in time: the clock will be set when the "
           "servers answer$", 90)
    assert not d.matching("set local clock")
    assert not d.steps()


def test_without_s_nothing_is_stepped(w):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", "-s", "-S", guard_options=("-o", "-0.2"),
                conf=servers(*(s.address for s in w.servers)))
    d.wait("now valid", 60, 3)
    d.wait("^adjusting local clock by 0.[12]", 30)
    time.sleep(2)
    assert not d.steps()
    assert not d.matching("set local clock")


@pytest.mark.parametrize("word, wrong, step", [
    ("trusted", -100.0, True),      # 60 s and more behind
    ("trusted", -50.0, False),
    ("trusted", 100.0, False),      # never backwards
    ("", -100.0, False),            # nobody vouches
])
def test_without_s_only_trusted_servers_set_and_only_forward(
        w, word, wrong, step):
    """This is OpenNTPD's automatic rule.  The members of a pool line inherit
    its trust."""
    w.dns.open()
    w.dns.names["pool.test"] = ["10.99.0.1", "10.99.0.2", "10.99.0.3"]
    for a in w.dns.names["pool.test"]:
        w.ntp(a)
    d = w.start("-d", guard_options=("-o", str(wrong)),
                conf="servers pool.test %s\n" % word)
    d.wait("now valid", 60, 3)
    time.sleep(1)
    if step:
        assert len(d.steps()) == 1
        assert abs(d.steps()[0] + wrong) < 0.05 + d.slack()
    else:
        assert not d.steps()


def test_a_large_offset_that_may_not_be_stepped_is_one_line_with_the_remedy(w):
    """The daemon neither slews for years nor fails again and again."""
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", guard_options=("-o", "4000"), conf="".join(
        "server %s poll 4..4\n" % s.address for s in w.servers))
    d.wait("now valid", 60, 3)
    d.wait(r"-s\b", 30)
    time.sleep(6)
    lines = [line for line in d.lines if re.search(r"-s\b", line)]
    assert len(lines) == 1, d.text
    said = float(re.search(r"(-?\d+\.\d+)s", lines[0]).group(1))
    assert abs(said + 4000) < 0.05 + d.slack()
    assert not d.matching("adjusting local clock|Invalid argument|failed")
    assert not d.steps()


def test_a_minority_of_liars_does_not_set_the_clock(w):
    """At the start the liar answers first."""
    w.ntp("10.99.0.1", 3600)
    for i in (2, 3, 4):
        w.ntp("10.99.0.%d" % i, delay=0.1)
    d = w.start("-d", "-s", guard_options=("-o", "-5"),
                conf=servers(*(s.address for s in w.servers)))
    d.wait("set local clock", 60)
    d.wait("peer 10.99.0.4 now valid", 60)
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] - 5) < 0.1 + d.slack()


def test_two_liars_of_five_that_agree_do_not_set_the_clock(w):
    for i in (1, 2):
        w.ntp("10.99.0.%d" % i, -7200)
    for i in (3, 4, 5):
        w.ntp("10.99.0.%d" % i, delay=0.05)
    d = w.start("-d", "-s", guard_options=("-o", "30"),
                conf=servers(*(s.address for s in w.servers)))
    d.wait_step(60)
    d.wait("peer 10.99.0.5 now valid", 60)
    d.stepped_once(-30)


def test_a_liar_with_a_number_does_not_set_the_clock_before_names_are_known(w):
    """The liar is given by its address, while three honest servers are still
    being looked up."""
    w.dns.open()
    w.dns.names["pool.test"] = (0.3, ["10.99.0.2", "10.99.0.3", "10.99.0.4"])
    w.ntp("10.99.0.1", 1000)
    for i in (2, 3, 4):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", "-s", guard_options=("-o", "-5"),
                conf="server 10.99.0.1\nservers pool.test\n")
    assert abs(d.wait_step(60) - 5) < 0.1 + d.slack()
    assert d.set_after() < AT_ONCE
    d.wait("now valid", 60, 4)
    assert len(d.steps()) == 1


def test_a_minority_that_begins_to_lie_later_never_moves_the_clock(w):
    """The liar was the best source before."""
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, delay=0 if i == 1 else 0.01)
    d = w.start("-d", guard_options=("-m",), conf="".join(
        "server %s poll 4..4\n" % s.address for s in w.servers))
    d.wait("now valid", 60, 3)
    time.sleep(4)
    w.servers[0].offset = 0.4
    time.sleep(12)
    # It was heard more than once.
    until(lambda: len([o for o in offsets(d, "10.99.0.1") if o > 0.2]) > 2)
    assert not d.steps()
    # A busy machine delays replies: half of the delay explains an offset.
    for m in (re.match(r"reply from 10.99.0.[23]: offset (\S+) delay (\S+),",
                       line) for line in d.lines):
        if m:
            assert abs(float(m.group(1))) < 0.02 + float(m.group(2)) / 2


def test_one_server_is_believed(w):
    w.ntp("10.99.0.1")
    d = w.start("-d", "-s", guard_options=("-o", "12"),
                conf=servers("10.99.0.1"))
    assert abs(d.wait_step(60) + 12) < 0.05 + d.slack()


def test_two_that_disagree_set_nothing_and_are_named(w):
    """The log names both of them."""
    w.ntp("10.99.0.1", 100)
    w.ntp("10.99.0.2", -100)
    d = w.start("-d", "-s", conf="".join(
        "server %s poll 4..4\n" % s.address for s in w.servers))
    d.wait("now valid", 60, 2)
    d.wait("10.99.0.1 and 10.99.0.2", 60)
    time.sleep(10)
    assert not d.steps()
    assert not d.matching("set local clock|adjusting local clock")
    told = [line for line in d.lines
            if not re.match(r"reply from|peer \S+ now", line)]
    assert any("10.99.0.1" in line for line in told), d.text
    assert any("10.99.0.2" in line for line in told), d.text


def test_the_same_address_by_several_names_is_one_server(w):
    """Three names of one liar are no majority over two honest servers."""
    w.dns.open()
    for name in "abc":
        w.dns.names[name + ".test"] = ["10.99.0.1"]
    liar = w.ntp("10.99.0.1", 1000)
    w.ntp("10.99.0.2", delay=0.05)
    w.ntp("10.99.0.3", delay=0.05)
    d = w.start("-d", "-s", guard_options=("-o", "-9"),
                conf="server a.test\nserver b.test\nservers c.test\n"
                "server 10.99.0.1\n" + servers("10.99.0.2", "10.99.0.3"))
    d.wait_step(60)
    d.wait("peer 10.99.0.3 now valid", 60)
    d.stepped_once(9)
    # It is not asked once a name: check_rates looks at the intervals.
    assert len(liar.queries) <= len(w.servers[1].queries) + 1


def test_at_most_eight_addresses_of_an_answer(w):
    """A longer answer is cut."""
    w.dns.open()
    pool = ["10.99.2.%d" % i for i in range(1, 31)]
    w.dns.names["pool.test"] = pool
    for a in pool:
        w.ntp(a)
    d = w.start("-d", conf="servers pool.test\n")
    d.wait("now valid", 60, 8)
    assert len([s for s in w.servers if s.queries]) == 8


def test_a_date_before_the_build_is_never_set(w):
    """Not even a majority can set it."""
    offset = 1420070400 - time.time()       # 2015
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, offset)
    d = w.start("-d", "-s", conf=servers(*(s.address for s in w.servers)))
    d.wait("^clock is not set yet: no usable time: ", 90)
    assert not d.steps()


def test_a_guest_that_boots_in_1970_is_set(w):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    wrong = 1000 - time.time()
    d = w.start("-d", "-s", guard_options=("-o", "%.1f" % wrong),
                conf=servers(*(s.address for s in w.servers)))
    assert abs(d.wait_step(60) + wrong) < 0.5 + d.slack()
    d.wait("now valid", 60, 3)
    assert len(d.steps()) == 1


def test_half_of_the_servers_are_enough_after_a_moment(w):
    """With -s, a majority of those that answered is enough from 2.5 s on."""
    for i in (1, 2):
        w.ntp("10.99.0.%d" % i)
    for i in (3, 4):
        w.ntp("10.99.0.%d" % i).silent = True
    d = w.start("-d", "-s", guard_options=("-o", "-50"),
                conf=servers(*(s.address for s in w.servers)))
    assert abs(d.wait_step(60) - 50) < 0.1 + d.slack()
    # The server stamps a request a little after it was sent.
    assert AT_ONCE - 0.2 < d.set_after() < 5


def test_weight_and_trusted_reach_every_member(w):
    """A line with both words is taken, and its members are used.  Without
    weights the two would agree within their errors, and the test could not
    tell them apart."""
    w.dns.open()
    w.dns.names["pool.test"] = ["10.99.0.1", "10.99.0.2"]
    for a in w.dns.names["pool.test"]:
        w.ntp(a)
    d = w.start("-d", conf="servers pool.test weight 5 trusted\n",
                guard_options=("-o", "-120"))
    assert abs(d.wait_step(60) - 120) < 0.1 + d.slack()


def test_query_from_binds_the_source_address(w):
    s4 = w.ntp("10.99.0.1")
    other = w.ntp("10.99.0.2")
    d = w.start("-d", conf="server 10.99.0.2\nquery from 10.99.7.7\n"
                "server 10.99.0.1\n")
    d.wait("now valid", 60, 2)
    assert {q.source[0] for q in s4.queries} == {"10.99.7.7"}
    assert "10.99.7.7" not in {q.source[0] for q in other.queries}


def test_query_from_an_absent_address_harms_no_other(w):
    """EADDRNOTAVAIL never ends the program."""
    w.ntp("10.99.0.1")
    d = w.start("-d", "-s", conf="server 10.99.0.1\n"
                "query from 192.0.2.77\nserver 10.99.0.2\n")
    d.wait("peer 10.99.0.1 now valid", 60)
    assert d.alive()


def test_x_measures_only(w):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", "-x", "-s", guard_options=("-o", "-30"),
                conf=servers(*(s.address for s in w.servers)))
    d.wait("now valid", 60, 3)
    time.sleep(1)
    assert d.clock() == []
    assert not d.matching("set local clock")
    assert any(29 < o < 31 for o in offsets(d, "10.99.0.1"))


def test_two_camps_of_frequencies_do_not_end_the_daemon(w):
    """Two of four servers run away by 40 ppm, within wide intervals."""
    start = time.monotonic()

    def runs(ppm):
        def behave(query, reply):
            reply.offset = ppm * 1e-6 * (query.mono - start)
            reply.root_dispersion = 0.2
        return behave

    for i, ppm in enumerate((0, 0, 40, 40), 1):
        w.ntp("10.99.0.%d" % i, behave=runs(ppm))
    d = w.start("-d", "-x", conf="".join(
        "server %s poll 4..4\n" % s.address for s in w.servers))
    d.wait("^reply from 10.99.0.4", 120, 16)    # it took 13 replies
    assert d.alive()

"""What a server says, and what is believed of it."""

import os
import re
import signal
import struct
import time

import pytest

import world

pytestmark = pytest.mark.scenario

ACCEPTED = r"^reply from %s: offset (-?\d+\.\d{6}) delay (\d+\.\d{6}), " \
    r"next query (\d+)s$"
GOOD = 0.25                     # s: what honest servers are ahead here
BUILD_2015 = 1420070400.0       # no build of this program is that old


def accepted(daemon, address):
    """The offsets of the replies that were believed."""
    pattern = ACCEPTED % re.escape(address)
    return [float(re.match(pattern, line).group(1))
            for line in daemon.matching(pattern)]


def wrong(daemon, address, offset, within):
    """Those offsets that are wrong; half of the round trip excuses some of
    it."""
    pattern = ACCEPTED % re.escape(address)
    found = [re.match(pattern, line).groups()
             for line in daemon.matching(pattern)]
    return [o for o, delay, _ in found
            if abs(float(o) - offset) > within + float(delay) / 2]


# Every way to be wrong, as a change to an honest reply.  The offset is a lie
# as well, so that a reply that is believed shows.

def origin_of_another_query(q, r):
    r.origin = bytes(b ^ 0x55 for b in q.transmit)


def origin_zero(q, r):
    r.origin = bytes(8)


def origin_one_bit_off(q, r):
    r.origin = q.transmit[:7] + bytes([q.transmit[7] ^ 1])


def empty(q, r):
    r.cut = 0


def one_byte(q, r):
    r.cut = 1


def one_byte_short(q, r):
    r.cut = 47


def mode_0(q, r):
    r.mode = 0


def mode_active(q, r):
    r.mode = 1


def mode_passive(q, r):
    r.mode = 2


def mode_client(q, r):
    r.mode = 3


def mode_broadcast(q, r):
    r.mode = 5


def mode_control(q, r):
    r.mode = 6


def mode_private(q, r):
    r.mode = 7


def version_0(q, r):
    r.version = 0


def version_5(q, r):
    r.version = 5


def version_7(q, r):
    r.version = 7


def stratum_16(q, r):
    r.stratum = 16


def stratum_255(q, r):
    r.stratum = 255


def leap_alarm(q, r):
    r.leap = 3


def kiss_unknown(q, r):
    r.stratum, r.refid = 0, b"XFUN"


def kiss_rate_wrong_origin(q, r):
    r.stratum, r.refid, r.origin = 0, b"RATE", bytes(8)


def kiss_deny_wrong_origin(q, r):
    r.stratum, r.refid, r.origin = 0, b"DENY", bytes(8)


def kiss_rstr_wrong_origin(q, r):
    r.stratum, r.refid, r.origin = 0, b"RSTR", b"12345678"


def receive_zero(q, r):
    r.receive = bytes(8)


def transmit_zero(q, r):
    r.transmit = bytes(8)


def transmit_before_receive(q, r):
    r.receive = r.asked
    r.transmit = r.asked + r.offset - 0.001


def delay_negative(q, r):
    r.receive = r.asked + r.offset - 3
    r.transmit = r.asked + r.offset + 3


def root_delay_huge(q, r):
    r.root_delay = 40.0


def root_dispersion_huge(q, r):
    r.root_dispersion = 40.0


def root_all_ones(q, r):
    r.root_delay = r.root_dispersion = 65535.9999


def date_before_the_build(q, r):
    r.receive = BUILD_2015
    r.transmit = BUILD_2015 + 0.00001


def date_1970(q, r):
    r.receive, r.transmit = 1.0, 1.00001


def another_port(q, r):
    r.socket = q.other_port


def another_address(q, r):
    r.socket = q.other_address


LIES = [v for v in list(globals().values())
        if callable(v) and getattr(v, "__code__", None)
        and v.__code__.co_varnames[:2] == ("q", "r")]


def lying(world, address, lie, then_truth):
    """A server that lies first, and tells the truth a moment later."""
    other_port = world.bind(address, 1123)
    other_address = world.bind("10.99.200.200", 123) \
        if lie is another_address else None

    def behave(q, r):
        q.other_port, q.other_address = other_port, other_address
        good = type(r)(q, GOOD)
        good.wait = 0.02
        r.offset = 5000.0
        lie(q, r)
        return [r, good] if then_truth else [r]
    return world.ntp(address, GOOD, behave)


def test_junk_never_costs_the_good_reply_that_follows(w):
    """A datagram that fails a check leaves the query waiting and changes no
    state."""
    servers = {}
    for i, lie in enumerate(LIES):
        address = "10.99.1.%d" % (i + 1)
        servers[lie.__name__] = lying(w, address, lie, True)
    # With -v -v so many servers would exceed the log's budget.
    d = w.start("-d", "-v", "-v", conf="".join(
        "server %s\n" % s.address for s in servers.values()))
    d.wait("now valid", 90, len(servers))
    bad = {}
    for name, s in servers.items():
        offsets = accepted(d, s.address)
        if len(offsets) < 4 or wrong(d, s.address, GOOD, 0.2):
            bad[name] = offsets
        # There are as many queries as answers: none was asked again.
        elif len(s.queries) > len(offsets) + 1 + s.late:
            bad[name] = "%d queries, %d answers" % (
                len(s.queries), len(offsets))
    assert not bad


def test_junk_alone_is_never_believed_and_never_sets_the_clock(w):
    """The servers say nothing but junk, the daemon runs with -s, and one
    believed liar of each kind would be enough for a majority."""
    servers = {}
    for i, lie in enumerate(LIES):
        address = "10.99.1.%d" % (i + 1)
        servers[lie.__name__] = lying(w, address, lie, False)
    d = w.start("-d", "-s", "-v", "-v", conf="".join(
        "server %s\n" % s.address for s in servers.values()))
    d.wait("^clock is not set yet: no usable time: ", 90)
    assert not d.steps()
    believed = {n for n, s in servers.items() if accepted(d, s.address)}
    assert not believed
    # Where OpenNTPD has words for it, they are these.
    for name, words in (
            ("stratum_16", r"not synced \(stratum 16\)"),
            ("leap_alarm", r"not synced \(alarm\)"),
            ("kiss_unknown", r"not synced \(KoD\)"),
            ("delay_negative", r"negative delay -\d\.\d{6}s")):
        assert d.matching(r"^reply from %s: %s, next query [1-9]\d*s$" % (
            re.escape(servers[name].address), words)), name
    assert not d.matching("next query 0s")
    assert not d.matching("now valid|set local clock")
    assert d.alive()


def test_junk_says_nothing_above_debug(w):
    """The log tells nothing of junk where debug lines are not shown."""
    if not world.is_static(world.NTPD):
        pytest.skip("a dynamic build needs its libraries")
    for i, lie in enumerate(LIES):
        lying(w, "10.99.1.%d" % (i + 1), lie, True)
    root = w.empty_root()
    log = world.Syslog(w, root)
    d = w.start("-p", "/ntpd.pid", root=root, conf="".join(
        "server 10.99.1.%d\n" % (i + 1) for i in range(len(LIES))))
    assert d.process.wait(60) == 0
    log.wait("now valid", 90, len(LIES))
    with open(root + "/ntpd.pid") as f:
        os.kill(int(f.read()), signal.SIGTERM)
    log.wait("Terminating", 30)
    rest = [t for t in log.texts() if "10.99.1." in t and
            not re.match(r"peer \S+ now valid$", t)]
    assert not rest


def test_replays_and_duplicates_are_nothing(w):
    """Each query is answered once; later copies of a reply are ignored."""
    def twice(q, r):
        return [r, r, r]

    def replay(q, r):
        old = []
        if server.previous:
            forged = type(r)(q, 0)
            forged.raw = server.previous
            old = [forged]
        r.wait = 0.01
        return old + [r]

    w.ntp("10.99.0.1", GOOD, twice)
    server = w.ntp("10.99.0.2", GOOD, replay)
    d = w.start("-d", conf="server 10.99.0.1\nserver 10.99.0.2\n")
    d.wait("now valid", 60, 2)
    for s in w.servers:
        offsets = accepted(d, s.address)
        # One reply may be under way.
        assert len(s.queries) - 1 - s.late <= len(offsets) <= len(s.queries)
        assert not wrong(d, s.address, GOOD, 0.2)


def extension(size):
    return struct.pack("!HH", 0x0104, size) + bytes(size - 4)


def test_trailing_bytes_change_nothing(w):
    """Extension fields, MACs, noise, and more bytes than any buffer holds may
    follow the 48 bytes of a reply."""
    tails = [b"\0", b"abc", extension(16), extension(28), bytes(20),
             bytes(24), extension(1024), b"\xff" * 1400, bytes(9000)]
    for i, tail in enumerate(tails):
        def behave(q, r, tail=tail):
            r.extra = tail
        w.ntp("10.99.0.%d" % (i + 1), GOOD, behave)
    d = w.start("-d", conf="".join(
        "server %s\n" % s.address for s in w.servers))
    d.wait("now valid", 60, len(tails))
    # There is no line about an error, since there was none.
    assert not d.matching("recvmsg|malformed|10.99.*No such file")


def test_a_query_tells_nothing(w):
    """A query has 48 bytes, version 4, mode 3, and 64 random bits.  Each uses
    a fresh port, and both families have DSCP EF."""
    addresses = ["10.99.0.1", "10.99.0.2"] + \
        (["fd99::1"] if w.ipv6 else [])
    for a in addresses:
        w.ntp(a, GOOD)
    d = w.start("-d", conf="".join("server %s\n" % a for a in addresses))
    d.wait("now valid", 60, len(addresses))
    queries = [q for s in w.servers for q in s.queries]
    assert len(queries) >= 4 * len(addresses)
    for q in queries:
        assert len(q.data) == 48
        assert q.data[0] == 0x23
        assert q.data[1:40] == bytes(39)
        assert q.tos == 0xb8
        # It is not the local time: a random stamp is so close once in 10^7.
        stamp = struct.unpack("!I", q.transmit[:4])[0]
        assert abs(stamp - (q.real // 10**9 + 2208988800) % 2**32) > 200
    nonces = [q.transmit for q in queries]
    assert len(set(nonces)) == len(nonces)
    # There are as many ones as zeros (8 queries of 64 bits, 6 sigma).
    ones = sum(bin(b).count("1") for n in nonces for b in n)
    total = 64 * len(nonces)
    assert abs(ones - total / 2) < 3 * total ** 0.5
    for s in w.servers:
        ports = [q.source[1] for q in s.queries]
        assert len(set(ports)) > len(ports) / 2


def test_kiss_rate_slows_that_server_down_and_no_other(w):
    """The kiss of death has the right origin.  It never costs an hour without
    queries."""
    def rate_once(q, r):
        if len(slow.queries) == 2:
            r.stratum, r.refid = 0, b"RATE"

    slow = w.ntp("10.99.0.1", GOOD, rate_once)
    usual = w.ntp("10.99.0.2", GOOD)
    d = w.start("-d", conf="server 10.99.0.1\nserver 10.99.0.2\n")
    line = d.wait(r"^reply from 10\.99\.0\.1: not synced \(KoD RATE\), ", 60)
    wait = int(re.search(r"next query (\d+)s$", line).group(1))
    assert 64 <= wait <= 1024
    d.wait("peer 10.99.0.2 now valid", 60)
    time.sleep(2)
    assert len(usual.queries) >= 4
    assert len(slow.queries) == 2


@pytest.mark.parametrize("kiss", ["DENY", "RSTR"])
def test_kiss_deny_stops_that_server_until_names_are_resolved(w, kiss):
    """A pool member that denies is not asked again; the next one takes its
    place."""
    def deny(q, r):
        r.stratum, r.refid = 0, kiss.encode()

    denier = w.ntp("10.99.0.1", GOOD, deny)
    other = w.ntp("10.99.0.2", GOOD)
    w.dns.open()
    w.dns.names["time.test"] = ["10.99.0.1", "10.99.0.2"]
    d = w.start("-d", conf="server time.test\nserver 10.99.0.3\n")
    d.wait("peer 10.99.0.2 now valid", 90)
    assert len(denier.queries) == 1
    assert len(other.queries) >= 4


ERAS = [
    ("2036-02-07 06:28:16 is era 1", 2085978497.5),
    ("2038-01-19 03:14:08", 2147483650.25),
    ("2060", 2840140800.5),
]


@pytest.mark.parametrize("date", [d for _, d in ERAS],
                         ids=[n for n, _ in ERAS])
def test_the_clock_is_set_into_the_right_era(w, date):
    """The 32 bits of seconds unfold around a pivot."""
    offset = date - time.time()
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i, offset)
    d = w.start("-d", "-s", conf="".join(
        "server 10.99.0.%d\n" % i for i in (1, 2, 3)))
    assert abs(d.wait_step(60) - offset) < 0.1 + d.slack()


def test_the_clock_passes_into_the_next_era_while_running(w):
    """The era ends between two exchanges."""
    # 5 s of the old era are left.
    end = time.monotonic() + 5
    offset = 2**32 - 2208988800 - time.time() - 5
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
        w.servers[-1].offset = offset
    d = w.start("-d", "-s", guard_options=("-o", "%.3f" % (offset - 2)),
                conf="".join("server 10.99.0.%d\n" % i for i in (1, 2, 3)))
    d.wait("now valid", 60, 3)
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] - 2) < 0.1 + d.slack()
    # The era ended between the first and the last of them.
    assert d.stepped_at() < end < max(s.times[-1] for s in w.servers)
    late = [o for s in w.servers for o in accepted(d, s.address)[2:]]
    assert all(abs(o) < 0.1 + d.slack() for o in late), late


def test_a_minority_does_not_arm_a_leap_second(w):
    """Leap bits count by majority."""
    def leaping(q, r):
        r.leap = 1

    w.ntp("10.99.0.1", 0, leaping)
    w.ntp("10.99.0.2")
    w.ntp("10.99.0.3")
    d = w.start("-d", guard_options=("-m",), conf="".join(
        "server 10.99.0.%d\n" % i for i in (1, 2, 3)))
    d.wait("now valid", 60, 3)
    time.sleep(1)
    STA_INS, STA_DEL, ADJ_STATUS = 0x10, 0x20, 0x10
    assert not [c for c in d.clock() if c["modes"] & ADJ_STATUS
                and c["status"] & (STA_INS | STA_DEL)]

"""Authenticated time (RFC 8915) from real servers: chronyd, each the only user of
its address."""

import os
import re
import socket

import pytest

import peers
import world
import web
from pki import YEAR
from world import until

pytestmark = pytest.mark.scenario

DONE = r"^nts key exchange with %s \(%s\) done: 8 cookies$"
REPLY = r"^reply from %s: offset "


def chronyd(w, address, extra="", keep=None, guard=("-m",), **leaf):
    """A chronyd that serves its own clock with NTS.  keep: the directory in
    which it keeps the keys of its cookies."""
    binary = peers.path("chronyd")
    if binary is None:
        pytest.skip("network: chronyd cannot be had here")
    how = dict(leaf)
    trust = how.pop("trust", None) or web.trust()
    cert = trust.leaf(how.pop("names", "IP:" + address), **how)
    number = len(w.daemons)
    conf = w.file("chrony%d.conf" % number, """
local stratum 3
allow all
%s
cmdport 0
bindcmdaddress /
pidfile %s/chrony%d.pid
ntsservercert %s
ntsserverkey %s
%s
%s
""" % ("bindaddress " + address if address else "", w.dir, number, cert.path,
       trust.pki.keys.get(cert.key),
       "ntsdumpdir " + keep if keep else "", extra))
    d = w.start("-x", "-d", "-u", "root", "-f", conf, program=binary,
                guard_options=guard)
    d.wait("(?i)chronyd version .* starting", 60)
    until(lambda: listens(address or "10.99.0.1"))
    return d


def listens(address):
    with socket.socket() as s:
        return s.connect_ex((address, 4460)) == 0


def conf(*lines):
    return 'cafile "%s"\n' % web.trust().cafile + "".join(
        line + "\n" for line in lines)


def test_a_clock_that_is_years_wrong_is_set_by_nts_alone(w):
    """The certificates hold today, and the clock says that it is years ago: what
    counts is the time that the server proves.  Afterwards the server forgets its
    keys, and a new file leaves the cookies in place."""
    a = "10.99.0.1"
    server = chronyd(w, a)
    d = w.start("-d", "-s", guard_options=("-m", "-o", str(-5 * YEAR)),
                conf=conf("server %s nts poll 4..4" % a))
    assert abs(d.wait_step(60) - 5 * YEAR) < 0.1 + d.slack()
    d.wait(DONE % (a, a), 10)
    path = re.search(r"-f (\S+)", " ".join(d.process.args)).group(1)
    with open(path, "a") as f:
        f.write("ready within 2\n")
    d.wait(": read again$", 30)
    d.wait(REPLY % a, 60, len(d.matching(REPLY % a)) + 1)
    assert len(d.matching(DONE % (a, a))) == 1
    server.stop()
    chronyd(w, a)
    d.wait(DONE % (a, a), 90, 2)
    d.wait(REPLY % a, 60, len(d.matching(REPLY % a)) + 1)
    assert len(d.steps()) == 1


def test_only_a_server_that_proves_itself_sets_the_clock(w):
    """Beside it are one whose certificate has ended, one of whom nobody knows
    the root, and one that has plain NTP only.  It is never asked for that."""
    good, ended, foreign, plain = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]
    chronyd(w, good)
    chronyd(w, ended, start=-YEAR, end=-YEAR / 2, guard=("-m", "-o", "3600"))
    chronyd(w, foreign, trust=web.Trust(), guard=("-m", "-o", "3600"))
    ntp = w.ntp(plain, offset=3600)
    d = w.start("-d", "-s", guard_options=("-m", "-o", "-1000"), conf=conf(*(
        "server %s nts" % a for a in (ended, foreign, plain, good))))
    assert abs(d.wait_step(60) - 1000) < 0.1 + d.slack()
    d.wait(r"^nts key exchange with %s \(%s\) failed: .*, next try 1\ds$"
           % (foreign, foreign), 30)
    d.wait(r"^nts key exchange with %s \(%s\) failed: .*, next try 1\ds$"
           % (plain, plain), 30)
    d.wait(r"^reply from %s: its time is outside of its certificate's dates, "
           r"\d+-\d\d-\d\d to \d+-\d\d-\d\d$" % ended, 30)
    d.wait("^peer %s now valid$" % good, 60)
    assert len(d.matching("outside of its certificate's dates")) == 1
    assert len(d.matching("now valid")) == 1
    assert not ntp.queries
    assert len(d.steps()) == 1


class Relay:
    """The way to a server of NTP, on which somebody loses each sixth request, and
    sends before each reply the last one again, the request itself, and the reply
    with another time."""

    def __init__(self, w, address, server):
        self.server, self.requests, self.last = server, 0, None
        self.largest = []       # bytes of requests after a lost one
        self.sock = w.bind(address, 123)
        w.watch(self.sock, self.readable)

    def readable(self):
        request, client = self.sock.recvfrom(2048)
        self.requests += 1
        if self.requests % 6 == 0:
            return
        if self.requests % 6 == 1:
            self.largest.append(len(request))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect((self.server, 123))
            s.send(request)
            try:
                reply = s.recv(2048)
            except socket.timeout:
                return
        wrong = bytearray(reply)
        wrong[35] ^= 1
        wrong[43] ^= 1
        for data in (self.last, request, bytes(wrong), reply):
            if data is not None:
                self.sock.sendto(data, client)
        self.last = reply


def test_new_keys_of_the_server_losses_and_replays_cost_no_exchange(w):
    """A cookie is at most 40 s old here, and the server knows its keys for 52 s and
    more."""
    a, relayed = "10.99.0.1", "10.99.0.9"
    keep = os.path.join(w.dir, "keep")
    os.mkdir(keep)
    relay = Relay(w, relayed, a)
    chronyd(w, a, "ntsrotate 26\nntsntpserver " + relayed, keep=keep)

    def keys():
        with open(os.path.join(keep, "ntskeys")) as f:
            return f.read()
    d = w.start("-d", "-s", guard_options=("-m", "-o", "-1000"),
                conf=conf("server %s nts poll 4..4" % a))
    assert abs(d.wait_step(60) - 1000) < 0.1 + d.slack()
    for _ in range(2):
        old = keys()
        until(lambda: keys() != old, 60)
    d.wait(REPLY % a, 60, len(d.matching(REPLY % a)) + 3)
    assert len(d.matching(DONE % (a, a))) == 1
    assert len(d.steps()) == 1
    # After a loss no cookie is asked for beside the one that was used.
    assert relay.largest and len(set(relay.largest)) == 1


def test_eight_authenticated_servers_cost_little(w):
    """Memory at rest, and wake-ups for each request."""
    addresses = ["10.99.0.%d" % i for i in range(1, 9)]
    chronyd(w, "", names=",".join("IP:" + a for a in addresses))
    # Without the guard, whose looks would count as wake-ups.
    d = w.start("-x", "-d", guarded=False, conf=conf(*(
        "server %s nts poll 4..4" % a for a in addresses)))
    d.wait("now valid", 60, 8)

    def count():
        with open("/proc/%d/status" % d.pid) as f:
            woken = int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)",
                                  f.read()).group(1))
        return woken, len(d.matching(REPLY % r"\S+"))
    begin = count()
    until(lambda: count()[1] >= begin[1] + 16)
    end = count()
    assert end[0] - begin[0] <= 2 * (end[1] - begin[1]) + 8
    # 388 to 392 as a rule; the kernel maps 64 KB more when it likes to.  (The
    # sanitizers keep memory.)
    if world.is_static(world.NTPD):
        assert d.rss()[0] <= 460


def test_ntpsec_that_lost_its_keys_is_silent(w):
    """It sends no NAK, so silence is taken for one.  It may not set the clock
    here, so that it is never synchronised itself; but it proves that it says
    so."""
    binary = peers.path("ntpsec")
    if binary is None:
        pytest.skip("network: NTPsec cannot be had here")
    a = "10.99.0.1"
    # It serves at the addresses of interfaces only.
    w.run("ip", "address", "add", a + "/32", "dev", "lo")
    cert = web.trust().leaf("IP:" + a)
    path = w.file("ntpsec.conf", """
disable ntp
refclock local
interface ignore all
interface listen %s
nts enable
nts cert %s
nts key %s
nts cookie %s/cookies
""" % (a, cert.path, web.trust().pki.keys.get(cert.key), w.dir))

    def ntpsec():
        # Without the guard, since it wants the kernel's stamps.
        s = w.start("-n", "-c", path, program=binary, guarded=False)
        until(lambda: listens(a))
        return s
    s = ntpsec()
    d = w.start("-d", "-s", conf=conf("server %s nts poll 4..4" % a))
    d.wait(DONE % (a, a), 60)
    d.wait(r"^reply from %s: not synced \(alarm\)" % a, 60)
    s.stop()
    os.unlink(w.dir + "/cookies")
    ntpsec()
    d.wait(DONE % (a, a), 120, 2)
    assert not d.steps()


def test_q_waits_for_the_exchange(w):
    """The roots may come from the environment."""
    a = "10.99.0.1"
    chronyd(w, a)
    d = w.start("-q", guard_options=("-m", "-o", "-700"),
                env={"SSL_CERT_FILE": web.trust().cafile},
                conf="server %s nts\n" % a)
    assert d.process.wait(60) == 0
    assert abs(d.steps()[0] - 700) < 0.1 + d.slack()

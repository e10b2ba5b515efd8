"""No daemon follows itself: not as one of its own servers, nor when two name
each other, nor in a ring."""

import json
import subprocess
import time

import pytest

import world

pytestmark = pytest.mark.scenario

TRUE = "10.99.0.1"


def ntpctl(w, *arguments, socket=None):
    env = dict(world.os.environ)
    if socket:
        env["NTP_CONTROL_SOCKET"] = socket
    p = subprocess.run([world.NTPD, "ctl", *arguments], text=True, cwd=w.dir,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=60, env=env)
    return p.stdout


def lines(*addresses):
    return "".join("server %s poll 4..4\n" % a for a in addresses)


def node(w, address, *servers, listen=None):
    """A daemon of its own, with a control socket that is named after its
    address."""
    path = "%s/%s.sock" % (w.dir, address)
    d = w.start("-d", "-s", guard_options=("-m",),
                conf="listen on %s\n" % (listen or address) + lines(*servers),
                env={"NTP_CONTROL_SOCKET": path})
    d.socket = path
    d.wait("ntp engine ready", 60)
    return d


@pytest.mark.parametrize("listen, own", [
    ("10.99.0.50", "10.99.0.50"),
    ("127.127.1.0", "127.127.1.0"),
    ("*", "127.0.0.1"),
    ("*", "fd99::50"),
    ("fd99::50", "fd99::50"),
])
def test_the_daemon_is_not_its_own_server(w, listen, own):
    """The log says it once, the status shows the reason, and it is not asked
    again.  With no other server the clock is not called synchronised."""
    # "*" would hold the port at the true server's address as well.
    true = "fd99::1" if (listen, own) == ("*", "127.0.0.1") else TRUE
    if own == "fd99::50":
        w.run("ip", "address", "add", own + "/128", "dev", "lo", "nodad")
    w.ntp(true)
    d = w.start("-d", "-s", guard_options=("-m",),
                conf="listen on %s\n" % listen + lines(true, own))
    d.wait("peer %s now valid" % true, 60)
    assert len(d.matching("^peer %s is this daemon itself: not used$"
                          % own)) == 1
    assert not d.matching("^reply from %s: offset" % own)
    assert "---- peer not valid ---- (this daemon itself)" in ntpctl(
        w, "-s", "peers")
    w.servers[0].silent = True
    d.wait("clock is now unsynced", 150)
    state = json.loads(ntpctl(w, "-j"))
    assert not state["synced"]


def test_a_name_that_holds_our_own_address_has_others(w):
    """A headless service has the address of this very pod as well; the other
    addresses take its place."""
    w.dns.open()
    own = "10.99.0.50"
    w.dns.names["ntp.test"] = [own, TRUE, "10.99.0.2"]
    w.ntp(TRUE)
    w.ntp("10.99.0.2")
    d = w.start("-d", "-s", guard_options=("-m",),
                conf="listen on %s\nserver ntp.test poll 4..8\n" % own)
    d.wait("^peer %s is this daemon itself: not used$" % own, 30)
    d.wait("now valid", 60)
    assert not d.matching("peer %s now valid" % own)


def test_another_daemon_on_this_host_is_a_server(w):
    """That one has its time from elsewhere, for example from a receiver."""
    w.ntp("127.0.0.1")
    d = w.start("-d", "-s", guard_options=("-m",),
                conf="listen on 10.99.0.50\n" + lines("127.0.0.1"))
    d.wait("peer 127.0.0.1 now valid", 60)


def test_two_that_name_each_other_do_not_hold_each_other_up(w):
    w.ntp(TRUE)
    a = node(w, "10.99.0.50", TRUE, "10.99.0.51")
    a.wait("clock is now synced", 60)
    b = node(w, "10.99.0.51", "10.99.0.50")
    b.wait("clock is now synced", 60)
    a.wait("^peer 10.99.0.51 follows us: not used while it does$", 90)
    assert "---- peer not valid ---- (follows us)" in ntpctl(
        w, "-s", "peers", socket=a.socket)
    w.servers[0].silent = True
    a.wait("clock is now unsynced", 150)
    b.wait("clock is now unsynced", 150)
    time.sleep(10)
    for d in a, b:
        assert not json.loads(ntpctl(w, "-j", socket=d.socket))["synced"]
    assert len(a.matching("^peer 10.99.0.51 follows us")) == 1


def test_a_server_that_names_us_no_longer_is_used_again(w):
    def behave(query, reply):
        reply.stratum = 2
        reply.refid = bytes([10, 99, 0, 50]) if follows else b"\x0a\x01\x01\x01"
    follows = True
    w.ntp(TRUE, behave=behave)
    d = w.start("-d", "-s", guard_options=("-o", "-20"),
                conf="listen on 10.99.0.50\n" + lines(TRUE))
    d.wait("^peer %s follows us" % TRUE, 60)
    assert not d.steps()
    follows = False
    assert abs(d.wait_step(60) - 20) < 0.1 + d.slack()


def test_who_serves_nobody_is_followed_by_nobody(w):
    """The address that a server names may belong to another network."""
    def behave(query, reply):
        reply.stratum, reply.refid = 2, bytes([10, 99, 0, 50])
    w.run("ip", "address", "add", "10.99.0.50/32", "dev", "lo")
    w.ntp(TRUE, behave=behave)
    d = w.start("-d", "-s", guard_options=("-o", "-20"),
                conf="query from 10.99.0.50\n" + lines(TRUE))
    d.wait_step(60)


def test_star_knows_the_address_it_is_asked_at(w):
    """With "listen on *" the daemon knows itself by the address at which it is
    asked, or from which it asks."""
    def behave(query, reply):
        reply.stratum, reply.refid = 2, bytes([10, 99, 0, 50])
    w.ntp("fd99::1", behave=behave)
    d = w.start("-d", "-s", guard_options=("-m",),
                conf="listen on 0.0.0.0\n" + lines("fd99::1"))
    d.wait("ntp engine ready", 30)
    d.wait("^reply from fd99::1: offset", 30)
    s = w.bind("10.99.0.99", 0)
    s.setblocking(True)
    s.settimeout(20)
    s.sendto(b"\x23" + bytes(47), ("10.99.0.50", 123))
    assert len(s.recv(100)) == 48
    d.wait("^peer fd99::1 follows us", 30)


def packet(w, address):
    """What a client is told there: leap, stratum and root dispersion."""
    s = w.bind("10.99.0.99", 0)
    s.setblocking(True)
    s.settimeout(20)
    s.sendto(b"\x23" + bytes(47), (address, 123))
    reply = s.recv(100)
    s.close()
    return reply[0] >> 6, reply[1], int.from_bytes(reply[8:12], "big") / 65536


def test_a_clock_below_stratum_15_is_shown_as_clients_are_told(w):
    """It is never shown as stratum 16, which means no clock at all."""
    def behave(query, reply):
        reply.stratum = 15
    w.ntp(TRUE, behave=behave)
    d = node(w, "10.99.0.50", TRUE)
    d.wait("clock is now synced", 60)
    assert "clock synced, stratum 15\n" in ntpctl(
        w, "-s", "status", socket=d.socket)

    def shown_as_told():
        """A reply between the two readings makes it smaller: then again."""
        state = json.loads(ntpctl(w, "-j", socket=d.socket))
        assert (state["synced"], state["stratum"]) == (True, 15)
        leap, stratum, dispersion = packet(w, "10.99.0.50")
        assert (leap, stratum) == (0, 15)
        assert 0.25 < dispersion < 0.5
        return abs(state["root_dispersion"] - dispersion) < 0.01

    world.until(shown_as_told, 30)
    assert "\nntpd_stratum 15\n" in ntpctl(
        w, "-s", "metrics", socket=d.socket)


@pytest.mark.parametrize("deep", [12, 15])
def test_a_ring_of_three_ends(w, deep):
    """No reference id shows a ring of three.  It ends because the stratum
    grows to 15, and then the dispersion."""
    def behave(query, reply):
        reply.stratum = deep
    w.ntp(TRUE, behave=behave)
    ring = ["10.99.0.50", "10.99.0.51", "10.99.0.52"]
    a = node(w, ring[0], TRUE, ring[2])
    a.wait("clock is now synced", 60)
    b = node(w, ring[1], ring[0])
    c = node(w, ring[2], ring[1])
    for d in b, c:
        d.wait("clock is now synced", 60)
    w.servers[0].silent = True
    for d in a, b, c:
        d.wait("clock is now unsynced", 300)
    time.sleep(10)
    for d in a, b, c:
        assert not json.loads(ntpctl(w, "-j", socket=d.socket))["synced"]
    assert packet(w, ring[0])[0] == 3

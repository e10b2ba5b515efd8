"""The server as its clients see it: every field, every refusal, real clients.

Raw packets come from any address of 10.99.0.0/16 and fd99::/64, which are all
local in a World, to a daemon that follows scripted servers.  Its control
socket lies in a /run of the World's own."""

import hashlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import time

import pytest

import peers
import world

pytestmark = pytest.mark.scenario

# This must come before a World cuts the process off the network.
PEERS = {name: peers.path(name) for name in (
    "chronyd", "chronyc", "ntpdig", "python3-ntp", "openntpd", "rdate")}

US, US6 = "10.99.0.50", "fd99::50"      # where we ask the daemon
UNIX = 2208988800                       # 1970 in seconds since 1900


class Client:
    """A socket that asks one server address, from a source address of
    choice."""

    def __init__(self, server, source=None, port=123):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, world.IPV6_FREEBIND, 1)
        if source:
            self.sock.bind((source, 0))
        # Connected: a reply from another address would not arrive.
        self.sock.connect((server, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.send(data)

    def get(self, seconds=2.0):
        """The next datagram, or None."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(65536)
        except socket.timeout:
            return None

    def ask(self, data, seconds=2.0):
        self.send(data)
        return self.get(seconds)

    def all(self):
        """All datagrams, until none comes for half a second."""
        found = []
        while (data := self.get(0.5)) is not None:
            found.append(data)
        return found


def request(version=4, mode=3, poll=6, nonce=b"\1\2\3\4\5\6\7\x08", leap=3):
    return bytes([leap << 6 | version << 3 | mode, 0, poll & 255]) + \
        bytes(37) + nonce


class Packet:
    def __init__(self, data):
        assert len(data) == 48
        first, self.stratum, self.poll, self.precision, delay, dispersion, \
            self.refid, self.reference, self.origin, self.receive, \
            self.transmit = struct.unpack("!BBbbII4s8s8s8s8s", data)
        self.leap, self.version, self.mode = \
            first >> 6, first >> 3 & 7, first & 7
        self.root_delay, self.root_dispersion = \
            delay / 65536, dispersion / 65536

    @staticmethod
    def ns(stamp):
        """The nanoseconds since 1970 of a stamp of this era."""
        whole, part = struct.unpack("!II", stamp)
        return (whole - UNIX) * 10**9 + (part * 10**9 >> 32)


def bind_fails(s, address):
    try:
        s.bind((address, 0))
    except OSError:
        return True
    return False


def served(w, conf, *servers, synced=True):
    """The daemon with this configuration, following 10.99.0.1 to .3 unless
    servers are given.  These hold port 123 in the same namespace, so a daemon
    that follows somebody cannot listen on "*" here."""
    w.run("mount", "-t", "tmpfs", "none", "/run")
    if w.ipv6:
        w.run("ip", "addr", "add", US6 + "/128", "dev", "lo")
        # A kernel thread makes the address usable a moment later.
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            world.until(lambda: not bind_fails(s, US6))
    names = list(servers) or ["10.99.0.1", "10.99.0.2", "10.99.0.3"]
    if not servers and synced:
        for a in names:
            w.ntp(a)
    d = w.start("-d", "-s", conf=conf + "".join(
        "server %s\n" % a for a in (names if synced or servers else [])))
    d.wait("^ntp engine ready", 10)
    if synced:
        d.wait("^clock is now synced$", 30)
    return d


def counters(w):
    """The server's counters by name, from ntpctl."""
    out = subprocess.run(["ntpctl", "-s", "metrics"], executable=world.NTPD,
                         capture_output=True, text=True, check=True).stdout
    found = {}
    for line in out.splitlines():
        m = re.match(r'\w*server_(requests|replies|dropped)\w*'
                     r'(?:\{\w+="(\w+)"\})? (\d+)', line)
        if m:
            found[m.group(2) or m.group(1)] = int(m.group(3))
    return found


# ---- what is said

def test_not_synchronised_says_alarm_and_is_no_kiss(w):
    served(w, "listen on *\n", synced=False)
    with Client(US) as c:
        p = Packet(c.ask(request()))
    assert (p.leap, p.mode, p.version) == (3, 4, 4)
    assert p.stratum == 0 and p.refid == bytes(4)
    assert p.reference == bytes(8)
    assert p.origin == b"\1\2\3\4\5\6\7\x08"
    assert abs(Packet.ns(p.transmit) - time.time_ns()) < 10**9
    assert p.root_dispersion > 0


def test_every_field_when_synchronised(w):
    served(w, "listen on %s\n" % US)
    time.sleep(3)
    with Client(US) as c:
        for version in 1, 2, 3, 4:
            for poll in 0, 6, 17, -6:
                nonce = os.urandom(8)
                before = time.time_ns()
                data = c.ask(request(version, 3, poll, nonce))
                after = time.time_ns()
                p = Packet(data)
                assert (p.leap, p.version, p.mode) == (0, version, 4)
                assert p.poll == poll and p.origin == nonce
                assert p.stratum == 2
                assert p.refid in (bytes([10, 99, 0, i]) for i in (1, 2, 3))
                assert -30 < p.precision < -10
                # The scripted servers say 0.1 ms each.
                assert 0.00009 < p.root_delay < 0.01
                assert 0.0001 < p.root_dispersion < 0.5
                t2, t3 = Packet.ns(p.receive), Packet.ns(p.transmit)
                assert before <= t2 + 1 and t2 <= t3 and t3 <= after
                assert 0 <= t3 - Packet.ns(p.reference) < 60 * 10**9


def test_symmetric_active_is_answered_as_passive(w):
    served(w, "listen on %s\n" % US)
    with Client(US) as c:
        p = Packet(c.ask(request(4, 1)))
    assert p.mode == 2 and p.leap == 0 and p.stratum == 2


def test_refid_of_an_ipv6_server_is_a_hash(w):
    if not w.ipv6:
        pytest.skip("no IPv6 here")
    w.ntp("fd99::1")
    served(w, "listen on %s\n" % US6, "fd99::1")
    with Client(US6) as c:
        p = Packet(c.ask(request()))
    raw = socket.inet_pton(socket.AF_INET6, "fd99::1")
    assert p.refid == hashlib.md5(raw).digest()[:4]


def test_stratum_and_root_values_are_handed_on(w):
    def behave(query, reply):
        reply.stratum = 7
        reply.root_delay, reply.root_dispersion = 0.05, 0.02
    for a in "10.99.0.1", "10.99.0.2", "10.99.0.3":
        w.ntp(a, behave=behave)
    served(w, "listen on %s\n" % US, "10.99.0.1", "10.99.0.2", "10.99.0.3")
    time.sleep(2)
    with Client(US) as c:
        p = Packet(c.ask(request()))
    assert p.stratum == 8 and p.leap == 0
    assert 0.05 <= p.root_delay < 0.06
    assert 0.02 < p.root_dispersion < 0.2


def test_alarm_when_the_bound_is_too_wide(w):
    wide = []

    def behave(query, reply):
        if wide:
            reply.root_dispersion = 1.2
    for a in "10.99.0.1", "10.99.0.2", "10.99.0.3":
        w.ntp(a, behave=behave)
    d = served(w, "listen on %s\n" % US, "10.99.0.1", "10.99.0.2", "10.99.0.3")
    with Client(US) as c:
        assert Packet(c.ask(request())).leap == 0
        wide.append(True)
        end = time.monotonic() + 90
        while Packet(c.ask(request())).leap != 3:
            assert time.monotonic() < end, "\n".join(d.lines)
            time.sleep(0.5)
        p = Packet(c.ask(request()))
        assert p.stratum == 0 and p.refid == bytes(4)


# ---- what is refused

def test_modes_and_versions_that_get_no_answer(w):
    served(w, "listen on *\n", synced=False)
    with Client(US) as c:
        sent = {"mode": 0, "version": 0}
        for version in range(8):
            for mode in range(8):
                if mode in (1, 3) and 1 <= version <= 4:
                    continue
                sent["version" if mode in (1, 3) else "mode"] += 1
                c.send(request(version, mode))
        # Elsewhere these amplify: mode 7 monlist, mode 6 readvar.
        c.send(b"\x17\x00\x03\x2a" + bytes(188))
        c.send(b"\x16\x02\x00\x01" + bytes(44))
        sent["mode"] += 2
        assert c.all() == []
        assert c.ask(request()) is not None
    found = counters(w)
    assert found["mode"] == sent["mode"]
    assert found["version"] == sent["version"]
    assert found["replies"] == 1
    assert found["requests"] == sum(sent.values()) + 1


def test_replies_are_never_answered(w):
    served(w, "listen on *\n", synced=False)
    with Client(US) as c:
        reply = c.ask(request())
        c.send(reply)
        c.send(bytes([reply[0] & 0xf8 | 2]) + reply[1:])
        assert c.all() == []


def test_lengths_and_never_more_than_was_asked(w):
    served(w, "listen on *\n", synced=False)
    refused = 0
    with Client(US) as c:
        for size in list(range(0, 120)) + [1000, 1468, 1471, 1472, 9000, 60000]:
            c.send((request() + bytes(60000))[:size])
            if size >= 48 and size % 4 == 0:
                data = c.get()
                assert data is not None and len(data) == 48, size
            else:
                refused += 1
        assert c.all() == []
    assert counters(w)["length"] == refused


def test_extension_fields_and_macs_are_not_returned(w):
    served(w, "listen on *\n", synced=False)
    extension = struct.pack("!HH", 0x0104, 36) + os.urandom(32)
    mac = struct.pack("!I", 1) + os.urandom(16)
    with Client(US) as c:
        for extra in mac, mac + bytes(4), extension, extension + mac:
            assert len(c.ask(request() + extra)) == 48


def test_noise_harms_nobody(w):
    d = served(w, "listen on *\n", synced=False)

    def said():     # but for a line that comes after a while, noise or not
        return [line for line in d.lines if "is not set yet" not in line]
    dice = random.Random(4711)
    with Client(US, "10.99.3.1") as c, Client(US, "10.99.4.1") as noisy:
        c.ask(request())
        for _ in range(1000):           # until pages and tables are touched
            noisy.send(dice.randbytes(dice.randrange(1400)))
        noisy.all()
        lines, (rss, _) = said(), d.rss()
        bytes_in = 0
        for i in range(20000):
            data = dice.randbytes(dice.randrange(1400))
            bytes_in += len(data)
            noisy.send(data)
            if i % 100 == 0:
                nonce = os.urandom(8)
                p = Packet(c.ask(request(nonce=nonce)))
                assert p.origin == nonce
        back = noisy.all()
        assert sum(map(len, back)) < bytes_in / 50
        assert all(len(b) == 48 for b in back)
        assert said() == lines
        assert d.rss()[0] <= rss + 16
        assert d.alive()


# ---- where it listens

def test_replies_come_from_the_address_asked(w):
    served(w, "listen on *\n", synced=False)
    asked = ["10.99.0.9", "10.99.200.1", "127.0.0.1", "127.1.2.3"]
    if w.ipv6:
        asked += ["::1", "fd99::1", "fd99::ffff:1"]
    for a in asked:
        for source in None, "fd99::77" if ":" in a else "10.99.77.1":
            if source and (a.startswith("127") or a == "::1"):
                continue
            with Client(a, source) as c:
                assert c.ask(request()) is not None, a


def test_any_written_out_answers_from_the_address_asked(w):
    """"listen on 0.0.0.0" and "::" are "*" of one family."""
    served(w, "listen on 0.0.0.0\n" + ("listen on ::\n" if w.ipv6 else ""),
           synced=False)
    for a in ["10.99.200.1", "127.1.2.3"] + (["fd99::1"] if w.ipv6 else []):
        with Client(a, None if a.startswith("127") else
                    "fd99::77" if ":" in a else "10.99.77.1") as c:
            assert c.ask(request()) is not None, a


def test_any_works_on_an_interface_that_comes_later(w):
    served(w, "listen on *\n", synced=False)
    w.run("ip", "link", "add", "late0", "type", "veth", "peer", "late1")
    w.run("ip", "link", "set", "late1", "up")
    w.run("ip", "addr", "add", "10.55.0.1/24", "dev", "late0")
    w.run("ip", "link", "set", "late0", "up")
    with Client("10.55.0.1") as c:
        assert c.ask(request()) is not None
    if not w.ipv6:
        return
    # Link-local addresses mean nothing without their interface.
    out = subprocess.run(["ip", "-j", "-6", "addr", "show", "late0"],
                         capture_output=True, text=True).stdout
    local = [a["local"] for l in json.loads(out) for a in l["addr_info"]
             if a["scope"] == "link"][0]
    end = time.monotonic() + 5          # duplicate address detection
    while True:
        try:
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            s.connect((local, 123, 0, socket.if_nametoindex("late0")))
            break
        except OSError:
            s.close()
            assert time.monotonic() < end
            time.sleep(0.1)
    s.settimeout(2)
    s.send(request())
    assert len(s.recv(100)) == 48
    s.close()


def test_groups_are_not_answered(w):
    served(w, "listen on *\n", synced=False)
    w.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    w.run("ip", "addr", "add", "10.56.0.1/24", "dev", "lan0")
    for dev in "lan0", "lan1":
        w.run("ip", "link", "set", dev, "up")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.bind(("10.56.0.1", 0))
    s.settimeout(0.5)
    s.sendto(request(), ("10.56.0.255", 123))
    with pytest.raises(socket.timeout):
        s.recv(100)
    # A broadcast also comes back to its sender's host; it was refused.
    assert counters(w)["address"] == 1
    s.sendto(request(), ("10.56.0.1", 123))
    assert len(s.recv(100)) == 48
    s.close()


def test_listens_only_where_told(w):
    d = served(w, "listen on 10.99.0.50\nlisten on 127.0.0.1\n",
               synced=False)
    assert d.matching("^listening on 10.99.0.50 $")
    for a in "10.99.0.50", "127.0.0.1":
        with Client(a) as c:
            assert c.ask(request()) is not None
    with Client("10.99.0.51") as c:
        c.send(request())
        with pytest.raises(ConnectionRefusedError):
            c.get()


def test_serves_nobody_without_listen(w):
    served(w, "", synced=False)
    with Client("127.0.0.1") as c:
        c.send(request())
        with pytest.raises(ConnectionRefusedError):
            c.get()


def test_a_name_is_all_of_its_addresses(w):
    w.dns.open()
    w.dns.names["me.test"] = ["10.99.1.1", "10.99.1.2"] + \
        (["fd99::11"] if w.ipv6 else [])
    if w.ipv6:
        w.run("ip", "addr", "add", "fd99::11/128", "dev", "lo")
    d = served(w, "listen on me.test\n", synced=False)
    for a in w.dns.names["me.test"]:
        d.wait("^listening on %s $" % a, 10)
        with Client(a) as c:
            assert c.ask(request()) is not None


def test_an_address_that_comes_late_is_found(w):
    d = served(w, "listen on 10.57.0.1\n", synced=False)
    line = d.wait("^bind on 10.57.0.1 failed, retrying: ", 5)
    assert "vailable" in line or "assign" in line
    w.run("ip", "addr", "add", "10.57.0.1/32", "dev", "lo")
    d.wait("^listening on 10.57.0.1 $", 40)
    assert len(d.matching("^bind on")) == 1
    with Client("10.57.0.1") as c:
        assert c.ask(request()) is not None


def test_a_port_in_use_names_the_remedy_and_is_tried_again(w):
    other = w.bind("10.99.0.50", 123)
    d = served(w, "listen on 10.99.0.50\n", synced=False)
    line = d.wait("^bind on 10.99.0.50 failed, retrying: ", 5)
    assert "in use" in line and "chronyd" in line
    other.close()
    d.wait("^listening on 10.99.0.50 $", 40)


# ---- who may ask, and how often

def test_a_flood_is_slowed_and_others_are_not(w):
    served(w, "listen on *\nlimit rate 5 burst 20\n", synced=False)
    with Client(US, "10.99.5.1") as flood, Client(US, "10.99.5.200") as near, \
            Client(US, "10.99.6.1") as other, Client("127.0.0.1") as local:
        begin = time.monotonic()
        for _ in range(200):
            flood.send(request())
        got = len(flood.all())
        allowed = 20 + 5 * (time.monotonic() - begin)
        assert 20 <= got <= allowed + 1
        # A /24 shares its tokens, and all of them have been taken.
        for _ in range(30):
            near.send(request())
            other.send(request())
            local.send(request())
        assert len(near.all()) < 15
        assert len(other.all()) >= 20
        assert len(local.all()) == 30
    assert counters(w)["rate"] > 100


def test_a_flood_over_ipv6_is_its_56(w):
    if not w.ipv6:
        pytest.skip("no IPv6 here")
    w.run("ip", "-6", "route", "add", "local", "fd98::/40", "dev", "lo")
    served(w, "listen on *\nlimit rate 1 burst 10\n", synced=False)
    with Client(US6, "fd98::1") as a, Client(US6, "fd98:0:0:ff::1") as b, \
            Client(US6, "fd98:0:0:100::1") as c:
        for _ in range(10):
            a.send(request())
        assert len(a.all()) == 10
        for _ in range(10):
            b.send(request())
            c.send(request())
        assert len(b.all()) <= 3
        assert len(c.all()) == 10


def test_the_default_limit_is_generous(w):
    served(w, "listen on *\n", synced=False)
    with Client(US, "10.99.5.1") as c:
        for i in range(5000):
            assert c.ask(request()) is not None, i


def test_only_those_allowed_are_answered(w):
    served(w, "listen on *\nallow from 10.99.7.0/24\nallow from fd99::/112\n",
           synced=False)
    for source, server, good in (
            ("10.99.7.1", US, True), ("10.99.7.255", US, True),
            ("10.99.8.1", US, False), ("fd99::1", US6, True),
            ("fd99::2:1", US6, False)):
        if ":" in source and not w.ipv6:
            continue
        with Client(server, source) as c:
            assert (c.ask(request(), 2 if good else 0.5) is not None) == good
    assert counters(w)["access"] == (2 if w.ipv6 else 1)


# ---- real clients

def test_chronyd_as_client(w):
    binary = PEERS["chronyd"]
    if binary is None:
        pytest.skip("chronyd cannot be had here")
    served(w, "listen on %s\n" % US)
    out = subprocess.run(
        [binary, "-Q", "-d", "-u", "root", "-f", "/dev/null",
         "server %s iburst" % US, "pidfile %s/c" % w.dir, "cmdport 0",
         "bindcmdaddress /"], capture_output=True, text=True, timeout=60)
    m = re.search(r"System clock wrong by (\S+) seconds", out.stderr +
                  out.stdout)
    assert m and abs(float(m.group(1))) < 0.05, out.stderr + out.stdout


def test_chronyd_does_not_follow_an_alarm(w):
    binary = PEERS["chronyd"]
    if binary is None:
        pytest.skip("chronyd cannot be had here")
    served(w, "listen on *\n", synced=False)
    out = subprocess.run(
        [binary, "-Q", "-d", "-u", "root", "-t", "8", "-f", "/dev/null",
         "server %s iburst" % US, "pidfile %s/c" % w.dir, "cmdport 0",
         "bindcmdaddress /"], capture_output=True, text=True, timeout=60)
    assert "System clock wrong" not in out.stderr + out.stdout


def test_chronyd_as_symmetric_peer(w):
    binary, control = PEERS["chronyd"], PEERS["chronyc"]
    if binary is None or control is None:
        pytest.skip("chronyd cannot be had here")
    served(w, "listen on %s\n" % US)
    conf = w.file("peer.conf", "peer %s minpoll 0 maxpoll 1\n"
                  "bindacqaddress 10.99.44.4\nbindaddress 10.99.44.4\n"
                  "cmdport 323\nbindcmdaddress /\nbindcmdaddress 127.0.0.1\n"
                  "pidfile %s/p\n" % (US, w.dir))
    c = w.start("-x", "-d", "-u", "root", "-f", conf, program=binary)
    c.wait("(?i)chronyd version .* starting", 10)
    c.wait("Selected source %s" % US, 40)


def test_ntpdig_as_client(w):
    binary, library = PEERS["ntpdig"], PEERS["python3-ntp"]
    if binary is None or library is None:
        pytest.skip("ntpdig cannot be had here")
    served(w, "listen on %s\n" % US)
    env = dict(os.environ, PYTHONPATH=library + "/python3/dist-packages",
               LD_LIBRARY_PATH=":".join(
                   os.path.join(library, d, "ntp")
                   for d in os.listdir(library)))
    out = subprocess.run(["/usr/bin/python3", binary, "-j", US],
                         capture_output=True, text=True, env=env, timeout=30)
    assert out.returncode == 0, out.stderr
    row = json.loads(out.stdout)
    assert abs(row["offset"]) < 0.05 and row["stratum"] == 2, row
    assert row["leap"] == "no-leap"


def test_rdate_as_client(w):
    binary = PEERS["rdate"]
    if binary is None:
        pytest.skip("rdate cannot be had here")
    served(w, "listen on %s\n" % US)
    out = subprocess.run([binary, "-n", "-p", "-v", "-4", US],
                         capture_output=True, text=True, timeout=30)
    if "invalid option" in out.stderr:
        pytest.skip("this rdate has no SNTP")
    assert out.returncode == 0, out.stderr
    m = re.search(r"adjust local clock by (-?[0-9.]+) s", out.stdout)
    assert m and abs(float(m.group(1))) < 0.05, out.stdout


def test_openntpd_as_client(w):
    binary = PEERS["openntpd"]
    if binary is None:
        pytest.skip("openntpd cannot be had here")
    served(w, "listen on %s\n" % US)
    w.run("mount", "-t", "tmpfs", "none", "/var/lib")
    os.makedirs("/var/lib/openntpd/run")
    os.makedirs("/var/lib/openntpd/db")
    os.mkdir("/var/lib/openntpd/home")
    for name, text in (
            ("passwd", "root:x:0:0::/root:/bin/sh\n" + "".join(
                "%s:x:%d:64999::/var/lib/openntpd/home:/bin/false\n" % (u, n)
                for n, u in enumerate(["_ntp", "openntpd", "ntpd"], 64990))),
            ("group", "root:x:0:\n_ntp:x:64999:\n")):
        w.run("mount", "--bind", w.file(name, text), "/etc/" + name)
    d = w.start("-d", conf="server %s\n" % US, program=binary)
    line = d.wait("^reply from %s: offset" % US, 30)
    m = re.search(r"offset (\S+) delay (\S+),", line)
    assert abs(float(m.group(1))) < 0.05


def test_our_own_client(w):
    served(w, "listen on %s\n" % US)
    # It seems to be on another machine, since -q refuses beside a daemon.
    d = w.start("-q", conf="server %s\n" % US,
                env={"NTP_CONTROL_SOCKET": w.dir + "/other"})
    assert d.process.wait(30) == 0, d.text

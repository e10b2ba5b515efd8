"""Against real chronyd servers, each the only user of its address."""

import json
import os
import re
import time

import pytest

import peers
import world
from world import until

pytestmark = pytest.mark.scenario


def chronyd(w, address, *options, extra=""):
    """A chronyd that serves its own clock; clockguard's options may make that
    a wrong one.  It never sets anything."""
    binary = peers.path("chronyd")
    if binary is None:
        pytest.skip("chronyd cannot be had here")
    if options and os.environ.get("PEERS_RELEASE"):
        pytest.skip("the guard moves no clock behind a script")
    number = len(w.daemons)
    conf = w.file("chrony%d.conf" % number, """
local stratum 3
allow all
bindaddress %s
cmdport 0
bindcmdaddress /
pidfile %s/chrony%d.pid
%s
""" % (address, w.dir, number, extra))
    d = w.start("-x", "-d", "-u", "root", "-f", conf, program=binary,
                guard_options=options or ("-m",))
    d.wait("(?i)chronyd version .* starting", 60)
    return d


def test_four_servers_one_falseticker_ipv6_and_a_pool(w):
    addresses = ["10.99.0.1", "10.99.0.2",
                 "fd99::3" if w.ipv6 else "10.99.0.3"]
    for a in addresses:
        chronyd(w, a)
    liar = "10.99.0.4"
    chronyd(w, liar, "-o", "7.5")
    w.dns.open()
    w.dns.names["pool.test"] = [addresses[0], liar, addresses[2]]
    d = w.start("-d", "-s", guard_options=("-o", "-40"),
                conf="servers pool.test\nserver %s\n" % addresses[1])
    d.wait("^set local clock to", 60)
    d.wait("now valid", 60, 4)
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] - 40) < 0.05 + d.slack()
    d.wait("^clock is now synced$", 60)
    time.sleep(2)
    # The liar is heard, but has no influence.
    late = {}
    for line in d.lines:
        m = re.match(r"reply from (\S+): offset (\S+) delay (\S+),", line)
        if m:
            # Half of the round trip does not explain this much.
            late[m.group(1)] = (float(m.group(2)), float(m.group(3)) / 2)
    offset, explained = late.pop(liar)
    assert abs(offset - 7.5) < 0.1 + explained
    assert len(late) == 3
    assert all(abs(o) < 0.02 + e for o, e in late.values()), late


def test_a_chronyd_that_is_not_synchronised_is_not_believed(w):
    binary = peers.path("chronyd")
    if binary is None:
        pytest.skip("chronyd cannot be had here")
    conf = w.file("c", "allow all\nbindaddress 10.99.0.1\ncmdport 0\n"
                  "bindcmdaddress /\npidfile %s/p\n" % w.dir)
    c = w.start("-x", "-d", "-u", "root", "-f", conf, program=binary,
                guard_options=("-o", "100"))
    c.wait("starting", 60)
    d = w.start("-d", "-s", conf="server 10.99.0.1\n")
    d.wait("^clock is not set yet: no usable time: ", 90)
    assert not d.steps()
    assert not d.matching("now valid|set local clock")


def test_chronyd_limits_its_rate(w):
    """Real kisses of death, from a server that is asked by too many."""
    chronyd(w, "10.99.0.1", extra="ratelimit interval 4 burst 1 leak 1")
    d = w.start("-d", "-s", guard_options=("-o", "-3"),
                conf="server 10.99.0.1\n")
    assert abs(d.wait_step(60) - 3) < 0.05 + d.slack()
    time.sleep(5)
    assert d.alive()


def client(w, text):
    """A chronyd that asks, and says which server it follows."""
    number = len(w.daemons)
    conf = w.file("chrony%d.conf" % number, """
port 0
cmdport 0
bindcmdaddress /
pidfile %s/chrony%d.pid
%s
""" % (w.dir, number, text))
    return w.start("-x", "-d", "-u", "root", "-f", conf,
                   program=peers.path("chronyd"))


KEY = "2b7e151628aed2a6abf7158809cf4f3c"


def keyfile(w, *lines):
    path = w.file("keys%d" % len(w.daemons), "".join(s + "\n" for s in lines))
    os.chmod(path, 0o600)
    return path


def test_key_shared_with_chronyd_proves_its_time(w):
    """With AES-128 and AES-256; one server has another key under that number,
    one has none, and neither is believed."""
    good, long = "10.99.0.1", "10.99.0.2"
    for address, line in ((good, "1 AES128 HEX:" + KEY),
                          (long, "1 AES256 HEX:" + 2 * KEY),
                          ("10.99.0.3", "1 AES128 HEX:" + KEY[::-1])):
        chronyd(w, address, extra="keyfile " + keyfile(w, line))
    chronyd(w, "10.99.0.4")
    path = w.file("ntp.key", KEY + "\n")
    os.chmod(path, 0o600)
    d = w.start("-d", "-s", guard_options=("-o", "-40"), conf='''
server %s key 1 "%s"
server %s key 1 "%s"
server 10.99.0.3 key 1 "%s" weight 10
server 10.99.0.4 key 1 "%s" weight 10
''' % (good, path, long, 2 * KEY, path, path))
    assert abs(d.wait_step(60) - 40) < 0.05 + d.slack()
    d.wait("^clock is now synced$", 60)
    assert d.matching("reply from %s: offset" % good)
    assert d.matching("reply from %s: offset" % long)
    assert not d.matching(r"reply from 10\.99\.0\.[34]: offset")
    assert not d.matching(KEY)


def test_chronyd_believes_our_key(w):
    """It takes no time from who does not know the key."""
    w.start("-d", conf='server 10.99.0.9\nlisten on 10.99.0.2 key 7 "%s"\n'
            % KEY)
    chronyd(w, "10.99.0.9")
    path = keyfile(w, "7 AES128 HEX:" + KEY, "8 AES128 HEX:" + KEY)
    right = client(w, "server 10.99.0.2 key 7 iburst\nkeyfile " + path)
    wrong = client(w, "server 10.99.0.2 key 8 iburst\nkeyfile " + path)
    bare = client(w, "server 10.99.0.2 iburst")
    right.wait("(?i)selected source 10.99.0.2", 90)
    bare.wait("(?i)selected source 10.99.0.2", 90)
    assert not wrong.matching("(?i)selected source")


def shown(w):
    return json.loads(w.run(world.NTPD, "ctl", "-j", capture_output=True,
                            text=True).stdout)


def chronyc(w, command, socket):
    binary = peers.path("chronyc")
    out = w.run(binary, "-h", socket, "-n", "-m", *command, capture_output=True,
                check=False, text=True)
    return out.stdout


def test_interleaved_mode_with_chronyd_as_the_server(w):
    """It knows by its stamps which replies are asked about, in both kinds of
    proof as well as without."""
    good, bare = "10.99.0.1", "10.99.0.2"
    sock = os.path.join(w.dir, "c.sock")
    os.chmod(w.dir, 0o700)
    chronyd(w, good, extra="keyfile %s\nbindcmdaddress %s" % (
        keyfile(w, "1 AES128 HEX:" + KEY), sock))
    chronyd(w, bare)
    d = w.start("-d", conf='server %s interleaved poll 4..4 key 1 "%s"\n'
                "server %s interleaved poll 4..4\n" % (good, KEY, bare))
    d.wait("now valid", 60, 2)
    until(lambda: [s["interleaved"] for s in shown(w)["sources"]]
          == [True, True], 60)
    assert "Interleaved NTP packets    : 0\n" not in chronyc(
        w, ["serverstats"], sock)
    for s in shown(w)["sources"]:
        assert s["valid"] and abs(s["offset"]) < 0.001 + d.slack()
        assert not any(s["rejected"].values()), s


def test_interleaved_mode_with_chronyd_as_the_client(w):
    """chronyc calls it that, and the stamps agree with the others."""
    w.start("-d", conf='server 10.99.0.9\nlisten on 10.99.0.2 key 7 "%s"\n'
            % KEY)
    chronyd(w, "10.99.0.9")
    sock = os.path.join(w.dir, "c.sock")
    os.chmod(w.dir, 0o700)
    c = client(w, "server 10.99.0.2 key 7 iburst xleave minpoll 1 maxpoll 1\n"
               "keyfile %s\nbindcmdaddress %s" % (
                   keyfile(w, "7 AES128 HEX:" + KEY), sock))
    c.wait("(?i)selected source 10.99.0.2", 90)
    until(lambda: re.search("Interleaved +: Yes",
                            chronyc(w, ["ntpdata"], sock)), 60)
    data = chronyc(w, ["ntpdata"], sock)
    assert re.search("NTP tests +: 111 111 1111", data), data
    assert abs(float(re.search("Offset +: (\\S+)", data).group(1))) < 0.01

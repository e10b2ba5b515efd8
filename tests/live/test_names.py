"""Names: what other resolvers find is found, for servers, constraints and
listeners alike.  What DNS says opens no socket and changes no vote that it
should not."""

import json
import os
import socket
import subprocess
import time

import pytest

import web
import world
from resolver import (A, AAAA, FORMERR, NOTIMP, NX, POD, REFUSED, SERVFAIL,
                      Resolver, hosts, resolv_conf)
from world import until

pytestmark = pytest.mark.scenario

# The bad answer for a record type or a search domain, or of a bad server.
BAD = {"formerr": FORMERR, "servfail": SERVFAIL, "nxdomain": NX,
       "notimp": NOTIMP, "refused": REFUSED, "nodata": 0, "bare": "bare",
       "malformed": "malformed", "silent": None}


def kinds(w, half):
    """A name for each kind of bad answer to one record type, with an NTP
    server behind the good one: {name: address}."""
    form = "10.99.4.%d" if half == AAAA else "fd99::4%d"
    return {kind + ".test": form % i for i, kind in enumerate(BAD, 1)}


@pytest.mark.parametrize("half", [A, AAAA])
def test_a_bad_half_of_a_name_does_not_hide_the_good_one(w, half):
    """A half is what DNS says to A or to AAAA. This is for servers and
    listeners."""
    if half == A and not w.ipv6:
        pytest.skip("no IPv6 on this machine")
    names = kinds(w, half)
    for address in names.values():
        w.ntp(address)
    listen = {"l" + n: a.replace("10.99.4.", "10.99.1.")
              for n, a in names.items()} if half == AAAA else {}

    def rule(name, kind, tcp):
        address = names.get(name) or listen.get(name)
        if address is None:
            return NX
        return BAD[name.lstrip("l").split(".")[0]] if kind == half \
            else [address]
    Resolver(w, rule)
    d = w.start("-d", "-s", guard_options=("-o", "-20"), conf="".join(
        "servers %s\n" % n for n in names) + "".join(
        "listen on %s\n" % n for n in listen))
    d.wait_step(60)
    d.wait("^peer .* now valid", 90, len(names))
    if listen:
        d.wait("^listening on ", 60, len(listen))
    assert not d.matching("could not resolve")


def test_a_bad_half_of_a_constraints_name_does_not_hide_the_good_one(w):
    names = [k + ".test" for k in BAD]
    web.ntp(w)
    web.https(w, names=",".join("DNS:" + n for n in names))
    Resolver(w, lambda name, kind, tcp: BAD.get(name.split(".")[0], NX)
             if kind == AAAA else [web.ADDRESS])
    d = w.start("-d", "-s", guard_options=("-o", "-5000"),
                conf=web.conf(*(web.url(n) for n in names)))
    assert abs(d.wait_step(60) - 5000) < 1
    d.wait("^constraint reply from ", 60, len(names))


@pytest.mark.parametrize("dot", ["", "."])
def test_search_domains_hide_nothing(w, dot):
    """A pod's search list gives five candidates; the domain of the node gives
    the bad answer."""
    names = {k + ".ntp.test": "10.99.4.%d" % i for i, k in enumerate(BAD, 1)}
    for address in names.values():
        w.ntp(address)
    resolv_conf(w, POD)

    def rule(name, kind, tcp):
        if name in names:
            return [names[name]]
        return BAD[name.split(".")[0]] if name.endswith("corp.example") else NX
    r = Resolver(w, rule)
    d = w.start("-d", "-s", guard_options=("-o", "-20"),
                conf="".join("server %s%s\n" % (n, dot) for n in names))
    d.wait_step(60)
    d.wait("^peer .* now valid", 90, len(names))
    searched = [n for _, n, _, _ in r.asked if n not in names]
    assert bool(searched) == (dot == "")


def test_a_constraints_name_with_a_dot_is_not_searched_for(w):
    web.ntp(w)
    web.https(w)
    resolv_conf(w, POD)
    r = Resolver(w, lambda name, kind, tcp:
                 [web.ADDRESS] if name == web.NAME else NX)
    d = w.start("-d", "-s", conf=web.conf(web.url(web.NAME + ".")),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(60) - 5000) < 1
    assert {n for _, n, _, _ in r.asked} == {web.NAME}


def test_a_name_of_the_search_list_is_found_there(w):
    w.ntp("10.99.0.1")
    w.ntp("10.99.0.2")
    resolv_conf(w, POD)
    Resolver(w, lambda name, kind, tcp:
             ["10.99.0.1"] if name == "time.corp.example" else
             ["10.99.0.2"] if name == "time" else NX)
    d = w.start("-d", "-s", conf="server time\n", guard_options=("-o", "-20"))
    d.wait_step(60)
    assert w.servers[0].queries and not w.servers[1].queries


def test_a_slow_resolver_is_waited_for(w):
    """Each answer takes 7 s, behind a search list.  Servers, constraints and
    listeners all wait for it."""
    web.ntp(w)
    web.https(w, names="DNS:www.test")
    resolv_conf(w, POD)
    w.ntp("10.99.0.7")
    Resolver(w, lambda name, kind, tcp:
             {"www.test": [web.ADDRESS], "time.test": ["10.99.0.7"],
              "me.test": ["10.99.1.1"]}.get(name, NX), delay=7)
    d = w.start("-d", "-s", guard_options=("-o", "-5000"), conf=web.conf(
        web.url("www.test")) + "server time.test\nlisten on me.test\n")
    assert abs(d.wait_step(60) - 5000) < 1
    d.wait("^listening on 10.99.1.1 ", 60)
    d.wait("^peer 10.99.0.7 now valid", 60)
    assert not d.matching("could not resolve")


def test_a_wrong_clock_and_dnssec_do_not_wait_for_each_other(w):
    """The name server is this machine's.  While the clock is wrong, it takes each
    signature for expired, unless it is told not to check."""
    web.ntp(w)
    web.https(w, names="DNS:www.test")
    w.ntp("10.99.0.7")
    r = Resolver(w, lambda name, kind, tcp:
                 {"www.test": [web.ADDRESS], "time.test": ["10.99.0.7"],
                  "me.test": ["10.99.1.1"]}.get(name, NX))
    r.refuses = False
    d = w.start("-d", "-s", guard_options=("-o", "-5000"), conf=web.conf(
        web.url("www.test")) + "server time.test\nlisten on me.test\n")
    assert abs(d.wait_step(60) - 5000) < 1
    d.wait("^peer 10.99.0.7 now valid", 60)
    names = [q[1] for q in r.asked]
    assert not any(r.unchecked[names.index(n)] for n in names)  # at first
    assert not any(c for c, q in zip(r.unchecked, r.asked)
                   if q[1] == "me.test")


def test_a_name_server_that_knows_no_dnssec_is_asked_without(w):
    """Some refuse or drop what has one of its flags (RFC 5625 §4).  This one
    comes up late."""
    w.ntp("10.99.0.7")
    r = Resolver(w, lambda name, kind, tcp: SERVFAIL if len(r.asked) < 3 else
                 ["10.99.0.7"])
    r.refuses = True
    d = w.start("-d", "-s", guard_options=("-o", "-20"), conf="server a.test\n")
    d.wait_step(60)
    assert any(r.unchecked)


@pytest.mark.parametrize("bad", [*BAD, "closed", "foreign"])
def test_a_name_server_hides_nothing_of_another(w, bad):
    w.ntp("10.99.0.1")
    resolv_conf(w, "nameserver 10.99.9.1\nnameserver fe80::9%none\n"
                "nameserver 127.0.0.1\n")
    if bad == "foreign":
        first = Resolver(w, lambda *_: ["10.99.0.66"], "10.99.9.1")
        reply = first.reply
        first.reply = lambda q, tcp: b"".join(
            [bytes([q[0] ^ 1]), reply(q, tcp)[1:]])
    elif bad != "closed":
        Resolver(w, lambda *_: BAD[bad], "10.99.9.1")
    Resolver(w, lambda name, kind, tcp: ["10.99.0.1"])
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    assert not d.matching("could not resolve")


@pytest.mark.parametrize("udp,tcp", [
    ([], True), (["10.99.0.1"], True), (["10.99.0.1"], False)])
def test_truncated_answers_are_asked_for_by_tcp(w, udp, tcp):
    """Where TCP is blocked, the addresses in the truncated answer are used."""
    four = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]
    for a in four:
        w.ntp(a)

    def rule(name, kind, by_tcp):
        if by_tcp:
            return four if tcp else None
        return ("cut", udp)
    r = Resolver(w, rule)
    d = w.start("-d", "-s", conf="servers pool.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    d.wait("^peer .* now valid", 60, 4 if tcp else 1)
    assert [x for x in r.asked if x[3]]


def test_a_refusal_by_tcp_does_not_spoil_another_name_server(w):
    """Both servers truncate their answers, and only the second one takes
    TCP."""
    w.ntp("10.99.0.1")
    resolv_conf(w, "nameserver 10.99.9.1\nnameserver 127.0.0.1\n")
    for address in ("10.99.9.1", "127.0.0.1"):
        r = Resolver(w, lambda name, kind, tcp:
                     ["10.99.0.1"] if tcp else ("cut", []), address)
        if address != "127.0.0.1":
            r.tcp.shutdown(socket.SHUT_RDWR)
            r.tcp.close()
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    assert not d.matching("could not resolve")


def test_slow_name_servers_and_a_long_search_list_fit_together(w):
    """Three servers take 7 s each and a pod's list gives six candidates: that
    is 36 questions at a time."""
    w.ntp("10.99.0.1")
    addresses = ["10.99.9.1", "10.99.9.2", "127.0.0.1"]
    resolv_conf(w, POD.replace("nameserver 127.0.0.1\n", "".join(
        "nameserver %s\n" % a for a in addresses)).replace(
        "corp.example", "corp.example lab.example"))
    for a in addresses:
        Resolver(w, lambda name, kind, tcp:
                 ["10.99.0.1"] if name == "a.test" else NX, a, delay=7)
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    assert not d.matching("could not resolve")


def test_ipv6_that_comes_first_is_not_enough_without_ipv6(w):
    """The answer for A takes 2 s longer."""
    if w.ipv6:
        w.run("ip", "-6", "route", "del", "local", "fd99::/64", "dev", "lo")
    w.ntp("10.99.0.1")

    def rule(name, kind, tcp):
        r.delay = 2 if kind == A else 0
        return ["10.99.0.1"] if kind == A else ["2001:db8::1"]
    r = Resolver(w, rule)
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(10)


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_tcp_that_ends_early_is_no_loop(w, cut):
    r = Resolver(w, lambda name, kind, tcp:
                 ["10.99.0.1"] if tcp else ("cut", []))
    r.cut = cut
    d = w.start("-d", conf="server a.test\n")
    line = d.wait("^could not resolve ", 8)
    assert line.endswith("Try again: 127.0.0.1: Connection reset by peer")


def test_a_resolver_can_be_asked_by_tcp_alone(w):
    w.ntp("10.99.0.1")
    resolv_conf(w, "nameserver 127.0.0.1\noptions use-vc rotate\n")
    r = Resolver(w, lambda name, kind, tcp: ["10.99.0.1"] if tcp else None)
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    assert all(tcp for _, _, _, tcp in r.asked)


def test_forged_answers_are_ignored(w):
    """They have a wrong id, a wrong question, or are a query instead of an
    answer."""
    w.ntp("10.99.0.1")
    w.ntp("10.99.0.66")
    r = Resolver(w, lambda name, kind, tcp: ["10.99.0.1"], delay=0.1)
    evil = socket.inet_aton("10.99.0.66")

    def before(reply):
        forged = reply[:-4] + evil
        return [bytes([forged[0] ^ 0x80]) + forged[1:],
                forged[:13] + b"x" + forged[14:],
                forged[:2] + b"\x01" + forged[3:], b"", forged[:11],
                b"\0" * 600] if reply[7] else []
    r.before = before
    d = w.start("-d", "-s", conf="server a.test\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    assert not w.servers[1].queries


def test_an_empty_root_has_localhost_and_a_name_server(w):
    """Without any /etc, 127.0.0.1 is asked, and localhost is the loopback
    address."""
    if not world.is_static(world.NTPD):
        pytest.skip("not a static binary")
    w.ntp("10.99.0.1")
    r = Resolver(w, lambda name, kind, tcp: ["10.99.0.1"])
    d = w.start("-d", "-s", root=w.empty_root(), guard_options=("-o", "-20"),
                conf="server a.test\nlisten on localhost\n")
    d.wait_step(60)
    d.wait("^listening on 127.0.0.1 ", 30)
    assert not [n for _, n, _, _ in r.asked if "localhost" in n]


def test_without_a_name_server_that_is_said(w):
    if not world.is_static(world.NTPD):
        pytest.skip("not a static binary")
    d = w.start("-d", root=w.empty_root(), conf="server a.test\n")
    line = d.wait("^could not resolve ", 30)
    assert line == 'could not resolve "a.test": Try again: 127.0.0.1: ' \
        "Connection refused (/etc/resolv.conf names no server)"


def test_a_resolv_conf_that_cannot_be_read_is_said(w):
    """Lookups run without rights, so root's privilege to read any file does
    not help."""
    os.chmod(os.path.join(w.dir, "resolv.conf"), 0)
    d = w.start("-d", conf="server a.test\n")
    line = d.wait("^could not resolve ", 30)
    assert line.endswith("(/etc/resolv.conf: Permission denied)")


def test_hosts_and_scopes_need_no_name_server(w):
    w.ntp("10.99.0.1")
    hosts(w, "127.0.0.1 localhost\n10.99.0.1 other Time.Test # here\n"
          "10.99.1.1\tme.test\n::ffff:10.99.1.1 me.test\n")
    conf = "server time.test.\nlisten on me.test\n"
    if w.ipv6:
        w.run("ip", "addr", "add", "fe80::1/64", "dev", "lo")
        conf += "listen on fe80::1%lo\n"
    d = w.start("-d", "-s", conf=conf + "listen on fe80::1%none\n",
                guard_options=("-o", "-20"))
    d.wait_step(60)
    d.wait("^listening on 10.99.1.1 ", 30)
    if w.ipv6:
        d.wait("^listening on fe80::1%lo ", 30)
    d.wait('^could not resolve "fe80::1%none": no such interface$', 30)
    assert len(d.matching("^could not resolve")) == 1


def test_listeners_have_their_turn_among_many_names(w):
    """There are more names than children.  A lookup that waits for a child
    does not count as a failure."""
    Resolver(w, lambda name, kind, tcp: None if name[0] == "s" else
             ["10.99.1.1"] if name == "me.test" else NX)
    d = w.start("-d", conf="".join("server s%d.test\n" % i for i in range(20)) +
                "listen on me.test\nlisten on gone.test\n")
    d.wait("^listening on 10.99.1.1 ", 90)
    d.wait('^could not resolve "gone.test"', 90)


@pytest.mark.parametrize("name,words", [
    ("nowhere.test", "Name does not resolve: NXDOMAIN from 127.0.0.1"),
    ("empty.test", "Name has no usable address: no address from 127.0.0.1"),
    ("broken.test", "Try again: SERVFAIL from 127.0.0.1"),
    ("silent.test", "Try again: no answer from 127.0.0.1"),
    ("a..test", "not a host name: nothing before a dot"),
    ("a:b", "not a host name: letters"),
    ("x" * 64 + ".test", "not a host name: more than 63 bytes"),
    ("zero.test", "0.0.0.0 is the wildcard address"),
])
def test_the_reason_of_a_failure_is_said_once(w, name, words):
    Resolver(w, lambda n, kind, tcp: {
        "empty.test": [], "broken.test": SERVFAIL, "silent.test": None,
        "zero.test": ["0.0.0.0"]}.get(n, NX))
    d = w.start("-d", conf='server "%s"\n' % name)
    line = d.wait("^could not resolve ", 60)
    assert line.startswith('could not resolve "%s": %s' % (name, words))
    time.sleep(6)
    assert len(d.matching("^could not resolve")) == 1
    assert len(d.matching("^zero.test: 1 of 1 addresses ignored")) == \
        (name == "zero.test")


def peers(w, d):
    out = subprocess.run([world.NTPD, "ctl", "-j"], capture_output=True,
                         env=dict(os.environ, NTP_CONTROL_SOCKET=w.dir +
                                  "/s")).stdout
    return {s["name"]: s for s in json.loads(out)["sources"]} if out else {}


def test_what_is_no_hosts_address_is_ignored(w):
    """A wildcard address from DNS opens no socket, and no multicast group is
    asked."""
    w.ntp("10.99.0.1")
    bad = ["0.0.0.0", "::", "255.255.255.255", "224.0.1.1", "ff02::101",
           "::ffff:0.0.0.0"]
    Resolver(w, lambda name, kind, tcp: {
        "mixed.test": bad + ["10.99.0.1"], "bad.test": bad,
        "l.test": bad + ["10.99.1.1"], "m.test": bad}.get(name, NX))
    d = w.start("-d", "-s", guard_options=("-o", "-20"),
                conf="servers mixed.test\nserver bad.test\nlisten on l.test\n"
                "listen on bad.test\nmetrics on m.test\n")
    d.wait_step(60)
    d.wait("^listening on 10.99.1.1 ", 30)
    d.wait('^could not resolve "m.test": .* address$', 30)
    d.wait("^bad.test: . of . addresses ignored: .* address$", 30)
    d.wait("^l.test: [3-9] of [3-9] addresses ignored: .* address$", 30)
    assert len(d.matching("^listening on")) == 1
    assert not d.matching("^metrics on")
    bound = subprocess.run(["ss", "-lntuH"], capture_output=True,
                           text=True).stdout
    assert "10.99.1.1:123" in bound and "0.0.0.0:123" not in bound
    assert "*:123" not in bound and "[::]:123" not in bound
    assert ":9559" not in bound


def test_an_address_under_several_names_is_one_source(w):
    """It is one source even when mapped into IPv6, or given by number as
    well."""
    w.ntp("10.99.0.1")
    w.ntp("10.99.0.2")
    at = {"a.test": ["10.99.0.2"], "b.test": ["10.99.0.2"],
          "c.test": ["::ffff:10.99.0.2"]}
    Resolver(w, lambda name, kind, tcp: at.get(name, NX))
    d = w.start("-d", "-s", guard_options=("-o", "-20"),
                env={"NTP_CONTROL_SOCKET": w.dir + "/s"},
                conf="server 10.99.0.1\nserver a.test\nserver b.test\n"
                "server c.test\nserver ::ffff:10.99.0.1\n")
    d.wait_step(60)
    d.wait("^peer .* now valid", 60, 2)
    time.sleep(3)
    got = peers(w, d)
    shared = sorted(s["same_as"] for s in got.values() if s["same_as"])
    assert shared == ["10.99.0.1", "10.99.0.2", "10.99.0.2"]
    assert all(s["address"] == "" for s in got.values() if s["same_as"])
    status = subprocess.run(
        [world.NTPD, "ctl", "-s", "all"], capture_output=True, text=True,
        env=dict(os.environ, NTP_CONTROL_SOCKET=w.dir + "/s")).stdout
    assert status.startswith("2/2 peers valid, ")
    assert "not resolved" not in status
    assert status.count("same as 10.99.0.2 ") == 2


def test_a_pool_grows_with_its_name(w):
    """While a cluster starts, a service has few addresses; a minute later it
    has three."""
    w.rates = False
    four = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]
    for a in four:
        w.ntp(a)
    now = four[:1]
    Resolver(w, lambda name, kind, tcp: list(now))
    d = w.start("-d", "-s", conf="servers pool.test\n",
                guard_options=("-o", "-20"))
    d.wait("^peer 10.99.0.1 now valid", 60)
    now[:] = four[1:]                   # and the first is gone from the name
    d.wait("^peer 10.99.0.[234] now valid", 150, 3)


def test_a_liar_makes_room_for_another_address_of_its_name(w):
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    w.ntp("10.99.0.8", 5.0)
    w.ntp("10.99.0.9")
    Resolver(w, lambda name, kind, tcp: ["10.99.0.8", "10.99.0.9"])
    d = w.start("-d", "-s", guard_options=("-o", "-20"), conf="".join(
        "server 10.99.0.%d poll 4..8\n" % i for i in (1, 2, 3)) +
        "server a.test poll 4..8\n")
    d.wait("^peer 10.99.0.9 now valid", 240)
    # Of the addresses that it has had, at most one more than eight voted.
    assert 8 <= len(w.servers[3].queries) <= 12
    assert until(lambda: len(w.servers[4].queries) >= 4, 60)


def test_who_breaks_the_constraint_makes_room_as_well(w):
    web.ntp(w)
    web.https(w)
    w.ntp("10.99.0.8", 5000.0)
    w.ntp("10.99.0.9")
    Resolver(w, lambda name, kind, tcp: ["10.99.0.8", "10.99.0.9"])
    d = w.start("-d", "-s", conf=web.conf(more="server a.test poll 4..8\n"),
                guard_options=("-o", "-5000"))
    d.wait_step(60)
    d.wait("^peer 10.99.0.9 now valid", 240)
    asked = [s for s in w.servers if s.address == "10.99.0.8"][0]
    assert 8 <= len(asked.queries) <= 12

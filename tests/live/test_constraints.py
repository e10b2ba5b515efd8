"""HTTPS constraints and the clock, end to end: the daemon in a world of its
own, NTP servers and HTTPS servers of the test's, a pretended clock."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

import pki as P
import world
from pki import DAY, YEAR
from web import (ADDRESS, NAME, conf, drops, hangs, https, ntp, trust, url)

pytestmark = pytest.mark.scenario


def never_moved(d):
    """The daemon ordered no step, no slew and no frequency."""
    for row in d.clock():
        assert row["step"] == 0, row
    assert not d.matching("^set local clock|^adjusting")


# ------------------------------------------- clocks that are set through them

def test_clock_of_six_years_ago_is_set(w):
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", str(-6 * YEAR)))
    assert abs(d.wait_step(12) - 6 * YEAR) < 1
    d.wait(r"^constraint request to 10\.99\.0\.80$", 30)
    line = d.wait(r"^constraint reply from 10\.99\.0\.80: offset "
                  r"\d+\.\d{6}$", 30)
    assert abs(float(line.split()[-1]) - 6 * YEAR) < 2


def test_clock_six_years_ahead_is_set(w):
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", str(6 * YEAR)))
    assert abs(d.wait_step(12) + 6 * YEAR) < 1


def test_servers_that_agree_on_a_lie_never_move_the_clock(w):
    ntp(w, offset=3600)
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-m",))
    d.wait(r"^reply from 10\.99\.0\.\d: constraint check failed$", 30, 3)
    time.sleep(15)
    never_moved(d)


def test_a_lie_of_122_seconds_is_one(w):
    """The margin is OpenNTPD's 120 s, and a Date is up to a second old."""
    ntp(w, offset=122.5)
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-m",))
    d.wait(": constraint check failed$", 30)
    time.sleep(5)
    never_moved(d)


def test_a_lie_of_119_seconds_is_none(w):
    ntp(w, offset=119)
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-m",))
    assert abs(d.wait_step(12) - 119) < 0.5


def test_nothing_is_set_while_https_is_blocked(w):
    """The log says it once, the status keeps it, and a retry cures it."""
    ntp(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-5000"))
    d.wait(r"^tls connect failed: 10\.99\.0\.80 \(10\.99\.0\.80\): connect: "
           r"Connection refused \(nothing listens on TCP port 8443, or ", 30)
    line = d.wait(r"^no constraint reply from 10\.99\.0\.80 received in time, "
                  r"next query \d+s$", 30)
    assert 15 <= int(line.split()[-1][:-1]) <= 17
    d.wait("^waiting for constraint: 10.99.0.80: .*refused", 30)
    time.sleep(6)
    never_moved(d)
    assert len(d.matching("^waiting for constraint")) == 1
    server = https(w)
    assert abs(d.wait_step(20) - 5000) < 1
    assert len(server.seen) == 1


def test_name_that_does_not_resolve_opens_nothing(w):
    ntp(w)
    w.dns.open()
    d = w.start("-d", "-s", conf=conf(url(NAME)),
                guard_options=("-o", "-5000"))
    d.wait(r"^waiting for constraint: www\.example\.test: ", 30)
    time.sleep(6)
    never_moved(d)
    https(w)
    w.dns.names[NAME] = [ADDRESS]
    # While starting, lookups are at most 8 s apart.
    assert abs(d.wait_step(15) - 5000) < 1


def test_trusted_servers_need_no_constraint(w):
    ntp(w)
    d = w.start("-d", "-s", conf=conf(servers=0, more="".join(
        "server 10.99.0.%d trusted\n" % i for i in (1, 2, 3))),
        guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1


def test_without_s_a_constraint_allows_to_set_forward(w):
    """This is OpenNTPD's automatic rule: by 60 s or more, and only forward."""
    ntp(w)
    https(w)
    d = w.start("-d", conf=conf(), guard_options=("-o", "-5000"))
    assert abs(d.wait_step(30) - 5000) < 1


def test_one_that_fails_beside_a_good_one_is_no_news(w):
    """So does the IPv6 address of the default configuration where there is no
    IPv6."""
    ntp(w)

    def slow(c):
        c.request()
        time.sleep(0.5)
        c.write(P.answer(time.time()))
    https(w, reply=slow)
    d = w.start("-d", "-s", conf=conf(url("10.99.0.81"), url("gone.test"),
                                      url()), guard_options=("-o", "-5000"))
    w.dns.open()
    assert abs(d.wait_step(12) - 5000) < 1
    d.wait("^tls connect failed: 10.99.0.81", 30)
    assert not d.matching("^waiting for constraint")


# ------------------------------------------------------------------ addresses

def test_unreachable_address_costs_nothing(w):
    """One address is an AAAA record without a route, another has a closed
    port."""
    ntp(w)
    https(w)
    w.dns.open()
    w.dns.names[NAME] = ["2001:db8::1", "10.99.0.81", ADDRESS]
    d = w.start("-d", "-s", conf=conf(url(NAME)),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1
    assert not d.matching("^no constraint reply")


def test_silent_address_costs_a_second(w):
    """Packets to the IPv6 address are dropped somewhere."""
    if not w.ipv6:
        pytest.skip("no IPv6")
    ntp(w)
    https(w)
    drops(w, "fd99::80")
    w.dns.open()
    w.dns.names[NAME] = ["fd99::80", ADDRESS]
    d = w.start("-d", "-s", conf=conf(url(NAME)),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(8) - 5000) < 1


def test_ipv6(w):
    if not w.ipv6:
        pytest.skip("no IPv6")
    ntp(w)
    https(w, "fd99::80")
    d = w.start("-d", "-s", conf=conf(url("fd99::80")),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1
    d.wait(r"^constraint reply from fd99::80: offset", 30)


def test_addresses_after_the_url(w):
    """The name and the path come from the URL, and nothing is looked up."""
    ntp(w)
    server = https(w, names="DNS:" + NAME)
    d = w.start("-d", "-s", conf=conf(url(NAME, "/x") + " 10.99.0.81 " +
                                      ADDRESS),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1
    assert server.seen[0].startswith(
        b"HEAD /x HTTP/1.1\r\nHost: www.example.test:8443\r\n")


def test_every_address_of_a_pool_votes(w):
    """Two of three servers tell the truth."""
    ntp(w)
    for i, date in (80, 0), (81, 7200), (82, 0):
        https(w, "10.99.0.%d" % i, names="DNS:" + NAME, date=date)
    w.dns.open()
    w.dns.names[NAME] = ["10.99.0.81", "10.99.0.80", "10.99.0.82"]
    d = w.start("-d", "-s", conf=conf("constraints from " + url(NAME)),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1
    d.wait("^constraint reply from", 30, 3)


# --------------------------------------------------------- liars and hangers

def test_one_liar_of_three_has_no_say(w):
    """It has none even when it answers first and the time servers agree with
    it."""
    ntp(w, offset=7200)
    https(w, "10.99.0.80", date=7200)
    for i in 81, 82:
        def slow(c):
            c.request()
            time.sleep(0.7)
            c.write(P.answer(time.time()))
        https(w, "10.99.0.%d" % i, reply=slow)
    d = w.start("-d", "-s", conf=conf(*(url("10.99.0.%d" % i)
                                        for i in (80, 81, 82))),
                guard_options=("-m",))
    d.wait("^constraint reply from", 30, 3)
    time.sleep(5)
    never_moved(d)


def test_two_that_disagree_set_nothing(w):
    ntp(w)
    https(w, "10.99.0.80", date=7200)
    https(w, "10.99.0.81")
    d = w.start("-d", "-s", conf=conf(url("10.99.0.80"), url("10.99.0.81")),
                guard_options=("-o", "-5000"))
    d.wait("^constraint reply from", 30, 2)
    time.sleep(5)
    never_moved(d)


def test_hanging_server_delays_nobody(w):
    """It delays neither the other constraint, nor NTP, nor the end.  Its child
    is small, has no right, and is gone when the daemon is."""
    ntp(w)
    hangs(w, "10.99.0.81")
    https(w)
    d = w.start("-d", "-s", conf=conf(url("10.99.0.81"), url()),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(8) - 5000) < 1
    # The other child may have ended without having been reaped.
    child = world.until(lambda: len(world.children(d.pid)) == 1 and
                        world.children(d.pid))
    with open("/proc/%d/status" % child[0]) as f:
        status = f.read()
    for caps in "CapEff", "CapPrm", "CapInh":
        assert re.search(caps + r":\s+0+\n", status), status
    if world.is_static(world.NTPD):     # a sanitized one is larger
        assert int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) < 1024
    code, took = d.stop()
    assert code == 0 and took < world.SOON
    world.until(lambda: world.state(child[0]) in ("gone", "Z"))


def test_hanging_server_is_given_up_after_ten_seconds(w):
    ntp(w)
    hangs(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-5000"))
    d.wait(r"^tls write failed: 10\.99\.0\.80 \(10\.99\.0\.80\): handshake "
           r"not finished in 10 s$", 30)
    d.wait(r"^no constraint reply from 10\.99\.0\.80 received in time, "
           r"next query 1[567]s$", 30)
    never_moved(d)
    world.until(lambda: world.children(d.pid) == [])


def cached(w, address, age):
    """A cache that gives out what it received so many seconds ago."""
    def reply(c):
        c.request()
        c.write(P.answer(time.time() - age, more="Age: %d\r\nX-Cache: HIT\r\n"
                         % age))
        c.close_notify()
    return https(w, address, reply=reply,
                 leaf=trust().leaf("DNS:%s,IP:%s" % (NAME, address)))


def test_a_cache_is_no_witness(w):
    """Yesterday's Date, with its Age, is refused.  The log says the reason
    once, and the next address of the name sets the bound."""
    ntp(w)
    w.dns.open()
    w.dns.names[NAME] = [ADDRESS, "10.99.0.81"]
    cached(w, ADDRESS, 86400)
    https(w, "10.99.0.81", names="DNS:" + NAME)
    d = w.start("-d", "-s", conf=conf("constraint from " + url(NAME)),
                guard_options=("-o", "-20"))
    assert abs(d.wait_step(60) - 20) < 0.1 + d.slack()
    assert d.matching(r"^stored date: 10\.99\.0\.80 \(www\.example\.test\): "
                      r"from a cache, its Date is not of now \(Age 86400\)$")
    assert not d.matching("constraint check failed")


@pytest.mark.parametrize("age", [86400, 3600])
def test_nothing_but_a_cache_bounds_by_its_age(w, age):
    """The time lies between the Date and the Date plus the Age, whether the
    cache kept the Date or replaced it.  That is enough to set the clock, and
    the log says how wide the bound is."""
    ntp(w)
    cached(w, ADDRESS, age)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-20"))
    assert abs(d.wait_step(60) - 20) < 0.1 + d.slack()
    wide = d.wait("^all constraints answer out of caches: the bound is", 10)
    said = float(re.search(r"(\d+)s wide$", wide).group(1))
    assert age + 240 < said < age + 260


def test_a_cache_bounds_liars_by_its_age(w):
    ntp(w, 2 * 3600)
    cached(w, ADDRESS, 3600)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-20"))
    d.wait("constraint check failed", 60, 3)
    never_moved(d)


def test_a_cache_of_unknown_age_is_no_bound(w):
    """The log says whom to blame, and the clock is left alone."""
    ntp(w)
    https(w, reply=P.answer(time.time(), more="X-Cache: HIT\r\n"))
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-20"))
    d.wait(r"^waiting for constraint: 10\.99\.0\.80: from a cache", 60)
    never_moved(d)


def test_child_that_crashes_harms_nobody(w):
    """The log has OpenNTPD's words, and the server is asked again."""
    ntp(w)
    server = hangs(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-m",))
    # A sanitizer has a handler of the signal, which a child first takes away.
    world.until(lambda: server.seen)
    child, = world.children(d.pid)
    os.kill(child, signal.SIGSEGV)
    d.wait(r"^constraint 10\.99\.0\.80; terminated with signal 11$", 30)
    d.wait(r"^no constraint reply from 10\.99\.0\.80 received in time, "
           r"next query 1[567]s$", 30)
    d.wait("^constraint request to", 60, 2)


def test_child_that_stands_still_is_killed(w):
    """It is killed a second after its own deadline."""
    ntp(w)
    hangs(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-m",))
    d.wait("^constraint request to", 5)
    child, = world.children(d.pid)
    os.kill(child, signal.SIGSTOP)
    d.wait(r"^tls read failed: 10\.99\.0\.80 \(10\.99\.0\.80\): no answer "
           r"in time$", 14)
    end = time.monotonic() + 5
    while world.state(child) not in ("gone", "Z") and time.monotonic() < end:
        time.sleep(0.05)
    assert world.state(child) in ("gone", "Z")


def test_hanging_pools_leave_room_for_names(w):
    """Sixteen children wait for HTTPS servers that say nothing, and the name
    of a time server is looked up even so."""
    w.ntp("10.99.0.1")
    w.dns.open()
    w.dns.names["ntp.test"] = ["10.99.0.1"]
    for pool in "a", "b":
        w.dns.names[pool + ".test"] = []
        for i in range(8):
            address = "10.99.%d.%d" % (ord(pool), i + 1)
            hangs(w, address)
            w.dns.names[pool + ".test"].append(address)
    d = w.start("-d", "-s", guard_options=("-m",), conf=conf(
        "constraints from " + url("a.test"),
        "constraints from " + url("b.test"), servers=0,
        more="server ntp.test trusted\n"))
    d.wait("^constraint request to", 30, 8)
    d.wait(r"^reply from 10\.99\.0\.1: offset", 30)
    assert not d.matching("^no constraint reply")       # after 10 s
    code, took = d.stop()
    assert code == 0 and took < world.SOON


def test_no_child_is_possible(w):
    """At the limit of processes the log says so once, and the daemon tries
    again each second."""
    os.chmod(w.dir, 0o755)
    https(w)
    # The limit counts the user's processes on the whole machine.
    uid = 100000 + os.getpid()
    user = "setpriv", "--reuid=%d" % uid, "--clear-groups"
    other = subprocess.Popen([*user, "sleep", "120"])
    try:
        world.until(lambda: os.stat("/proc/%d" % other.pid).st_uid == uid)
        d = w.start("-d", "-x", guarded=False, prefix=(
            "prlimit", "--nproc=2", *user),
            conf="server 10.99.0.1\nconstraint from %s\n" % url())
        d.wait(r"^waiting for constraint: 10\.99\.0\.80: cannot start a "
               r"child: Resource temporarily unavailable$", 30)
        time.sleep(3)
        assert len(d.matching("^waiting for")) == 1
    finally:
        other.kill()
        other.wait()
    d.wait("^tls write failed: .*unknown CA", 30)


def test_status_tells_how_old_and_how_wide_the_bound_is(w):
    """The age is that of the answer, not of the last attempt, and the bound
    grows with every second."""
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf(url(), url("10.99.0.81")),
                guard_options=("-m",))
    d.wait("^constraint reply from", 30)
    d.wait("^constraint request to 10.99.0.81", 60, 2)      # a retry
    time.sleep(8)
    p = subprocess.run([world.NTPD, "ctl", "-j"], text=True, check=True,
                       stdout=subprocess.PIPE)
    state = json.loads(p.stdout)
    assert 14 < state["constraint_age"] < 60
    # The Date's half second, half a round trip, and 500 ppm.
    least = 120.5 + state["constraint_age"] * 500e-6
    assert least <= state["constraint_error"] < least + 0.5


def test_answers_that_disagree_are_asked_for_again(w):
    """One of two servers was wrong once.  If they still disagree afterwards,
    the log says so once."""
    ntp(w)
    first = [True]

    def reply(c):
        c.request()
        c.write(P.answer(time.time() + (7200 if first else 0)))
        first.clear()
    https(w, "10.99.0.80", reply=reply)
    https(w, "10.99.0.81")
    d = w.start("-d", "-s", conf=conf(url("10.99.0.80"), url("10.99.0.81")),
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1
    d.wait("^Reset constraint info$", 30)
    d.wait("^constraint reply from", 30, 4)     # both answered again
    assert len(d.matching("^constraints disagree")) == 1


def test_servers_and_constraint_move_alike(w):
    """As when the raw clock of a machine was paused without its knowledge:
    everybody else is an hour ahead.  The daemon does not wait for a second
    reply that breaks the bound."""
    ntp(w)
    server = https(w)
    d = w.start("-d", "-s", conf=re.sub(r"(?m)^(server .*)$", r"\1 poll 8..8",
                                        conf()), guard_options=("-m",))
    d.wait("^clock is now synced$", 30)
    time.sleep(12)                  # the questions of the start are over
    server.close()
    https(w, date=3600)
    for s in w.servers:
        s.offset = 3600
    d.wait("^Reset constraint info$", 20)
    assert len(d.matching("constraint check failed$")) <= 6
    d.wait("^constraint reply from", 30, 2)
    # At the start it may have been set by what a busy machine delayed.
    world.until(lambda: [s for s in d.steps() if abs(s - 3600) < 1], 30)


def test_first_reply_of_a_liar_resets_nothing(w):
    """It would use up the one reset that a quarter of an hour allows."""
    w.ntp("10.99.0.1", offset=3600)
    for i in 2, 3:
        w.ntp("10.99.0.%d" % i, delay=1)
    for s in w.servers:
        s.silent = True
    https(w)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-5000"))
    d.wait("^constraint reply from", 30)
    for s in w.servers:
        s.silent = False
    d.wait(r"^reply from 10\.99\.0\.1: constraint check failed$", 30)
    assert abs(d.wait_step(30) - 5000) < 1
    assert not d.matching("^Reset constraint info$")


def test_one_answer_is_no_disagreement(w):
    """The other constraint still waits for a child, since the names of time
    servers occupy all children."""
    ntp(w)
    https(w)
    w.dns.open()
    w.dns.names["n.test"] = [ADDRESS]
    for i in range(20):
        w.dns.names["s%d.test" % i] = "silent"
    d = w.start("-d", "-s", guard_options=("-o", "-5000"), conf=conf(
        url(), url("n.test"),
        more="".join("server s%d.test\n" % i for i in range(20))))
    d.wait("^constraint reply from", 5)
    time.sleep(2)
    assert len(d.matching("^constraint request to")) == 1, d.text
    assert abs(d.wait_step(10) - 5000) < 1
    assert not d.matching("^Reset constraint info|disagree")


def test_constraint_that_lied_is_asked_again_when_all_break_it(w):
    """The log says "Reset constraint info"."""
    ntp(w)
    server = https(w, date=7200)
    d = w.start("-d", "-s", conf=conf(), guard_options=("-o", "-5000"))
    d.wait("^constraint reply from", 30)
    server.close()
    server = https(w)
    d.wait("^Reset constraint info$", 40)
    assert abs(d.wait_step(20) - 5000) < 1


# --------------------------------------------------------------- certificates

@pytest.mark.parametrize("how,words", [
    ({"end": -DAY},
     r"^tls certificate expired: {a} \({n}\): not after \d{{4}}-\d\d-\d\d "
     r"\d\d:\d\d:\d\d UTC, now \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"),
    ({"start": DAY},
     r"^tls certificate not yet valid: {a} \({n}\): not before .* UTC, "
     r"now .* UTC$"),
    ({"names": "DNS:other.example.test"},
     r"^tls write failed: {a} \({n}\): name `{n}' not present in server "
     r"certificate$"),
])
def test_certificate_that_does_not_hold(w, how, words):
    ntp(w)
    how = {"names": "DNS:" + NAME, **how}
    https(w, leaf=trust().leaf(how.pop("names"), **how))
    d = w.start("-d", "-s", conf=conf(url(NAME) + " " + ADDRESS),
                guard_options=("-o", "-5000"))
    d.wait(words.format(a=re.escape(ADDRESS), n=re.escape(NAME)), 5)
    d.wait("^waiting for constraint: " + re.escape(NAME), 30)
    never_moved(d)


def test_certificate_that_has_expired_is_said_once(w):
    """The log says it once, although each answer has another date."""
    if not world.is_static(world.NTPD):
        pytest.skip("this program is not static")
    ntp(w)
    server = https(w, leaf=trust().leaf(end=-DAY, names="IP:" + ADDRESS))
    root = w.empty_root()
    with open(trust().cafile) as f, open(root + "/ca.pem", "w") as to:
        to.write(f.read())
    with open(root + "/ntpd.conf", "w") as to:
        to.write(conf().replace(trust().cafile, "/ca.pem"))
    log = world.Syslog(w, root)
    d = w.start("-f", "/ntpd.conf", root=root, guard_options=("-m",))
    assert d.process.wait(30) == 0
    log.wait("^tls certificate expired: ", 10)
    end = time.monotonic() + 60
    while len(server.seen) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(server.seen) == 2
    time.sleep(1)
    assert len([t for t in log.texts() if "certificate expired" in t]) == 1


def test_unknown_ca_names_the_remedy(w):
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf().replace("cafile", "#"),
                guard_options=("-o", "-5000"))
    d.wait(r"^tls write failed: 10\.99\.0\.80 \(10\.99\.0\.80\): .*unknown CA"
           r".*cafile", 30)
    never_moved(d)


def test_ssl_cert_file_is_honoured(w):
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf().replace("cafile", "#"),
                env={"SSL_CERT_FILE": trust().cafile},
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1


def test_cafile_goes_before_ssl_cert_file(w):
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf(), env={"SSL_CERT_FILE": "/nowhere"},
                guard_options=("-o", "-5000"))
    assert abs(d.wait_step(12) - 5000) < 1


@pytest.mark.parametrize("text,words", [
    (None, "No such file or directory"), ("", "no certificate"),
    ("-----BEGIN CERTIFICATE-----\n", "")])
def test_cafile_without_an_anchor_is_an_error(w, text, words):
    path = w.dir + "/own.pem"
    if text is not None:
        w.file("own.pem", text)
    d = w.start("-d", "-s", conf='server 10.99.0.1\ncafile "%s"\n' % path)
    assert d.process.wait(60) == 1
    assert d.matching(re.escape(path) + ".*" + words)


def test_certificate_of_no_use_is_named(w):
    """One of two certificates is of no use; the other one serves."""
    odd = trust().pki.make("/CN=Odd", "ed25519")
    path = w.file("two.pem", open(trust().cafile).read() + odd.pem)
    ntp(w)
    https(w)
    d = w.start("-d", "-s", conf=conf().replace(trust().cafile, path),
                guard_options=("-o", "-5000"))
    d.wait("^%s: 1 of 2 certificates skipped: .* key" % re.escape(path), 30)
    assert abs(d.wait_step(12) - 5000) < 1


def test_in_an_empty_root(w):
    """The root holds nothing but the program and the private CA: no /etc and
    no /dev."""
    if not world.is_static(world.NTPD):
        pytest.skip("this program is not static")
    ntp(w)
    https(w)
    root = w.empty_root()
    with open(trust().cafile) as f, open(root + "/ca.pem", "w") as to:
        to.write(f.read())
    d = w.start("-d", "-s", root=root, guard_options=("-o", "-5000"),
                conf=conf().replace(trust().cafile, "/ca.pem"))
    assert abs(d.wait_step(12) - 5000) < 1


# ---------------------------------------------------------------- other eras

PAST = os.path.join(world.TOP, "build", "past", "ntpd")


@pytest.mark.parametrize("shift", [-20 * YEAR, 20 * YEAR])
def test_all_of_it_twenty_years_away(w, shift):
    """Certificates, Dates and NTP are of that time, and the clock is wrong by
    another six years.  For the past the program must have been built
    before."""
    program = world.NTPD
    if shift < 0:
        program = os.environ.get("NTPD_PAST", PAST)
        if not os.access(program, os.X_OK):
            pytest.skip("build/past/ntpd is not built")
    keys = P.Keys(w.dir + "/k")
    pki = P.Pki(w.dir + "/pki", keys, shift)
    root = pki.make("/CN=Root", "p256-root")
    leaf = pki.leaf(root, "IP:" + ADDRESS, key="p256-leaf")
    ntp(w, offset=shift)
    https(w, leaf=leaf, date=shift, pki=pki)
    d = w.start("-d", "-s", program=program, guard_options=(
        "-o", str(shift - 6 * YEAR)), conf=conf().replace(
            trust().cafile, pki.bundle(root)))
    assert abs(d.wait_step(12) - 6 * YEAR) < 1


def test_program_of_today_takes_no_date_of_the_past(w):
    shift = -20 * YEAR
    keys = P.Keys(w.dir + "/k")
    pki = P.Pki(w.dir + "/pki", keys, shift)
    root = pki.make("/CN=Root", "p256-root")
    ntp(w, offset=shift)
    https(w, leaf=pki.leaf(root, "IP:" + ADDRESS, key="p256-leaf"),
          date=shift, pki=pki)
    d = w.start("-d", "-s", guard_options=("-m",), conf=conf().replace(
        trust().cafile, pki.bundle(root)))
    d.wait(r"^date before the build of this program: 10\.99\.0\.80 "
           r"\(10\.99\.0\.80\): server says 20\d\d-", 30)
    never_moved(d)

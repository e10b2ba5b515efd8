"""UDP 123 is blocked, and constraints with "timekeeping" keep the time."""

import json
import re
import socket
import struct
import subprocess
import time

import pytest

import world
from web import conf, https, ntp, url
from world import until

pytestmark = pytest.mark.scenario

WEB = ["10.99.0.81", "10.99.0.82", "10.99.0.83"]
YEARS = 6 * 365 * 86400


def blocked(w):
    ntp(w)
    for s in w.servers:
        s.silent = True


def keepers(*hosts, more=""):
    return conf(*("constraint from %s timekeeping" % url(h) for h in hosts),
                more=more)


def ntpctl(w, *words):
    return subprocess.run([world.NTPD, "ctl", *words], capture_output=True,
                          text=True).stdout


def status(w):
    return json.loads(ntpctl(w, "-j") or "{}")


def leap_and_stratum(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(b"\x23" + bytes(39) + b"12345678", (address, 123))
        first, stratum = struct.unpack("!BB", s.recv(48)[:2])
        return first >> 6, stratum


def test_https_keeps_the_time_while_udp_is_blocked(w):
    """It is slewed to within the bound, nobody is served, and the first NTP
    replies take over."""
    blocked(w)
    servers = [https(w, a) for a in WEB]
    d = w.start("-d", "-s", guard_options=("-o", "-0.4"), conf=keepers(
        *WEB, more="listen on 10.99.0.50\n"))
    d.wait("^no server tells the time: constraints keep it, ", 120)
    d.wait("^clock is now synced by constraints$", 30)
    assert "clock synced, stratum 15, by HTTPS to " in ntpctl(w, "-s", "status")
    assert leap_and_stratum("10.99.0.50")[0] == 3
    # The edges of the seconds are found: far below what whole seconds tell.
    until(lambda: status(w)["error_bound"] < 0.3, 120)
    s = status(w)
    assert s["synced"] and s["by_https"] and s["stratum"] == 15
    assert s["ntp_filtered"]
    assert re.match(r"ready: error bound 0\.\d{6}s, stratum 15, by HTTPS\n",
                    ntpctl(w, "-s", "ready"))
    assert "ntpd_clock_by_https 1\n" in ntpctl(w, "-s", "metrics")
    assert d.steps() == []
    assert max(len(a.seen) for a in servers) <= 10
    for a in w.servers:
        a.silent = False
    d.wait("^servers keep the time again$", 120)
    until(lambda: status(w)["stratum"] == 2 and not status(w)["by_https"])


def test_with_s_a_dead_battery_is_mended_without_ntp(w):
    """By more than a slew can mend, once, and by a majority of the lines: one
    of three is a year off."""
    blocked(w)
    for a, lie in zip(WEB, (0, 0, 365 * 86400)):
        https(w, a, date=lie)
    d = w.start("-d", "-s", conf=keepers(*WEB),
                guard_options=("-o", str(-YEARS)))
    assert abs(d.wait_step(120) - YEARS) < 2
    d.wait("^clock is now synced by constraints$", 60)
    time.sleep(5)
    assert len(d.steps()) == 1


@pytest.mark.parametrize("words,offset,answer", [
    (["-d", "-s"], -500, 3),        # a slew can mend that
    (["-d"], -5000, 3),             # it is not told to
    (["-d", "-s"], -5000, 1),       # one of three is no majority
])
def test_timekeeping_sets_no_clock_otherwise(w, words, offset, answer):
    blocked(w)
    for a in WEB[:answer]:
        https(w, a)
    d = w.start(*words, conf=keepers(*WEB),
                guard_options=("-o", str(offset)))
    if answer == 3:
        d.wait("^no server tells the time: constraints keep it, ", 120)
    if words == ["-d"]:
        d.wait("too far to slew: restart with -s to set it$", 60)
    d.wait(r"UDP 123 may be filtered$", 120)
    time.sleep(5)
    assert d.steps() == []


def test_without_the_word_https_keeps_nothing(w):
    blocked(w)
    servers = [https(w, a) for a in WEB]
    d = w.start("-d", "-s", conf=conf(*map(url, WEB)))
    d.wait(r"UDP 123 may be filtered$", 120)
    time.sleep(15)
    assert not status(w)["synced"] and d.steps() == []
    assert [len(a.seen) for a in servers] == [1, 1, 1]

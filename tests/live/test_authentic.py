"""What authenticated time means: it sets the clock, whatever others say; and where
it fails, the reason is told."""

import json
import socket
import subprocess

import pytest

import web
import world
from test_nts import chronyd, conf
from world import until

pytestmark = pytest.mark.scenario

LIES = ["10.99.0.%d" % i for i in (2, 3, 4)]


def ntpctl(w, *words):
    return subprocess.run([world.NTPD, "ctl", *words], capture_output=True,
                          text=True).stdout


def test_one_authenticated_server_outvotes_three_others(w):
    """They answer at once, and lie within the bound of constraints."""
    a = "10.99.0.1"
    chronyd(w, a)
    web.https(w)
    for address in LIES:
        w.ntp(address, offset=60)
    d = w.start("-d", "-s", guard_options=("-m", "-o", "-5000"), conf=conf(
        "server %s nts" % a, "constraint from " + web.url(),
        *("server " + address for address in LIES)))
    assert abs(d.wait_step(60) - 5000) < 0.1 + d.slack()
    d.wait("^clock is now synced$", 30)
    d.wait("^peer .* is a falseticker: ", 30, 3)
    assert ", authenticated\n" in ntpctl(w, "-s", "status")
    assert "s, stratum 4, authenticated\n" in ntpctl(w, "-s", "ready")
    shown = json.loads(ntpctl(w, "-j"))
    assert shown["authenticated"] and shown["not_authenticated"] == ""
    assert [(s["authenticated"], s["nts_exchanges"], s["nts_error"])
            for s in shown["sources"]] == [(True, 1, "")] + 3 * [
                (False, None, "")]
    assert len(d.steps()) == 1


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_without_keys_constraints_bound_the_others(w, silent):
    """Nobody listens at port 4460, or nobody answers there: only then keys may
    come, which are waited for."""
    web.https(w)
    port = socket.socket()
    port.bind(("10.99.0.1", 4460))
    if silent:
        port.listen()
    for address in LIES:
        w.ntp(address)
    d = w.start("-d", "-s", guard_options=("-m", "-o", "-5000"), conf=conf(
        "server 10.99.0.1 nts", "constraint from " + web.url(),
        *("server " + address for address in LIES)))
    d.wait_step(60)
    if silent:
        assert d.set_after() > 7.9
    else:   # without a word of the second one
        assert len(d.matching("^nts key exchange .* failed")) == 1
    until(lambda: ", not authenticated: key exchange with 10.99.0.1 fails: "
          in ntpctl(w, "-s", "ready"))
    shown = json.loads(ntpctl(w, "-j"))
    assert shown["synced"] and not shown["authenticated"]
    assert silent or "efused" in shown["sources"][0]["nts_error"]
    port.close()

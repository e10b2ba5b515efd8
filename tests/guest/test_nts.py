"""The real kernel clock of 2020, set by NTS alone: with real servers, and without
a constraint."""
import base64
import os
import ssl
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import guest                                                    # noqa: E402
import peers                                                    # noqa: E402
import world                                                    # noqa: E402
from guest import SERVERS, clock_script                         # noqa: E402
from test_guest import HTTPS, machine, story, tell              # noqa: E402,F401

# The truth is in 2028, as in test_guest.py.
ADDRESS = {"good": "10.99.0.31", "expired": "10.99.0.32"}
CHRONYD = "".join("server %s iburst\n" % a for a in SERVERS) + """
makestep 0.1 -1
allow
bindaddress %(address)s
cmdport 0
bindcmdaddress /
pidfile /run/%(name)s.pid
ntsservercert /test/%(name)s.crt
ntsserverkey /test/%(name)s.key
"""


def pem(key):
    return "-----BEGIN EC PRIVATE KEY-----\n%s-----END EC PRIVATE KEY-----\n" % (
        base64.encodebytes(key).decode())


@story
def nts():
    """Servers of NTS have clocks of their own, which the guard pretends.  They
    have had ten seconds to learn the time."""
    path = peers.path("chronyd")
    if path is None:
        pytest.skip("guest: chronyd is not to be had")
    root, pairs = guest.certificates(
        {name: HTTPS[name][:2] + (ADDRESS[name],) for name in ADDRESS})
    files, start = [("test/root.pem", root),
                    ("etc/passwd", "root:x:0:0::/:/bin/sh\n")], ""
    for name, address in ADDRESS.items():
        cert, key = pairs[name]
        files += [
            ("test/%s.crt" % name, ssl.DER_cert_to_PEM_cert(cert)),
            ("test/%s.key" % name, pem(key)),
            ("test/%s.chrony" % name,
             CHRONYD % {"name": name, "address": address}),
            ("test/%s.conf" % name,
             'cafile "/test/root.pem"\nserver %s nts\n' % address)]
        start += "/guard -m -l /run/%s.log /chronyd -d -u root -f " \
            "/test/%s.chrony 2>&1 | truth tag Server &\n" % (name, name)
    programs = [("chronyd", path), ("guard", world.guard())]
    libraries = {x for _, p in programs for x in guest.libraries(p)}
    return tell("nts", clock_script(42, looks=("0.1 0 1e9",)), [
        (0, "mkdir -p /var/lib/chrony /var/run/chrony\n" + start),
        (10, "start /ntpd -d -s -f /test/expired.conf"),
        (20, "kill $PID; finish"),
        (0, "start /ntpd -d -s -f /test/good.conf"),
        (40, "ntpctl -s status | truth tag Status\nkillall chronyd"),
    ], files=files, addresses=ADDRESS.values(), links=[("bin/ntpctl", "/ntpd")],
        programs=programs + [(x, x) for x in sorted(libraries)])


def test_time_outside_of_its_certificates_dates_is_not_taken():
    run = nts()
    assert run.said(r"^reply from 10\.99\.0\.32: its time is outside of its "
                    r"certificate's dates, 2027-01-01 to 2027-12-31$")
    for look in run.between(0, 20):
        assert abs(look.err) > 2e8, look


def test_authenticated_time_alone_sets_a_clock_of_2020():
    run = nts()
    assert len(run.said("^set local clock to Wed Mar  1 00:00:20 UTC 2028 ")) == 1
    assert run.right_from(0.010, 20) <= 20.5
    assert "clock synced, stratum 3, authenticated" in \
        run.log("Status")[0].text

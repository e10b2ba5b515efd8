"""The key exchange alone with real servers of NTS, each the only user of its
address: what it brings opens one reply (tlsprobe -n)."""
import os
import re
import socket
import subprocess

import pytest

import peers
import web
from world import TOP, until

pytestmark = pytest.mark.scenario

PROBE = os.path.join(TOP, "build", "static", "tlsprobe")
ADDRESS = "10.99.0.1"


def program(name):
    if not os.access(PROBE, os.X_OK):
        pytest.skip("units: build/static/tlsprobe is not built")
    path = peers.path(name)
    if path is None:
        pytest.skip("network: " + name + " cannot be had here")
    return path


def start(w, path, options, text, **how):
    """Start a server with its certificate, and wait until it has keys."""
    leaf = web.trust().leaf("IP:" + ADDRESS)
    conf = w.file("server.conf", text % {
        "dir": w.dir, "address": ADDRESS, "cert": leaf.path,
        "key": web.trust().pki.keys.get(leaf.key)})
    d = w.start(*options, conf, program=path, **how)

    def listens():
        with socket.socket() as s:
            return s.connect_ex((ADDRESS, 4460)) == 0
    until(listens)
    return d


def exchange(server):
    done = subprocess.run([PROBE, "-n", "-s", "-c", web.trust().cafile, ADDRESS,
                           ADDRESS, "4460", "123"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    keys, *reply = done.stdout.splitlines()
    # Those of chronyd 4.6 are the short ones.
    assert re.match(r"KEYS cookies=8 size=(96|10\d) server= port=123 ", keys), \
        (keys, server.lines)
    assert re.match(r"REPLY stratum=\d+ cookies=8 \| accepted$", reply[0]), reply


def test_keys_of_chronyd_open_its_replies(w):
    exchange(start(w, program("chronyd"), ("-x", "-d", "-u", "root", "-f"), """
local stratum 3
allow all
bindaddress %(address)s
cmdport 0
bindcmdaddress /
pidfile %(dir)s/pid
ntsservercert %(cert)s
ntsserverkey %(key)s
"""))


def test_keys_of_ntpsec_open_its_replies(w):
    """It needs stamps of the kernel, which it has not got under the guard.  It has
    no server, and no right to set the clock.  A local route is not enough for
    it."""
    subprocess.run(["ip", "address", "add", ADDRESS, "dev", "lo"], check=True)
    exchange(start(w, program("ntpsec"), ("-n", "-c"), """
restrict default
nts enable
nts cert %(cert)s
nts key %(key)s
nts cookie %(dir)s/cookies
""", guarded=False))

"""Other programs than openssl as servers: GnuTLS, which is in chronyd too, and NSS.
Their test servers send no true date; what the probe says of their answer shows
that it could read it."""
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import pki as P
from test_tls_cases import PROBE, probe
from world import free_port

pytestmark = pytest.mark.skipif(
    not os.access(PROBE, os.X_OK),
    reason="units: build/static/tlsprobe is not built")

EC, EC384, RSA = "p256-leaf", "p384-leaf", "rsa2048-leaf"
# What a server may be: the certificate's key, and its own options.
GNUTLS = {
    "1.3": (EC, "NORMAL:-VERS-ALL:+VERS-TLS1.3"),
    "1.3 RSA": (RSA, "NORMAL:-VERS-ALL:+VERS-TLS1.3"),
    "1.3 another group": (EC, "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                          "-GROUP-ALL:+GROUP-SECP384R1"),
    "1.3 ChaCha20": (EC, "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                     "-CIPHER-ALL:+CHACHA20-POLY1305"),
    "1.3 AES-256": (EC384, "SECURE256:-VERS-ALL:+VERS-TLS1.3"),
    "1.2": (EC, "NORMAL:-VERS-ALL:+VERS-TLS1.2"),
    "1.2 RSA": (RSA, "NORMAL:-VERS-ALL:+VERS-TLS1.2"),
    "1.2 AES-256": (EC384, "SECURE256:-VERS-ALL:+VERS-TLS1.2"),
}
NSS = {
    "1.3": (EC, ["-V", "tls1.3:tls1.3"]),
    "1.3 RSA": (RSA, ["-V", "tls1.3:tls1.3", "-u"]),
    "1.3 another group": (EC, ["-V", "tls1.3:tls1.3", "-I", "P521"]),
    "1.3 asks for a certificate": (EC, ["-V", "tls1.3:tls1.3", "-r"]),
    "1.2": (EC, ["-V", "tls1.2:tls1.2", "-G"]),
    "1.2 RSA": (RSA, ["-V", "tls1.2:tls1.2"]),
}


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    d = tmp_path_factory.mktemp("stacks")
    pki = P.Pki(d, P.Keys(str(d)))
    root = pki.make("/CN=Root", "p256-root")
    pki.cafile = pki.bundle(root)
    # Files of each certificate and of its key.  NSS tells them apart by their
    # subjects.
    pki.of = {key: (pki.leaf(root, key=key, subject="/CN=" + key).path,
                    pki.keys.get(key)) for key in (EC, EC384, RSA)}
    return pki


def need(*programs):
    for name in programs:
        if shutil.which(name) is None:
            pytest.skip("tls: " + name + " is not installed")


@contextmanager
def serving(*command):
    """A server that is told its port, once it listens."""
    port = free_port()
    child = subprocess.Popen([*command, "-p", str(port)],
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert child.poll() is None, command
            time.sleep(0.02)
        yield SimpleNamespace(address="127.0.0.1", port=port)
    finally:
        child.kill()
        child.wait()


def gnutls(w, how):
    need("gnutls-serv")
    key, priority = GNUTLS[how]
    cert, key = w.of[key]
    return serving("gnutls-serv", "-q", "--x509certfile", cert,
                   "--x509keyfile", key, "--priority", priority, "--http")


@pytest.mark.parametrize("how", GNUTLS)
def test_https_of_gnutls(w, how):
    """It does not know the method HEAD, and asks for a client's certificate."""
    with gnutls(w, how) as server:
        got = probe(server, w.cafile)
        assert got.reason == "answer is not HTTP/1", got


@pytest.fixture(scope="module")
def database(w):
    """The certificates and keys as NSS keeps them."""
    need("selfserv", "certutil", "pk12util")
    name, both = "sql:" + w.dir, w.dir + "/p12"
    P.run("certutil", "-N", "-d", name, "--empty-password")
    for key, (cert, path) in w.of.items():
        P.run("openssl", "pkcs12", "-export", "-in", cert, "-inkey", path,
              "-name", key, "-passout", "pass:", "-out", both)
        P.run("pk12util", "-i", both, "-d", name, "-W", "")
    return name


@pytest.mark.parametrize("how", NSS)
def test_https_of_nss(w, database, how):
    """It says that it is 1997."""
    key, options = NSS[how]
    with serving("selfserv", "-d", database, "-n" if key == RSA else "-e", key,
                 *options) as server:
        got = probe(server, w.cafile)
        assert (got.said, got.date) == ("EARLY", 872633405), got

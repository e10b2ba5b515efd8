"""HTTPS servers of a scenario, with a certificate authority that all share, and
configurations that name them beside three NTP servers."""

import socket
import tempfile
import threading
import time

import pki as P
from pki import YEAR

ADDRESS = "10.99.0.80"          # of the HTTPS server, if there is one
PORT = 8443
NAME = "www.example.test"


class Trust:
    """A root for all scenarios, and certificates signed by it.  They are valid
    for long, since the clocks of the tests are wrong by years."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="trust-")
        self.pki = P.Pki(self.dir.name + "/pki", P.Keys(self.dir.name + "/k"))
        self.root = self.pki.make("/CN=Root", "p256-root", start=-9 * YEAR,
                                  end=9 * YEAR)
        self.cafile = self.pki.bundle(self.root)
        self.lock = threading.Lock()
        self.leaves = {}
        self.leaf()

    def leaf(self, names="DNS:" + NAME, **how):
        key = names + str(how)
        with self.lock:
            if key not in self.leaves:
                self.leaves[key] = self.pki.leaf(self.root, names,
                                                 key="p256-leaf", **how)
            return self.leaves[key]


_trust, _trust_lock = [], threading.Lock()


def trust():
    with _trust_lock:
        if not _trust:
            _trust.append(Trust())
        return _trust[0]


def https(w, address=ADDRESS, names=None, date=0, leaf=None, pki=None,
          port=PORT, **how):
    """An HTTPS server whose Date is so many seconds ahead."""
    leaf = leaf or trust().leaf(names or "DNS:%s,IP:%s" % (NAME, address))
    server = P.Server(P.https(pki or trust().pki, [leaf], date=date, **how),
                      address, port=port)
    w.sockets.append(server)
    return server


def hangs(w, address=ADDRESS):
    """A server that accepts, notes it in "seen", and says nothing."""
    def hang(server, sock):
        server.seen.append(sock)
        time.sleep(25)

    server = P.Server(hang, address, port=PORT)
    w.sockets.append(server)
    return server


def drops(w, address):
    """A server to which packets seem to be lost, since its queue of
    connections is full."""
    server = P.Server(None, address, backlog=0, accept=False, port=PORT)
    w.sockets.append(server)
    for _ in range(4):
        s = socket.socket(socket.AF_INET6 if ":" in address
                          else socket.AF_INET)
        s.setblocking(False)
        s.connect_ex((address, PORT))
        w.sockets.append(s)
    return server


def url(host=ADDRESS, path="/"):
    return '"https://%s:%d%s"' % ("[%s]" % host if ":" in host else host,
                                  PORT, path)


def conf(*constraints, servers=3, more=""):
    text = 'cafile "%s"\n' % trust().cafile + more
    for i in range(servers):
        text += "server 10.99.0.%d\n" % (i + 1)
    for c in constraints or (url(),):
        text += (c if " from " in c else "constraint from " + c) + "\n"
    return text


def ntp(w, offset=0.0, servers=3):
    for i in range(servers):
        w.ntp("10.99.0.%d" % (i + 1), offset)

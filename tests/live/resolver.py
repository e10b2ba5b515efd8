"""A name server that answers by rule, and the files of a resolver."""

import os
import socket
import struct
import threading
import time

A, AAAA = 1, 28
FORMERR, SERVFAIL, NX, NOTIMP, REFUSED = 1, 2, 3, 4, 5


class Resolver:
    """A name server that answers by rule(name, type, tcp): None is silence, a
    number is an rcode, a list of addresses an answer, ("cut", list) a
    truncated one, and "bare" is FORMERR without the question."""

    def __init__(self, w, rule, address="127.0.0.1", delay=0):
        self.w, self.rule, self.delay, self.asked = w, rule, delay, []
        self.before = lambda reply: []  # goes out before the reply
        self.cut = None                 # closes TCP after so many bytes
        self.unchecked = []             # of each query: CD is set
        self.refuses = None             # queries where it is this
        self.udp = w.bind(address, 53)
        w.watch(self.udp, self.readable)
        self.tcp = socket.socket(socket.AF_INET6 if ":" in address else
                                 socket.AF_INET)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 53))
        self.tcp.listen(16)
        w.sockets.append(self.tcp)
        threading.Thread(target=self.accept, daemon=True).start()

    def reply(self, query, tcp):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        self.asked.append((time.monotonic(), name, kind, tcp))
        self.unchecked.append(bool(query[3] & 0x10))    # CD
        said = self.rule(name, kind, tcp)
        if self.refuses == self.unchecked[-1]:
            said = SERVFAIL
        if said is None:
            return None
        if said == "bare":
            return query[:2] + struct.pack("!HHHHH", 0x8181, 0, 0, 0, 0)
        flags, records = 0x8180, []
        if said == "malformed":
            return query[:2] + struct.pack("!HHHHH", flags, 1, 9, 0, 0) + \
                query[12:at + 5] + b"\xc0\xff\x01"
        if isinstance(said, int):
            flags |= said
        else:
            if isinstance(said, tuple):
                flags, said = flags | 0x200, said[1]
            for a in said:
                if (":" in a) == (kind == AAAA):
                    records.append(socket.inet_pton(
                        socket.AF_INET6 if ":" in a else socket.AF_INET, a))
        out = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0,
                                      0) + query[12:at + 5]
        for r in records:
            out += struct.pack("!HHHIH", 0xc00c, kind, 1, 60, len(r)) + r
        return out

    def readable(self):
        query, source = self.udp.recvfrom(4096)
        out = self.reply(query, False)
        if out is None:
            return
        for junk in self.before(out):
            self.udp.sendto(junk, source)
        self.w.later(self.delay, lambda: self.udp.sendto(out, source))

    def accept(self):
        while True:
            try:
                c = self.tcp.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.converse, args=(c,),
                             daemon=True).start()

    def converse(self, c):
        with c:
            c.settimeout(10)
            try:
                size = struct.unpack("!H", c.recv(2, socket.MSG_WAITALL))[0]
                out = self.reply(c.recv(size, socket.MSG_WAITALL), True)
                if out is not None:
                    out = struct.pack("!H", len(out)) + out
                    if self.cut:
                        out = out[:self.cut]
                    for i in range(0, len(out), 7):     # a slow link does so
                        c.sendall(out[i:i + 7])
                        time.sleep(0.002)
                if not self.cut:
                    c.recv(1)
            except (OSError, struct.error):
                pass


def resolv_conf(w, text):
    with open(os.path.join(w.dir, "resolv.conf"), "w") as f:
        f.write(text)


def hosts(w, text):
    w.run("mount", "--bind", w.file("hosts", text), "/etc/hosts")


POD = "search ntp.svc.cluster.local svc.cluster.local cluster.local " \
    "corp.example\nnameserver 127.0.0.1\noptions ndots:5\n"

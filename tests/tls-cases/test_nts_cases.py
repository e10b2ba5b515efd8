"""What a server of keys for NTS may be (RFC 8915 §4), and what tls_exchange makes
of it: the rooms of the daemon in a static binary and under sanitizers (tlsprobe
-n) against servers on loopback.  Every case states what the probe must say.
That both sides make the same keys is shown with real servers."""
import os
import re
import socket
import ssl
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import pki as P
from pki import DAY, Server, https, keys_server, reset
from test_tls_cases import BUILD, HOST, PROBE, World

PROBES = {"static": PROBE, "sanitized": str(BUILD / "asan/tlsprobe")}
pytestmark = pytest.mark.skipif(
    not all(os.access(p, os.X_OK) for p in PROBES.values()),
    reason="units: build/*/tlsprobe are not built")

END, PROTOCOL, ERROR, WARNING, AEAD, COOKIE, SERVER, PORT = range(8)
MUST = 0x8000


def record(type_, body=b"", size=None):
    return struct.pack(">HH", type_, len(body) if size is None else size) + body


def numbers(*values):
    return struct.pack(">%dH" % len(values), *values)


START = record(MUST | PROTOCOL, numbers(0)) + record(AEAD, numbers(15))
COOKIES = b"".join(record(COOKIE, bytes([i]) * 100) for i in range(8))
STOP = record(MUST | END)
GOOD = START + COOKIES + STOP
REQUEST = record(MUST | PROTOCOL, numbers(0)) + \
    record(MUST | AEAD, numbers(15)) + STOP


class Answer:
    def __init__(self, text):
        self.text = text
        m = re.match(r"(\w+) cookies=(\d+) size=(\d+) server=(\S*) "
                     r"port=(\d+) from=(-?\d+) until=(-?\d+) ms=(\S+) \| (.*)",
                     text)
        assert m, text
        self.said, self.reason = m[1], m[9]
        self.cookies, self.size, self.port = int(m[2]), int(m[3]), int(m[5])
        self.server = m[4]
        self.window = int(m[6]), int(m[7])
        self.ms = float(m[8])

    def __repr__(self):
        return self.text


def probe(server, cafile, *options, host=HOST, program=PROBE):
    done = subprocess.run([program, "-n", *options, "-c", str(cafile), host,
                           server.address, str(server.port)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return Answer(done.stdout.rstrip("\n"))


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    keys = P.Keys(str(tmp_path_factory.mktemp("keys")))
    return World(tmp_path_factory.mktemp("nts"), keys, 0)


# -------------------------------------------------------------------- cases
# A name, what is served (bytes of an answer, or a function of the world), what
# the probe must say (a pattern of the reason, or what it must have), and the
# probe's options.

def gives(**what):
    return what


EIGHT = gives(cookies=8, size=100, server="", port=123)


def cookies(*sizes):
    return START + b"".join(record(COOKIE, b"c" * n) for n in sizes) + STOP


def server_record(text):
    return START + record(SERVER, text) + COOKIES + STOP


def port_record(body):
    return START + record(PORT, body) + COOKIES + STOP


ANSWERS = {
    "good": (GOOD, EIGHT),
    "good_in_bytes": ([GOOD[i:i + 1] for i in range(len(GOOD))], EIGHT),
    "good_in_two": ([GOOD[:5], GOOD[5:]], EIGHT),
    "one_cookie": (cookies(100), gives(cookies=1)),
    "nine_cookies": (cookies(*[64] * 9), gives(cookies=8)),
    "fifteen_cookies": (cookies(*[104] * 15), gives(cookies=8, size=104)),
    "longest_cookie": (cookies(256), gives(cookies=1, size=256)),
    "odd_cookie": (cookies(101), gives(cookies=1, size=101)),
    "no_cookie": (cookies(), "gave no cookie that fits"),
    "empty_cookie": (cookies(0), "gave no cookie that fits"),
    "huge_cookie": (cookies(3000), "gave no cookie that fits"),
    "huge_cookie_among_good": (cookies(3000, 100), gives(cookies=1)),
    "critical_cookie": (START + record(MUST | COOKIE, b"c" * 100) + STOP,
                        gives(cookies=1)),
    "protocol_missing": (record(AEAD, numbers(15)) + COOKIES + STOP, "NTPv4"),
    "protocol_empty": (record(MUST | PROTOCOL) + STOP, "NTPv4"),
    "protocol_other": (record(MUST | PROTOCOL, numbers(1)) + STOP, "NTPv4"),
    "protocol_two": (record(MUST | PROTOCOL, numbers(0, 0)) + STOP, "NTPv4"),
    "protocol_twice": (START + GOOD, "NTPv4"),
    "protocol_odd": (record(MUST | PROTOCOL, b"\0") + STOP, "NTPv4"),
    "aead_missing": (record(MUST | PROTOCOL, numbers(0)) + COOKIES + STOP,
                     "AES-SIV-CMAC-256"),
    "aead_empty": (record(MUST | PROTOCOL, numbers(0)) + record(AEAD) + STOP,
                   "AES-SIV-CMAC-256"),
    "aead_other": (record(MUST | PROTOCOL, numbers(0)) +
                   record(AEAD, numbers(30)) + COOKIES + STOP,
                   "AES-SIV-CMAC-256"),
    "aead_critical": (record(MUST | PROTOCOL, numbers(0)) +
                      record(MUST | AEAD, numbers(15)) + COOKIES + STOP,
                      EIGHT),
    "aead_twice": (START + record(AEAD, numbers(15)) + STOP,
                   "AES-SIV-CMAC-256"),
    "error_0": (record(MUST | ERROR, numbers(0)) + STOP, "error .number 0"),
    "error_1": (record(MUST | ERROR, numbers(1)) + STOP, "1: bad request"),
    "error_2": (record(MUST | ERROR, numbers(2)) + STOP, "2: it has a problem"),
    "error_unknown": (record(MUST | ERROR, numbers(999)) + STOP, "number 999.$"),
    "error_odd": (record(MUST | ERROR, b"x") + STOP, "an error$"),
    "error_behind_cookies": (START + COOKIES + record(MUST | ERROR, numbers(2)),
                             "error"),
    "warning": (START + record(MUST | WARNING, numbers(7)) + COOKIES + STOP,
                "warning that is not known .number 7"),
    "critical_unknown": (START + record(MUST | 4242, b"xyz") + COOKIES + STOP,
                         "demands what is not known .number 4242"),
    "unknown": (START + record(4242, b"xyz") + record(0x4000) + COOKIES + STOP,
                EIGHT),
    "many_unknown": (START + record(99) * 500 + COOKIES + STOP, EIGHT),
    "server_name": (server_record(b"ntp.example.com"),
                    gives(server="ntp.example.com", port=123)),
    "server_address": (server_record(b"192.0.2.1"), gives(server="192.0.2.1")),
    "server_address_6": (server_record(b"2001:db8::1"),
                         gives(server="2001:db8::1")),
    "server_of_253": (server_record(b"a" * 253), gives(server="a" * 253)),
    "server_of_254": (server_record(b"a" * 254), "malformed"),
    "server_empty": (server_record(b""), "malformed"),
    "server_with_zero": (server_record(b"a\0b"), "malformed"),
    "server_with_newline": (server_record(b"a\nb"), "malformed"),
    "server_with_escape": (server_record(b"\x1b[31m"), "malformed"),
    "server_not_ascii": (server_record(b"b\xc3\xbccher.example"), "malformed"),
    "server_twice": (START + record(SERVER, b"a") + record(SERVER, b"b") +
                     COOKIES + STOP, "malformed"),
    "port": (port_record(numbers(12300)), gives(port=12300)),
    "port_and_server": (START + record(MUST | PORT, numbers(65535)) +
                        record(MUST | SERVER, b"x.test") + COOKIES + STOP,
                        gives(port=65535, server="x.test")),
    "port_0": (port_record(numbers(0)), "malformed"),
    "port_of_one_byte": (port_record(b"\1"), "malformed"),
    "port_of_two_numbers": (port_record(numbers(123, 124)), "malformed"),
    "bytes_behind_the_end": (GOOD + b"x", "malformed"),
    "record_behind_the_end": (GOOD + record(COOKIE, b"c" * 100), "malformed"),
    "end_with_body": (START + COOKIES + record(MUST | END, b"x"), "malformed"),
    "end_not_critical": (START + COOKIES + record(END), "malformed"),
    "end_alone": (STOP, "NTPv4"),
    "no_end": (START + COOKIES, "answer: connection closed by the server"),
    "length_beyond": (START + record(COOKIE, b"c", 60000),
                      "answer: connection closed by the server"),
    "nothing": ([], "answer: connection closed by the server"),
    "longest": (START + record(99, b"x" * (4096 - 4 - len(GOOD))) + COOKIES +
                STOP, EIGHT),
    "too_long": (START + record(99, b"x" * (4097 - 4 - len(GOOD))) + COOKIES +
                 STOP, "longer than 4096 bytes"),
    "records_of_16_kb": (START + record(99, b"x" * 16000) + COOKIES + STOP,
                         "longer than 4096 bytes"),
    "flood": ([record(99, b"x" * 1000)] * 50, "longer than 4096 bytes"),
    "noise": (bytes(range(256)), "malformed|demands|closed"),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "closed by the server"),
}

WORLDS = {}


def world(expect, *options):
    def register(function):
        WORLDS[function.__name__] = (function, expect, options)
        return function
    return register


def raw(*parts, pause=0.0, end=None):
    def serve(server, sock):
        for part in parts:
            sock.sendall(part)
            time.sleep(pause)
        (end or (lambda s: None))(sock)
    return serve


@world("no keys for NTS .is it an HTTPS server")
def no_protocol_confirmed(w):
    return keys_server(w, [w.good, w.mid], GOOD, protocols=())


@world("no keys for NTS .is it an HTTPS server")
def other_protocol_only(w):
    """OpenSSL answers without a protocol here."""
    return keys_server(w, [w.good, w.mid], GOOD, protocols=("http/1.1", "h2"))


@world("no keys for NTS .is it an HTTPS server")
def alert_120(w):
    """As RFC 7301 wants it."""
    return raw(b"\x15\3\3\0\2\2\x78", end=lambda sock: sock.recv(4096))


@world(EIGHT)
def one_protocol_of_two(w):
    return keys_server(w, [w.good, w.mid], GOOD, protocols=("h2", "ntske/1"))


@world("no keys for NTS .is it an HTTPS server")
def https_server(w):
    return https(w, [w.good, w.mid])


@world("refuses TLS 1.3 .alert 70.: it is too old")
def tls_1_2_only(w):
    return keys_server(w, [w.good, w.mid], GOOD, version=ssl.TLSVersion.TLSv1_2)


@world("does not speak TLS 1.3")
def hello_of_1_2(w):
    """A server that does not look at what is offered."""
    hello = b"\3\3" + bytes(range(32)) + b"\0\xc0\x2b\0"
    message = b"\2" + struct.pack(">I", len(hello))[1:] + hello
    return raw(b"\x16\3\3" + struct.pack(">H", len(message)) + message)


@world("no TLS on port")
def ntp_over_tcp(w):
    return raw(b"\x24\1\3\xe8" + bytes(44))


@world("no TLS on port .*plain HTTP")
def plain_http(w):
    return raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@world("no TLS on port")
def ssh(w):
    return raw(b"SSH-2.0-OpenSSH_9.2p1\r\n")


@world("handshake: (connection closed by the server|Connection reset)")
def closes_at_once(w):
    return raw()


@world("(connect|handshake): (connection closed by the server|Connection reset)")
def resets_at_once(w):
    return raw(end=reset)


@world("answer: (connection closed by the server|Connection reset)")
def resets_instead_of_an_answer(w):
    return keys_server(w, [w.good, w.mid], lambda c: reset(c.sock))


@world("answer: connection closed by the server")
def closes_in_the_answer(w):
    def half(c):
        c.write(GOOD[:400])
        c.sock.close()
    return keys_server(w, [w.good, w.mid], half)


@world("record is not protected")
def plain_alert_instead_of_an_answer(w):
    return keys_server(w, [w.good, w.mid],
                       lambda c: c.sock.sendall(b"\x15\3\3\0\2\2\x50"))


@world(EIGHT)
def answers_before_it_is_asked(w):
    """Allowed, and of no use to anybody."""
    return keys_server(w, [w.good, w.mid], GOOD, request=False)


@world("name `www.example.com' not present")
def wrong_name(w):
    return keys_server(w, w.chain(names="DNS:ntp.example.com"), GOOD)


@world("address `9.9.9.9' not present .* .configure its name instead", "9.9.9.9")
def address_without_its_certificate(w):
    """The certificates of most public servers have names only."""
    return keys_server(w, [w.good, w.mid], GOOD)


@world("unknown CA")
def unknown_ca(w):
    return keys_server(w, [w.make("/CN=" + HOST, "rsa2048-leaf")], GOOD)


@world("wrong signature")
def changed_certificate(w):
    return keys_server(w, [w.flip(w.good), w.mid], GOOD)


def expired(w):
    return keys_server(w, w.chain(start=-60 * DAY, end=-DAY), GOOD)


def future(w):
    return keys_server(w, w.chain(start=DAY, end=60 * DAY), GOOD)


# The clock is not asked before it is right.
world("certificate has expired: not after .* now ", "-s")(expired)
world("certificate is not valid yet: not before .* now ", "-s")(future)
WORLDS["expired_but_who_knows"] = (expired, EIGHT, ())
WORLDS["future_but_who_knows"] = (future, EIGHT, ())


def refused(w):
    server = Server(None, accept=False)
    server.close()
    return server


def dropped(w):
    """A listener whose queue is full: further SYNs are dropped."""
    server = Server(None, backlog=0, accept=False)
    server.full = [socket.socket() for _ in range(4)]
    for s in server.full:
        s.setblocking(False)
        s.connect_ex((server.address, server.port))
    return server


def silent(w):
    return Server(lambda server, sock: sock.recv(65536) and time.sleep(20))


def drips(w):
    def slowly(c):
        for i in range(len(GOOD)):
            c.write(GOOD[i:i + 1])
            time.sleep(0.5)
    return Server(keys_server(w, [w.good, w.mid], slowly))


def silent_after_the_handshake(w):
    return Server(keys_server(w, [w.good, w.mid], lambda c: time.sleep(20)))


SLOW = {
    refused: "connect: Connection refused .nothing listens on TCP port [0-9]+",
    dropped: "connect: no answer in 10 s .is TCP port [0-9]+ blocked",
    silent: "handshake not finished in 10 s",
    drips: "answer not finished in 10 s",
    silent_after_the_handshake: "answer not finished in 10 s",
}


@pytest.fixture(scope="module")
def slow(w):
    """They only wait, all at once and beside the other tests."""
    def one(function):
        server = function(w)
        try:
            got = probe(server, w.cafile)
        finally:
            server.close()
        if not re.search(SLOW[function], got.reason):
            return f"{function.__name__}: {got}"
        return None

    with ThreadPoolExecutor(len(SLOW)) as pool:
        yield pool.map(one, SLOW)


@pytest.fixture(scope="module")
def cases(w):
    return [(name, keys_server(w, [w.good, w.mid], answer), expect, ())
            for name, (answer, expect) in ANSWERS.items()] + \
        [(name, function(w), expect, options)
         for name, (function, expect, options) in WORLDS.items()]


@pytest.mark.parametrize("program", PROBES)
def test_exchange(w, cases, slow, program):
    """All cases side by side, since each is a process of some milliseconds.
    Sanitizers make it ten times as long, so they see some of the cases."""
    if program == "sanitized":
        cases = cases[::4]

    def one(case):
        name, serve, expect, options = case
        server = Server(serve)
        try:
            host = HOST if not options or options[0] == "-s" else options[0]
            got = probe(server, w.cafile, *(o for o in options if o != host),
                        host=host, program=PROBES[program])
        finally:
            server.close()
        if isinstance(expect, str):
            good = got.said == "FAILED" and re.search(expect, got.reason) \
                and (got.cookies, got.server, got.port) == (0, "", 0)
        else:
            good = got.said == "KEYS" and got.reason == "" and all(
                getattr(got, key) == value for key, value in expect.items())
        return None if good else f"{name}: {got}"

    with ThreadPoolExecutor(8) as pool:
        wrong = [x for x in pool.map(one, cases) if x]
    assert not wrong, "\n".join(wrong)


def test_request_and_window(w):
    leaf = w.leaf(w.mid, start=-5 * DAY, end=7 * DAY)
    server = Server(keys_server(w, [leaf, w.mid], GOOD))
    try:
        got = probe(server, w.cafile)
        assert got.said == "KEYS", got
        assert got.window == (w.date - 5 * DAY, w.date + 7 * DAY)
        assert server.seen == ["ntske/1", REQUEST]
    finally:
        server.close()


def test_window_is_that_of_the_whole_path(w):
    mid = w.make("/CN=Dated CA", "rsa2048-mid", w.root, start=-3 * DAY,
                 end=2 * DAY)
    server = Server(keys_server(w, [w.leaf(mid), mid], GOOD))
    try:
        assert probe(server, w.cafile).window == (w.date - 3 * DAY,
                                                  w.date + 2 * DAY)
    finally:
        server.close()


def test_cut_anywhere_it_is_no_answer(w):
    """The server closes after some bytes of the answer, properly or not."""
    short = START + record(COOKIE, b"c" * 16) + STOP

    def one(at):
        server = Server(keys_server(w, [w.good, w.mid], short[:at] or []))
        try:
            return at, probe(server, w.cafile)
        finally:
            server.close()

    with ThreadPoolExecutor(8) as pool:
        for at, got in pool.map(one, range(len(short) + 1)):
            if at == len(short):
                assert got.said == "KEYS", got
            else:
                assert "connection closed by the server" in got.reason, (at,
                                                                         got)


def test_patience_ends(slow):
    wrong = [x for x in slow if x]
    assert not wrong, "\n".join(wrong)

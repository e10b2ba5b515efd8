"""What an HTTPS server may be, and what the program makes of it: tls.c,
trust.c and http.c in a static binary (tlsprobe, of the daemon's own objects)
against servers on loopback.  Every case states what the probe must say.  All
run four times: with the PKI and the Dates of today and of 20 years ago in TLS 1.2,
with those of 20 years ahead in TLS 1.3, and under sanitizers in TLS 1.3."""
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pki as P
from pki import CA, DAY, YEAR, Server, answer, https, imf, reset
from world import free_port, install

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
PROBE = str(BUILD / "static/tlsprobe")
HOST = "www.example.com"
OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
# The past needs a binary that was built then.
SHIFTS = {"today": (0, PROBE, OLD),
          "past": (-20 * YEAR, str(BUILD / "past/tlsprobe"), OLD),
          "future": (20 * YEAR, PROBE, NEW),
          "sanitized": (0, str(BUILD / "asan/tlsprobe"), NEW)}

pytestmark = pytest.mark.skipif(
    not all(os.access(p, os.X_OK) for _, p, _ in SHIFTS.values()),
    reason="units: build/*/tlsprobe are not built")


class Answer:
    def __init__(self, line):
        match = re.match(r"(\w+) date=(-?\d+) offset=(\S+) error=(\S+) "
                         r"ms=(\S+) \| (.*)$", line)
        assert match, line
        self.said, self.reason = match[1], match[6]
        self.date = int(match[2])
        self.error, self.ms = float(match[4]), float(match[5])

    def __repr__(self):
        return f"{self.said} {self.date} {self.reason}"


def probe(server, cafile, host=HOST, path="/", options=(), timeout=30,
          program=PROBE):
    command = [program, *options]
    if cafile:
        command += ["-c", str(cafile)]
    done = subprocess.run(command + [host, server.address, str(server.port),
                                     path],
                          capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return Answer(done.stdout.rstrip("\n"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return P.Keys(str(tmp_path_factory.mktemp("keys")))


class World(P.Pki):
    """The PKI that most cases share."""

    def __init__(self, directory, keys, shift, program=PROBE, version=None):
        super().__init__(directory, keys, shift)
        self.program, self.version = program, version
        self.root = self.make("/CN=Test Root", "rsa2048-root",
                              start=-10 * YEAR, end=10 * YEAR)
        self.mid = self.make("/CN=Test CA", "rsa2048-mid", self.root,
                             start=-YEAR, end=YEAR)
        self.good = self.leaf(self.mid)
        self.cafile = self.bundle(self.root)

    def chain(self, **how):
        return [self.leaf(self.mid, **how), self.mid]


@pytest.fixture(scope="session", params=list(SHIFTS))
def world(request, tmp_path_factory, keys):
    return World(tmp_path_factory.mktemp(request.param), keys,
                 *SHIFTS[request.param])


@pytest.fixture(scope="session")
def today(tmp_path_factory, keys):
    return World(tmp_path_factory.mktemp("now"), keys, 0)


# -------------------------------------------------------------------- cases
# A case is a function of the world that returns how to serve, or a tuple of
# that and a dict of what differs: cafile, host, and of the server: address.

CASES = {}


def case(expect, *words):
    def register(function):
        CASES[function.__name__] = (function, expect, words)
        return function
    return register


good, refused = case("DATE"), case("HANDSHAKE")


# Good certificates.

@good
def rsa2048(w):
    return https(w, [w.good, w.mid])


@good
def rsa4096(w):
    root = w.make("/CN=Big Root", "rsa4096")
    return https(w, [w.leaf(root, key="rsa4096-leaf")]), \
        {"cafile": w.bundle(root)}


@good
def p256(w):
    root = w.make("/CN=Root", "p256")
    mid = w.make("/CN=Mid", "p256-mid", root)
    return https(w, [w.leaf(mid, key="p256-leaf"), mid]), \
        {"cafile": w.bundle(root)}


@good
def p384(w):
    root = w.make("/CN=Root", "p384")
    mid = w.make("/CN=Mid", "p384-mid", root, md="sha384")
    return https(w, [w.leaf(mid, key="p384-leaf", md="sha384"), mid]), \
        {"cafile": w.bundle(root)}


@good
def p521(w):
    root = w.make("/CN=Root", "p521", md="sha512")
    return https(w, [w.leaf(root, key="p521-leaf", md="sha512")]), \
        {"cafile": w.bundle(root)}


EXTRAS = """
authorityInfoAccess=OCSP;URI:http://ocsp.example.com,caIssuers;URI:http://a.example.com/c
crlDistributionPoints=URI:http://crl.example.com/c.crl
certificatePolicies=2.23.140.1.2.1
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
1.3.6.1.4.1.11129.2.4.2=DER:0482000400020000
"""


@good
def mixed_like_lets_encrypt(w):
    root = w.make("/C=US/O=Test/CN=Root X1", "rsa4096")
    mid = w.make("/C=US/O=Test/CN=E1", "p384-mid", root, ext=CA.replace(
        "CA:TRUE", "CA:TRUE,pathlen:0") +
        "\nextendedKeyUsage=clientAuth,serverAuth" + EXTRAS)
    return https(w, [w.leaf(mid, key="p256-leaf", ext=EXTRAS, md="sha384",
                            usage="serverAuth,clientAuth"), mid]), \
        {"cafile": w.bundle(root)}


@good
def empty_subject_and_critical_names(w):
    return https(w, w.chain(names="critical,DNS:" + HOST, subject="/"))


def crossed(w, end):
    old = w.make("/CN=Old Root", "rsa2048-old", start=-9 * YEAR, end=end)
    cross = w.make("/CN=Test Root", "rsa2048-root", old, start=-8 * YEAR,
                   end=end)
    return https(w, [w.good, w.mid, cross])


@good
def cross_certificate_behind_the_anchor(w):
    return crossed(w, YEAR)


@good
def expired_cross_certificate_behind_the_anchor(w):
    return crossed(w, -YEAR)


@good
def root_included(w):
    return https(w, [w.good, w.mid, w.root])


@good
def leaf_directly_under_root(w):
    return https(w, [w.leaf(w.root)])


@good
def seven_cas_and_16_kilobytes(w):
    chain, issuer = [], w.root
    for i in range(7):
        issuer = w.make(f"/CN=CA {i}", "rsa2048-mid" + str(i % 2), issuer,
                        ext=CA + "\n1.2.3.4=DER:0482%04x" % 2400 + "00" * 2400)
        chain.insert(0, issuer)
    return https(w, [w.leaf(issuer)] + chain)


@good
def leaf_of_12_kilobytes(w):
    return https(w, w.chain(names="DNS:" + HOST, ext="1.2.3.4=DER:0482%04x" %
                            12000 + "00" * 12000))


@good
def path_length_met(w):
    first = w.make("/CN=A", "rsa2048-mid0", w.root,
                   ext=CA.replace("TRUE", "TRUE,pathlen:1"))
    second = w.make("/CN=B", "rsa2048-mid1", first,
                    ext=CA.replace("TRUE", "TRUE,pathlen:0"))
    return https(w, [w.leaf(second), second, first])


@good
def valid_until_2060(w):
    return https(w, w.chain(until="20600101000000Z"))


@good
def valid_for_ever(w):
    return https(w, w.chain(until="99991231235959Z"))     # RFC 5280 4.1.2.5


@good
def anchor_is_the_server_certificate_a_ca(w):
    own = w.make("/CN=" + HOST, "rsa2048-leaf", ext="basicConstraints="
                 "critical,CA:TRUE\nsubjectAltName=DNS:" + HOST)
    return https(w, [own]), {"cafile": w.bundle(own)}


@good
def anchor_is_the_server_certificate_no_ca(w):
    own = w.make("/CN=" + HOST, "rsa2048-leaf", ext="basicConstraints="
                 "critical,CA:FALSE\nsubjectAltName=DNS:" + HOST)
    return https(w, [own]), {"cafile": w.bundle(own)}


@good
def anchor_itself_has_expired(w):
    root = w.make("/CN=Root", "rsa2048-root", start=-3 * YEAR, end=-YEAR)
    return https(w, [w.leaf(root)]), {"cafile": w.bundle(root)}


# Time.

@case("LATE", "not after", "now")
def expired_leaf(w):
    return https(w, w.chain(start=-60 * DAY, end=-1))


@case("EARLY", "not before", "now")
def leaf_not_yet_valid(w):
    return https(w, w.chain(start=1))


@good
def leaf_at_its_first_second(w):
    return https(w, w.chain(start=0))


@good
def leaf_at_its_last_second(w):
    return https(w, w.chain(end=0))


def dated_ca(w, start, end):
    mid = w.make("/CN=Dated CA", "rsa2048-mid", w.root, start=start, end=end)
    return https(w, [w.leaf(mid), mid])


@case("LATE")
def expired_intermediate(w):
    return dated_ca(w, -YEAR, -DAY)


@case("EARLY")
def intermediate_not_yet_valid(w):
    return dated_ca(w, DAY, YEAR)


def long_lived(w, reply):
    root = w.make("/CN=Root", "rsa2048-root", start=-5 * YEAR, end=5 * YEAR)
    return https(w, [w.leaf(root, start=-4 * YEAR, end=4 * YEAR)], reply), \
        {"cafile": w.bundle(root)}


@case("EARLY")
def date_before_the_window(w):
    return long_lived(w, answer(w.date - 4 * YEAR - 1))


@case("LATE")
def date_after_the_window(w):
    return long_lived(w, answer(w.date + 4 * YEAR + 1))


@case("EARLY")
def date_of_1970(w):
    return long_lived(w, answer(1))


@case("LATE")
def date_of_2100(w):
    return long_lived(w, answer(4102444800))


@refused
def certificate_ends_before_it_begins(w):
    return https(w, w.chain(start=DAY, end=-DAY))


# Names.

def named(w, names, host=HOST, **how):
    return https(w, w.chain(names=names, **how)), {"host": host}


@case("HANDSHAKE", "name `www.example.com' not present in server certificate")
def wrong_name(w):
    return named(w, "DNS:www.example.org")


@refused
def name_only_in_cn_but_there_are_others(w):
    return named(w, "DNS:www.example.org", subject="/CN=" + HOST)


@good
def name_only_in_cn(w):
    return named(w, None, subject="/CN=" + HOST)


@good
def name_in_another_case(w):
    return named(w, "DNS:WWW.Example.COM", "wWw.eXample.com")


@good
def second_name(w):
    return named(w, "DNS:a.example.org,DNS:" + HOST)


@good
def name_with_last_dot(w):
    return named(w, "DNS:" + HOST, HOST + ".")


@good
def wildcard(w):
    return named(w, "DNS:*.example.com")


@refused
def wildcard_for_two_labels(w):
    return named(w, "DNS:*.example.com", "a.www.example.com")


@refused
def wildcard_for_none(w):
    return named(w, "DNS:*.example.com", "example.com")


@refused
def wildcard_for_part_of_a_label(w):
    return named(w, "DNS:w*.example.com")


@refused
def wildcard_for_everything(w):
    return named(w, "DNS:*", "localhost")


@good
def punycode(w):
    return named(w, "DNS:xn--bcher-kva.example", "xn--bcher-kva.example")


def raw_names(*entries):
    """A subjectAltName of (tag, bytes)."""
    inner = b"".join(bytes([tag, len(data)]) + data for tag, data in entries)
    return "2.5.29.17=DER:" + (bytes([0x30, len(inner)]) + inner).hex()


@refused
def zero_byte_in_name(w):
    return named(w, None, ext=raw_names((0x82, HOST.encode() + b"\0.x.org")))


@good
def server_name_is_sent(w):
    other = w.chain(names="DNS:other.example.com")
    return https(w, other, sni={HOST: [w.good, w.mid]})


@case("CONNECT", "xn--")
def name_is_not_ascii(w):
    return named(w, "DNS:" + HOST, "b\u00fccher.example")


@case("CONNECT")
def name_is_empty(w):
    return named(w, "DNS:" + HOST, "")


@good
def ipv4(w):
    return named(w, "IP:9.9.9.9", "9.9.9.9")


@good
def ipv6(w):
    https_, more = named(w, "IP:2620:fe::fe", "2620:fe::fe")
    return https_, {**more, "address": "::1"}


@good
def second_address(w):
    return named(w, "DNS:dns.example,IP:9.9.9.10,IP:9.9.9.9", "9.9.9.9")


@good
def ipv4_critical_and_empty_subject(w):
    return named(w, "critical,IP:9.9.9.9", "9.9.9.9", subject="/")


@case("HANDSHAKE", "address `9.9.9.9' not present in server certificate")
def other_address(w):
    return named(w, "IP:9.9.9.10", "9.9.9.9")


@refused
def address_as_name(w):
    return named(w, None, "9.9.9.9", ext=raw_names((0x82, b"9.9.9.9")))


@refused
def address_as_wildcard(w):
    return named(w, None, "9.9.9.9", ext=raw_names((0x82, b"*.9.9.9")))


@refused
def address_only_in_cn(w):
    return named(w, None, "9.9.9.9", subject="/CN=9.9.9.9")


@refused
def address_of_three_bytes(w):
    return named(w, None, "9.9.9.9", ext=raw_names((0x87, b"\x09\x09\x09")))


@refused
def address_with_mask(w):
    return named(w, None, "9.9.9.9",
                 ext=raw_names((0x87, b"\x09\x09\x09\x09\xff\xff\xff\xff")))


@refused
def address_mapped_to_ipv6(w):
    return named(w, None, "9.9.9.9", ext=raw_names(
        (0x87, bytes(10) + b"\xff\xff\x09\x09\x09\x09")))


@refused
def address_in_the_ca_only(w):
    mid = w.make("/CN=CA", "rsa2048-mid", w.root,
                 ext=CA + "\nsubjectAltName=IP:9.9.9.9")
    return https(w, [w.leaf(mid), mid]), {"host": "9.9.9.9"}


@good
def no_server_name_for_an_address(w):
    """RFC 6066 §3 forbids it; the server would answer it with the other
    chain."""
    return https(w, w.chain(names="IP:9.9.9.9"),
                 sni={"9.9.9.9": [w.good, w.mid]}), {"host": "9.9.9.9"}


# How long it may be: nothing is computed for a longer chain.

LONG_CHAIN = "more than 10 certificates, or 64 KB of them"


@good
def ten_certificates(w):
    """Those behind the anchor are counted but not read."""
    return https(w, [w.good, w.mid] + [w.root] * 8)


@case("HANDSHAKE", LONG_CHAIN)
def eleven_certificates(w):
    return https(w, [w.good, w.mid] + [w.root] * 9)


@case("HANDSHAKE", LONG_CHAIN)
def a_hundred_certificates(w):
    """Each is properly signed by the next, so without a limit each would cost
    a check."""
    a = w.make("/CN=A", "p521-a")
    b = w.make("/CN=A", "p521-a", a)
    return https(w, [w.leaf(a)] + [b] * 99)


@case("HANDSHAKE", "RSA exponent of more than 64 bits")
def costly_exponent(w):
    """An exponent of 4096 bits would make each certificate cost 0.2 s."""
    mid = w.make("/CN=Costly", "rsahuge", w.root)
    return https(w, [w.leaf(mid), mid])


@case("HANDSHAKE", "RSA exponent of more than 64 bits")
def costly_exponent_of_the_leaf(w):
    """The server's own signature is checked with it."""
    return https(w, w.chain(key="rsahuge-leaf"))


@case("READ", "gave up", "408")
def gave_up_waiting(w):
    """The answer may be older than the question, if somebody held the end of
    the handshake back."""
    return https(w, [w.good, w.mid], answer(w.date, "408 Request Timeout"))


def padding(size):
    return "1.2.3.4=DER:0482%04x" % size + "00" * size


@good
def large_chain(w):
    """The chain is near the limit of 64 KB."""
    mid = w.make("/CN=Test CA", "rsa2048-mid", w.root,
                 ext=P.CA + "\n" + padding(30000))
    return https(w, [w.leaf(mid, ext=padding(30000)), mid])


@case("HANDSHAKE", LONG_CHAIN)
def larger_chain(w):
    mid = w.make("/CN=Test CA", "rsa2048-mid", w.root,
                 ext=P.CA + "\n" + padding(33000))
    return https(w, [w.leaf(mid, ext=padding(33000)), mid])


# Trust.

@case("HANDSHAKE", "unknown CA", "cafile")
def self_signed(w):
    return https(w, [w.make("/CN=" + HOST, "rsa2048-leaf", ext="basicConstraints"
                            "=critical,CA:FALSE\nsubjectAltName=DNS:" + HOST)])


@case("HANDSHAKE", "unknown CA")
def unknown_ca(w):
    root = w.make("/CN=Unknown", "rsa2048-old")
    return https(w, [w.leaf(root), root])


@refused
def ca_with_a_trusted_name_and_another_key(w):
    root = w.make("/CN=Test Root", "rsa2048-old")
    return https(w, [w.leaf(root)])


@case("HANDSHAKE", "unknown CA", "intermediate")
def missing_intermediate(w):
    return https(w, [w.good])


@case("HANDSHAKE", "issuer")
def certificates_out_of_order(w):
    return https(w, [w.good, w.root, w.mid])


def odd_ca(w, ext):
    mid = w.make("/CN=Odd CA", "rsa2048-mid", w.root, ext=ext)
    return https(w, [w.leaf(mid), mid])


@refused
def intermediate_is_no_ca(w):
    return odd_ca(w, CA.replace("TRUE", "FALSE"))


@refused
def intermediate_without_basic_constraints(w):
    return odd_ca(w, "keyUsage=critical,keyCertSign,cRLSign")


@refused
def intermediate_that_may_not_sign(w):
    return odd_ca(w, CA.replace("keyCertSign,", ""))


@refused
def path_length_exceeded(w):
    first = w.make("/CN=A", "rsa2048-mid0", w.root,
                   ext=CA.replace("TRUE", "TRUE,pathlen:0"))
    second = w.make("/CN=B", "rsa2048-mid1", first)
    return https(w, [w.leaf(second), second, first])


@refused
def leaf_signs_another_leaf(w):
    middle = w.leaf(w.mid, key="rsa2048-mid0", names="DNS:evil.example")
    return https(w, [w.leaf(middle), middle, w.mid])


@case("HANDSHAKE", "not for TLS servers")
def leaf_for_clients_only(w):
    return https(w, w.chain(usage="clientAuth"))


@case("HANDSHAKE", "not for TLS servers")
def ca_for_clients_only(w):
    return odd_ca(w, CA + "\nextendedKeyUsage=clientAuth")


@good
def no_extended_usage(w):
    return https(w, w.chain(usage=None))


@good
def any_extended_usage(w):
    return https(w, w.chain(usage="anyExtendedKeyUsage"))


@good
def ca_for_servers(w):
    return odd_ca(w, CA + "\nextendedKeyUsage=serverAuth")


@case("HANDSHAKE", "critical extension")
def critical_extended_usage(w):
    return https(w, w.chain(usage="critical,serverAuth"))


@refused
def key_may_not_sign(w):
    return https(w, w.chain(key_usage="critical,keyEncipherment"))


@case("HANDSHAKE", "critical extension")
def unknown_critical_extension(w):
    return https(w, w.chain(ext="1.2.3.4=critical,DER:0500"))


@good
def unknown_extension(w):
    return https(w, w.chain(ext="1.2.3.4=DER:0500"))


@case("HANDSHAKE", "name constraints")
def name_excluded(w):
    return odd_ca(w, CA + "\nnameConstraints=excluded;DNS:example.com")


@case("HANDSHAKE", "name constraints")
def name_permitted(w):
    return odd_ca(w, CA + "\nnameConstraints=permitted;DNS:example.com")


@refused
def name_permitted_critically(w):
    return odd_ca(w, CA + "\nnameConstraints=critical,permitted;DNS:example.com")


@case("HANDSHAKE", "2048")
def rsa_of_1024_bits(w):
    return https(w, w.chain(key="rsa1024-leaf"))


@refused
def ca_of_1024_bits(w):
    mid = w.make("/CN=Weak", "rsa1024-mid", w.root)
    return https(w, [w.leaf(mid), mid])


@refused
def signed_with_sha1(w):
    return https(w, w.chain(md="sha1"))


@refused
def signed_with_md5(w):
    return https(w, w.chain(md="md5"))


@refused
def ca_signed_with_sha1(w):
    mid = w.make("/CN=Old CA", "rsa2048-mid", w.root, md="sha1")
    return https(w, [w.leaf(mid), mid])


@case("HANDSHAKE", "alert 40")
def ed25519_key(w):
    return https(w, w.chain(key="ed25519"))


@refused
def signed_with_ed25519(w):
    root = w.make("/CN=Root", "ed25519-root")
    return https(w, [w.leaf(root), root])


@case("HANDSHAKE", "unsupported algorithm")
def signed_with_pss(w):
    return https(w, w.chain(options=["-sigopt", "rsa_padding_mode:pss"]))


@refused
def flipped_bit_in_leaf(w):
    return https(w, [w.flip(w.good), w.mid])


@refused
def flipped_bit_in_intermediate(w):
    return https(w, [w.good, w.flip(w.mid)])


@case("HANDSHAKE", "server's signature is wrong")
def server_without_the_key(w):
    """It cannot sign the key exchange.  OpenSSL would not load such a pair, so
    the signature is changed on the way.  (That of TLS 1.3 is encrypted: see
    tests/tls/shake.c.)"""
    return https(w, [w.good, w.mid], send=flip_in_key_exchange, maximum=OLD,
                 minimum=OLD)


def flip_in_key_exchange(sock, data):
    """ServerKeyExchange (type 12) is in the server's first flight."""
    out, at = bytearray(data), 0
    while at + 5 <= len(out) and out[at] == 22:
        size = struct.unpack(">H", out[at + 3:at + 5])[0]
        if out[at + 5] == 12:
            out[at + 5 + size - 9] ^= 1
        at += 5 + size
    sock.sendall(bytes(out))


# TLS.

def suite(name, key):
    def serve(w):
        leaf = w.leaf(w.mid, key=key)
        return https(w, [leaf, w.mid], ciphers=name, minimum=OLD, maximum=OLD)
    return serve


for _name, _key in [
        ("ECDHE-RSA-CHACHA20-POLY1305", "rsa2048-leaf"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "rsa2048-leaf"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "rsa2048-leaf"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "p256-leaf"),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "p256-leaf"),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "p256-leaf")]:
    CASES["suite_" + _name] = (suite(_name, _key), "DATE", ())
for _name in ["ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256",
              "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA"]:
    CASES["suite_" + _name] = (suite(_name, "rsa2048-leaf"), "HANDSHAKE", ())


def curve(name):
    return lambda w: https(w, [w.good, w.mid], curve=name)


for _name in ["prime256v1", "secp384r1", "secp521r1"]:
    CASES["curve_" + _name] = (curve(_name), "DATE", ())


def version(v):
    return lambda w: https(w, [w.good, w.mid], minimum=v, maximum=v)


CASES["only_tls_1.1"] = (version(ssl.TLSVersion.TLSv1_1), "HANDSHAKE",
                         ("too old|does not speak",))
CASES["only_tls_1.0"] = (version(ssl.TLSVersion.TLSv1), "HANDSHAKE",
                         ("too old|does not speak",))


@good
def tls_1_2_and_1_3(w):
    return https(w, [w.good, w.mid], minimum=OLD, maximum=NEW)


@good
def client_certificate_optional(w):
    return https(w, [w.good, w.mid], ask_client=ssl.CERT_OPTIONAL)


@case("HANDSHAKE", "alert (40|116) .*certificate of ours")
def client_certificate_required(w):
    return https(w, [w.good, w.mid], ask_client=ssl.CERT_REQUIRED)


@good
def one_byte_segments(w):
    def send(sock, data):
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
    return https(w, [w.good, w.mid], send=send)


@case("HANDSHAKE", "closed|reset")
def closes_at_once(w):
    return lambda server, sock: None


@case("HANDSHAKE", "reset")
def resets_at_once(w):
    def serve(server, sock):
        sock.recv(1)
        reset(sock)
    return serve


def says(data):
    def serve(server, sock):
        sock.sendall(data)
        sock.recv(65536)
    return lambda w: serve


CASES["plain_http"] = (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "HANDSHAKE",
                       ("plain HTTP",))
CASES["plain_html"] = (says(b"<html>Bad Request</html>"), "HANDSHAKE",
                       ("plain HTTP",))
CASES["plain_http_as_an_answer"] = (
    lambda w: lambda server, sock: (sock.recv(9999), sock.sendall(
        answer(w.date))), "HANDSHAKE", ("plain HTTP",))
CASES["garbage"] = (says(bytes(range(7, 250))), "HANDSHAKE", ("no TLS",))
CASES["ssh"] = (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "HANDSHAKE", ("no TLS",))
CASES["alert_only"] = (says(bytes([21, 3, 3, 0, 2, 2, 80])), "HANDSHAKE",
                       ("alert 80",))
CASES["alert_for_version"] = (says(bytes([21, 3, 1, 0, 2, 2, 70])),
                              "HANDSHAKE", ("TLS 1.3",))


def certificates(list_):
    """TLS 1.2 with this list of certificates, and no key that belongs to them."""
    def message(kind, body):
        return bytes([kind]) + struct.pack(">I", len(body))[1:] + body

    flight = message(2, b"\3\3" + bytes(32) + b"\0\xc0\x2f\0") + message(
        11, struct.pack(">I", len(list_))[1:] + list_)
    return says(b"\x16\3\3" + struct.pack(">H", len(flight)) + flight)


CASES["no_certificate"] = (certificates(b""), "HANDSHAKE",
                           ("sent no certificate",))
CASES["empty_certificate"] = (certificates(bytes(3)), "HANDSHAKE",
                              ("malformed",))


@refused
def endless_garbage(w):
    def serve(server, sock):
        while True:
            sock.sendall(os.urandom(4096))
    return serve


def cut(n, end=None):
    """Only n bytes of the server's flights arrive."""
    def case_(w):
        sent = [0]

        def send(sock, data):
            left = n - sent[0]
            sock.sendall(data[:left])
            sent[0] += len(data[:left])
            if sent[0] >= n:
                raise ConnectionError("cut")
        return https(w, [w.good, w.mid], send=send)
    return case_


for _n in [3, 60, 400, 1500]:
    CASES[f"cut_after_{_n}"] = (cut(_n), "HANDSHAKE", ("closed",))


# HTTP.

def http(expect, *words, close_notify=True):
    """The function gives the reply's bytes, by date."""
    def register(function):
        def serve(w):
            return https(w, [w.good, w.mid], function(w.date),
                         close_notify=close_notify)
        CASES["http_" + function.__name__] = (serve, expect, words)
        return function
    return register


def simple(name, expect, reply, *words):
    http(expect, *words)(type("", (), {
        "__name__": name, "__call__": lambda self, date: reply(date)})())


for _status in ["301 Moved", "403 Forbidden", "405 No", "500 Oh", "204 -"]:
    simple("status_" + _status[:3], "DATE",
           lambda d, s=_status: answer(d, s))

for _name, _expect, _reply in [
        ("1.0", "DATE", lambda d: answer(d).replace(b"1.1", b"1.0")),
        ("chunked", "DATE", lambda d: answer(
            d, more="Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n"),
        ("header_in_capitals", "DATE",
         lambda d: answer(d).replace(b"Date:", b"DATE:")),
        ("header_in_small", "DATE",
         lambda d: answer(d).replace(b"Date:", b"date:")),
        ("white_space", "DATE",
         lambda d: answer(d).replace(b"Date:", b"Date: \t ")
         .replace(b"GMT", b"GMT \t")),
        ("no_space", "DATE", lambda d: answer(d).replace(b"Date: ", b"Date:")),
        ("lf_only", "DATE", lambda d: answer(d).replace(b"\r", b"")),
        ("other_dates_before", "DATE", lambda d:
         f"HTTP/1.1 200 OK\r\nX-Date: {imf(d - 9999)}\r\nLast-Modified: "
         f"{imf(d - 9999)}\r\nDate: {imf(d)}\r\n\r\n".encode()),
        ("none", "FORMAT", lambda d: b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"),
        ("in_body", "FORMAT", lambda d:
         f"HTTP/1.1 200 OK\r\n\r\nDate: {imf(d)}\r\n".encode()),
        ("in_status_line", "FORMAT", lambda d:
         f"HTTP/1.1 200 Date: {imf(d)}\r\n\r\n".encode()),
        ("before_status_line", "READ", lambda d:
         f"Date: {imf(d)}\r\nHTTP/1.1 200 OK\r\n\r\n".encode()),
        ("headers_of_7_kb", "DATE", lambda d: b"HTTP/1.1 200 OK\r\n" +
         b"X: y\r\n" * 1190 + answer(d)[17:]),
        ("headers_of_9_kb", "LENGTH", lambda d: b"HTTP/1.1 200 OK\r\n" +
         b"X: y\r\n" * 1500 + answer(d)[17:]),
        ("line_of_20_kb", "LENGTH", lambda d: b"HTTP/1.1 200 OK\r\nX: " +
         b"y" * 20000 + b"\r\n" + answer(d)[17:]),
        ("huge_body", "DATE", lambda d: answer(d) + b"x" * 3000000),
        ("truncated", "READ", lambda d: b"HTTP/1.1 200 OK\r\nDate: Sun, 06 N"),
        ("no_newline", "READ", lambda d: answer(d)[:-4]),
        ("empty", "READ", lambda d: b"\n"),
        ("continue_first", "DATE", lambda d:
         b"HTTP/1.1 100 Continue\r\n\r\n" + answer(d)),
        ("two_dates", "DATE", lambda d:
         answer(d, more=f"Date: {imf(d + 9999)}\r\n")),
        ("yesterdays_from_a_cache", "STORED", lambda d:
         answer(d - DAY, more=f"Age: {DAY}\r\n")),
        ("stale_says_a_cache", "STORED", lambda d: answer(
            d, more="Warning: 110 proxy \"Response is Stale\"\r\n")),
        ("hit_of_unknown_age", "STORED", lambda d:
         answer(d, more="X-Cache: HIT from proxy\r\n")),
        ("some_seconds_old", "DATE", lambda d:
         answer(d, more="Age: 2\r\nX-Cache: HIT from proxy\r\n")),
        ("cut_off_behind_the_date", "READ", lambda d: answer(d)[:-2]),
        ("zero_byte", "READ", lambda d:
         b"HTTP/1.1 200 OK\r\nX: \0\r\n" + answer(d)[17:]),
        ("zero_byte_in_date", "READ", lambda d:
         answer(d).replace(b"Date:", b"Date:\0")),
        ("http_2", "READ", lambda d:
         b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18),
        ("space_before_colon", "FORMAT", lambda d:
         answer(d).replace(b"Date:", b"Date :")),
        ("folded", "FORMAT", lambda d:
         answer(d).replace(b"Date: ", b"Date:\r\n ")),
        ("rfc_850", "FORMAT", lambda d: answer(d).replace(
            imf(d).encode(), time.strftime(
                "%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(d)).encode())),
        ("asctime", "FORMAT", lambda d: answer(d).replace(
            imf(d).encode(), time.asctime(time.gmtime(d)).encode()))]:
    simple(_name, _expect, _reply)

for _i, (_from, _to) in enumerate([
        (r" GMT", " UTC"), (r" GMT", ""), (r" GMT", " GMT+1"),
        (r", ", ","), (r" \d\d \w\w\w ", " 31 Feb "),
        (r" \d\d \w\w\w ", " 00 Jan "), (r"\d\d:\d\d:\d\d", "24:00:00"),
        (r"\d\d:\d\d:\d\d", "12:60:00"), (r"\d\d:\d\d:\d\d", "12:00:61"),
        (r" \d\d \w\w\w ", " 1 Mai "), (r"^\w\w\w", "Xxx"),
        (r" \d\d\d\d ", " 99999 "), (r"$", ";")]):
    simple(f"malformed_{_i}", "FORMAT",
           lambda d, a=_from, b=_to: answer(d).replace(
               imf(d).encode(), re.sub(a, b, imf(d)).encode()), "IMF-fixdate")


@case("DATE")
def http_records_of_one_byte(w):
    def reply(c):
        c.request()
        for byte in answer(w.date):
            c.write(bytes([byte]))
    return https(w, [w.good, w.mid], reply)


@case("DATE")
def http_no_close_notify(w):
    return https(w, [w.good, w.mid], close_notify=False)


@case("READ", "closed")
def http_no_response(w):
    return https(w, [w.good, w.mid], lambda c: c.request())


@case("LENGTH")
def http_endless_line(w):
    def reply(c):
        c.request()
        c.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            c.write(b"y" * 1000)
    return https(w, [w.good, w.mid], reply)


@case("READ")
def http_alert_instead(w):
    def reply(c):
        c.request()
        c.send_raw(c.sock, bytes([21, 3, 3, 0, 2, 2, 80]))
    return https(w, [w.good, w.mid], reply)


@case("DATE")
def http_answer_of_its_own_accord(w):
    """The answer is sent before the request was read."""
    return https(w, [w.good, w.mid], lambda c: c.write(answer(w.date)))


@pytest.mark.parametrize("name", list(CASES))
def test_case(world, name):
    function, expect, words = CASES[name]
    served = function(world)
    serve, more = served if isinstance(served, tuple) else (served, {})
    more = {"cafile": world.cafile, "host": HOST, "address": "127.0.0.1",
            **more}
    server = Server(serve, more.pop("address"))
    try:
        got = probe(server, program=world.program, **more)
    finally:
        server.close()
    assert got.said == expect, got
    for word in words:
        assert re.search(word, got.reason), got
    if expect == "DATE":
        assert got.date == world.date
        assert got.reason == "" and 0.5 < got.error < 10.5
    else:
        assert got.reason != ""


# ------------------------------------------------------------ what takes time

def stalls(w):
    def serve(server, sock):
        time.sleep(20)
    return serve


def stalls_after_400(w):
    def send(sock, data):
        sock.sendall(data[:400])
        time.sleep(20)
    return https(w, [w.good, w.mid], send=send)


def drips(w):
    def send(sock, data):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(0.05)
    return https(w, [w.good, w.mid], send=send)


def stalls_in_headers(w):
    def reply(c):
        c.request()
        c.write(b"HTTP/1.1 200 OK\r\nDate: ")
        time.sleep(20)
    return https(w, [w.good, w.mid], reply)


def drips_headers(w):
    def reply(c):
        c.request()
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100:
            c.write(bytes([byte]))
            time.sleep(0.1)
    return https(w, [w.good, w.mid], reply)


def thinks_for_three_seconds(w):
    def reply(c):
        c.request()
        time.sleep(3)
        c.write(answer(w.date))
    return https(w, [w.good, w.mid], reply)


def dates_soon_and_ends_late(w):
    def reply(c):
        c.request()
        text = answer(w.date, more="X: y\r\n")
        c.write(text[:-8])
        time.sleep(3)
        c.write(text[-8:])
    return https(w, [w.good, w.mid], reply)


def is_slow_but_in_time(w):
    def send(sock, data):
        time.sleep(1)
        sock.sendall(data)
    return https(w, [w.good, w.mid], send=send)


SLOW = {
    stalls: ("HANDSHAKE", "handshake not finished in 10 s"),
    stalls_after_400: ("HANDSHAKE", "handshake not finished"),
    drips: ("HANDSHAKE", "handshake not finished"),
    stalls_in_headers: ("READ", "headers not finished in 10 s"),
    drips_headers: ("READ", "headers not finished"),
    thinks_for_three_seconds: ("DATE", ""),
    dates_soon_and_ends_late: ("DATE", ""),
    is_slow_but_in_time: ("DATE", ""),
    None: ("CONNECT", "no answer in 10 s.*blocked"),
}


@pytest.fixture(scope="session")
def slow(today):
    """All slow servers at once, since they only wait."""
    outcome, servers, full = {}, [], []

    def ask(function):
        if function is None:
            # a listener whose queue is full: further SYNs are dropped
            server = Server(None, backlog=0, accept=False)
            for _ in range(4):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((server.address, server.port))
                full.append(s)
        else:
            server = Server(function(today))
        servers.append(server)
        outcome[function] = probe(server, today.cafile)

    with ThreadPoolExecutor(len(SLOW)) as pool:
        list(pool.map(ask, SLOW))
    for s in servers + full:
        s.close()
    return outcome


@pytest.mark.parametrize("function", SLOW, ids=lambda f: getattr(
    f, "__name__", "connect_is_dropped"))
def test_slow(slow, function):
    expect, words = SLOW[function]
    got = slow[function]
    assert got.said == expect and re.search(words, got.reason), got
    if function is thinks_for_three_seconds:
        # Half of the round trip, and half a second since a Date is cut.
        assert 2.0 <= got.error <= 2.5 + 1.0
    if function is dates_soon_and_ends_late:
        # The Date's own round trip counts, not the three seconds behind it.
        assert got.error <= 0.5 + 1.0
    if expect != "DATE":
        assert got.ms >= 9999       # not earlier; later is the machine's load


# --------------------------------------------------------------- other clocks

def test_synced_checks_the_local_clock_too(today):
    """The Date lies inside the window of a certificate that has expired by
    now."""
    leaf = today.leaf(today.root, start=-2 * YEAR, end=-YEAR)
    server = Server(https(today, [leaf], answer(today.date - YEAR - DAY)))
    try:
        old = ["-e", "0"]
        assert probe(server, today.cafile, options=old).said == "DATE"
        got = probe(server, today.cafile, options=["-s", *old])
        assert got.said == "LATE", got
    finally:
        server.close()


def test_date_before_the_build(today):
    root = today.make("/CN=Root", "rsa2048-root", start=-9 * YEAR,
                      end=9 * YEAR)
    leaf = today.leaf(root, start=-8 * YEAR, end=8 * YEAR)
    server = Server(https(today, [leaf]))
    try:
        cafile = today.bundle(root)
        ask = lambda t: probe(server, cafile, options=["-e", str(t)])
        assert ask(today.date).said == "DATE"
        got = ask(today.date + 1)
        assert got.said == "BUILD", got
    finally:
        server.close()


def test_request(today):
    server = Server(https(today, [today.good, today.mid]))
    try:
        assert probe(server, today.cafile, path="/a/b?c=d").said == "DATE"
        host = f"{HOST}:{server.port}"
        assert server.seen[0].decode() == (
            f"HEAD /a/b?c=d HTTP/1.1\r\nHost: {host}\r\n"
            "Connection: close\r\nCache-Control: no-cache, no-store\r\n"
            "Pragma: no-cache\r\n\r\n")
    finally:
        server.close()


def test_connection_refused(today):
    server = Server(None, accept=False)
    server.close()
    got = probe(server, today.cafile)
    assert got.said == "CONNECT" and "refused" in got.reason


@pytest.mark.parametrize("path", ["nothing", "/a b", "/a\r\nX: y", "/\u00e9"])
def test_path_that_cannot_be_sent(today, path):
    server = Server(https(today, [today.good, today.mid]))
    try:
        got = probe(server, today.cafile, path=path)
        assert got.said == "HANDSHAKE" and "path" in got.reason
        assert server.seen == []
    finally:
        server.close()


@pytest.mark.parametrize("version,option,value,expect", [
    ("-tls1_2", "-sigalgs", "RSA-PSS+SHA256", "DATE"),
    ("-tls1_2", "-sigalgs", "RSA+SHA512", "DATE"),
    ("-tls1_2", "-sigalgs", "RSA+SHA1", "HANDSHAKE"),
    ("-tls1_2", "-groups", "X25519", "DATE"),
    ("-tls1_2", "-groups", "X448", "HANDSHAKE"),
    ("-tls1_3", "-sigalgs", "RSA-PSS+SHA384", "DATE"),
    ("-tls1_3", "-sigalgs", "RSA-PSS+SHA512", "DATE"),
    ("-tls1_3", "-sigalgs", "RSA+SHA256", "HANDSHAKE"),
    ("-tls1_3", "-groups", "X25519", "DATE"),
    ("-tls1_3", "-groups", "P-521", "DATE"),
    ("-tls1_3", "-groups", "X448", "HANDSHAKE"),
    ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "DATE"),
    ("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384", "DATE"),
    ("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256", "HANDSHAKE"),
    ("-tls1_3", "-record_padding", "1000", "DATE"),
    ("-tls1_3", "-num_tickets", "40", "DATE"),
    ("-tls1_3", "-split_send_frag", "512", "DATE")])
def test_algorithms(today, version, option, value, expect):
    """Python cannot choose the algorithms, but openssl s_server can.  It sends
    its answer without having read the request, which is allowed."""
    port = free_port()
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-naccept",
         "1", "-cert", today.good.path, "-key", today.keys.get(today.good.key),
         "-cert_chain", today.mid.path, version, option, value,
         "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        server.stdin.write(answer(today.date))
        server.stdin.flush()
        here = type("", (), {"address": "127.0.0.1", "port": port})
        for _ in range(100):
            got = probe(here, today.cafile)
            if "refused" not in got.reason:
                break
            time.sleep(0.05)
        assert got.said == expect, got
    finally:
        server.kill()
        server.wait()


def test_needs_no_dev(today):
    """The root holds nothing but the binary: no /dev/urandom and no /etc."""
    server = Server(https(today, [today.good, today.mid]))
    empty = Path(today.dir) / "empty"
    empty.mkdir()
    for source, name in [(PROBE, "probe"), (today.cafile, "ca")]:
        install(source, empty / name)
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    try:
        done = subprocess.run(
            ["chroot", str(empty), "/probe", "-c", "/ca", HOST,
             server.address, str(server.port), "/"],
            capture_output=True, text=True, timeout=30)
        assert done.stdout.startswith("DATE "), done
    finally:
        server.close()


# ------------------------------------------------------------- flipped bytes

FLIPS = int(os.environ.get("TLS_FLIPS", "150"))


def test_flipped_bytes(today):
    """One to four of the server's bytes change on the way.  The probe never
    crashes, and never gives a date that was not sent.  Changes behind the Date
    do no harm."""
    import random
    seed = int(os.environ.get("SEED", time.time_ns() % 2**32))
    print("SEED", seed)
    chance = random.Random(seed)
    accepted = 0

    def once(_):
        total = [0]
        at = {chance.randrange(3200): 1 << chance.randrange(8)
              for _ in range(chance.randint(1, 4))}

        def send(sock, data):
            out = bytearray(data)
            for i in range(len(out)):
                out[i] ^= at.get(total[0] + i, 0)
            total[0] += len(out)
            sock.sendall(bytes(out))

        server = Server(https(today, [today.good, today.mid], send=send))
        try:
            # The server waits for ever when the length of a record grew.  The
            # client must not be the one that gives up first, so it is cut.
            timer = threading.Timer(1.0, server.close)
            got = probe(server, today.cafile, timeout=15)
            timer.cancel()
        finally:
            server.close()
        untouched = all(i >= total[0] for i in at)
        if got.said == "DATE":
            assert got.date == today.date
            return not untouched
        return False

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(once, range(FLIPS)))
    # Then only the close_notify may have changed, the last 31 bytes.
    assert accepted <= FLIPS / 10, accepted


# --------------------------------------------------------------- roots files

def test_date_of_long_ago_and_the_real_build_date(today, keys, tmp_path):
    """This is why the PKI of the past needs a binary of the past."""
    old = World(tmp_path, keys, -20 * YEAR)
    server = Server(https(old, [old.good, old.mid]))
    try:
        assert probe(server, old.cafile).said == "BUILD"
    finally:
        server.close()


def roots(path):
    done = subprocess.run([PROBE, "-c", str(path)], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.strip()


def without_last_newline(w):
    return w.root.pem.rstrip("\n")


def with_key_first(w):
    with open(w.keys.get(w.root.key)) as f:
        return f.read() + w.root.pem


def with_text(w):
    return P.run("openssl", "x509", "-text", "-in", w.root.path)


def one_bad_among_good(w):
    return w.root.pem + ssl.DER_cert_to_PEM_cert(b"0\x03\x02\x01\x00") + \
        w.mid.pem


def truncated(w):
    return w.root.pem[:len(w.root.pem) // 2]


ROOTS_FILES = {
    "plain": (lambda w: w.root.pem, "ROOTS 1 skipped=0"),
    "crlf": (lambda w: w.root.pem.replace("\n", "\r\n"), "ROOTS 1 skipped=0"),
    "bom": (lambda w: "\ufeff" + w.root.pem, "ROOTS 1 skipped=0"),
    "bom_and_crlf": (lambda w: "\ufeff" + w.root.pem.replace("\n", "\r\n"),
                     "ROOTS 1 skipped=0"),
    "no_last_newline": (without_last_newline, "ROOTS 1 skipped=0"),
    "key_first": (with_key_first, "ROOTS 1 skipped=0"),
    "text": (with_text, "ROOTS 1 skipped=0"),
    "twice": (lambda w: w.root.pem * 2, "ROOTS 1 skipped=0"),
    "two": (lambda w: w.root.pem + w.mid.pem, "ROOTS 2 skipped=0"),
    "one_bad_among_good": (one_bad_among_good, "ROOTS 2 skipped=1"),
    "unsupported_key": (lambda w: w.root.pem + w.make(
        "/CN=Ed", "ed25519-root").pem, "ROOTS 1 skipped=1"),
    "only_unsupported": (lambda w: w.make("/CN=Ed", "ed25519-root").pem,
                         "ROOTS | no usable certificate"),
    "truncated": (truncated, "ROOTS | "),
    "two_the_second_truncated": (lambda w: w.root.pem + truncated(w),
                                 "ROOTS | "),
    "bad_base64": (lambda w: w.root.pem.replace("M", "*", 1), "ROOTS | "),
    "empty": (lambda w: "", "ROOTS | no certificate"),
    "der": (lambda w: w.root.der(), "ROOTS | no certificate"),
    "random": (lambda w: bytes((i * 7919 >> 3) & 255 for i in range(5000)),
               "ROOTS | "),
}


@pytest.mark.parametrize("name", ROOTS_FILES)
def test_roots_file(today, name):
    make, expect = ROOTS_FILES[name]
    path = today.write("roots-" + name, make(today))
    assert roots(path).startswith(expect), roots(path)
    if expect.startswith("ROOTS 1") or expect.startswith("ROOTS 2"):
        server = Server(https(today, [today.good, today.mid]))
        try:
            assert probe(server, path).said == "DATE"
        finally:
            server.close()


def test_roots_file_that_is_none(today, tmp_path):
    assert "No such file" in roots(tmp_path / "missing")
    assert "not a regular file" in roots(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in roots(tmp_path / "fifo")


def test_two_anchors_of_one_name(today):
    """The names are equal and the keys differ, so both must be kept."""
    other = today.make("/CN=Test Root", "rsa2048-old")
    path = today.bundle(other, today.root)
    assert roots(path).startswith("ROOTS 2 ")
    for leaf in (today.leaf(other), today.leaf(today.root)):
        server = Server(https(today, [leaf]))
        try:
            assert probe(server, path).said == "DATE"
        finally:
            server.close()


def test_private_ca_replaces_the_built_in(today):
    built_in = subprocess.run([PROBE], capture_output=True, text=True).stdout
    assert int(built_in.split()[1]) > 50
    server = Server(https(today, [today.good, today.mid]))
    try:
        assert probe(server, None).said == "HANDSHAKE"
        assert probe(server, today.cafile).said == "DATE"
    finally:
        server.close()


# ----------------------------------------------------------------- generator

MKROOTS = str(ROOT / "build/gen/mkroots")


def mkroots(*arguments):
    return subprocess.run([MKROOTS, *map(str, arguments)],
                          capture_output=True, text=True)


def test_generator_knows_no_order(today, tmp_path):
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip("no CA bundle")
    end = "-----END CERTIFICATE-----\n"
    parts = [p + end for p in bundle.read_text().split(end) if p.strip()]
    first = mkroots(bundle, "x")
    assert first.returncode == 0 and len(parts) > 50
    import random
    random.Random(1).shuffle(parts)
    (tmp_path / "b").write_text("".join(parts) + parts[0])
    again = mkroots(tmp_path / "b", "x")
    assert again.stdout == first.stdout


def test_generator_fails(today, tmp_path):
    (tmp_path / "empty").write_text("")
    for path in ("empty", "missing"):
        done = mkroots(tmp_path / path)
        assert done.returncode != 0 and path in done.stderr
    done = mkroots(today.bundle(today.good))
    assert done.returncode != 0 and "not a CA" in done.stderr
    assert mkroots(today.bundle(today.root)).returncode == 0


def test_generator_leaves_out_what_is_bad(today, tmp_path):
    (tmp_path / "bad").write_text(one_bad_among_good(today))
    done = mkroots(tmp_path / "bad")
    assert done.returncode == 0 and ": left out, " in done.stderr


def test_generator_leaves_out_what_has_expired(today):
    """What counts is the build date, less the day by which its clock may be
    ahead."""
    bundle = today.bundle(today.root)
    said = mkroots(bundle, "x").stdout
    end = int(re.search(r"expire = (\d+)", said).group(1))
    assert mkroots(bundle, "x", end + 86400).stdout == said
    late = mkroots(bundle, "x", end + 86401)
    assert late.returncode == 1 and "no usable certificate" in late.stderr

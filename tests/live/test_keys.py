"""Symmetric keys: files, and what is answered.  chronyd's are in test_chrony.py."""

import os
import socket
import struct
import subprocess

import pytest

import web
import world
from world import until

pytestmark = pytest.mark.scenario

OLD = "2b7e151628aed2a6abf7158809cf4f3c"
NEW = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"


def mac(key, header):
    """By another implementation of AES-CMAC."""
    out = subprocess.run(
        ["openssl", "mac", "-cipher", "AES-%d-CBC" % (4 * len(key)), "-macopt",
         "hexkey:" + key, "-in", "-", "CMAC"], input=header,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return bytes.fromhex(out.stdout.decode().strip())


def ask(address, number, key, wait=60):
    """Does the server answer this key with it, within so many seconds?"""
    header = bytes([0x23]) + bytes(39) + os.urandom(8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        s.connect((address, 123))
        s.send(header + struct.pack(">I", number) + mac(key, header))
        try:
            reply = s.recv(200)
        except socket.timeout:
            return False
    assert len(reply) == 68 and reply[24:32] == header[40:48]
    assert reply[48:52] == struct.pack(">I", number)
    return reply[52:] == mac(key, reply[:48])


def publish(root, name, key, conf):
    """A projected volume: links to a link, which is replaced."""
    os.mkdir(os.path.join(root, name))
    for file, text in (("ntp.key", key + "\n"), ("ntpd.conf", conf)):
        path = os.path.join(root, name, file)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        if not os.path.lexists(os.path.join(root, file)):
            os.symlink("..data/" + file, os.path.join(root, file))
    os.symlink(name, os.path.join(root, "..tmp"))
    os.rename(os.path.join(root, "..tmp"), os.path.join(root, "..data"))


def test_a_secret_that_is_replaced_is_used(w):
    root = os.path.join(w.dir, "volume")
    os.mkdir(root)
    conf = ('listen on 10.99.0.2 key 1 "%s/ntp.key" key 2 "%s"\n'
            "server 10.99.0.1\n" % (root, OLD))
    publish(root, "one", OLD, conf)
    w.ntp("10.99.0.1")
    d = w.start("-d", "-f", os.path.join(root, "ntpd.conf"))
    d.wait("^listening on", 60)
    assert ask("10.99.0.2", 1, OLD) and ask("10.99.0.2", 2, OLD)
    assert not ask("10.99.0.2", 1, NEW, 2)
    publish(root, "two", NEW, conf)
    d.wait(": read again$", 60)
    assert ask("10.99.0.2", 1, NEW) and ask("10.99.0.2", 2, OLD)
    # What is bad is refused, and the former key stays.
    publish(root, "three", NEW[1:], conf)
    d.wait("refused, the former configuration stays in force", 60)
    assert d.matching("ntpd.conf:1: key file .*/ntp.key: it must have 32 or 64 ")
    assert ask("10.99.0.2", 1, NEW)
    # A key alone changes.
    with open(os.path.join(root, "three", "ntp.key"), "w") as f:
        f.write(OLD)
    d.wait(": read again$", 60, 2)
    assert ask("10.99.0.2", 1, OLD)
    assert not d.matching(OLD) and not d.matching(NEW[1:30])


def test_files_beside_the_configuration_are_watched(w):
    """A Secret and a ConfigMap have volumes of their own, and the configuration
    stays as it is."""
    root = os.path.join(w.dir, "secret")
    os.mkdir(root)
    publish(root, "one", OLD, "")
    cafile = w.file("ca.pem", open(web.trust().cafile).read())
    w.ntp("10.99.0.1")
    d = w.start("-d", conf='cafile "%s"\nserver 10.99.0.1\n'
                'listen on 10.99.0.2 key 1 "%s/ntp.key"\n' % (cafile, root))
    d.wait("^listening on", 60)
    publish(root, "two", NEW, "")
    d.wait(": read again$", 60)
    assert ask("10.99.0.2", 1, NEW)
    with open(cafile, "w") as f:
        f.write("nothing")
    d.wait(': cafile ".*/ca.pem": ', 60)
    with open(cafile, "w") as f:
        f.write(open(web.trust().cafile).read())
    d.wait(": read again$", 60, 2)
    assert ask("10.99.0.2", 1, NEW)


def writable(pid):
    """All that a process can have in memory."""
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            place, rights, _ = line.split(None, 2)
            if rights.startswith("rw"):
                start, end = (int(n, 16) for n in place.split("-"))
                mem.seek(start)
                yield mem.read(end - start)


def test_children_have_no_keys(w):
    """They parse what strangers send.  Neither a key nor its digits may be
    left anywhere, as in what was freed or in the stack."""
    if not world.is_static(world.NTPD):
        pytest.skip("the sanitizers keep what was freed")
    w.dns.open()
    w.dns.names["hung.test"] = "silent"
    path = w.file("ntp.key", OLD)
    keys = ["%032x" % (0x5ec2e70011223344 << 64 | 0x1f2e3d4c5b6a << 8 | i)
            for i in range(9)]
    conf = "".join("server 10.99.0.%d key %d %s\n" % (i + 1, i + 1, k)
                   for i, k in enumerate(keys))
    conf = w.file("conf", conf + "listen on 10.99.0.20 key 10 \"%s\" key 11 %s\n"
                  "server hung.test\n" % (path, NEW))
    d = w.start("-d", "-f", conf)
    secrets = [bytes.fromhex(k) for k in keys + [OLD, NEW]]

    def found(pid, what):
        return [s.hex() for part in writable(pid) for s in what if s in part]

    def child():
        return until(lambda: world.children(d.pid), 60)[0]
    d.wait("^ntp engine ready$", 60)
    for turn in range(2):
        assert set(found(d.pid, secrets)) == set(s.hex() for s in secrets)
        assert not found(child(), secrets + [s.hex().encode() for s in secrets])
        # The same after another configuration.
        w.dns.names["hung%d.test" % turn] = "silent"
        with open(conf, "a") as f:
            f.write("server hung%d.test\n" % turn)
        d.wait(": read again$", 60, turn + 1)
        asked = len(w.dns.asked)
        until(lambda: len(w.dns.asked) > asked, 60)


def test_check_looks_at_files_of_keys_and_shows_none(w):
    path = w.file("ntp.key", OLD)
    conf = 'server 10.99.0.1 key 1 "%s"\nserver 10.99.0.3 key 2 "%s"\n' % (
        path, NEW)
    os.chmod(path, 0o644)
    d = w.start("-n", "-v", "-v", conf=conf)
    d.wait("configuration OK", 60)
    assert d.matching(":1: key file .*: everybody may read it; let the daemon's user own it")
    until(lambda: not d.alive(), 60)
    assert not d.matching(OLD) and not d.matching(NEW)
    os.unlink(path)
    d = w.start("-n", conf=conf)
    d.wait(":1: key file .*/ntp.key: No such file or directory$", 60)
    until(lambda: not d.alive(), 60)
    assert not d.matching("OK")

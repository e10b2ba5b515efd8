"""What people do with it from the first run to a restart, in a root directory
that holds nothing but the program.

The image's entry point is the binary and flags come as run arguments, so
`run IMAGE -d -s` is the program with -d -s as process 1 of an empty root.
"""

import os
import re
import shutil
import signal
import socket
import struct
import time

import pytest

import web
import world

pytestmark = pytest.mark.scenario

REPLY = r"^reply from %s: offset -?\d+\.\d{6} delay \d+\.\d{6}, " \
    r"next query \d+s$"


def offset_of(line):
    """The offset in the line that tells of a set, in seconds."""
    return float(re.search(r"\(offset (-?\d+\.\d{6})s\)$", line).group(1))


def image(w):
    if not world.is_static(world.NTPD):
        pytest.skip("a dynamic build needs its libraries")
    return w.empty_root()


def internet(w, **keywords):
    """A world with the names of the default configuration, and with those that
    users write."""
    w.dns.open()
    pool = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]
    w.dns.names["time.cloudflare.com"] = pool
    w.dns.names["pool.ntp.org"] = pool
    for a in pool:
        w.ntp(a, **keywords)
    return pool


def test_first_run_without_a_configuration(w):
    """With `run IMAGE -d` and nothing mounted, the built-in default is used.
    HTTPS is blocked here: the log says so, names are looked up, and servers
    are measured."""
    root = image(w)
    pool = internet(w)
    d = w.start("-d", root=root, default=True)
    d.wait("^ntp engine ready$", 30)
    d.wait(REPLY % re.escape(pool[0]), 60)
    d.wait("now valid", 60, 4)
    d.wait("^constraint request to 9.9.9.9$", 30)
    assert set(os.listdir(root)) <= {"ntpd", "var"}


def test_the_flags_of_a_first_run_are_taken(w):
    """`-d -f /etc/ntpd.conf` and `-d -s -f /etc/ntpd.conf` are taken, with the
    file mounted alone."""
    root = image(w)
    pool = internet(w)
    w.rates = False                     # two in a row ask the same servers
    os.mkdir(root + "/etc")
    with open(root + "/etc/ntpd.conf", "w") as f:
        f.write("servers pool.ntp.org\n")
    d = w.start("-d", "-f", "/etc/ntpd.conf", root=root,
                guard_options=("-o", "-0.064548"))
    d.wait("^ntp engine ready$", 30)
    d.wait(REPLY % r"\S+", 30)
    line = d.wait(r"^adjusting local clock by 0\.[01]\d{5}s$", 60)
    assert abs(float(line.split()[-1][:-1]) - 0.064548) < 0.035 + d.slack()
    assert d.stop()[0] == 0
    assert not d.steps()
    d = w.start("-d", "-s", "-f", "/etc/ntpd.conf", root=root,
                guard_options=("-o", "0.395447"))
    d.wait("^adjtimex adjusted frequency by 0.000000ppm$", 30)
    line = d.wait(r"^set local clock to \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d "
                  r"UTC \d{4} \(offset -0\.\d{6}s\)$", 60)
    assert abs(offset_of(line) + 0.395447) < 0.01 + d.slack()
    d.wait("^peer %s now valid$" % re.escape(pool[0]), 60)
    # In OpenNTPD its own step banished two of four servers for an hour.
    d.wait("now valid$", 60, 4)
    assert not d.matching("negative delay")
    assert not d.matching(r"next query \d{4,}s")


def test_bare_run_is_one_line_with_the_remedy(w):
    """Without the right to set the clock, one line takes the place of
    OpenNTPD's four complaints."""
    root = image(w)
    internet(w)
    d, pid = w.as_process_1("-d", root=root, default=True)
    d.wait("now valid", 60, 4)
    lines = d.matching("SYS_TIME")
    assert len(lines) == 1
    assert "--cap-add SYS_TIME" in lines[0] or "capabilities.add" in lines[0]
    assert not d.matching("priority|reset adjtime|creating new|adjtime failed")


def test_the_default_sets_the_clock_within_its_constraints(w):
    """The log of a start holds constraints asked and answered, replies and the
    set.  It holds no failure of the TLS library's memory and no wait of 900
    s."""
    root = image(w)
    pool = internet(w)
    w.run("ip", "route", "add", "local", "9.9.9.9/32", "dev", "lo")
    # One address is IPv6, and no IPv6 leaves the host.
    w.dns.names["www.google.com"] = ["2607:f8b0:4004:806::2004", "10.99.5.5"]
    for address in "9.9.9.9", "10.99.5.5":
        web.https(w, address, "DNS:www.google.com,IP:9.9.9.9", port=443)
    shutil.copy(web.trust().cafile, root + "/roots.pem")
    d = w.start("-d", "-s", root=root, default=True,
                env={"SSL_CERT_FILE": "/roots.pem"},
                guard_options=("-o", "-1.288009"))
    d.wait("^ntp engine ready$", 30)
    d.wait("^constraint request to 9.9.9.9$", 30)
    d.wait(r"^constraint reply from 9.9.9.9: offset -?\d+\.\d{6}$", 60)
    d.wait(r"^constraint reply from 10.99.5.5: offset -?\d+\.\d{6}$", 60)
    d.wait(r"^set local clock to .*\(offset 1\.\d{6}s\)$", 60)
    d.wait("now valid", 60, 4)
    assert len(d.steps()) == 1
    assert abs(d.steps()[0] - 1.288009) < 0.05 + d.slack()
    assert not d.matching("next query 900s")
    assert not d.matching("ssl verify")
    assert d.matching(REPLY % re.escape(pool[1]))


def test_the_path_comes_in_the_environment(w):
    """NTP_CONF_FILE names a link in a ConfigMap's directory; the flags are
    those of a start script."""
    root = image(w)
    internet(w)
    os.makedirs(root + "/app/..2026_11_25")
    with open(root + "/app/..2026_11_25/ntpd.conf", "w") as f:
        f.write("servers pool.ntp.org")         # `--from-literal`: no newline
    os.symlink("..2026_11_25", root + "/app/..data")
    os.symlink("..data/ntpd.conf", root + "/app/ntpd.conf")
    d = w.start("-v", "-d", "-s", root=root, default=True,
                env={"NTP_CONF_FILE": "/app/ntpd.conf"},
                guard_options=("-o", "-0.395447"))
    line = d.wait(r"^set local clock to .*\(offset 0\.\d{6}s\)$", 60)
    assert abs(offset_of(line) - 0.395447) < 0.01 + d.slack()
    d.wait("now valid", 60, 4)
    assert not d.matching("constraint")         # it was that file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_arrives(w, number):
    """With `docker stop` no shell stands between: process 1 ends at once, with
    status 0."""
    root = image(w)
    internet(w)
    d, pid = w.as_process_1("-v", "-d", "-s", root=root, default=True)
    d.wait("^reply from", 60)
    begin = time.monotonic()
    os.kill(pid, number)
    assert d.process.wait(30) == 0
    assert time.monotonic() - begin < world.SOON
    assert d.matching("^Terminating$")


def test_a_restart_is_a_fresh_start(w):
    """With --restart=always, kill -9 leaves nothing that hinders the next
    start."""
    root = image(w)
    internet(w)
    w.rates = False
    for _ in range(3):
        d = w.start("-d", "-s", root=root, guard_options=("-o", "-20"),
                    conf="servers pool.ntp.org\n")
        d.wait_step(60)
        d.process.kill()
        d.process.wait()
    assert set(os.listdir(root)) <= {"ntpd", "ntpd.conf", "var"}


def test_works_within_the_pods_limits(w):
    """The limit is 20 MiB, here of address space, which is more than
    memory."""
    root = image(w)
    internet(w)
    d = w.start("-d", "-s", root=root, conf="servers pool.ntp.org\n",
                guarded=False, prefix=("prlimit", "--as=20971520"))
    d.wait("now valid", 60, 4)
    resident, anonymous = d.rss()
    print("resident %d KiB, anonymous %d KiB" % (resident, anonymous))
    assert resident < 1024


def test_it_serves_too(w):
    """`listen on *` serves the local clock once it is right."""
    root = image(w)
    w.dns.open()
    for i in (1, 2, 3):
        w.ntp("10.99.0.%d" % i)
    d = w.start("-d", "-s", root=root, guard_options=("-o", "-20"),
                conf="listen on 10.99.8.8\n" + "".join(
                    "server 10.99.0.%d\n" % i for i in (1, 2, 3)))
    d.wait("^listening on 10.99.8.8", 30)
    d.wait("now valid", 60, 3)
    d.wait("^clock is now synced$", 60)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.connect(("10.99.8.8", 123))
    s.send(b"\x23" + bytes(39) + b"12345678")
    reply = s.recv(1000)
    s.close()
    assert len(reply) == 48
    assert reply[0] & 7 == 4 and reply[0] >> 6 != 3
    assert reply[1] == 2                        # stratum
    assert reply[24:32] == b"12345678"
    seconds = struct.unpack("!I", reply[40:44])[0] - 2208988800
    assert abs(seconds - time.time()) < 2

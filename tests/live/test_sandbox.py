"""What a daemon that was taken over can still do, and who it is.

taken.c is the whole program, in which one role tries what a stranger would.
"""

import json
import os
import platform
import re

import pytest

import world
from world import NTPD, install

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

needs_sandbox = pytest.mark.skipif(
    world.NO_SANDBOX, reason="NO_SANDBOX has taken Landlock and seccomp away")

TAKEN = os.path.join(world.TOP, "build/static/taken")
FOUR = ["10.99.0.%d" % i for i in (1, 2, 3, 4)]
SYS_TIME, NET_BIND_SERVICE = 1 << 25, 1 << 10


def servers(w):
    return "".join("server %s\n" % w.ntp(a).address for a in FOUR)


def ntpctl(w, *arguments):
    return ran(w, NTPD, "ctl", *arguments).stdout


def ran(w, *command):
    return w.run(*command, check=False, capture_output=True, text=True)


def status(pid):
    """The fields of /proc/PID/status."""
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def sandbox(w):
    """What this machine's kernel gives, as ntpctl shows it."""
    out = ran(w, NTPD, "-n", "-v", "-f", w.file("few", "server a.test\n")).stderr
    return re.search("^sandbox: (.*)$", out, re.M).group(1)


@needs_sandbox
@pytest.mark.parametrize("role", ["dns", "https", "nts", "daemon"])
def test_a_role_that_was_taken_over_can_do_nothing(w, role):
    if not world.is_static(NTPD):
        pytest.skip("not a static binary")
    w.refusals = True
    w.dns.open()
    w.dns.names["a.test"] = [FOUR[0]]
    os.mkdir(os.path.join(w.dir, "state"))
    drift = w.file("state/drift", "1.000\n")
    d = w.start("-d", "-s", program=TAKEN, conf=servers(w) +
                "server a.test\ndriftfile \"%s\"\n" % drift + (
                    'constraint from "https://10.99.0.80/"\n'
                    'constraint from "https://nonesuch.test:8081/"\n'
                    if role == "https" else
                    "server 10.99.0.80 nts\n"
                    "server nonesuch.test nts port 8081\n"
                    if role == "nts" else ""),
                env={"TAKEN": role, "TAKEN_PLACE": w.dir})
    line = d.wait("^taken over: ", 60)
    tried, done = re.fullmatch(r"taken over: (\d+) tried, done: (.*)",
                               line).groups()
    assert done == "nothing", line
    assert int(tried) >= 45
    said = d.wait("^the sandbox refused system call ", 60)
    assert ("the daemon" if role == "daemon" else "a child") in said
    assert d.alive()
    state = json.loads(ntpctl(w, "-j"))
    assert state["refused_calls"] >= 30
    assert state["sandbox"] == sandbox(w)
    with open(drift) as f:
        assert f.read() == "1.000\n"
    if role not in ("https", "nts"):    # whom nobody answers
        d.wait("^clock is now synced$", 60)
    assert d.stop()[0] == 0


@needs_sandbox
def test_a_relative_path_opens_no_more_than_its_own_file(w):
    """Where the daemon is started in the root directory, the directory of such a
    path holds everything."""
    if not world.is_static(NTPD):
        pytest.skip("not a static binary")
    w.refusals = True
    root = w.empty_root()
    install(TAKEN, os.path.join(root, "taken"))
    for name in ("bin", "etc", "usr/bin", "tmp"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in ("bin/true", "etc/hosts", "usr/bin/env", "tmp/x", "drift"):
        with open(os.path.join(root, name), "w") as f:
            f.write("1.000\n")
    with open(os.path.join(root, "c"), "w") as f:
        f.write(servers(w) + "driftfile \"drift\"\n")
    d = w.start("-d", "-s", "-f", "c", program="/taken", root=root, env={
        "TAKEN": "daemon", "TAKEN_PLACE": "/", "NTP_CONTROL_SOCKET": "s"})
    assert d.wait("^taken over: ", 60).endswith(" done: nothing")


@pytest.mark.parametrize("leads", [
    "../var/net/resolv.conf", "/var/net/resolv.conf", "one",
    "/run/NetworkManager/later"])
def test_a_resolv_conf_that_is_a_link_is_read(w, leads):
    """It is made anew for each network, where the link leads to."""
    if not world.is_static(NTPD):
        pytest.skip("not a static binary")
    root = w.empty_root()
    dns = world.Dns(w, "10.99.0.53")    # not the one that is asked without it
    dns.open()
    dns.names["a.test"] = [w.ntp(FOUR[0]).address]
    for name in ("etc", "var/net", "run/NetworkManager"):
        os.makedirs(os.path.join(root, name))
    os.symlink(leads, os.path.join(root, "etc/resolv.conf"))
    os.symlink("../var/net/resolv.conf", os.path.join(root, "etc/one"))
    d = w.start("-d", root=root, conf="server a.test\n", guard_options=("-m",))
    d.wait("^ntp engine ready$", 60)
    for name in ("var/net/resolv.conf", "run/NetworkManager/later"):
        with open(os.path.join(root, name), "w") as f:
            f.write("nameserver 10.99.0.53\n")
    d.wait("^peer 10.99.0.1 now valid$", 60)


@pytest.mark.parametrize("conf,capabilities", [
    ("", SYS_TIME), ("listen on 127.0.0.1\n", SYS_TIME | NET_BIND_SERVICE)],
    ids=["client", "server"])
def test_only_what_it_needs_is_left(w, conf, capabilities):
    """It was started by root with nearly all capabilities."""
    d = w.start("-d", conf=servers(w) + conf, guarded=False)
    d.wait("^ntp engine ready$", 60)
    s = status(d.pid)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(s[name], 16) & ~capabilities == 0, (name, s)
    assert int(s["CapInh"], 16) == int(s["CapAmb"], 16) == 0
    if conf:
        assert int(s["CapEff"], 16) & NET_BIND_SERVICE
    assert (s["NoNewPrivs"], s["Seccomp"]) == ("1", "2") # 2: also NO_SANDBOX


@pytest.mark.parametrize("user,uid,gid", [
    ("65534", 65534, None), ("12345", 12345, 12345), ("nobody", 65534, None)])
def test_it_becomes_the_user_of_the_configuration(w, user, uid, gid):
    d = w.start("-d", guarded=False, conf=servers(w) +
                "listen on 127.0.0.1\nmetrics on 127.0.0.1\nuser %s\n" % user)
    d.wait("now valid", 60, 4)
    s = status(d.pid)
    assert set(s["Uid"].split()) == {str(uid)}
    if gid is not None:
        assert set(s["Gid"].split()) == {str(gid)}
    assert s["Groups"].strip() == ""
    assert int(s["CapEff"], 16) & ~SYS_TIME == NET_BIND_SERVICE
    assert "4/4 peers valid" in ntpctl(w, "-s", "status")
    assert d.stop()[0] == 0


def test_a_user_that_it_cannot_become_is_an_error(w):
    conf = w.file("conf", "server 10.99.0.1\nuser 65534\n")
    r = ran(w, "setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid",
              NTPD, "-d", "-f", conf)
    assert r.returncode == 1
    assert "%s:2: can't become user 65534: Operation not permitted" % conf \
        in r.stderr and "CAP_SETUID" in r.stderr
    conf = w.file("conf", "server 10.99.0.1\nuser nonesuch\n")
    r = ran(w, NTPD, "-n", "-f", conf)
    assert r.returncode == 1
    assert r.stderr == "%s:2: no user nonesuch in /etc/passwd; a number " \
        "would be below 2147483648\n" % conf


def test_strict_ends_without_the_right(w):
    text = servers(w) + "strict\n"
    r = ran(w, NTPD, "-d", "-f", w.file("conf", text))
    assert r.returncode == 1
    assert r.stderr.startswith("adjtimex failed: Operation not permitted: the "
                               "configuration says strict; ")
    assert r.stderr.count("\n") == 1
    d = w.start("-d", "-x", conf=text, guarded=False)
    d.wait("^ntp engine ready$", 60)
    assert d.stop()[0] == 0


def test_strict_says_nothing_where_it_may(w):
    d = w.start("-d", conf=servers(w) + "strict\n")
    d.wait("^clock is now synced$", 60)
    assert "strict" not in d.text


def test_n_v_says_what_it_would_get(w):
    conf = w.file("conf", "server a.test\nuser 12345\n")
    r = ran(w, NTPD, "-n", "-v", "-f", conf)
    assert r.returncode == 0
    lines = r.stderr.splitlines()
    assert lines[0] == "configuration OK"
    assert lines[1].startswith("adjtimex failed: Operation not permitted: ")
    assert re.fullmatch(r"sandbox: caps( seccomp)?( landlock \d)?", lines[2])
    assert len(lines) == 5 and lines[3].startswith("asks a.test every ")


def test_a_drift_file_is_written_in_the_sandbox(w):
    os.mkdir(os.path.join(w.dir, "state"))
    drift = os.path.join(w.dir, "state/drift")
    d = w.start("-d", "-s", conf=servers(w) + 'driftfile "%s"\n' % drift)
    d.wait("^clock is now synced$", 60)
    assert "can't write" not in d.text


@needs_sandbox
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize("calls,left", [
    ((world.SECCOMP,), r"caps( landlock \d)?"),
    ((world.LANDLOCK,), "caps seccomp"),
    ((world.SECCOMP, world.LANDLOCK), "caps")])
def test_what_a_kernel_does_not_have_is_left_out(w, calls, left):
    w.dns.open()
    w.dns.names["a.test"] = [FOUR[0]]
    d = w.start("-d", conf="server a.test\n" + servers(w), guarded=False,
                preexec_fn=lambda: world.refuse(*calls))
    d.wait("now valid", 60, 4)
    assert re.search("^sandbox: %s$" % left, ntpctl(w, "-s", "status"), re.M)
    assert "sandbox" not in d.text and "seccomp" not in d.text.replace(
        "so a seccomp profile", "")
    assert d.stop()[0] == 0


def test_with_another_user_the_socket_is_that_users(w):
    """So a probe that runs as this user gets its answer."""
    d = w.start("-d", guarded=False, conf=servers(w) + "user 12345\n")
    d.wait("^ntp engine ready$", 60)
    r = ran(w, "setpriv", "--reuid", "12345", "--regid", "12345",
            "--clear-groups", NTPD, "ctl", "-s", "live")
    assert (r.returncode, r.stdout) == (0, "live\n"), r.stderr


def test_a_low_port_of_metrics_can_come_late(w):
    """The capability for it is kept."""
    d = w.start("-d", guarded=False,
                conf=servers(w) + "metrics on 10.88.0.1 port 80\n")
    d.wait("^metrics on 10.88.0.1 port 80: .*retrying$", 60)
    w.run("ip", "address", "add", "10.88.0.1/32", "dev", "lo")
    d.wait("^metrics on 10.88.0.1 port 80$", 120)


@needs_sandbox
def test_a_drift_file_that_cannot_be_created_is_told(w):
    """In a directory of all the system nothing is created."""
    if not world.is_static(NTPD):
        pytest.skip("not a static binary")
    root = w.empty_root()
    os.mkdir(os.path.join(root, "etc"))
    for a in FOUR:
        w.ntp(a)
    d = w.start("-d", "-s", root=root, guard_options=("-m",), conf="".join(
        "server %s poll 4..4\n" % a for a in FOUR) +
        'driftfile "/etc/ntp.drift"\n')
    d.wait("^can't write /etc/ntp.drift: Permission denied$", 200)
    assert not os.path.exists(os.path.join(root, "etc/ntp.drift"))

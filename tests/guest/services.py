"""The services of deploy/ under the init that they are for, in QEMU guests: the
systemd of two Debians, and OpenRC.  The clock of the guest is really set.

"make services" runs this, in about five minutes; "make test" does not.  Each
guest is Debian's smallest root with that init, in which "make install" has put
the program.  What it says is looked at by the tests that follow it.
"""
import functools
import os
import re
import subprocess
import sys
import tarfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest                                                    # noqa: E402
from guest import SERVERS, clock_script                         # noqa: E402

PACKAGES = {
    "bookworm": ["systemd", "openrc", "iproute2", "procps", "busybox-static"],
    "trixie": ["systemd", "iproute2", "procps", "busybox-static"],
}
THREE = "".join("server %s\n" % a for a in SERVERS[:3])
# A connection to it is taken and never answered, so that a child is there to be
# looked at.
SILENT = "https://10.99.0.9/"
# It is in no guest, and would be the larger half of it.
LEFT_OUT = re.compile("usr/share/(doc|locale|man|i18n|zoneinfo|perl5?)/|var/cache/"
                      "|var/lib/(apt|dpkg)/|usr/lib/x86_64-linux-gnu/(gconv|perl.*)"
                      "/|usr/lib/udev/|usr/bin/perl|usr/sbin/hwclock")

# The root is below /new, because no mount namespace can be made where "/" is the
# initramfs itself.
INIT = """#!/bin/busybox sh
b=/bin/busybox
for place in proc sys dev; do $b mkdir -p /$place /new/$place; done
$b mount -t devtmpfs dev /dev
exec >/dev/console 2>&1 </dev/console
$b mount --bind /new /new
$b mount -t proc proc /new/proc
$b mount -t sysfs sys /new/sys
$b mount -t devtmpfs dev /new/dev
$b ip link set lo up
for a in %(addresses)s; do $b ip addr add $a/32 dev lo; done
{ /new/test/truth serve /new/test/script; $b poweroff -f; } &
cd /new
$b mount --move . /
exec $b chroot . %(init)s
"""

# fact NAME COMMAND ...: what the command says, and how it ended if it failed.
# "wait_for" repeats a command until it succeeds, thirty times at most.
LOOK = """#!/bin/bash
cd /
fact() {
	local name=$1
	shift
	{ "$@" 2>&1 || echo "status $?"; } | /test/truth tag $name >/dev/console
}
wait_for() {
	local n
	for n in $(seq 30); do
		"$@" >/dev/null 2>&1 && return
		sleep 1
	done
	echo "never came: $*" | /test/truth tag Late >/dev/console
}
rights() {
	grep -E '^(Uid|Cap.*|NoNewPrivs|Seccomp):' /proc/$(main)/status
}
valid() {
	ntpctl -s status | grep -q "^$1/$1 peers valid, .*clock synced"
}
child() {
	CHILD=$(pgrep -P $(main)) && [ -n "$CHILD" ]
}
# systemd leaves the console in the midst of a line.
echo >/dev/console
%s
/test/truth until %d
"""

# What is the same under each init.
COMMON = """
wait_for valid 3
fact Rights rights
fact Status ntpctl -s status
fact Date date -u +%%F
fact Nice ps -o ni= -p $(main)
sleep 900 | /usr/bin/busybox nc -l -p 443 >/dev/null &
echo 'constraint from "%(silent)s"' >>/etc/ntpd.conf
reload
wait_for child
fact ChildNice ps -o ni= -p $CHILD
fact ChildRights grep -E '^Cap(Prm|Eff):' /proc/$CHILD/status
sed -i 's,^constraint.*,server %(fourth)s,' /etc/ntpd.conf
fact Reload reload
wait_for valid 4
fact Reloaded ntpctl -s status
"""

SYSTEMD = """
export NTP_CONTROL_SOCKET=/run/ntpd/ntpd.sock
main() { systemctl show -P MainPID ntpd; }
reload() { systemctl reload ntpd; }
fact Active systemctl is-active ntpd ntpd-wait time-sync.target
""" + COMMON + """
fact Policy chrt -p $(main)
fact Files stat -c '%%A %%U %%n' -L /var/lib/ntpd /run/ntpd /run/ntpd/ntpd.sock
fact Rated sh -c 'systemd-analyze security --no-pager ntpd | tail -n 1'
before=$(main)
fact Restart systemctl restart ntpd
wait_for valid 4
[ $before != $(main) ] && fact Restarted ntpctl -s status
/test/truth until 4500
fact Stop systemctl stop ntpd
fact Stopped systemctl show -p ActiveState -p Result -p ExecMainStatus ntpd
fact Stopped ls /var/lib/ntpd
fact Log journalctl -u ntpd -o cat

mkdir -p /etc/systemd/system/ntpd.service.d
echo 'listen on 127.0.0.1' >>/etc/ntpd.conf
cat >/etc/systemd/system/ntpd.service.d/serve.conf <<-END
	[Service]
	AmbientCapabilities=CAP_NET_BIND_SERVICE
	CapabilityBoundingSet=CAP_NET_BIND_SERVICE
END
systemctl daemon-reload
fact ServeStart systemctl start ntpd
wait_for valid 4
fact ServeRights rights
fact ServeDoor ss -Hlun sport = :123 src 127.0.0.1
systemctl stop ntpd

sed -i /listen/d /etc/ntpd.conf
chmod 600 /etc/ntpd.conf
cat >/etc/systemd/system/ntpd.service.d/serve.conf <<-END
	[Service]
	DynamicUser=no
	User=root
END
systemctl daemon-reload
fact RootStart systemctl start ntpd
wait_for valid 4
fact RootRights rights
fact RootStatus ntpctl -s status
fact RootStop systemctl stop ntpd
fact Failed systemctl --failed --no-legend --plain
"""

LOOK_UNIT = """[Unit]
After=ntpd-wait.service time-sync.target
[Service]
Type=simple
ExecStart=/bin/bash /test/look
"""

OPENRC = """
main() { cat /run/ntpd.pid; }
reload() { rc-service --nocolor ntpd reload; }
wait_for rc-service ntpd status
fact Active rc-service --nocolor ntpd status
""" + COMMON + """
before=$(main)
fact Restart rc-service --nocolor ntpd restart
wait_for valid 4
[ $before != $(main) ] && fact Restarted ntpctl -s status
fact Stop rc-service --nocolor ntpd stop
fact Stopped pgrep -x ntpd
echo server >>/etc/ntpd.conf
fact Broken rc-service --nocolor ntpd start
fact Log grep -o 'ntpd\[.*' /var/log/messages
"""

LOOK_SCRIPT = """#!/sbin/openrc-run
depend() { after ntpd; }
start() { /bin/bash /test/look & }
"""

LOGGER = """#!/sbin/openrc-run
depend() { provide logger; }
start() { /usr/bin/busybox syslogd; }
"""


def root(codename):
    """A Debian root with its inits, as an archive that is kept."""
    path = os.path.join(guest.BUILD, codename + ".tar")
    if not os.path.exists(path):
        os.makedirs(guest.BUILD, exist_ok=True)
        made = subprocess.run(
            ["sh", os.path.join(guest.TOP, "tests", "root.sh"), codename,
             path + ".new.tar", *PACKAGES[codename]], capture_output=True, text=True)
        if made.returncode == 77:
            pytest.skip("guest: " + made.stderr.strip())
        assert made.returncode == 0, made.stderr
        os.rename(path + ".new.tar", path)
    return path


def unpack(archive, path):
    """Put a root's files below /new of the guest."""
    with tarfile.open(path) as tar:
        for entry in tar:
            name = os.path.normpath(entry.name)
            if LEFT_OUT.match(name + "/") or name.startswith("dev"):
                continue
            if entry.isdir():
                archive.directory("new/" + name)
            elif entry.issym():
                archive.link("new/" + name, entry.linkname)
            elif entry.isfile() or entry.islnk():
                archive.add("new/" + name, tar.extractfile(entry).read(),
                            entry.mode)


def install(archive, where):
    """Put there what "make install" does."""
    where = os.path.join(guest.BUILD, where)
    subprocess.run(["rm", "-rf", where], check=True)
    subprocess.run(["make", "-o", "ntpd", "install", "OPENRC=yes",
                    "DESTDIR=" + where], cwd=guest.TOP, check=True,
                   capture_output=True)
    for place, _, names in os.walk(where):
        for name in names:
            path = os.path.join(place, name)
            inside = "new" + path[len(where):]
            if os.path.islink(path):
                archive.link(inside, os.readlink(path))
            else:
                archive.copy(inside, path, os.stat(path).st_mode & 0o777)
    archive.directory("new/var/db")


def boot(name, codename, init, look, end, files, links):
    try:
        guest.fetch()
        guest.need()
    except guest.Missing as reason:
        pytest.skip("guest: %s" % reason)
    archive = guest.Archive()
    archive.directory("dev")
    archive.device("dev/console", 5, 1)
    archive.copy("bin/busybox", guest.BUSYBOX)
    unpack(archive, root(codename))
    install(archive, "installed-" + name)
    script = clock_script(end, looks=("100 0 200",))
    archive.copy("new/test/truth", guest.program("truth"))
    for path, text, mode in [
            ("test/script", "\n".join(script) + "\n", 0o644),
            ("test/look", LOOK % (look % {"fourth": SERVERS[3], "silent": SILENT}, end), 0o755),
            ("etc/ntpd.conf", THREE, 0o644), *files]:
        archive.add("new/" + path, text, mode)
    for path, target in links:
        archive.link("new/" + path, target)
    archive.add("init", INIT % {
        "addresses": " ".join((*SERVERS, "10.99.0.9")), "init": init}, 0o755)
    return guest.run(name, archive, append="%s %s quiet" % (
        guest.QUIET_BOOT, guest.FAST_BOOT), memory=1024, limit=1800)


@functools.lru_cache(maxsize=None)
def systemd(codename):
    wants = "etc/systemd/system/multi-user.target.wants/"
    units = "/usr/local/lib/systemd/system/"
    return boot(
        "systemd-" + codename, codename,
        "/usr/lib/systemd/systemd --unit=multi-user.target --show-status=no",
        SYSTEMD, 5000, files=[
            ("etc/systemd/system/look.service", LOOK_UNIT, 0o644)],
        links=[(wants + "ntpd.service", units + "ntpd.service"),
               (wants + "ntpd-wait.service", units + "ntpd-wait.service"),
               (wants + "look.service", "../look.service")])


@functools.lru_cache(maxsize=None)
def openrc():
    return boot(
        "openrc", "bookworm", "/usr/sbin/openrc-init", OPENRC, 200,
        files=[
            ("etc/init.d/look", LOOK_SCRIPT, 0o755),
            ("etc/init.d/syslog", LOGGER, 0o755)],
        links=[("etc/runlevels/default/" + name, "/etc/init.d/" + name)
               for name in ("look", "syslog", "ntpd")])


def systemds(function):
    return pytest.mark.parametrize("run", [
        pytest.param(lambda: systemd("bookworm"), id="systemd-252"),
        pytest.param(lambda: systemd("trixie"), id="systemd-257")])(function)


def inits(function):
    return pytest.mark.parametrize("run", [
        pytest.param(lambda: systemd("bookworm"), id="systemd-252"),
        pytest.param(lambda: systemd("trixie"), id="systemd-257"),
        pytest.param(openrc, id="openrc")])(function)


def said(run, name):
    return [line.text for line in run.log(name)]


def rights(run, name="Rights"):
    return dict(re.split(r":\s*", line, maxsplit=1) for line in said(run, name))


SYS_TIME, BIND = 1 << 25, 1 << 10
ALL = "%d/%d peers valid, clock synced, stratum 2"


@inits
def test_has_one_capability_and_the_whole_sandbox(run):
    run = run()
    found = rights(run)
    for kind in "CapPrm", "CapEff", "CapBnd":
        assert int(found[kind], 16) == SYS_TIME, found
    for kind in "CapInh", "CapAmb":
        assert int(found[kind], 16) == 0, found
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    # Linux 6.1 has the second version of Landlock.
    assert said(run, "Status")[1:] == ["sandbox: caps seccomp landlock 2"]


@inits
def test_sets_the_clock(run):
    run = run()
    assert said(run, "Date")[0] in ("2028-02-29", "2028-03-01")
    assert said(run, "Status")[0] == ALL % (3, 3)
    assert run.at(100).synced and abs(run.at(100).err) < 0.01
    assert run.console.count("set local clock to ") == 1
    assert not said(run, "Late")


@inits
def test_children_have_neither_capabilities_nor_priority(run):
    run = run()
    assert said(run, "Nice")[0].strip() == "-20"
    assert said(run, "ChildNice")[0].strip() == "0"
    assert [int(line.split()[1], 16) for line in said(run, "ChildRights")] == \
        [0, 0]


@inits
def test_reload_restart_and_stop(run):
    run = run()
    for name in "Reloaded", "Restarted":
        assert said(run, name)[0] == ALL % (4, 4)
    for name in "Reload", "Restart", "Stop":
        assert not [x for x in said(run, name) if "status" in x or "ERROR" in x]
    log = "\n".join(said(run, "Log"))
    assert log.count("Terminating") == 2
    assert "refused" not in log and "ermission denied" not in log, log


@systemds
def test_unit_is_what_the_pages_say(run):
    run = run()
    assert said(run, "Active") == ["active"] * 3
    assert int(rights(run)["Uid"].split()[0]) >= 61184  # of DynamicUser=
    assert "SCHED_RESET_ON_FORK" in said(run, "Policy")[0]
    page = open(os.path.join(guest.TOP, "docs/security.md")).read()
    assert "for ntpd.service: %s " % re.search(
        r"rates the unit ([\d.]+),", page)[1] in said(run, "Rated")[0]
    assert said(run, "Stopped") == [
        "Result=success", "ExecMainStatus=0", "ActiveState=inactive",
        "ntpd.drift"]
    assert not said(run, "Failed")


@systemds
def test_drop_ins_of_the_manual_work(run):
    """To serve the time, and to run as root."""
    run = run()
    found = rights(run, "ServeRights")
    assert int(found["CapEff"], 16) == SYS_TIME | BIND
    assert "127.0.0.1:123" in said(run, "ServeDoor")[0]
    found = rights(run, "RootRights")
    assert found["Uid"].split()[0] == "0"
    assert int(found["CapEff"], 16) == SYS_TIME
    assert said(run, "RootStatus")[0] == ALL % (4, 4)


def test_openrc_refuses_a_broken_configuration():
    run = openrc()
    assert any("ntpd.conf:" in line for line in said(run, "Broken"))
    assert said(run, "Stopped") == ["status 1"]

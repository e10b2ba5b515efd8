"""The command line, as far as it can be tested without a network."""

import ctypes
import os
import re
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

import world
from world import install

NTPD = world.NTPD

pytestmark = pytest.mark.skipif(not os.access(NTPD, os.X_OK),
                                reason="%s is not built" % NTPD)


def run(*arguments, env=None, seconds=60, **keywords):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("NTP_CONF_FILE", "SSL_CERT_FILE")}
    environment.update(env or {})
    return subprocess.run([NTPD, *arguments], capture_output=True, text=True,
                          timeout=seconds, env=environment,
                          stdin=subprocess.DEVNULL, **keywords)


def check(path, **keywords):
    return run("-n", "-f", str(path), **keywords)


@pytest.fixture
def conf(tmp_path):
    def write(text):
        path = tmp_path / "ntpd.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


GOOD = {
    "plain": "servers pool.ntp.org\n",
    "no last newline": "servers pool.ntp.org",
    "crlf": "servers pool.ntp.org\r\nserver 192.0.2.1 weight 5\r\n",
    "crlf without the last": "server 192.0.2.1 trusted\r\nserver a.test",
    "bom": b"\xef\xbb\xbfservers pool.ntp.org\n",
    "bom and crlf": b"\xef\xbb\xbfservers pool.ntp.org\r\n",
    "sensor": "sensor *\nservers pool.ntp.org\n",
    "constraints": "servers pool.ntp.org\n"
                   "constraints from \"https://www.google.com\"\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_n_accepts(conf, text):
    r = check(conf(text))
    assert r.returncode == 0, r.stderr
    assert r.stderr.splitlines()[-1] == "configuration OK"


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_n_accepts_an_empty_file_with_a_warning(conf, text):
    """OpenNTPD accepted it and then had no servers for ever."""
    r = check(conf(text))
    assert r.returncode == 0
    lines = r.stderr.splitlines()
    assert lines[-1] == "configuration OK"
    assert len(lines) == 2


def test_n_reports_every_bad_line_with_line_and_column(conf):
    path = conf("server a.test\nserfer b.test\nserver c.test weight 11\n"
                "server d.test\nserver e.test weight x\n")
    r = check(path)
    assert r.returncode == 1
    assert "configuration OK" not in r.stderr
    where = [re.match(re.escape(str(path)) + r":(\d+):(\d+): \S", line)
             for line in r.stderr.splitlines()]
    assert all(where), r.stderr
    assert sorted({int(m.group(1)) for m in where}) == [2, 3, 5]
    assert "weight must be between 1 and 10" in r.stderr


ALL_KINDS = """\
server a.test nts trusted
servers pool.test poll 16..64
server 192.0.2.1 key 1 "00112233445566778899aabbccddeeff"
sensor ptp0 trusted
constraint from "https://www.test" timekeeping
constraint from "9.9.9.9"
listen on *
metrics on 127.0.0.1 port 9000
"""
EXPLAINED = """\
asks a.test every 64 to 1024 s, nts, trusted
asks pool pool.test every 16 to 64 s
asks 192.0.2.1 every 64 to 1024 s, key
reads sensor ptp0, trusted
asks constraint www.test, which keeps the time if no server does
asks constraint 9.9.9.9
constraints and those with nts or a key bound what servers say
serves the time on *
serves metrics on 127.0.0.1 port 9000
"""


@pytest.mark.parametrize("text,explained", [
    (ALL_KINDS, EXPLAINED),
    ("server a.test nts\n", "asks a.test every 64 to 1024 s, nts\n"
     "those with nts or a key bound what servers say\n"),
    ('server a.test\nconstraint from "9.9.9.9"\n', "asks a.test every 64 to "
     "1024 s\nasks constraint 9.9.9.9\nconstraints bound what servers say\n"),
    ("server a.test\n", "asks a.test every 64 to 1024 s\n"
     "nothing (no constraint, nts or key) bounds what servers say\n")])
def test_n_v_explains_the_configuration(conf, text, explained):
    r = run("-n", "-v", "-f", conf(text))
    assert r.returncode == 0 and r.stderr.startswith("configuration OK\n")
    assert r.stderr.endswith("\n" + explained), r.stderr


def test_an_error_starts_nothing(conf):
    r = run("-d", "-f", str(conf("nonsense\n")))
    assert r.returncode == 1
    assert "ntp engine ready" not in r.stderr


def test_n_needs_no_privilege():
    if os.geteuid() != 0:
        pytest.skip("is unprivileged already")
    # pytest's own directories are closed to others.
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "ntpd.conf")
        with open(path, "w") as f:
            f.write("servers pool.ntp.org\n")
        program = install(NTPD, os.path.join(directory, "ntpd"))
        r = subprocess.run([program, "-n", "-f", path], user=65534,
                           group=65534, extra_groups=[], timeout=60,
                           capture_output=True, text=True)
    assert r.returncode == 0
    assert r.stderr == "configuration OK\n"


def test_f_to_a_missing_file(tmp_path):
    r = run("-d", "-f", str(tmp_path / "none"))
    assert r.returncode == 1
    assert str(tmp_path / "none") in r.stderr
    assert "No such file or directory" in r.stderr


def test_f_to_a_directory(tmp_path):
    """docker makes a directory of a mount source that is missing."""
    r = run("-d", "-f", str(tmp_path))
    assert r.returncode == 1
    assert str(tmp_path) in r.stderr
    assert "directory" in r.stderr.lower()


def test_f_to_a_fifo_does_not_hang(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    r = check(path)
    assert r.returncode == 1
    assert str(path) in r.stderr


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_f_to_an_endless_file_does_not_hang(device):
    r = check(device)
    assert r.returncode == 1
    assert device in r.stderr


def test_f_to_dev_null_is_an_empty_file_or_refused():
    r = check("/dev/null")
    assert r.returncode in (0, 1)
    assert r.stderr


def test_f_to_a_huge_file(conf):
    r = check(conf(b"#" * 100_000_000))
    assert r.returncode == 1


def test_f_to_a_megabyte_line(conf):
    r = check(conf("server " + "a" * 1_000_000 + "\n"))
    assert r.returncode == 1
    assert ":1:" in r.stderr
    assert len(r.stderr) < 4096


def test_f_to_a_file_with_nul_bytes(conf):
    r = check(conf(b"server a.test\n\0\0\0\nserver b.test\n"))
    assert r.returncode == 1
    assert ":2:" in r.stderr


def test_f_to_a_socket(tmp_path):
    import socket
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(str(tmp_path / "s"))
    except OSError:
        pytest.skip("path too long")
    assert check(tmp_path / "s").returncode == 1


def test_f_follows_a_symbolic_link(conf, tmp_path):
    """A ConfigMap is a link to a link."""
    conf("servers pool.ntp.org\n")
    os.mkdir(tmp_path / "..data1")
    os.rename(tmp_path / "ntpd.conf", tmp_path / "..data1" / "ntpd.conf")
    os.symlink("..data1", tmp_path / "..data")
    os.symlink("..data/ntpd.conf", tmp_path / "link.conf")
    assert check(tmp_path / "link.conf").returncode == 0


def test_environment_names_the_configuration(conf):
    path = conf("wrong in the environment\n")
    r = run("-n", env={"NTP_CONF_FILE": str(path)})
    assert r.returncode == 1
    assert r.stderr.startswith("%s:1:" % path)


def test_f_wins_over_the_environment(conf, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("wrong\n")
    r = run("-n", "-f", str(conf("servers a.test\n")),
            env={"NTP_CONF_FILE": str(bad)})
    assert r.returncode == 0


def test_environment_to_a_missing_file_is_an_error(tmp_path):
    r = run("-n", env={"NTP_CONF_FILE": str(tmp_path / "none")})
    assert r.returncode == 1
    assert str(tmp_path / "none") in r.stderr


def test_the_last_f_wins(conf, tmp_path):
    r = run("-f", str(tmp_path / "none"), "-n", "-f",
            str(conf("servers a.test\n")))
    assert r.returncode == 0


@pytest.mark.parametrize("word", ["-V", "--version"])
def test_V_tells_version_and_build_date(word):
    r = run(word)
    assert r.returncode == 0
    with open(os.path.join(world.TOP, "VERSION")) as f:
        version = f.read().strip()
    first, linked, roots = r.stdout.splitlines()
    assert re.fullmatch(r"ntpd %s, built 20\d\d-\d\d-\d\d" % re.escape(version),
                        first)
    assert re.fullmatch(r"musl \d[^ ,]*, BearSSL \d[^ ,]*", linked)
    assert re.match(r"\d+ CA roots of bundle ", roots)


@pytest.mark.parametrize("word", ["-h", "--help"])
@pytest.mark.parametrize("before", [[], ["-d"], ["-d", "-s", "-vv"]])
def test_help_is_no_error(before, word):
    r = run(*before, word)
    assert r.returncode == 0
    assert r.stderr == ""
    text = r.stdout + r.stderr
    for flag in "dhnqsSvVxfp":
        assert re.search(r"-\w*%s" % flag, text), flag


@pytest.mark.parametrize("arguments,told", [
    (["-Z"], "ntpd: invalid option -- 'Z', -h lists all"),
    (["-dZ"], "ntpd: invalid option -- 'Z', -h lists all"),
    (["-f"], "ntpd: option requires an argument -- 'f', a file"),
    (["-p"], "ntpd: option requires an argument -- 'p', a file"),
    (["-d", "operand"], "ntpd: 'operand' is no option; servers stand in the "
     "configuration, see -f"),
    (["-d", "-s", "status"], "ntpd: 'status' is what ntpctl shows of the "
     "daemon that runs"),
    (["--nonsense"], "ntpd: unrecognized option '--nonsense', -h lists all"),
    ([""], "ntpd: '' is no option; servers stand in the configuration, "
     "see -f")])
def test_wrong_usage(arguments, told):
    r = run(*arguments)
    assert r.returncode == 1
    assert r.stderr == told + "\nusage: ntpd [-dhnqSsVvx] [-f file] " \
        "[-p file]\n"
    assert r.stdout == ""


@pytest.mark.parametrize("word", ["-h", "--help", "-V", "--version"])
def test_ntpctl_tells_of_itself(word):
    r = run("ctl", word)
    assert (r.returncode, r.stderr) == (0, "")
    if "h" in word:
        for known in ("usage: ntpctl ", "status", "peers", "Sensors", "all",
                      "ready", "live", "metrics", "-j", "-w", "-V"):
            assert known in r.stdout
    else:
        assert r.stdout == run("-V").stdout.split(",")[0].replace(
            "ntpd", "ntpctl") + "\n"


def test_flags_combine(conf):
    r = run("-dvsn", "-f", str(conf("servers a.test\n")))
    assert r.returncode == 0
    assert r.stderr.startswith("configuration OK\n")


def test_old_flags_are_taken(conf):
    """-S cancels -s, and -v counts, without a message."""
    r = run("-n", "-s", "-S", "-v", "-v", "-v", "-f",
            str(conf("servers a.test\n")))
    assert r.returncode == 0
    assert r.stderr.startswith("configuration OK\n")


def test_the_name_selects_the_program(tmp_path):
    """This is how busybox does it, whatever path stands before the name."""
    other = tmp_path / "ntpd"
    os.symlink(NTPD, other)
    r = subprocess.run([str(other), "-V"], capture_output=True, text=True)
    assert r.returncode == 0
    r = subprocess.run(["ntpd", "-V"], executable=NTPD, capture_output=True,
                       text=True)
    assert r.returncode == 0


def test_an_empty_argument_vector_is_survived():
    """The argument count of execve is 0; newer kernels put an empty string
    there."""
    # With cwd, Python 3.13 does not use posix_spawn, which refuses this.
    r = subprocess.run([""], executable=NTPD, capture_output=True, text=True,
                       timeout=60, cwd="/", env={"NTP_CONF_FILE": "/nonexistent"})
    assert r.returncode == 1


def test_another_rtable_than_0_is_only_warned_of(conf):
    """OpenNTPD on Linux takes it too, so such a file keeps working."""
    r = check(conf("server 192.0.2.1\nlisten on 127.0.0.1 rtable 2\n"))
    assert r.returncode == 0
    assert "2:28: warning: rtable 2 has no effect" in r.stderr


def test_many_checks_at_once_leave_nothing_behind(conf, tmp_path):
    path = conf("servers a.test\n")
    before = sorted(os.listdir(tmp_path))
    results = []
    threads = [threading.Thread(
        target=lambda: results.append(check(path).returncode))
        for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [0] * 4
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("odd", [
    b"\x1b[31m", b"\x9b31m", "\u009b31m".encode(), b"\x85", b"\x7f", b"\r"],
    ids=["escape", "c1", "c1_in_utf8", "next_line", "delete", "return"])
def test_no_control_character_reaches_the_terminal(tmp_path, odd):
    """They could come from a file's name, from its text or from the
    environment."""
    missing = os.fsencode(tmp_path) + b"/a" + odd
    text = tmp_path / "conf"
    text.write_bytes(b"server a\nserver " + odd + b"\n" + odd + b"\n")
    there = os.fsencode(tmp_path) + b"/b" + odd
    with open(there, "w") as f:
        f.write("nonsense\n")
    for arguments, env in (
            ([b"-f", missing], {}), ([b"-f", there], {}),
            ([b"-f", os.fsencode(text)], {}), ([], {b"NTP_CONF_FILE": missing})):
        r = subprocess.run([NTPD, "-n", *arguments], capture_output=True,
                           timeout=60, env=env)
        assert r.returncode == 1
        assert r.stderr and all(
            32 <= b < 127 or b == 10 for b in r.stderr), r.stderr


def gains_privilege(tmp_path):
    """A copy of the program that is set-user-ID root; the test is skipped
    where that has no effect."""
    with open("/proc/self/status") as f:
        if "NoNewPrivs:\t1" in f.read():
            pytest.skip("no_new_privs is set")
    if os.geteuid() != 0 or os.statvfs(tmp_path).f_flag & os.ST_NOSUID:
        pytest.skip("needs root and a file system with set-user-ID")
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    copy = install(NTPD, tmp_path / "ntpd")
    copy.chmod(0o4755)
    os.symlink("ntpd", tmp_path / "ntpctl")
    return copy


AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534",
             "--clear-groups"]


def test_the_environment_is_powerless_where_privilege_is_gained(tmp_path):
    """The environment is that of a user who runs a program with more rights
    than his own (AT_SECURE)."""
    copy = gains_privilege(tmp_path)
    conf = tmp_path / "c"
    conf.write_text("server 127.0.0.1\nconstraint from \"https://a.test\"\n")
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    supervisor.bind(str(tmp_path / "notify"))
    supervisor.settimeout(0)
    (tmp_path / "notify").chmod(0o666)
    env = {"NTP_CONF_FILE": "/nonexistent/conf",
           "NTP_CONTROL_SOCKET": "/nonexistent/socket",
           "SSL_CERT_FILE": "/nonexistent/roots",
           "NOTIFY_SOCKET": str(tmp_path / "notify")}

    def run(*arguments):
        p = subprocess.Popen([*AS_NOBODY, *arguments], env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = ""
        for line in p.stdout:
            out += line
            if "ntp engine ready" in line:
                p.terminate()
        p.wait(60)
        return out

    assert "nonexistent" not in run(copy, "-n")
    assert "nonexistent" not in run(copy, "-n", "-f", conf)
    assert "nonexistent" not in run(tmp_path / "ntpctl", "-s", "live")
    out = run(copy, "-q", "-x", "-f", conf)
    assert "the environment is not looked at" in out
    with pytest.raises(BlockingIOError):
        supervisor.recv(1000)


# ------------------------------------------------- the remedy for its place

CLONE_NEWUSER, WHOLE = 0x10000000, b"0 0 4294967295"


def own_user_namespace(map_):
    """Give this process a user namespace with this map.  It then has every
    capability there, also in its bounding set, and none that counts for the
    clock.  A child outside writes the map."""
    r, wr = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.read(r, 1)
        for name in ("uid_map", "gid_map"):
            with open("/proc/%d/%s" % (parent, name), "wb") as f:
                f.write(map_)
        os._exit(0)
    world.checked(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER),
                  "unshare")
    os.write(wr, b"x")
    assert os.waitpid(child, 0)[1] == 0


# Where the program runs (the files of its root, its environment), its uid,
# whether root could have the capability there, and the advice that it gives.
EMPTY, MACHINE = [], ["sbin/init"]
DOCKER, PODMAN = [".dockerenv"], ["run/.containerenv"]
# Links of the namespaces that only the machine itself has.
ITSELF = ["proc/self/ns/pid -> pid:[4026531836]",
          "proc/self/ns/uts -> uts:[4026531838]"]
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
UNIT = {"INVOCATION_ID": "0123456789abcdef0123456789abcdef"}
SPEC = "add SYS_TIME to securityContext.capabilities.add"
RUN = "run the container with --cap-add SYS_TIME"
NOWHERE = "root has no CAP_SYS_TIME here: start ntpd from where it has"
MODULE = "CAP_SYS_TIME is there, so a security module (AppArmor, SELinux) " \
    "forbids adjtimex: allow it"
BARRED = "no_new_privs bars the program's file capability: "
# What begins with "+" is no file, but a state.
CAPABLE = ["+cap_sys_time", "proc/self/exe -> /ntpd"]
NO_MORE = CAPABLE + ["+no_new_privs"]
UID_0 = "uid 65534 gets no capability from this runtime: run as uid 0"
REMEDIES = [
    (EMPTY, KUBERNETES, 0, False, SPEC),
    (EMPTY, KUBERNETES, 65534, False, SPEC + " and run as uid 0"),
    (EMPTY, KUBERNETES, 65534, True, UID_0),
    (DOCKER, {}, 0, False, RUN),
    (DOCKER, {}, 65534, False, RUN + " and as uid 0"),
    (DOCKER, {}, 65534, True, UID_0),
    # "docker run debian" leaves an init, but the file shows a container.
    (DOCKER + MACHINE, UNIT, 0, False, RUN),
    (PODMAN, {"container": "podman"}, 0, False, RUN),
    (PODMAN, {"container": "podman"}, 65534, False, RUN),
    (PODMAN, {}, 65534, True, UID_0),
    (EMPTY, {}, 0, False, RUN),
    (EMPTY, {}, 65534, True, UID_0),
    (MACHINE, {}, 65534, False, "run as root or with CAP_SYS_TIME"),
    (["run/systemd/system/x"], {}, 65534, False,
     "run as root or with CAP_SYS_TIME"),
    (MACHINE, {}, 65534, True, "run as root or with CAP_SYS_TIME"),
    (MACHINE, {"container": "lxc"}, 0, False, NOWHERE),
    (MACHINE, UNIT, 0, False, "add CAP_SYS_TIME to the unit's "
     "CapabilityBoundingSet=, without ProtectClock="),
    (MACHINE, UNIT, 65534, False, "add CAP_SYS_TIME to the unit's "
     "CapabilityBoundingSet= and AmbientCapabilities="),
    (MACHINE, UNIT, 65534, True,
     "add AmbientCapabilities=CAP_SYS_TIME to the unit"),
    (DOCKER, {}, 0, True, MODULE),
    (MACHINE, UNIT, 0, True, MODULE),
    # A virtual machine whose files are those of a container, or are few.
    (DOCKER + ITSELF, {}, 0, False, NOWHERE),
    (PODMAN + ITSELF, {}, 0, False, NOWHERE),
    (ITSELF, {}, 0, False, NOWHERE),
    (ITSELF, {}, 65534, False, "run as root or with CAP_SYS_TIME"),
    # A file capability counts for any uid, unless that is forbidden.
    (CAPABLE, {}, 65534, True, MODULE),
    (NO_MORE, {}, 65534, True,
     BARRED + "start without no-new-privileges, or as uid 0"),
    (NO_MORE, KUBERNETES, 65534, True,
     BARRED + "set allowPrivilegeEscalation: true, or run as uid 0"),
    (MACHINE + NO_MORE, UNIT, 65534, True,
     "add AmbientCapabilities=CAP_SYS_TIME to the unit"),
    (["+no_new_privs"], {}, 65534, True, UID_0),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("files,env,uid,bounded,told", REMEDIES)
def test_the_remedy_fits_where_it_runs(tmp_path, files, env, uid, bounded,
                                       told):
    if not world.is_static(NTPD):
        pytest.skip("a dynamic build needs its libraries")
    root = tmp_path / "root"
    for name in files:
        if name.startswith("+"):
            continue
        name, _, target = name.partition(" -> ")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if target:
            (root / name).symlink_to(target)
        else:
            (root / name).touch()
    root.mkdir(exist_ok=True)
    root.chmod(0o755)
    install(NTPD, root / "ntpd")
    if "+cap_sys_time" in files:        # linux/capability.h, vfs_cap_data
        os.setxattr(root / "ntpd", "security.capability",
                    struct.pack("<5I", 0x02000001, 1 << 25, 0, 0, 0))
    (root / "ntpd.conf").write_text("server 127.0.0.1\n")

    def enter():
        if bounded:
            own_user_namespace(WHOLE)
        os.chroot(root)
        os.chdir("/")
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        if "+no_new_privs" in files:
            world.checked(ctypes.CDLL(None).prctl(38, 1, 0, 0, 0), "prctl")
    p = subprocess.Popen(["/ntpd", "-d", "-f", "/ntpd.conf"], env=env,
                         preexec_fn=enter, stdin=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
    line = p.stderr.readline()
    if line.startswith("the program's file has a privilege of its own: "):
        assert "+cap_sys_time" in files
        line = p.stderr.readline()
    p.terminate()
    p.communicate(timeout=60)
    assert line == "adjtimex failed: Operation not permitted: only " \
        "measuring, the clock is left alone; %s\n" % told


def from_stdin(path, text, **more):
    return subprocess.run([NTPD, "-n", "-f", path], input=text, timeout=60,
                          capture_output=True, **more)


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0"])
def test_the_configuration_may_come_through_a_pipe(path):
    long = b"# filler\n" * 100000 + b"server a.test\n"
    assert from_stdin(path, long).returncode == 0
    r = from_stdin(path, b"server a.test\nnonsense\n")
    assert r.returncode == 1
    assert r.stderr.startswith(path.encode() + b":2:1: ")


def test_a_dash_is_standard_input():
    assert from_stdin("-", b"server a.test\n").returncode == 0
    r = from_stdin("-", b"nonsense\n")
    assert r.returncode == 1 and r.stderr.startswith(b"/dev/stdin:1:1: ")


def test_the_configuration_may_come_through_any_descriptor():
    """bash does so for -f <(generate)."""
    out, into = os.pipe()
    with os.fdopen(into, "wb") as f:
        f.write(b"nonsense\n")
    try:
        r = subprocess.run([NTPD, "-n", "-f", "/dev/fd/%d" % out], timeout=60,
                           capture_output=True, pass_fds=[out])
    finally:
        os.close(out)
    assert r.returncode == 1
    assert r.stderr.startswith(b"/dev/fd/%d:1:1: " % out)


def test_a_slow_writer_is_waited_for_and_can_be_interrupted():
    p = subprocess.Popen([NTPD, "-n", "-f", "/dev/stdin"],
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(b"server a.test\nserver ")
    p.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        p.wait(0.3)
    p.stdin.write(b"b.test\n")
    p.stdin.close()
    assert p.wait(60) == 0
    p = subprocess.Popen([NTPD, "-f", "/dev/stdin"], stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    world.until(lambda: world.state(p.pid) == "S")
    p.terminate()
    assert p.wait(60) == 1
    p.stdin.close()
    p.stderr.close()


def test_a_socket_and_a_file_and_nothing_as_stdin(conf):
    a, b = socket.socketpair()
    with a, b:
        b.sendall(b"server a.test\n")
        b.shutdown(socket.SHUT_WR)
        r = subprocess.run([NTPD, "-n", "-f", "/dev/stdin"], stdin=a,
                           capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    with open(conf("nonsense\n")) as f:
        r = subprocess.run([NTPD, "-n", "-f", "/dev/stdin"], stdin=f,
                           capture_output=True, timeout=60)
    assert r.returncode == 1
    r = run("-n", "-f", "/dev/stdin")       # of /dev/null
    assert r.returncode == 0 and "no servers configured" in r.stderr


def test_an_endless_stdin_is_an_error():
    with open("/dev/zero", "rb") as f:
        r = subprocess.run([NTPD, "-n", "-f", "/dev/stdin"], stdin=f,
                           capture_output=True, timeout=60)
    assert r.returncode == 1
    assert b"larger than" in r.stderr


def test_the_configuration_may_be_a_link(conf, tmp_path):
    """The files of a ConfigMap are links."""
    os.symlink(conf("server a.test\n"), tmp_path / "data")
    os.symlink("data", tmp_path / "link")
    assert check(tmp_path / "link").returncode == 0
    os.mkfifo(tmp_path / "fifo")
    os.symlink("fifo", tmp_path / "planted")
    r = check(tmp_path / "planted")
    assert r.returncode == 1 and "not a regular file" in r.stderr

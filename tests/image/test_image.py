"""The image: built twice from a Debian base made on the spot, run in every way
that the documentation names.

The containers live in a user namespace (tests/image/cage.py), so nothing here
can change the machine's clock; where a container shall believe that it sets
the clock, a seccomp profile answers its calls with success.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import uuid

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
import lab

pytestmark = pytest.mark.skipif(lab.missing() is not None,
                                reason=f"image: {lab.missing()}")
# The bytes of the image.  arm64 also has kernels with pages of 64 KiB, so the
# linker aligns the second segment to that.
MOST = {"amd64": 356_000, "arm64": 432_000}
OFFSET = 0.4                    # s: the servers are ahead of this machine


# ------------------------------------------------------------------- builds

@pytest.fixture(scope="module")
def amd64():
    """The image's id, and the archive that docker save would make."""
    lab.base()
    identity = lab.build(lab.sources("one"), lab.NAME)
    return identity, lab.export(lab.NAME, "amd64")


@pytest.fixture(scope="module")
def arm64(amd64):
    tag = "localhost/ntpd:arm64"
    lab.build(lab.sources("one"), tag, "--platform", "linux/arm64")
    return tag, lab.export(tag, "arm64")


def layers(archive):
    """The layers of a docker archive, each a list of its tar's members."""
    with tarfile.open(archive) as tar:
        (entry,) = json.load(tar.extractfile("manifest.json"))
        result = []
        for name in entry["Layers"]:
            member = tar.getmember(name)
            while member.issym():
                name = str((pathlib.PurePosixPath(name).parent /
                            member.linkname))
                parts = []
                for part in name.split("/"):
                    parts = parts[:-1] if part == ".." else parts + [part]
                member = tar.getmember("/".join(parts))
            with tarfile.open(fileobj=tar.extractfile(member)) as layer:
                result.append(layer.getmembers())
        return result


def files(archive):
    found = {}
    for members in layers(archive):
        for m in members:
            found[m.name.strip("./")] = m
    return {name: m for name, m in found.items() if name}


def unpack(archive, name, target):
    """One file of the image's root."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if not member.name.endswith(".tar") or not member.isfile():
                continue
            with tarfile.open(fileobj=tar.extractfile(member)) as layer:
                for m in layer.getmembers():
                    if m.name.strip("./") == name:
                        target.write_bytes(layer.extractfile(m).read())
                        target.chmod(0o755)
                        return target
    raise AssertionError(f"no {name} in {archive}")


@pytest.mark.parametrize("kind", ["amd64", "arm64"])
def test_holds_one_program_and_a_link_to_it(kind, request):
    archive = request.getfixturevalue(kind)[1]
    found = files(archive)
    assert set(found) == {"ntpd", "ntpctl"}
    assert found["ntpctl"].issym() and found["ntpctl"].linkname == "ntpd"
    assert found["ntpd"].mode & 0o7777 == 0o755
    assert (found["ntpd"].uid, found["ntpd"].gid) == (0, 0)
    assert len(layers(archive)) <= 2
    assert found["ntpd"].size < MOST[kind]


def test_says_what_it_is(amd64):
    image = lab.inspect(lab.NAME)
    config = image["Docker"]["config"]
    assert config["Entrypoint"] == ["/ntpd"]
    assert config["Cmd"] == ["-d", "-s"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/ntpctl", "-s", "ready"]
    assert not config.get("User")
    labels = config["Labels"]
    for key in ("title", "description", "version", "licenses"):
        assert labels[f"org.opencontainers.image.{key}"]
    for licence in ("ISC", "MIT", "MPL-2.0"):
        assert licence in labels["org.opencontainers.image.licenses"]
    assert image["Docker"]["architecture"] == "amd64"
    assert image["Docker"]["created"].startswith("2026-01-01T00:00:00")


def test_the_same_sources_make_the_same_image(amd64):
    # The tool, the directory and the files' dates differ.  One more file,
    # which nothing includes, keeps the builder from using what it has stored.
    context = lab.sources("two")
    (context / "aside.h").write_text("")
    for path in context.rglob("*"):
        path.touch()
    again = lab.build(context, "localhost/ntpd:again", tool="podman")
    assert again == amd64[0]


def test_knows_the_build_date_it_was_given(cage):
    out = cage.podman("run", "--rm", lab.NAME, "-V").stdout
    assert "built 2026-01-01" in out


# -------------------------------------------------------------------- arm64

def qemu():
    found = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not found:
        pytest.skip("image: qemu-user-static is not installed")
    return found


@pytest.fixture(scope="module")
def arm64_program(arm64, tmp_path_factory):
    qemu()
    return unpack(arm64[1], "ntpd", tmp_path_factory.mktemp("arm") / "ntpd")


def test_arm64_is_labelled_as_such(arm64):
    assert lab.inspect(arm64[0])["Docker"]["architecture"] == "arm64"


def test_arm64_is_static(arm64_program):
    headers = subprocess.run(["readelf", "-hldW", arm64_program], text=True,
                             capture_output=True).stdout
    assert "AArch64" in headers
    assert "INTERP" not in headers and "(NEEDED)" not in headers


def test_arm64_checks_a_configuration(arm64_program, tmp_path):
    out = subprocess.run([qemu(), arm64_program, "-V"], text=True,
                         capture_output=True, timeout=60)
    assert out.returncode == 0 and "built 2026-01-01" in out.stdout
    conf = tmp_path / "ntpd.conf"
    conf.write_text("servers pool.ntp.org\n")
    out = subprocess.run([qemu(), arm64_program, "-n", "-f", conf], text=True,
                         capture_output=True, timeout=60)
    assert (out.returncode, out.stderr) == (0, "configuration OK\n")
    # qemu-user 7 has neither seccomp nor Landlock: the rest is there.
    out = subprocess.run([qemu(), arm64_program, "-n", "-v", "-f", conf],
                         text=True, capture_output=True, timeout=60)
    assert re.search("^sandbox: caps", out.stderr, re.M), out.stderr
    conf.write_text("servers\n")
    out = subprocess.run([qemu(), arm64_program, "-n", "-f", conf], text=True,
                         capture_output=True, timeout=60)
    assert out.returncode == 1 and f"{conf}:1:" in out.stderr


def test_arm64_asks_and_hears(arm64_program, cage, tmp_path):
    conf = tmp_path / "ntpd.conf"
    conf.write_text("".join(f"server 192.0.2.{i}\n" for i in (1, 2, 3, 4)))
    process = subprocess.Popen(
        cage.enter(qemu(), arm64_program, "-d", "-x", "-f", conf,
                   processes=False),
        stderr=subprocess.PIPE, text=True)
    try:
        heard = set()
        for line in process.stderr:
            match = re.match(r"reply from (\S+): offset (\S+) delay (\S+),",
                             line)
            if match:
                assert abs(float(match.group(2)) - OFFSET) < \
                    0.2 + float(match.group(3)) / 2
                heard.add(match.group(1))
            if len(heard) == 4:
                break
        assert len(heard) == 4
    finally:
        process.terminate()
        process.stderr.close()
        assert process.wait(20) == 0


# ------------------------------------------------------------------- matrix

POOL = "servers pool.ntp.org\n"
# OpenNTPD's lines with this program's numbers.
REPLY = re.compile(
    r"reply from 192\.0\.2\.[1-4]: offset -?\d+\.\d{6} delay \d+\.\d{6}, "
    r"next query \d+s")
SET = re.compile(r"set local clock to \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC "
                 r"\d{4} \(offset (-?\d+\.\d{6})s\)")
REMEDY = "--cap-add SYS_TIME"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return lab.pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def cage(amd64, pki):
    box = lab.Cage(OFFSET, pki / "www.pem", pki / "www.key")
    try:
        # docker save IMAGE | docker load does the same.
        box.podman("load", "-q", "-i", amd64[1])
        yield box
    finally:
        box.close()


@pytest.fixture(scope="module")
def mounts(tmp_path_factory, pki):
    """Configurations, as files and as Kubernetes mounts a ConfigMap."""
    where = tmp_path_factory.mktemp("mounts")
    (where / "ntpd.conf").write_text(POOL)
    (where / "serve.conf").write_text(POOL + "listen on *\n")
    (where / "constraint.conf").write_text(
        POOL + 'constraint from "https://www.example.com/"\n')
    (where / "numeric.conf").write_text(
        "".join(f"server 192.0.2.{i}\n" for i in (1, 2, 3, 4)))
    (where / "right.conf").write_text(
        "".join(f"server 198.51.100.{i}\n" for i in (1, 2, 3, 4)))
    (where / "broken.conf").write_text("servers pool.ntp.org\nserver\n")
    (where / "map" / "..2026").mkdir(parents=True)
    (where / "map" / "..2026" / "ntpd.conf").write_text(POOL)
    (where / "map" / "..data").symlink_to("..2026")
    (where / "map" / "ntpd.conf").symlink_to("..data/ntpd.conf")
    (where / "empty").mkdir()
    shutil.copy(pki / "ca.pem", where)
    return where


def file(mounts, name, target="/etc/ntpd.conf"):
    return ["-v", f"{mounts / name}:{target}:ro"]


# Every way to run it: a name, the options, the program's arguments, and
# whether the daemon believes that it set the clock.  {m} is the directory of
# mounts.
CONF = ["-v", "{m}/ntpd.conf:/etc/ntpd.conf:ro"]
ONE = ["--cap-drop", "ALL", "--cap-add", "SYS_TIME"]
MATRIX = {
    # The README runs it so.
    "one-capability": (ONE + CONF, [], True),
    "one-capability-read-only": (ONE + ["--read-only"] + CONF, [], True),
    "one-capability-nothing-gained":
        (ONE + ["--read-only", "--security-opt", "no-new-privileges"] + CONF,
         [], True),
    # The manifest runs it so: a directory of configuration, a memory volume.
    "like-the-pod":
        (ONE + ["--read-only", "--security-opt", "no-new-privileges",
                "--user", "0:0", "--tmpfs", "/var/run:rw,size=1m",
                "-v", "{m}/map:/app:ro",
                "-e", "NTP_CONF_FILE=/app/ntpd.conf"], ["-d", "-s"], True),
    "one-more-capability": (["--cap-add", "SYS_TIME"] + CONF, [], True),
    # People run images of OpenNTPD so.
    "privileged-d-s-f":
        (["--privileged"] + CONF, ["-d", "-s", "-f", "/etc/ntpd.conf"], True),
    "privileged-v-d-s-f":
        (["--privileged"] + CONF, ["-v", "-d", "-s", "-f", "/etc/ntpd.conf"],
         True),
    "privileged-d-f":
        (["--privileged"] + CONF, ["-d", "-f", "/etc/ntpd.conf"], False),
    "with-a-constraint":
        (ONE + ["-v", "{m}/constraint.conf:/etc/ntpd.conf:ro",
                "-v", "{m}/ca.pem:/ca.pem:ro", "-e", "SSL_CERT_FILE=/ca.pem"],
         [], True),
    # With another uid, only podman passes the capability on.
    "numeric-user": (ONE + ["--user", "65534:65534", "--read-only"] + CONF,
                     [], True),
}
# These have no permission, and podman's own seccomp profile.
WITHOUT = {
    "no-flags": (["--default-seccomp"] + CONF, []),
    "no-flags-d-s-f": (["--default-seccomp"] + CONF,
                       ["-d", "-s", "-f", "/etc/ntpd.conf"]),
    "no-capability": (["--default-seccomp", "--cap-drop", "ALL",
                       "--read-only"] + CONF, []),
    "numeric-user-without": (["--default-seccomp", "--cap-drop", "ALL",
                              "--user", "65534"] + CONF, []),
}


@pytest.fixture(scope="module")
def matrix(cage, mounts):
    """Start all of them, wait for what each is to say, stop them."""
    def one(name, options, arguments, *_):
        options = [o.format(m=mounts) for o in options]
        box = cage.start(*options, lab.NAME, *arguments)
        for i in (1, 2, 3, 4):
            lines = cage.wait_for(box, f"peer 192.0.2.{i} now valid")
        status = cage.podman("exec", box, "ntpctl", "-s", "status",
                             check=False)
        peers = cage.podman("exec", box, "ntpctl", "-s", "peers", check=False)
        code, took = cage.stop(box)
        return lines, cage.lines(box), status, peers, code, took

    cases = {**MATRIX, **WITHOUT}
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        runs = {name: pool.submit(one, name, *case)
                for name, case in cases.items()}
    # result() raises what went wrong, for that case only.
    return lambda name: runs[name].result()


@pytest.mark.parametrize("name", [*MATRIX, *WITHOUT])
def test_every_way_to_run_it_measures(matrix, name):
    lines, after, status, peers, code, took = matrix(name)
    text = "\n".join(after)
    assert "ntp engine ready" in lines
    replies = {line.split()[2] for line in lines if REPLY.fullmatch(line)}
    assert replies == {f"192.0.2.{i}:" for i in (1, 2, 3, 4)}, text
    valid = {line for line in lines if "now valid" in line}
    assert valid == {f"peer 192.0.2.{i} now valid" for i in (1, 2, 3, 4)}, text
    # OpenNTPD logs these in a container.
    for bad in ("negative delay", "can't set priority", "reset adjtime",
                "memory setup failure", "Permission denied", "creating new"):
        assert bad not in text
    # ntpctl is found without a path and finds the daemon.
    assert status.returncode == 0, status.stdout
    assert "4/4 peers valid" in status.stdout, status.stdout
    # Whatever the engine gave, it keeps no more than it needs.
    assert "\nsandbox: caps seccomp" in status.stdout, status.stdout
    assert peers.stdout.startswith("peer\n   wt tl st  next  poll"), \
        peers.stdout
    # Process 1 ends at the first SIGTERM.
    assert (code, after[-1]) == (0, "Terminating"), text
    assert took < 20, "must not need a SIGKILL"


@pytest.mark.parametrize("name", MATRIX)
def test_with_permission_the_clock_is_set_once(matrix, name):
    lines = matrix(name)[1]
    text = "\n".join(lines)
    assert REMEDY not in text and "not permitted" not in text
    sets = [float(m.group(1)) for m in map(SET.fullmatch, lines) if m]
    if MATRIX[name][2]:
        # The clock never moves here, and must not be set again and again.
        assert len(sets) == 1, text
        # It must not be asked about or complained of all the time either.  In
        # its first minute, which this can take, a server is asked 15 times.
        assert sum("adjusting local clock" in line for line in lines) <= 3
        assert sum(line.startswith("reply from") for line in lines) <= 60
        # It cannot know half of the longest round trip before the set.
        before = [float(line.split()[6].strip(",")) / 2 for line in
                  text.split("set local clock")[0].splitlines()
                  if REPLY.fullmatch(line)]
        assert abs(sets[0] - OFFSET) < 0.1 + max(before)
    else:
        assert sets == [], text


@pytest.mark.parametrize("name", WITHOUT)
def test_without_permission_one_line_names_the_remedy(matrix, name):
    lines = matrix(name)[1]
    text = "\n".join(lines)
    about = [line for line in lines
             if "SYS_TIME" in line or "not permitted" in line]
    assert len(about) == 1 and REMEDY in about[0], text
    assert not any(SET.fullmatch(line) for line in lines)


def test_constraint_is_asked_and_answered(matrix):
    text = "\n".join(matrix("with-a-constraint")[1])
    assert "constraint request to 203.0.113.80" in text
    assert re.search(r"constraint reply from 203\.0\.113\.80: offset "
                     r"-?\d\.\d{6}", text), text
    assert "constraint reply" in text.split("set local clock")[0]


# ------------------------------------------------------------ single promises

def test_first_run_needs_no_configuration(cage):
    box = cage.start("--default-seccomp", lab.NAME, "-d")
    lines = cage.wait_for(box, "constraint request to 9.9.9.9")
    assert "ntp engine ready" in lines
    text = cage.podman("exec", box, "ntpctl", "-s", "status").stdout
    assert "constraint" in text, text
    assert cage.stop(box)[0] == 0


def test_a_missing_network_is_survived(cage, mounts):
    box = cage.start(*ONE, *file(mounts, "numeric.conf"), lab.NAME,
                     network=lab.NONE)
    lines = cage.wait_for(box, "ntp engine ready")
    assert cage.podman("exec", box, "ntpctl", "-s", "live").returncode == 0
    ready = cage.podman("exec", box, "ntpctl", "-s", "ready", check=False)
    assert ready.returncode == 1, ready.stdout
    assert len(ready.stdout.strip()) <= 80 and ready.stdout.strip()
    assert len(lines) < 20
    assert cage.stop(box)[0] == 0


def test_health_check_tells_synchronised_from_not(cage, mounts):
    good = cage.start(*ONE, *file(mounts, "right.conf"), lab.NAME)
    bad = cage.start(*ONE, *file(mounts, "numeric.conf"), lab.NAME,
                     network=lab.NONE)
    cage.wait_for(good, "clock is now synced")
    assert cage.podman("healthcheck", "run", good).returncode == 0
    assert cage.podman("healthcheck", "run", bad,
                       check=False).returncode == 1
    assert cage.podman("exec", good, "ntpctl", "-s",
                       "ready").returncode == 0
    for box in (good, bad):
        assert cage.stop(box)[0] == 0


def test_configuration_mistakes_are_named(cage, mounts):
    run = cage.podman("run", "--rm", *file(mounts, "broken.conf"), lab.NAME,
                      check=False)
    assert run.returncode == 1
    assert re.search(r"(?m)^/etc/ntpd\.conf:2:7: syntax error", run.stdout)
    # docker makes a directory for a file that -v does not find.
    run = cage.podman("run", "--rm", *file(mounts, "empty"), lab.NAME,
                      check=False)
    assert run.returncode == 1 and "directory" in run.stdout, run.stdout
    run = cage.podman("run", "--rm", "-e", "NTP_CONF_FILE=/app/none.conf",
                      lab.NAME, check=False)
    assert run.returncode == 1 and "/app/none.conf" in run.stdout
    run = cage.podman("run", "--rm", *file(mounts, "ntpd.conf"), lab.NAME,
                      "-n")
    assert run.stdout.endswith("configuration OK\n")


def test_sets_once_for_init_containers(cage, mounts):
    seccomp = ["--security-opt", f"seccomp={lab.HERE / 'seccomp.json'}"]
    run = cage.podman("run", "--rm", *cage.network(), *ONE, *seccomp,
                      *file(mounts, "numeric.conf"), lab.NAME, "-q", "-s")
    assert "set local clock to" in run.stdout
    run = cage.podman("run", "--rm", *cage.network(), "--cap-drop", "ALL",
                      *file(mounts, "numeric.conf"), lab.NAME, "-q", "-s",
                      check=False)
    assert run.returncode == 2, run.stdout


def test_serves_on_port_123_with_one_capability_more(cage, mounts):
    """It has a network of its own, and is asked from within."""
    caps = [*ONE, "--cap-add", "NET_BIND_SERVICE"]
    box = cage.start(*caps, *file(mounts, "serve.conf"), lab.NAME,
                     network=lab.NONE)
    lines = cage.wait_for(box, "ntp engine ready")
    assert any(line.startswith("listening on ") for line in lines), lines
    pid = cage.podman("inspect", "--format", "{{.State.Pid}}",
                      box).stdout.strip()
    ask = ("import socket; s = socket.socket(socket.AF_INET, "
           "socket.SOCK_DGRAM); s.settimeout(5); "
           "s.sendto(b'\\x23' + bytes(47), ('127.0.0.1', 123)); "
           "r = s.recv(100); print(len(r), r[0] >> 6, r[0] & 7)")
    answer = cage.run("nsenter", "-t", pid, "-n", sys.executable, "-c", ask)
    # 48 bytes, "not synchronised", mode server.
    assert answer.stdout == "48 3 4\n"
    assert cage.stop(box)[0] == 0


def test_the_drift_file_is_kept_in_a_volume(cage, mounts):
    cage.podman("volume", "create", "drift")
    place = cage.podman("volume", "inspect", "--format", "{{.Mountpoint}}",
                        "drift").stdout.strip()
    cage.run("sh", "-c", f"echo -12.5 > {place}/ntpd.drift")
    box = cage.start(*ONE, "--read-only", "-v", "drift:/var/db",
                     *file(mounts, "numeric.conf"), lab.NAME, "-vv", "-d")
    lines = cage.wait_for(box, "now valid")
    assert not any("drift" in line for line in lines), "\n".join(lines)
    assert cage.stop(box)[0] == 0
    kept = cage.run("cat", f"{place}/ntpd.drift").stdout
    assert re.fullmatch(r"-?\d+\.\d+\n", kept)


# ------------------------------------------------------------------ plain runc

def bundle(where, archive, mounts, caps):
    """What containerd would hand to runc for the manifest's container."""
    root = where / "rootfs"
    root.mkdir(parents=True)
    unpack(archive, "ntpd", root / "ntpd")
    (root / "ntpctl").symlink_to("ntpd")
    for name in ("proc", "dev", "sys", "etc/ntpd", "var/run"):
        (root / name).mkdir(parents=True)
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "cwd": "/",
            "args": ["/ntpd", "-d", "-s"],
            "env": ["PATH=/", "NTP_CONF_FILE=/etc/ntpd/numeric.conf"],
            "noNewPrivileges": True,
            "capabilities": {kind: caps for kind in (
                "bounding", "effective", "permitted")}},
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/etc/ntpd", "type": "bind",
             "source": str(mounts), "options": ["rbind", "ro"]},
            {"destination": "/var/run", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "nodev", "noexec", "size=1m"]}],
        "linux": {
            "namespaces": [{"type": t} for t in ("pid", "ipc", "uts",
                                                 "mount")],
            "resources": {"memory": {"limit": 20 << 20}},
            "seccomp": json.loads((lab.HERE / "seccomp.json").read_text())}}
    for rule in config["linux"]["seccomp"]["syscalls"]:
        rule.pop("comment")
    (where / "config.json").write_text(json.dumps(config))


def test_runc_with_the_manifests_rights(amd64, cage, mounts, tmp_path):
    bundle(tmp_path, amd64[1], mounts, ["CAP_SYS_TIME"])
    # Its cgroup is the machine's, where another run may have one as well.
    pod = "pod-" + uuid.uuid4().hex
    log = tmp_path / "log"
    process = subprocess.Popen(
        cage.enter("runc", "--root", "/run/plain", "run", "--bundle",
                   tmp_path, pod),
        stdin=subprocess.DEVNULL, stderr=log.open("w"), env=lab.environment())
    try:
        end = 240
        while "now valid" not in log.read_text():
            assert process.poll() is None and end > 0, log.read_text()
            end -= 1
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
        # The probes run within the memory limit of the pod.
        for what in ("live", "status"):
            out = cage.run("runc", "--root", "/run/plain", "exec", pod,
                           "/ntpctl", "-s", what)
            assert out.returncode == 0
    finally:
        cage.run("runc", "--root", "/run/plain", "kill", pod, "TERM",
                 check=False)
        code = process.wait(20)
    text = log.read_text()
    assert code == 0 and text.endswith("Terminating\n"), text
    assert "set local clock to" in text


def test_a_rootless_user_is_told_why_and_measures(amd64):
    """Whatever podman of a user without rights is asked to give."""
    if not shutil.which("newuidmap"):
        pytest.skip("image: uidmap is not installed")
    podman = "podman --log-level error"
    ways = ["", "--privileged", " ".join(ONE) + " --user 65534"]
    out = lab.run(
        "unshare", "--mount", "sh", lab.HERE / "rootless.sh", amd64[1],
        "none='--network none --no-healthcheck';"
        f"for way in {' '.join(map(repr, ways))}; do"
        f" {podman} run --rm $none $way {lab.NAME} -n -v 2>&1 |"
        " sed -n 1,3p; done;"
        f"box=$({podman} run -d $none {lab.NAME});"
        f"{podman} exec $box ntpctl -s live;"
        f"{podman} stop -t 20 $box >/dev/null; {podman} logs $box;"
        f"{podman} inspect --format '{{{{.State.ExitCode}}}}' $box")
    lines = out.stdout.splitlines()
    reason = ("adjtimex failed: Operation not permitted: only measuring, the "
              "clock is left alone; a user namespace (rootless) cannot set the "
              "clock: run it in the host's")
    for first, second, third in zip(*[iter(lines[:3 * len(ways)])] * 3):
        assert (first, second) == ("configuration OK", reason)
        assert third.startswith("sandbox: caps seccomp")
    said = lines[3 * len(ways):]
    assert said[1:3] == [reason, "ntp engine ready"], said
    assert said[-2:] == ["Terminating", "0"], said


@pytest.mark.parametrize("barred,told", [
    # It has the capability, so nothing but the cage is in its way.
    (False, "a user namespace (rootless) cannot set the clock"),
    (True, "no_new_privs bars the program's file capability")])
def test_a_file_capability_for_uid_65534(amd64, cage, mounts, tmp_path, barred,
                                         told):
    """Docker and Kubernetes leave another uid than 0 the bounding set alone."""
    bundle(tmp_path, amd64[1], mounts, ["CAP_SYS_TIME"])
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["process"].update(
        user={"uid": 65534, "gid": 65534}, args=["/ntpd", "-n", "-v"],
        noNewPrivileges=barred, capabilities={"bounding": ["CAP_SYS_TIME"]})
    del config["linux"]["seccomp"]      # which answers the clock's calls
    path.write_text(json.dumps(config))
    # struct vfs_cap_data of linux/capability.h: SYS_TIME, and effective.
    os.setxattr(tmp_path / "rootfs" / "ntpd", "security.capability",
                struct.pack("<5I", 0x02000001, 1 << 25, 0, 0, 0))
    out = cage.run("runc", "--root", "/run/plain", "run", "--bundle", tmp_path,
                   "cap-" + uuid.uuid4().hex, stderr=subprocess.STDOUT)
    lines = out.stdout.splitlines()
    assert out.returncode == 0 and lines[0] == "configuration OK", lines
    assert lines[1].split("left alone; ")[-1].startswith(told), lines
    assert lines[2].startswith("sandbox: caps"), lines

"""README.md and the pages under docs/, followed by the letter on machines that
have nothing.

Every command in their "console" blocks is run: make, scp and the like in clean
Debian roots, docker and kubectl by stand-ins (podman, tests/image/kubectl.py).
What it shows as their output must be what they print, but for numbers,
addresses and dates.  "python3 tests/image/test_readme.py" prints the blocks with the
output of today.
"""
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCS = TOP / "docs"
README = TOP / "README.md"
# The pages whose commands are run, in this order.  Each continues where the
# README ends.
WAYS = [DOCS / "container.md", DOCS / "kubernetes.md", DOCS / "machine.md"]
PAGES = [README, *sorted({*TOP.glob("*.md"), *DOCS.glob("*.md"),
                          DOCS / "examples/README.md"} - {README})]
import lab

if lab.missing() is None:
    import kubectl
    import machine

needs_lab = pytest.mark.skipif(lab.missing() is not None,
                               reason=f"image: {lab.missing()}")

# Commands that are not run, and why.
NOT_RUN = {
    "make test": "this is a part of it",
    "sudo systemctl disable --now systemd-timesyncd":
        "there is no systemd in a chroot",
}


def blocks(text):
    """(command, output) of every command in console blocks, in order."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```$", text):
        command, output = None, []
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith("$ "):
                if command:
                    yield command, output
                command, output = line[2:], []
                while command.endswith("\\"):
                    command = command[:-1].rstrip() + " " + \
                        next(lines).strip()
            else:
                output.append(line)
        yield command, output


def shape(line):
    """What does not change from run to run."""
    line = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}", "DATE",
                  line)
    line = re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDRESS", line)
    line = re.sub(r"^\+ (agrees|followed) ", "+ ", line)  # any may be that
    line = re.sub(r"-?\d+(\.\d+)?([mu]?s\b)?", "N", line)
    return re.sub(r"\s+", " ", line).strip()


class Reader:
    """Somebody who follows the README."""

    def __init__(self, where):
        self.where = where
        lab.base()
        pki = lab.pki(where)
        # The servers agree with this machine's clock, since a clock that had
        # to be set would never move here.
        self.cage = lab.Cage(0, pki / "www.pem", pki / "www.key")
        self.ca = ["-v", f"{pki / 'ca.pem'}:/test-ca.pem:ro",
                   "-e", "SSL_CERT_FILE=/test-ca.pem"]
        self.machine = machine.Machine("fresh", self.cage)
        self.machine.put_sources()
        self.node = machine.Machine("node", self.cage)
        self.cluster = kubectl.Cluster(self.cage, where)
        self.boxes = {}
        self.serving = None

    def close(self):
        if self.serving:
            self.serving.stop_unit()
        self.cage.close()
        self.machine.close()
        self.node.close()

    def docker(self, words):
        what, words = words[0], words[1:]
        if what == "run":
            options = [w.replace("$PWD", str(self.where)) for w in words]
            if "-d" in options[:options.index("ntpd:0.1.0")]:
                name = options[options.index("--name") + 1]
                drop = {"-d", "--name", name, "--restart", "always"}
                options = [w for w in options if w not in drop]
                # The test's own CA takes the place of the built-in roots.
                self.boxes[name] = self.cage.start(*self.ca, *options)
                return ""
            return self.cage.podman("run", *options).stdout
        if what == "rm":
            self.cage.podman("rm", "-f", "-t", "5", self.boxes[words[-1]])
            return ""
        if what == "logs":
            box = self.boxes[words[0]]
            for i in (1, 2, 3, 4):
                self.cage.wait_for(box, f"192.0.2.{i} now valid")
            self.cage.wait_for(box, "clock is now synced")
            return self.cage.podman("logs", box).stdout
        if what == "exec":
            return self.cage.podman("exec", self.boxes[words[0]],
                                    *words[1:]).stdout
        raise AssertionError(f"docker {what}: no stand-in for it")

    def make(self, command):
        if command == "make run":
            # It fetches its packages from outside first; the daemon must ask
            # nobody there.
            self.machine.run_until("sh tools/need.sh build && echo well",
                                   "well", outside=True)
            return self.machine.run_until("make run", "ntp engine ready")
        if command == "make image":
            # It uses the machine's builder, since installing one takes long.
            builder = shlex.join(map(str, lab.BUILDER))
            lab.run("make", "image", f"ENGINE={builder}",
                    f"IMAGE_FLAGS=--layers --pull-never "
                    f"--build-arg BASE={lab.BASE}", cwd=lab.TOP)
            self.cage.podman("load", "-q", "-i",
                             lab.export(lab.NAME, "readme"))
            return ""
        self.machine.run(command)
        return ""

    def run(self, command):
        words = shlex.split(command)
        if words[0] == "docker":
            return self.docker(words[1:])
        if words[0] == "kubectl":
            said = self.cluster.run(words[1:])
            if words[-1] == "k8s.yaml":
                for box in self.cluster.pods.values():
                    self.cluster.ready(box)
            return said
        if words[0] == "make":
            return self.make(command)
        if command.startswith("echo "):
            lab.run("sh", "-c", command, cwd=self.where)
            return ""
        if words[0] == "scp":
            host, _, place = words[2].partition(":")
            shutil.copy2(self.machine.root / self.machine.home[1:] / words[1],
                         self.node.root / place[1:])
            return ""
        if words[0] == "ssh":
            # Its own configuration names constraints that only the real roots
            # can check.
            (self.node.root / "etc/ca.pem").write_bytes(
                (self.where / "ca.pem").read_bytes())
            # Without -t the program would outlive the reader's interrupt.
            assert words[:3] == ["ssh", "-t", "root@node"]
            return self.node.run_until(
                "sleep 0.1; " + " ".join(words[3:]), "clock is now synced",
                environment=["SSL_CERT_FILE=/etc/ca.pem"])
        if words[:3] == ["sudo", "systemctl", "enable"]:
            (self.machine.root / "etc/ntpd.conf").write_text(
                "servers pool.ntp.org\n")
            self.machine.start_unit(words[-1])
            self.serving = self.machine
            return ""
        if words[0] == "sudo":
            outside = words[1] in ("apt-get",)
            if outside:
                command = "apt-get update -q >/dev/null; " + command
            return self.machine.run(command, outside)
        raise AssertionError(f"{command}: nobody knows how to run it")


def follow(run):
    """Run all commands: [(command, shown, printed)]. A page begins with
    commands of the README and shows more of what they print; these are not run
    again."""
    result, printed = [], {}
    for page in [README, *WAYS]:
        for command, shown in blocks(page.read_text()):
            if command in NOT_RUN:
                continue
            if page == README:
                assert command not in printed, f"{command}: twice"
                said = printed[command] = run(command)
            elif command in printed:
                said = printed.pop(command)
            else:
                said = run(command)
            result.append((command, shown, said))
    return result


def play(where):
    """follow(), on real machines."""
    reader = Reader(where)

    def run(command):
        began = time.monotonic()
        said = reader.run(command)
        print(f"[{time.monotonic() - began:5.1f} s] {command}",
              file=sys.stderr, flush=True)
        return said
    try:
        return follow(run)
    finally:
        reader.close()


def test_every_console_block_is_followed():
    for page in PAGES:
        assert page in [README, *WAYS] or not list(blocks(page.read_text())), \
            page.name


# What is shown in "sh" blocks: the beginning of each command, in the order of the
# pages, and what runs it: a test of this name, or a sentence of the page says why
# nothing does.
SHOWN = {
    "CONTRIBUTING.md": {
        "make run": "every_command_works",
        "make check ROOM": "one_room_is_checked_alone",
        "make check": "every_part_of_make_test_is_called_so",
        "make promises": "a_word_finds_its_promises",
        "make test ONLY": "the_tests_of_a_word_are_chosen",
        "make test": "make_n_runs_nothing",
        "make help": "help_lists_what_the_pages_use"},
    "docs/building.md": {
        "make image": "the_same_sources_make_the_same_image",
        "SOURCE_DATE_EPOCH=": "buildx was not run"},
    "docs/guests.md": {
        "docker run": "No machine of the tests has such a device, so this was not "
                      "run"},
    "docs/kubernetes.md": {
        "docker tag": "none of these commands was run",
        "docker push": "none of these commands was run",
        "$EDITOR deploy/kustomization.yaml": "images_can_be_renamed",
        "kubectl apply -k deploy": "own_kustomize_agrees_with_kubectl",
        "docker buildx": "none of these commands was run",
        "docker save": "none of these commands was run",
        "kind load": "none of these commands was run",
        "minikube image": "none of these commands was run",
        "kubectl -n ntpd exec": "a_dash_is_standard_input",
        "helm ": "Helm itself is in no Debian and was not run"},
    "docs/platforms.md": {
        "ntpctl -s status": "every_command_works",
        "timedatectl ": "was not tried",
        "systemctl ": "was not tried"},
    "docs/releasing.md": {
        "make release": "a_release_made_twice_is_the_same",
        "skopeo ": "`make signing` runs the commands of",
        "ctr ": "`make signing` runs the commands of",
        "podman ": "`make signing` runs the commands of",
        "cosign ": "`make signing` runs the commands of",
        "signify ": "`make signing` runs the commands of",
        "minisign ": "`make signing` runs the commands of",
        "sha256sum -c": "a_part_of_a_release_is_checked_by_its_sums"},
    "docs/troubleshooting.md": {
        "timedatectl ": "no test stops such a service",
        "systemctl ": "no test stops such a service",
        "rc-service ": "no test stops such a service"},
}


def commands(block):
    """The commands of a block for a shell, without its loops and comments."""
    for line in block.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line and not re.match(r"(for|done)\b", line):
            yield line


@pytest.mark.parametrize("page", PAGES,
                         ids=lambda page: str(page.relative_to(TOP)))
def test_what_is_shown_is_run_or_the_page_says_why_not(page):
    text = page.read_text()
    known = SHOWN.get(str(page.relative_to(TOP)), {})
    used = set()
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", text):
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)
        for command in commands(block):
            begins = [known_one for known_one in known
                      if command.startswith(known_one)]
            assert begins, f"{command}: which test runs it?"
            used.add(max(begins, key=len))
    assert used == set(known)
    tests = "".join(path.read_text() for path in TOP.glob("tests/**/test_*.py"))
    for words in known.values():
        assert " ".join(words.split()) in " ".join(text.split()) \
            if " " in words else f"def test_{words}(" in tests, words


def test_help_lists_what_the_pages_use():
    out = subprocess.run(["make", "-s", "help"], cwd=TOP, text=True,
                         capture_output=True, check=True).stdout
    there = {line.split("\t")[0] for line in out.splitlines()}
    for page in PAGES:
        shown = re.findall(r"(?m)(?:^\$ (?:sudo )?|^|`)make ([a-z-]+)",
                           page.read_text())
        if page.name != "CHANGELOG.md":
            assert set(shown) <= there, page.name


def test_pages_go_on_where_the_readme_ends():
    """Each command of a way is run once, although both places show it."""
    done = []
    shown = [command for command, _, _ in follow(
        lambda command: done.append(command) or "")]
    for way in "make image", "kubectl apply -f k8s.yaml", "make":
        assert shown.count(way) == 2 and done.count(way) == 1, way
    # After another "docker run" the log is another container's.
    assert shown.count("docker logs ntpd") == 3
    assert done.count("docker logs ntpd") == 2


@pytest.fixture(scope="module")
def transcript(tmp_path_factory):
    return play(tmp_path_factory.mktemp("reader"))


@needs_lab
def test_every_command_works(transcript):
    done = [command for command, _, _ in transcript]
    for way in ("make run", "make image", "docker run -d --name ntpd",
                "kubectl apply -f k8s.yaml", "scp ntpd",
                "sudo make install", "sudo systemctl enable --now ntpd"):
        assert any(command.startswith(way) for command in done), way


def left_out(shown, printed):
    """The first shown line that does not follow the one before it, or None.
    At "..." any number of lines may be left out, and what comes behind may
    stand anywhere, since nobody promises the order of the servers' answers."""
    there = [shape(line) for line in printed.splitlines()
             if line.strip() and not line.startswith('time="')]   # podman's
    begins = [0]
    for line in shown:
        if line.strip() == "...":
            begins = range(len(there))
        elif line.strip():
            begins = [i + 1 for i in begins if there[i:i + 1] == [shape(line)]]
            if not begins:
                return line
    return None


def test_lines_may_be_left_out_at_dots_only():
    assert left_out(["a 1", "b", "...", "d"], "a 2\nb\nc\nd\n") is None
    assert left_out(["b"], "a\nb\n") == "b"
    assert left_out(["...", "b", "d"], "a\nb\nc\nd\n") == "d"


@needs_lab
def test_shown_output_is_what_is_printed(transcript):
    for command, shown, printed in transcript:
        line = left_out(shown, printed)
        assert line is None, f"{command}: {line!r} is not there in\n{printed}"


def make_install(where, *arguments):
    """Install as a user whose new files nobody else may read."""
    subprocess.run(["make", "-o", "ntpd", f"DESTDIR={where}", *arguments],
                   cwd=TOP, check=True, capture_output=True, umask=0o077)


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
def test_install_puts_everything_in_its_place(tmp_path):
    make_install(tmp_path, "install", "PREFIX=/usr", "OPENRC=yes")
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")
             if not p.is_dir()}
    assert there == {
        "usr/sbin/ntpd", "usr/sbin/ntpctl",
        "usr/share/man/man8/ntpd.8", "usr/share/man/man8/ntpctl.8",
        "usr/share/man/man5/ntpd.conf.5",
        "usr/share/doc/ntpd/LICENSE", "usr/share/doc/ntpd/NOTICE",
        "usr/share/doc/ntpd/ntpd.conf",
        "usr/lib/systemd/system/ntpd.service",
        "usr/lib/systemd/system/ntpd-wait.service",
        "usr/lib/systemd/ntp-units.d/50-ntpd.list", "etc/init.d/ntpd",
        "usr/share/bash-completion/completions/ntpd",
        "usr/share/bash-completion/completions/ntpctl",
        "usr/share/zsh/site-functions/_ntpd"}
    for name in there:
        mode = (tmp_path / name).lstat().st_mode & 0o777
        assert mode & 0o044 == 0o044, f"{name}: {mode:o}"
    for name in ("usr/lib/systemd/system/ntpd.service",
                 "usr/lib/systemd/system/ntpd-wait.service",
                 "etc/init.d/ntpd"):
        text = (tmp_path / name).read_text()
        assert "/usr/sbin/ntp" in text and "/usr/local" not in text
    script = tmp_path / "etc/init.d/ntpd"
    subprocess.run(["sh", "-n", script], check=True)
    assert script.stat().st_mode & 0o111
    out = subprocess.run([tmp_path / "usr/sbin/ntpctl", "-s", "status"],
                         env={"NTP_CONTROL_SOCKET": str(tmp_path / "none")},
                         capture_output=True, text=True)
    assert out.returncode == 2 and out.stderr.startswith("ntpctl: connect:")


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_timedatectl_switches_this_daemon(tmp_path, prefix):
    """The list is in the two places where systemd-timedated.service(8) looks,
    and comes before that of timesyncd."""
    make_install(tmp_path, "install", f"PREFIX={prefix}")
    (path,) = tmp_path.glob("**/ntp-units.d/*")
    assert str(path.relative_to(tmp_path)) == \
        f"{prefix[1:]}/lib/systemd/ntp-units.d/50-ntpd.list"
    assert path.name < "80-systemd-timesync.list"
    units = [line for line in path.read_text().splitlines()
             if line and not line.startswith("#")]
    assert units == ["ntpd.service"]
    assert (path.parent.parent / "system" / units[0]).exists()


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_uninstall_leaves_what_is_not_ours(tmp_path, prefix):
    drift, conf, other = (tmp_path / name for name in (
        "var/db/ntpd.drift", "etc/ntpd.conf", "etc/init.d/ntpd"))
    where = f"PREFIX={prefix}"
    make_install(tmp_path, "install", where, "OPENRC=yes")
    for path in drift, conf:
        path.write_text("mine\n")
    make_install(tmp_path, "uninstall", where)
    left = [p for p in tmp_path.rglob("*") if not p.is_dir()]
    assert sorted(left) == [conf, drift]
    other.write_text("another package's\n")
    make_install(tmp_path, "uninstall", where)          # twice does no harm
    assert other.exists()


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
def test_openrc_script_checks_before_it_starts(tmp_path):
    conf = tmp_path / "ntpd.conf"
    script = tmp_path / "ntpd"
    script.write_text((TOP / "deploy/ntpd.openrc").read_text().replace(
        "/usr/local/sbin/ntpd", str(TOP / "ntpd")).replace(
        "/dev/log", str(tmp_path / "log")))

    def said(words):
        out = subprocess.run(
            ["sh", "-c", "RC_SVCNAME=ntpd; eerror() { echo \"$*\" >&2; }; "
             f". {script}; {words}"], text=True, capture_output=True,
            env={"NTPD_OPTS": f"-f {conf}"})
        return out.returncode, out.stdout + out.stderr
    conf.write_text("servers pool.ntp.org\n")
    assert said("$command -n $command_args") == (0, "configuration OK\n")
    code, text = said("start_pre")
    assert code == 1 and "start a logger first" in text
    with socket.socket(socket.AF_UNIX) as log:
        log.bind(str(tmp_path / "log"))
        assert said("start_pre") == (0, "configuration OK\n")
        conf.write_text("server\n")
        code, text = said("start_pre")
        assert code == 1 and f"{conf}:1:" in text


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
def test_openrc_script_reloads_a_configuration_that_is_good(tmp_path):
    """Debian's start-stop-daemon cannot send a signal, that of OpenRC can."""
    conf, pid = tmp_path / "ntpd.conf", tmp_path / "pid"
    script = tmp_path / "ntpd"
    script.write_text((TOP / "deploy/ntpd.openrc").read_text().replace(
        "/usr/local/sbin/ntpd", str(TOP / "ntpd")))
    # Whoever started the tests may ignore SIGHUP, as nohup does.
    daemon = subprocess.Popen(["env", "--default-signal=HUP", "sleep", "100"])
    pid.write_text(f"{daemon.pid}\n")
    words = (f"RC_SVCNAME=ntpd; ebegin() {{ :; }}; eend() {{ return $1; }}; "
             f". {script}; pidfile={pid}; reload")

    def reload(text):
        conf.write_text(text)
        return subprocess.run(["sh", "-c", words], capture_output=True, env={
            "NTPD_OPTS": f"-f {conf}", "PATH": os.environ["PATH"]}).returncode
    try:
        assert reload("server\n") != 0 and daemon.poll() is None
        assert reload("servers pool.ntp.org\n") == 0
        assert daemon.wait(60) == -signal.SIGHUP
    finally:
        daemon.kill()
        daemon.wait()


def exposure(path, text):
    """How systemd rates a unit, from 0 (safe) to 10."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    path.write_text(text)
    out = subprocess.run(["systemd-analyze", "--offline=true", "security",
                          path], capture_output=True, text=True)
    level = re.search(r"exposure level for \S+: ([\d.]+)", out.stdout)
    if not level:
        pytest.skip("systemd-analyze is too old for this")
    return level.group(1)


def test_unit_is_hardened(tmp_path):
    text = (TOP / "deploy/ntpd.service").read_text().replace(
        "/usr/local/sbin/ntpd", "/bin/true")
    unit = tmp_path / "ntpd.service"
    level = exposure(unit, text)
    out = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                         capture_output=True, text=True)
    if "Failed to initialize manager" in out.stderr:
        pytest.skip("systemd-analyze does not work here")
    assert "ntpd.service" not in out.stderr, out.stderr
    page = (TOP / "docs/security.md").read_text()
    assert level == re.search(r"rates the unit ([\d.]+),", page).group(1)


def test_no_unit_that_sets_the_clock_is_rated_lower(tmp_path):
    """What is left if the unit gives up all but the clock and the network."""
    text = (TOP / "deploy/ntpd.service").read_text().replace(
        " AF_UNIX AF_NETLINK", "").replace(
        "[Install]", "RootDirectory=/srv\nIPAddressDeny=any\n[Install]")
    page = (TOP / "docs/security.md").read_text()
    assert exposure(tmp_path / "least.service", text) == \
        re.search(r"rows alone are rated ([\d.]+)\.", page).group(1)


def unit(name):
    """The settings of a unit, each as a list of words."""
    settings = {}
    for line in (TOP / "deploy" / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(key, []).extend(value.split())
    return settings


def test_unit_gives_one_capability_to_no_lasting_user():
    daemon, wait = unit("ntpd.service"), unit("ntpd-wait.service")
    assert daemon["AmbientCapabilities"] == ["CAP_SYS_TIME"]
    assert daemon["CapabilityBoundingSet"] == ["CAP_SYS_TIME"]
    assert daemon["DynamicUser"] == wait["DynamicUser"] == ["yes"]
    assert wait["CapabilityBoundingSet"] == []
    # ntpctl answers the daemon's own user.
    assert daemon["User"] == wait["User"] == ["ntpd"]


def test_unit_has_the_paths_of_the_program():
    def defined(header, name):
        return re.search(rf'#define {name} "(.*)"',
                         (TOP / header).read_text()).group(1)
    daemon = unit("ntpd.service")
    path = defined("serve/control.h", "CONTROL_UNIT")
    assert daemon["Environment"] == [f"NTP_CONTROL_SOCKET={path}"]
    assert daemon["RuntimeDirectory"] == [pathlib.Path(path).parent.name]
    (state,) = daemon["StateDirectory"]
    drift = pathlib.Path(defined("sys/state.h", "DRIFT_PATH"))
    assert daemon["BindPaths"] == [f"/var/lib/{state}:{drift.parent}"]


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
def test_configurations_shown_are_accepted(tmp_path):
    shown = [text for page in PAGES for text in
             re.findall(r"(?ms)^```conf\n(.*?)^```$", page.read_text())]
    assert shown
    for text in shown:
        path = tmp_path / "ntpd.conf"
        path.write_text(text)
        out = subprocess.run([TOP / "ntpd", "-n", "-f", path], text=True,
                             capture_output=True)
        assert (out.returncode, out.stderr) == (0, "configuration OK\n")


def test_the_policy_has_each_step_of_the_manual():
    """Its table has the rows of the manual's list, in the same words."""
    manual = re.search(r"(?ms)^\.Ss What sets the clock$(.*?)^\.Ss ",
                       (TOP / "man/ntpd.8").read_text()).group(1)
    rows = re.search(r"(?ms)^## What sets the clock$(.*?)^## ",
                     (TOP / "SECURITY.md").read_text()).group(1)
    steps = [re.sub(r" No\b| Cm\b|`", "", line) for line in
             re.findall(r"(?m)^\.It (.*)", manual)]
    assert steps == [line.replace("`", "") for line in
                     re.findall(r"(?m)^\| (?!when|---)(.*?) \|", rows)]


def test_the_newest_change_is_of_this_version():
    (first, *_) = re.findall(r"(?m)^## (.*)", (TOP / "CHANGELOG.md").read_text())
    assert first.split(",")[0] == (TOP / "VERSION").read_text().strip()


def test_nothing_is_left_to_fill_in():
    for page in PAGES:
        assert "OUTPUT" not in page.read_text(), page.name


def test_readme_is_short():
    assert README.read_text().count("\n") <= 180


def prose(page):
    """The text without code, in which brackets are no links."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    return re.sub(r"`[^`]*`", lambda code: re.sub(r"[\[\]]", "", code.group()),
                  text)


def anchors(page):
    """The anchors of a page's headings, as a forge makes them; a second
    heading of the same name has "-1"."""
    made = []
    for heading in re.findall(r"(?m)^#+ (.*)$", prose(page)):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        made.append(anchor + (f"-{n}" if (n := made.count(anchor)) else ""))
    return made


def broken_links(page):
    """Relative links and pictures that lead to no file or to no heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue                    # another site
        name, _, anchor = target.partition("#")
        place = page.parent / name if name else page
        if name.startswith("/") or not place.exists() or \
                anchor and anchor not in anchors(place):
            yield target


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# What is it?\n\n## `x` it\n")
    page.write_text("# Here\n[a](other.md) [b](other.md#what-is-it) [c](#here) "
                    "![d](other.md#x-it) [e](https://example.com/no) `[f](no)`")
    assert list(broken_links(page)) == []
    page.write_text("[a](no.md) [b](other.md#no) [c](#no) ![d](no.svg) "
                    "[`e`](/etc/passwd)")
    assert list(broken_links(page)) == \
        ["no.md", "other.md#no", "#no", "no.svg", "/etc/passwd"]


@pytest.mark.parametrize("page", PAGES,
                         ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize(
    "page", [*PAGES, TOP / "k8s.yaml", TOP / "Dockerfile"],
    ids=lambda page: str(page.relative_to(TOP)))
def test_files_that_are_named_exist(page):
    for name in re.findall(r"(?<![\w/.-])(?:tests|tools|deploy|docs|man)/"
                           r"[\w/.-]*\w", page.read_text()):
        assert (TOP / name).exists(), name


def test_every_page_is_listed():
    for index in README, DOCS / "README.md":
        listed = {(index.parent / target).resolve() for target in
                  re.findall(r"\]\(([^)#]+\.md)\)", prose(index))}
        # The list itself is what a forge shows for the folder.
        assert set(PAGES) - {README, DOCS / "README.md"} <= listed


def test_log_lines_of_the_troubleshooting_exist_in_the_program():
    """What a reader would search for must be what the program prints, and whole
    in its source: grep finds no message that stands in two strings."""
    source = "".join(p.read_text() for pattern in ("*.c", "*/*.c")
                     for p in sorted(TOP.glob(pattern)))
    lines = re.findall(r"\*\*`([^`]+)`",
                       (DOCS / "troubleshooting.md").read_text())
    assert len(lines) > 30
    for line in lines:
        line = " ".join(line.split())
        if line.split(":")[0] in ("exec", "ErrImagePull"):
            continue            # others' words
        # The C library's words are not in the sources either.
        for part in re.split(r"\.\.\.|: Operation not permitted|Try again|"
                             "Address not available|Network unreachable|"
                             "Permission denied",
                             line):
            part = part.strip(' :",')
            if len(part) > 3:
                assert part.replace('"', '\\"') in source, part


def arguments(text, at):
    """The arguments of the call whose opening parenthesis is there."""
    parts, depth, begin, string = [], 0, at + 1, False
    for i in range(at, len(text)):
        if text[i] == '"' and text[i - 1] != "\\":
            string = not string
        elif string:
            continue
        elif text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return parts + [text[begin:i]]
        elif text[i] == "," and depth == 1:
            parts.append(text[begin:i])
            begin = i + 1
    raise AssertionError(f"no end: {text[at:at + 80]}")


def warnings_of(text):
    """The messages of the calls that log a warning, with "..." for what differs.
    Lines of a start (st->start) are none, and "%s" alone is another's words."""
    for call in re.finditer(r"\blog_line\(", text):
        kind, words, *values = arguments(text, call.end() - 1)
        classes = set(re.findall(r"LOG_CLASS_(\w+)", kind))
        if not classes & {"WARN", "CLOCK"} and \
                (classes or kind.endswith("->start")):
            continue
        if words.strip() == '"%s"':
            named = re.search(r"\b" + re.escape(values[0].strip()) +
                              r"\[\] =\s*(\"[^\n]*\")", text)
            words = named.group(1) if named else ""
        for message in re.findall(r'"((?:[^"\\]|\\.)*)"', words):
            yield re.sub(r"%[-+.\d*l]*[a-z]", "...",
                         message.replace('\\"', '"'))


def test_every_warning_is_in_the_index():
    """And what is there is a warning: see the end of the page."""
    there = {message for pattern in ("*.c", "serve/*.c", "sys/*.c", "tls/*.c")
             for path in TOP.glob(pattern) if path.name != "log.c"
             for message in warnings_of(path.read_text())}
    index = (DOCS / "troubleshooting.md").read_text().partition(
        "## Index of all warnings\n")[2]
    told = re.findall(r"(?m)^\| `([^`]+)` \| \S", index)
    assert len(told) == len(set(told))
    assert set(told) == there, "add to docs/troubleshooting.md what a new " \
        "warning means, and take out what is none any more"


# The manual's figures, and the constants that make them true.
FIGURES = [
    ("ntpd.8", "until one second after the first request, and for servers "
     "that are still silent until 2.5 seconds after it",
     {"steer.c SET_NAMES": 1, "calm.h FIRST_WAIT": 2.5}),
    ("ntpd.8", "If the clock could not be set so within 15 seconds",
     {"steer.c SET_WAIT": 15}),
    ("ntpd.8", "set forward, by 60 seconds or more, in the first 15 seconds",
     {"steer.c AUTO_LEAST": 60, "steer.c SET_WAIT": 15}),
    ("ntpd.8", "Every other error up to 600 seconds", {"steer.c SLEW_MOST": 600}),
    ("ntpd.8", "Each server is asked four times, two seconds apart",
     {"source.c BURST": 4, "source.c BURST_GAP": 2}),
    ("ntpd.8", "each interval is then longer by a fifth than the one before, "
     "until the frequency is known to 2 parts per million",
     {"filter.c RAMP": 1.2, "filter.c RAMP_FREQ": 2}),
    ("ntpd.8", "asked every 64 to 1024 seconds",
     {"source.h SOURCE_POLL_LEAST": 64, "source.h SOURCE_POLL_MOST": 1024}),
    ("ntpd.8", "not set twice within a minute", {"steer.c STEP_EVERY": 60}),
    # (ratios: their e-6 is not read)
    ("ntpd.8", "obeyed within 500 parts per million",
     {"filter.h FREQ_USUAL": 500}),
    ("ntpd.8", "Up to 5000 are obeyed after ten minutes of a majority",
     {"filter.h FREQ_FAR": 5000, "confidence.c FAR_AFTER": 600}),
    ("ntpd.8", "Ten minutes after the last majority, or three polls if",
     {"steer.c HOLD_AFTER": 600, "steer.c HOLD_POLLS": 3}),
    ("ntpd.8", "What confirms a frequency is an hour of a majority",
     {"confidence.c CONFIRM_AFTER": 3600}),
    ("ntpd.8", "by 2 parts per million, and by one more for each hour since "
     "it was confirmed, up to 17",
     # 2 + 15
     {"confidence.c SAME": 2, "filter.h FREQ_AGING": 1,
      "filter.h FREQ_AGING_MOST": 15}),
    ("ntpd.8", "is kept within 100", {"confidence.c CRYSTAL": 100}),
    ("ntpd.8", "was right before, five minutes at most",
     {"steer.c JUMP_WAIT": 300}),
    ("ntpd.8", "constraints are asked anew, at most every 15 minutes",
     {"constraint.c RESET_LEAST": 15 * 60, "steer.c ANEW_WITHIN": 15 * 60}),
    ("ntpd.8", "at most 60 lines in the first five minutes and then 12 an hour",
     {"calm.c START_MOST": 60, "calm.c START": 300, "calm.c HOUR": 3600,
      "calm.h CALM_LINES": 12}),
    ("ntpd.8", "told once, and then once an hour", {"calm.h SAID_STILL": 3600}),
    ("ntpd.8", "After three times the longest interval of poll, 51 minutes by "
     "default",
     # 3072 s
     {"steer.c SILENT_POLLS": 3, "source.h SOURCE_POLL_MOST": 1024}),
    ("ntpd.8", "if no majority of the servers agreed within 15 seconds",
     {"steer.c SET_WAIT": 15}),
    ("ntpd.conf.5", "asked again after 20 seconds, then after twice that",
     {"source.c RETRY": 20}),
    ("ntpd.conf.5", "every 14 seconds, later every 64 seconds. That is at most "
     "fifteen times in five minutes",
     # nine at once and six in 5 * 60 s
     {"calm.h RETRY_START": 14, "calm.h RETRY_LATER": 64,
      "calm.h ASK_EVERY": 44}),
    ("ntpd.conf.5", "together they are asked every 14 seconds for longer, and at "
     "most 7200 times a day",
     # 86400 s / 12 s
     {"calm.h CROWD_EVERY": 12}),
    ("ntpd.conf.5", "together are asked at most 3300 times a day",
     # 86400 s / 26 s
     {"constraints.c RETRY_EVERY": 26}),
    ("ntpd.conf.5", "looked up again after 1, 2, 4 ... minutes",
     {"line.c LOOKUP_ROOM": 60}),
    ("ntpd.conf.5", "outside of the constraints at eight polls in a row",
     {"source.c DOUBTED": 8}),
    ("ntpd.conf.5", "from 1 to 86400. The default is 16",
     {"conf.h DISTANCE_MOST": 86400, "source.c ROOT_MOST": 16}),
    ("ntpd.conf.5", "above 5 seconds", {"http.c AGE_MOST": 5}),
    ("ntpd.conf.5", "a week at most",
     {"constraint.c STORED_MOST": 7 * 86400}),
    ("ntpd.conf.5", "15 at most: below a server of stratum 15 it is 15 too, "
     "with twice its root dispersion and a quarter of a second",
     {"tell.c STRATUM_MOST": 15, "tell.c DEEP": 0.25}),
    ("ntpd.conf.5", "512 of them are remembered", {"serve.h SERVE_KEPT": 512}),
    ("ntpd.conf.5", "every four seconds at least", {"clockbound.c RENEW": 4}),
    ("ntpd.conf.5", "unknown after a minute",
     {"clockbound.h CLOCKBOUND_VALID": 60}),
    ("ntpd.conf.5", "together cost at most one query in ten seconds",
     {"line.c LOOKUP_QUESTION": 10}),
    ("ntpd.conf.5", "every 128 to 2048 seconds; after each eight good answers",
     {"source.c RATE_LEAST": 128, "source.c RATE_MOST": 2048,
      "source.c RATE_FORGET": 8}),
    ("ntpd.conf.5", "left alone for a quarter of an hour",
     {"line.c LOOKUP_DENIED": 15 * 60}),
    ("ntpd.conf.5", "Names are looked up at least once a day",
     {"line.c LOOKUP_DAILY": 86400}),
    ("ntpd.conf.5", "from 64 seconds, once the first minutes are over, to 1024",
     {"source.h SOURCE_POLL_LEAST": 64, "source.h SOURCE_POLL_MOST": 1024}),
    ("ntpd.conf.5", "The bound is two minutes to each side",
     {"constraint.c MARGIN": 120}),
    ("ntpd.conf.5", "It is renewed every six hours",
     {"constraint.c REFRESH": 6 * 3600}),
    ("ntpd.conf.5", "then at most every quarter of an hour",
     {"constraint.c RESET_LEAST": 15 * 60}),
    ("ntpd.conf.5", "asked again every 15 seconds, after some minutes more and "
     "more rarely, at least every quarter of an hour",
     {"constraint.c RETRY_FIRST": 15, "constraint.h CONSTRAINT_RETRY_MOST": 15 * 60}),
    ("ntpd.conf.5", "tried again every 30 seconds. At most 128 addresses",
     {"listen.c NTP_RETRY": 30, "listen.h LISTEN_NTP_MOST": 128}),
    ("ntpd.conf.5", "The default is 10000, and four times the rate",
     {"conf.h LIMIT_RATE": 10000}),
    ("ntpd.conf.5", "The first 64 servers whose address is known have metrics "
     "of their own. At most 8 addresses",
     {"status.h STATUS_METRIC_SOURCES": 64, "listen.h LISTEN_METRICS_MOST": 8}),
    ("ntpd.conf.5", "The default port is 9559", {"conf.h METRICS_PORT": 9559}),
    ("ntpctl.8", "One line of at most 200 characters",
     {"status.h STATUS_LINE": 200}),
    ("ntpctl.8", "of at most 8192 bytes", {"request.h REQUEST_MAX": 8192}),
    ("ntpctl.8", "which is at most a week", {"ctl.c WAIT_MAX": 7 * 86400}),
]


def source_text(name):
    """The text of the source file of that name, in whichever folder it is."""
    found = list(TOP.glob(name)) + list(TOP.glob("*/" + name))
    assert len(found) == 1, name
    return found[0].read_text()


def constant(place):
    name, word = place.split()
    found = re.search(rf"\b{word}(?: = |[ \t]+)\(?([\d. *]+)",
                      source_text(name))
    value = 1.0
    for factor in found.group(1).split("*"):
        value *= float(factor)
    return value


@pytest.mark.parametrize("page,words,constants", FIGURES)
def test_figures_of_the_manual_are_the_programs(page, words, constants):
    text = re.sub(r"(?m)^\.(?:Cm|Ic|Nm|Fl|Dq|Sx) ?", "",
                  (TOP / "man" / page).read_text())
    text = " ".join(text.split()).replace(" ,", ",")
    assert words in text
    assert {place: constant(place) for place in constants} == constants


@pytest.mark.parametrize("page", ["ntpd.8", "ntpd.conf.5", "ntpctl.8"])
def test_rendered_manual_is_up_to_date(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    text = subprocess.run(["mandoc", "-T", "markdown", TOP / "man" / page], text=True,
                          capture_output=True, check=True).stdout
    assert (TOP / "docs" / f"{page}.md").read_text() == text, "run: make docs"


@pytest.mark.parametrize("page", ["ntpd.8", "ntpd.conf.5", "ntpctl.8"])
def test_rendered_manual_is_text_not_code(page):
    """A tab behind an empty line makes it code, in which markup is shown as it
    is; mandoc does that to the list behind a ".Ql"."""
    text = (TOP / "docs" / f"{page}.md").read_text()
    for block in re.findall(r"(?m)^\n((?:\t.*\n)+)", text):
        assert "**" not in block and "\\" not in block.replace(
            " \\\n", ""), block
    assert not re.search(r"`[^`\n]*\\_", text)


def test_the_manual_has_every_option_and_no_other():
    for page, source in (("ntpd.8", "ntpd.c"), ("ntpctl.8", "ctl.c")):
        page = (TOP / "man" / page).read_text()
        taken = re.search(r'getopt\(argc, argv, "([\w:]+)"',
                          source_text(source)).group(1)
        assert sorted(re.findall(r"(?m)^\.It Fl (\w)\b", page)) == \
            sorted(taken.replace(":", ""))
    shown = re.findall(r'\{ "(\w+)", VIEW', (TOP / "serve/ctl.c").read_text())
    assert sorted(re.findall(r"(?m)^\.It Cm (\w+)", page)) == sorted(shown)


def test_the_manual_has_no_word_that_the_program_does_not_take():
    """test_conf.py tests the other direction."""
    taken = re.findall(r'(?:take|need)\(p, "(\w+)"\)',
                       (TOP / "config.c").read_text())
    for line in (TOP / "man/ntpd.conf.5").read_text().splitlines():
        on = False
        for word in line[1:].split() if line.startswith(".") else ():
            if re.fullmatch(r"[A-Z][a-z]", word):
                on = word in ("Ic", "Cm")
            elif on and re.fullmatch("[a-z]+", word):
                assert word in taken, line


@pytest.mark.parametrize("page", ["ntpd.8", "ntpd.conf.5", "ntpctl.8"])
def test_manual_is_sound(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", TOP / "man" / page],
                         text=True, capture_output=True).stdout
    bad = [line for line in out.splitlines() if "mandoc.db" not in line]
    assert bad == []


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory() as directory:
        for command, _, printed in play(pathlib.Path(directory)):
            print(f"$ {command}\n{printed}", end="")

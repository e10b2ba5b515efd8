"""What the image's tests stand on: a base image, builds, a cage of namespaces
with podman in it, and the servers that a container sees."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
# The path is resolved, since podman remembers it in full.
BUILD = (TOP / "build" / "image").resolve()
NAME = "docker.io/library/ntpd:0.1.0"
BASE = "localhost/ntpd-test-base"
NONE = ["--network", "none"]
# Any date will do; this is 2026-01-01.
EPOCH = "1767225600"
STORE = ["--root", BUILD / "storage", "--runroot", BUILD / "run",
         "--storage-driver", "overlay"]
# Builders leave their storage mounted.  They run in a namespace of their own,
# or "make clean" would fail.
BUILDER = ["unshare", "--mount", "buildah", *STORE]
TOOLS = ["buildah", "podman", "runc", "mmdebstrap", "nsenter", "ip"]


def missing():
    """The reason why nothing of this can run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    gone = [tool for tool in TOOLS if not shutil.which(
        tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if gone:
        return f"{' '.join(gone)}: not installed"
    return None


def environment():
    # With chroot isolation a build needs no runtime, cgroups or namespaces.
    return {**os.environ, "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_CONF": str(HERE / "containers.conf"),
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def run(*argv, **options):
    options = {"check": True, "timeout": 1800, "env": environment(),
               "text": True, "stdout": subprocess.PIPE,
               "stderr": subprocess.STDOUT, **options}
    result = subprocess.run([str(a) for a in argv], **{**options,
                                                       "check": False})
    if options["check"] and result.returncode != 0:
        raise AssertionError(f"{argv}: status {result.returncode}\n"
                             f"{result.stdout}")
    return result


def cloned():
    """The files that git clone brings.  The tests also run as another user than
    the owner's, as under sudo, and where there is no repository."""
    if (TOP / ".git").exists():
        names = run("git", "-c", "safe.directory=*", "ls-files", "-z",
                    cwd=TOP).stdout.split("\0")[:-1]
    else:
        names = [str(p.relative_to(TOP)) for p in TOP.rglob("*")
                 if (p.is_file() or p.is_symlink()) and
                 p.parts[len(TOP.parts)] not in ("build", "ntpd")]
    return [name for name in names if os.path.lexists(TOP / name)]


def base():
    """A root of the Dockerfile's own Debian, and as small, which is made here
    and kept for a day."""
    archive = BUILD / "base.tar"
    BUILD.mkdir(parents=True, exist_ok=True)
    if not archive.exists() or \
            time.time() - archive.stat().st_mtime > 86400:
        run("sh", HERE.parent / "root.sh", "trixie",
            archive.with_suffix(".new.tar"))
        archive.with_suffix(".new.tar").rename(archive)
        shutil.rmtree(BUILD / "storage", ignore_errors=True)
    if run(*BUILDER, "inspect", "--type", "image", BASE,
           check=False).returncode == 0:
        return
    context = BUILD / "base"
    context.mkdir(exist_ok=True)
    (context / "base.tar").unlink(missing_ok=True)
    os.link(archive, context / "base.tar")
    (context / "Dockerfile").write_text(
        'FROM scratch\nADD base.tar /\nCMD ["bash"]\n')
    run(*BUILDER, "build", "-q", "-t", BASE, context)


def sources(name):
    """A copy of the project's files as a build context."""
    target = BUILD / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    rooms = [path for place in (".", "core", "sys", "tls", "serve", "tools")
             for path in (TOP / place).glob("*.[ch]")]
    for path in [*rooms, TOP / "Makefile", TOP / "VERSION", TOP / "Dockerfile",
                 TOP / ".dockerignore", TOP / "ntpd.conf",
                 *TOP.glob("tools/*.sh"), *TOP.glob("tools/*.ld"),
                 *TOP.glob("tests/*.sh"), *TOP.glob("tests/*.mk")]:
        place = target / path.relative_to(TOP)
        place.parent.mkdir(exist_ok=True)
        shutil.copy2(path, place)
    return target


def build(context, tag, *more, tool="buildah"):
    """Build an image, and give its id."""
    out = run("unshare", "--mount", tool, *STORE, "build",
              "--format", "docker", "--layers",
              "--pull-never" if tool == "buildah" else "--pull=never",
              "--timestamp", EPOCH,
              "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}",
              "--build-arg", f"BASE={BASE}", "-t", tag, *more, context)
    return out.stdout.split()[-1]


def inspect(tag):
    return json.loads(run(*BUILDER, "inspect", "--type", "image",
                          tag).stdout)


def export(tag, name):
    """The image as an archive, as docker save makes it."""
    archive = BUILD / f"{name}.tar"
    archive.unlink(missing_ok=True)
    run(*BUILDER, "push", "-q", tag,
        f"docker-archive:{archive}:{NAME}")
    return archive


def pki(where):
    """A CA (ca.pem) and a certificate (www.pem, www.key) for the HTTPS servers
    of servers.py."""
    def openssl(*argv):
        run("openssl", *argv, cwd=where)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
            "-subj", "/CN=test root", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj",
            "/CN=www.example.com", "-keyout", "www.key", "-out", "www.csr")
    (where / "ext").write_text(
        "subjectAltName=DNS:www.example.com,DNS:www.google.com,IP:9.9.9.9\n"
        "extendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "www.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "20", "-extfile", "ext",
            "-out", "www.pem")
    return where


class Cage:
    """Namespaces with servers and a podman of their own; see cage.py."""
    PODMAN = ["podman", "--root", "/run/storage", "--runroot", "/run/runroot",
              "--storage-driver", "overlay", "--log-level", "error"]

    def __init__(self, offset, *certificate):
        self.keeper = subprocess.Popen(
            [sys.executable, HERE / "cage.py"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=environment(), text=True)
        self.pid = self.keeper.stdout.readline().strip()
        assert self.pid, "cage.py failed"
        self.servers = subprocess.Popen(
            self.enter(sys.executable, HERE / "servers.py", str(offset),
                       *certificate),
            stdout=subprocess.PIPE, text=True)
        assert self.servers.stdout.readline() == "ready\n"
        self.lock, self.count = threading.Lock(), 0

    def enter(self, *argv, processes=True):
        """A command inside.  Without the process namespace nsenter does not
        fork, so that signals reach the command."""
        spaces = ["-a"] if processes else ["-U", "-m", "-n", "-u", "-i"]
        return ["nsenter", "-t", self.pid, *spaces, *map(str, argv)]

    def run(self, *argv, **options):
        return run(*self.enter(*argv), **options)

    def podman(self, *argv, **options):
        # The default network needs nft or iptables, and is not used here.
        if argv[0] == "run" and "--network" not in argv:
            argv = ["run", *NONE, *argv[1:]]
        return self.run(*self.PODMAN, *argv, **options)

    def network(self):
        """A network namespace with a way to the servers, as an option of
        podman."""
        with self.lock:
            self.count += 1
            n = self.count
        space, net = f"n{n}", f"10.97.{n}"
        self.run("sh", "-ec", f"""
            ip netns add {space}
            ip link add v{n} type veth peer name eth0 netns {space}
            ip address add {net}.1/24 dev v{n}
            ip link set v{n} up
            ip -n {space} link set lo up
            ip -n {space} address add {net}.2/24 dev eth0
            ip -n {space} link set eth0 up
            ip -n {space} route add default via {net}.1""")
        return ["--network", f"ns:/run/netns/{space}", "--dns", "203.0.113.53"]

    def start(self, *argv, network=None):
        """docker run -d; gives a name.  The options come first, then IMAGE,
        then the program's arguments."""
        network = self.network() if network is None else network
        with self.lock:
            self.count += 1
            name = f"c{self.count}"
        # The clock's calls are answered even without SYS_TIME; podman's own
        # profile is asked for by name.
        more = []
        if "--default-seccomp" in argv:
            argv = [a for a in argv if a != "--default-seccomp"]
        else:
            more = ["--security-opt", f"seccomp={HERE / 'seccomp.json'}"]
        self.podman("run", "-d", "--name", name, *network, *more, *argv)
        return name

    def lines(self, name):
        return self.podman("logs", name).stdout.splitlines()

    def wait_for(self, name, text, seconds=90):
        """Wait until a line holds text, and give all lines so far."""
        end = time.monotonic() + seconds
        while True:
            lines = self.lines(name)
            if any(text in line for line in lines):
                return lines
            assert time.monotonic() < end, \
                f"no {text!r} in {seconds} s:\n" + "\n".join(lines)
            time.sleep(0.5)

    def stop(self, name):
        """docker stop; gives the exit status and how long it took."""
        began = time.monotonic()
        self.podman("stop", "-t", "20", name)
        took = time.monotonic() - began
        status = self.podman("inspect", "--format", "{{.State.ExitCode}}",
                             name).stdout
        return int(status), took

    def close(self):
        self.podman("rm", "-f", "-a", "-t", "0", check=False)
        self.servers.terminate()
        self.servers.wait()
        self.keeper.stdin.close()
        self.keeper.wait()

"""A machine that has nothing but Debian's smallest root: a directory, entered
by chroot(1) in mount and process namespaces of its own."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading

import lab


class Machine:
    def __init__(self, name, cage):
        """The commands have the cage's network, unless the machine's is asked
        for."""
        self.root, self.cage = lab.BUILD / name, cage
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        lab.run("tar", "-xf", lab.BUILD / "base.tar", "-C", self.root)
        # This is how the machine reaches Debian's packages; root.sh did the
        # rest.
        for path in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(path, self.root / path[1:])
        self.home = "/root"

    def put_sources(self):
        """Put there what git clone brings."""
        self.home = "/root/ntpd"
        target = self.root / "root" / "ntpd"
        for name in lab.cloned():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(lab.TOP / name, target / name,
                         follow_symlinks=False)

    def argv(self, command, outside=False, environment=()):
        """A command as root's shell runs it; sudo is neither needed nor there.
        outside: with this machine's network, for apt."""
        (self.root / "etc/resolv.lab").write_text("nameserver 203.0.113.53\n")
        names = "" if outside else (
            f"mount --bind {self.root}/etc/resolv.lab "
            f"{self.root}/etc/resolv.conf && ")
        script = (f"mount -t proc proc {self.root}/proc && {names}"
                  f"mount --rbind /dev {self.root}/dev && "
                  f"exec chroot {self.root} env -i HOME=/root "
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                  f"/sbin:/bin {' '.join(environment)} sh -ec "
                  + shlex.quote(f"cd {self.home}; sudo() {{ \"$@\"; }}; "
                                + command))
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
                "sh", "-ec", script]
        if outside:
            return argv
        return self.cage.enter(sys.executable, lab.HERE / "answered.py", *argv)

    @staticmethod
    def kill(process):
        """End it with all that it has started: it leads a session of its
        own."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def run(self, command, outside=False):
        return lab.run(*self.argv(command, outside)).stdout

    def run_until(self, command, text, outside=False, environment=()):
        """Run a command in the foreground, and end it once a line holds
        text."""
        process = subprocess.Popen(
            self.argv(command, outside, environment), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=lab.environment(), start_new_session=True)
        lines = []
        # Only packages take long, and everything on a slow machine.
        alarm = threading.Timer(1200 if outside else 300, self.kill,
                                [process])
        alarm.start()
        try:
            for line in process.stdout:
                lines.append(line)
                if text in line:
                    return "".join(lines)
            raise AssertionError(f"no {text!r}:\n{''.join(lines)}")
        finally:
            alarm.cancel()
            self.kill(process)
            process.stdout.close()
            process.wait()

    def start_unit(self, name):
        """systemd's part for "Type=notify": start the unit, and wait until it
        is ready."""
        unit = (self.root / "usr/local/lib/systemd/system" /
                f"{name}.service").read_text()
        assert re.search(r"(?m)^Type=notify$", unit)
        command = re.search(r"(?m)^ExecStart=(.*)$", unit).group(1)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        place = self.root / "run" / "notify"
        place.unlink(missing_ok=True)
        sock.bind(str(place))
        sock.settimeout(30)
        self.service = subprocess.Popen(
            self.argv(f"exec {command}",
                      environment=["NOTIFY_SOCKET=/run/notify"]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=lab.environment(), start_new_session=True)
        assert sock.recv(4096).startswith(b"READY=1")
        while b"clock is now synced" not in sock.recv(4096):
            pass
        self.run("n=60; until ntpctl -s status | grep -q ^4/4; do "
                 "n=$((n - 1)); [ $n -gt 0 ]; sleep 0.5; done")

    def stop_unit(self):
        self.kill(self.service)
        self.service.wait()

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)
        os.sync()

"""Other time daemons, for comparison: downloaded and unpacked, not installed.

Debian's chrony, openntpd and ntpsec replace each other and start on the
machine's clock when they are installed, so their packages are unpacked into
build/peers.  path(name) gives a program's path, or None where it cannot be
had; `python3 tests/peers.py` fetches all and says so.
"""

import glob
import os
import shutil
import subprocess
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = os.path.join(TOP, "build", "peers")

# program: (Debian package, path in it)
KNOWN = {
    "chronyd": ("chrony", "usr/sbin/chronyd"),
    "chronyc": ("chrony", "usr/bin/chronyc"),
    "openntpd": ("openntpd", "usr/sbin/ntpd"),
    "ntpsec": ("ntpsec", "usr/sbin/ntpd"),
    "ntpdig": ("ntpsec-ntpdig", "usr/bin/ntpdig"),
    "rdate": ("rdate", "usr/sbin/rdate"),
    # what ntpdig imports: a directory
    "python3-ntp": ("python3-ntp", "usr/lib"),
}

_lock = threading.Lock()


def fetch(package):
    """Its unpacked directory, or None.  Only one thread at a time does
    this."""
    with _lock:
        return _fetch(package)


def _fetch(package):
    directory = os.path.join(PEERS, package)
    refused = directory + ".refused"
    if os.path.isdir(directory):
        return directory
    if os.path.exists(refused):
        return None
    os.makedirs(PEERS, exist_ok=True)
    temporary = directory + ".new"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    try:
        # A busy machine is slow, and a mirror may fail once.
        subprocess.run(["apt-get", "-qq", "-o", "Acquire::Retries=3",
                        "download", package], cwd=temporary,
                       check=True, capture_output=True, timeout=600)
        deb = glob.glob(os.path.join(temporary, "*.deb"))[0]
        subprocess.run(["dpkg", "-x", deb, temporary], check=True,
                       capture_output=True)
        os.remove(deb)
        os.rename(temporary, directory)
        return directory
    except (OSError, IndexError, subprocess.SubprocessError):
        shutil.rmtree(temporary, ignore_errors=True)
        # It is not asked for again, since there may be no network, until
        # `make clean`.
        with open(refused, "w"):
            pass
        return None


def runs(program):
    """Are its libraries there (libnettle, libtomcrypt and others)?"""
    try:
        out = subprocess.run(["ldd", program], capture_output=True, text=True)
    except OSError:
        return False
    return out.returncode == 0 and "not found" not in out.stdout


def path(name):
    package, inside = KNOWN[name]
    directory = fetch(package)
    if directory is None:
        return None
    program = os.path.join(directory, inside)
    if not os.access(program, os.X_OK) or \
            (name not in ("ntpdig", "python3-ntp") and not runs(program)):
        return None
    return program


if __name__ == "__main__":
    for name in KNOWN:
        print("%-10s %s" % (name, path(name) or "not to be had"))
    sys.exit(0)

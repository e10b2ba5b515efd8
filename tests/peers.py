"""Other time daemons, for comparison: downloaded and unpacked, not installed.

Debian's chrony, openntpd and ntpsec replace each other and start on the
machine's clock when they are installed, so their packages are unpacked into
build/peers.  path(name) gives a program's path, or None where it cannot be
had; `python3 tests/peers.py` fetches all and says so.

`python3 tests/peers.py trixie chrony` unpacks that of another release of Debian,
with all of its libraries.  The tests use these with PEERS_RELEASE=trixie in the
environment.
"""

import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys
import time

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


def fetch(package):
    """Its unpacked directory, or None.  Only one thread of one process does this
    at a time, since scenarios are threads, and several runs of pytest go on
    beside each other."""
    os.makedirs(PEERS, exist_ok=True)
    with open(os.path.join(PEERS, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetch(package)


def _fetch(package):
    directory = os.path.join(PEERS, package)
    refused = directory + ".refused"
    if os.path.isdir(directory):
        return directory
    if os.path.exists(refused):
        return None
    why = None
    # A busy machine is slow, a mirror may fail once, and the lists of packages
    # are away for a moment while another program renews them.
    for wait in 0, 5, 15:
        time.sleep(wait)
        try:
            _unpack(package, directory)
            return directory
        except (OSError, IndexError, subprocess.SubprocessError) as error:
            why = error
    # It is not asked for again, since there may be no network, until
    # `make clean`.
    with open(refused, "w") as f:
        f.write("%s\n%s\n" % (why, getattr(why, "stderr", "")))
    return None


def _unpack(package, directory):
    temporary = directory + ".new"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    subprocess.run(["apt-get", "-qq", "-o", "Acquire::Retries=3", "download",
                    package], cwd=temporary, check=True, capture_output=True,
                   text=True, timeout=600)
    deb = glob.glob(os.path.join(temporary, "*.deb"))[0]
    subprocess.run(["dpkg", "-x", deb, temporary], check=True,
                   capture_output=True, text=True)
    os.remove(deb)
    os.rename(temporary, directory)


def fetch_all(prometheus):
    """Fetch what scenarios use.  They themselves see no lists of packages, since
    much is hidden there."""
    for package in sorted({package for package, _ in KNOWN.values()}):
        fetch(package)
    if prometheus:              # the largest one
        fetch("prometheus")


def runs(program):
    """Are its libraries there (libnettle, libtomcrypt and others)?"""
    try:
        out = subprocess.run(["ldd", program], capture_output=True, text=True)
    except OSError:
        return False
    return out.returncode == 0 and "not found" not in out.stdout


def path(name):
    other = os.path.join(PEERS, os.environ.get("PEERS_RELEASE", ""), name)
    if os.path.isfile(other):
        return other
    package, inside = KNOWN[name]
    directory = fetch(package)
    if directory is None:
        return None
    program = os.path.join(directory, inside)
    if not os.access(program, os.X_OK) or \
            (name not in ("ntpdig", "python3-ntp") and not runs(program)):
        return None
    return program


def mirrors(release):
    """Where this machine gets its Debian from, as lines of sources.list(5) for
    another release; root.sh does so too."""
    with open("/etc/os-release") as f:
        here = re.search("^VERSION_CODENAME=(.*)$", f.read(), re.M).group(1)
    known = subprocess.run(
        ["apt-get", "indextargets", "--format",
         "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        check=True, capture_output=True, text=True).stdout
    return ["deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
            "%s %s main\n" % (uri, release)
            for uri, suite, part in map(str.split,
                                        sorted(set(known.splitlines())))
            if (suite, part) == (here, "main")]


def of_release(release, package):
    """The programs of this package as they are in another release of Debian, each
    as a script that starts it with that release's libraries.  Its lists of packages
    are kept apart from the machine's."""
    top = os.path.join(PEERS, release)
    apt = ["-qq", "-o", "APT::Sandbox::User=root"]
    for option, value in (
            ("Dir::Etc::sourcelist", top + "/of.list"),
            ("Dir::Etc::sourceparts", "/nonexistent"),
            ("Dir::State::lists", top + "/lists"),
            ("Dir::State::status", top + "/status"), ("Dir::Cache", top)):
        apt += ["-o", option + "=" + value]
    os.makedirs(top + "/lists/partial", exist_ok=True)
    os.makedirs(top + "/debs", exist_ok=True)
    with open(top + "/of.list", "w") as f:
        f.write("".join(mirrors(release)))
    open(top + "/status", "w").close()
    subprocess.run(["apt-get", *apt, "update"], check=True)
    known, wanted = set(), [package]
    while wanted:
        known.update(wanted)
        out = subprocess.run(
            ["apt-cache", *apt, "depends", "--no-recommends", "--no-suggests",
             "--no-conflicts", "--no-breaks", "--no-replaces",
             "--no-enhances", *wanted],
            check=True, capture_output=True, text=True).stdout
        wanted = {name for name in re.findall(r"Depends: (lib\S+)", out)
                  if name not in known}
    subprocess.run(["apt-get", *apt, "download", *sorted(known)],
                   cwd=top + "/debs", check=True)
    for deb in glob.glob(top + "/debs/*.deb"):
        subprocess.run(["dpkg", "-x", deb, top], check=True)
    (loader,) = glob.glob(top + "/usr/lib/*-linux-gnu*/ld-linux*")
    libraries = os.path.dirname(loader)
    for name, (of, inside) in KNOWN.items():
        if of == package and os.access(os.path.join(top, inside), os.X_OK):
            script = os.path.join(top, name)
            with open(script, "w") as f:
                f.write("#!/bin/sh\nexec %s --library-path %s "
                        '%s/%s "$@"\n' % (loader, libraries, top, inside))
            os.chmod(script, 0o755)
            print(script)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        of_release(*sys.argv[1:])
        sys.exit(0)
    for name in KNOWN:
        print("%-10s %s" % (name, path(name) or "not to be had"))
    sys.exit(0)

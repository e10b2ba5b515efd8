"""The README's commands on a machine that has nothing; and the tests
themselves, whose outcome must not depend on the caller's environment."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent
SYS_TIME = 1 << 25              # capabilities(7)
# The most bytes of ./ntpd without the built-in roots, with Debian 12's compiler
# and with later ones.  With the roots of 2023 that was 345 KB.  How many there
# are is Mozilla's business: those of 2025 are 2 KB more.
MOST = 298_700, 307_400

# Variables that users may have in their environment, and that would do harm.
HOSTILE = {
    "SSL_CERT_FILE": "/nonexistent", "NTP_CONF_FILE": "/nonexistent",
    "NTP_CONTROL_SOCKET": "/nonexistent", "NOTIFY_SOCKET": "/nonexistent",
    "LANG": "tr_TR.UTF-8", "LC_ALL": "C", "TZ": "Asia/Kathmandu",
    "MAKEFLAGS": "-k", "CFLAGS": "-O3", "GREP_OPTIONS": "-v",
    "POSIXLY_CORRECT": "1", "TMPDIR": "/nonexistent",
    "http_proxy": "http://127.0.0.1:9",
}


def hostile(argv, **more):
    return subprocess.run(argv, cwd=TOP, text=True, umask=0o077,
                          capture_output=True,
                          env={**os.environ, **HOSTILE, **more})


def bounding():
    with open("/proc/self/status") as f:
        return int(f.read().split("CapBnd:")[1].split()[0], 16)


def test_is_called_plainly():
    """This runs in the suite, and also by hand from a hostile environment, see
    below."""
    assert not set(os.environ) & (set(HOSTILE) - {"LC_ALL", "http_proxy"})
    assert os.environ["LC_ALL"] == "C.UTF-8"
    old = os.umask(0o022)
    assert old == 0o022
    assert not bounding() & SYS_TIME or os.geteuid() != 0


def test_pytest_by_hand_is_called_plainly():
    out = hostile([sys.executable, "-m", "pytest", "-q", __file__, "-k",
                   "test_is_called_plainly"])
    assert out.returncode == 0 and "1 passed" in out.stdout, out.stdout


def test_make_is_called_plainly():
    """What a command of plain.sh sees; "make test" runs everything that
    way."""
    out = hostile(["sh", "tests/plain.sh", sys.executable, "-c",
                   "import os; print(*os.environ.values(), os.umask(0)); "
                   "print(open('/proc/self/status').read())"])
    assert out.returncode == 0, out.stderr
    first, rest = out.stdout.split("\n", 1)
    assert first.endswith(" 18"), first                 # 022
    for value in set(HOSTILE.values()) - {"http://127.0.0.1:9", "C"}:
        assert value not in first.split(), first
    if os.geteuid() == 0:
        for name in "CapInh", "CapPrm", "CapEff", "CapBnd":
            value = rest.split(name + ":")[1].split()[0]
            assert not int(value, 16) & SYS_TIME, name


def test_every_part_of_make_test_is_called_so():
    """make starts no test in another way."""
    for target in "check", "check-asan", "fuzz", "sim":
        out = subprocess.run(
            ["make", "-n", "-o", "ntpd", target], cwd=TOP, text=True,
            capture_output=True)
        assert out.returncode == 0, out.stderr
        started = 0
        for line in out.stdout.replace("\\\n", " ").splitlines():
            words = line.replace(";", " ; ").split()
            for before, word in zip([""] + words, words):
                if word.startswith(("build/glibc/$", "build/asan/$",
                                    "build/fuzz/$")) and \
                        before.endswith(("plain.sh", ";")) or \
                        word in ("build/glibc/sim", "build/asan/sim") and \
                        before in ("", "tests/plain.sh"):
                    started += 1
                    assert before == "tests/plain.sh", line
        assert started > 0, target


def test_make_n_runs_nothing():
    out = subprocess.run(["make", "-n", "test"], cwd=TOP, text=True,
                         capture_output=True, timeout=60)
    assert out.returncode == 0 and out.stdout.count("\n") < 10, out.stdout
    assert "plain.sh" in out.stdout


def test_what_fails_in_a_chain_is_shown_and_the_rest_is_done(tmp_path):
    def chains(*steps):
        out = subprocess.run(["sh", TOP / "tests/chains.sh", *steps],
                             cwd=tmp_path, text=True, capture_output=True)
        return out.returncode, re.sub(r"\d+ s", "N s", out.stdout).splitlines()
    assert chains("first: echo 1; echo 2: 3; false", "then: echo 4") == (1, [
        "1", "2: 3", "first: failed, N s: 2: 3", "then: N s: 4",
        "failed: first"])
    # The chains go on side by side: each waits for the other here.
    status, lines = chains("one: mkfifo a; echo 1 > a; cat b", "--",
                           "other: until [ -p a ]; do :; done; mkfifo b; "
                           "cat a; echo 2 > b")
    assert (status, sorted(lines)) == (0, ["one: N s: 2", "other: N s: 1"])


# ------------------------------------------------------------- finding a test

def test_promises_are_found_where_they_are_tested():
    """In every language, the line that is printed is the one with the name."""
    out = subprocess.run(["make", "-s", "promises"], cwd=TOP, text=True,
                         capture_output=True, check=True).stdout
    folders = set()
    for line in out.splitlines():
        place, sentence = line.split(" ", 1)
        path, number = place.rsplit(":", 1)
        folders.add(path.split("/")[1])
        if path.endswith(".conf"):
            continue
        text = (TOP / path).read_text().splitlines()[int(number) - 1]
        if path == "tests/whole/whole.c":       # its first line
            assert sentence.startswith(text.lstrip(" *\t-")), line
            continue
        name = re.sub(r"^(good|refused|case): |: .*", "", sentence)
        assert name in text.replace("_", " "), line
    assert folders >= {"core", "sys", "tls", "serve", "top", "sim", "live",
                       "conf", "tls-cases", "guest", "image", "whole"}
    units = sum(len(re.findall("unit_test[a-z_]*\\(\\s*[a-z]", path.read_text()))
                for path in TOP.glob("tests/core/*.c"))
    assert out.count("tests/core/") == units


def test_a_word_finds_its_promises():
    out = subprocess.run(["make", "-s", "promises", "WORD=kiss_rate"], cwd=TOP,
                         text=True, capture_output=True, check=True).stdout
    assert "tests/core/source.c:" in out
    assert "tests/live/test_packets.py:" in out
    assert all("kiss rate" in line for line in out.splitlines())


def test_the_tests_of_a_word_are_chosen():
    for word, target in ("", " all-tests"), ("kiss", " only-tests"):
        out = subprocess.run(["make", "-n", "test", f"ONLY={word}"], cwd=TOP,
                             text=True, capture_output=True, check=True).stdout
        assert f"ONLY={word}{target}" in out


def test_one_room_is_checked_alone():
    for rooms in ["source"], ["source", "sim"], ["sim"]:
        out = subprocess.run(["make", "-n", "check", f"ROOM={' '.join(rooms)}"],
                             cwd=TOP, text=True, capture_output=True).stdout
        assert ("for u in test_source;" in out) == ("source" in rooms)
        assert ("build/glibc/sim -c" in out) == ("sim" in rooms)
        assert "pure.sh" not in out
    out = subprocess.run(["make", "-n", "check", "ROOM=cellar"], cwd=TOP,
                         text=True, capture_output=True)
    assert out.returncode != 0 and "cellar" in out.stderr


# ----------------------------------------------------------------------- CI

def skipping(**environment):
    """Run a scenario whose program is missing."""
    old = {k: v for k, v in os.environ.items() if k != "SKIPPED"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "tests/live/test_once.py"], cwd=TOP, text=True, capture_output=True,
        env={**old, "NTPD": "/nonexistent", "CI": "", **environment})


@pytest.mark.skipif(os.geteuid() != 0, reason="network: needs root")
def test_what_is_skipped_is_listed_with_what_is_missing(tmp_path):
    out = skipping()
    assert out.returncode == 0
    assert "network: /nonexistent is not built" in out.stdout
    skipping(SKIPPED=str(tmp_path / "list"))
    assert set((tmp_path / "list").read_text().splitlines()) == \
        {"network: /nonexistent is not built"}


def test_ci_skips_no_ring(tmp_path):
    out = skipping(CI="true")
    assert out.returncode != 0
    assert "CI=true, but skipped: network: " in out.stdout
    for ci, status in ("", 0), ("true", 2):
        out = subprocess.run(
            ["make", "fuzz-if-possible", "CLANG=false"], cwd=TOP, text=True,
            capture_output=True,
            env={**os.environ, "CI": ci, "SKIPPED": str(tmp_path / "list")})
        assert out.returncode == status
        assert "fuzz: false or its libclang-rt-N-dev is not installed" in \
            (tmp_path / "list").read_text()


# ----------------------------------------------------- a machine with nothing

def test_a_user_who_only_measures_can_be_asked_as_the_readme_says(tmp_path):
    """Beside another daemon too, only root can make the control socket."""
    chronyd = tmp_path / "chronyd"
    for name, text in ("sudo", 'echo "sudo $*"'), ("id", "echo 1000"):
        (tmp_path / name).write_text("#!/bin/sh\n%s\n" % text)
        (tmp_path / name).chmod(0o755)
    subprocess.run(["cp", shutil.which("sleep"), chronyd], check=True)
    other = subprocess.Popen([chronyd, "60"])
    try:
        out = subprocess.run(
            ["sh", TOP / "tools/run.sh"], check=True, text=True,
            stdout=subprocess.PIPE, cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    finally:
        other.kill()
        other.wait()
    assert "keeps this clock: only measuring (-x).\n" in out.stdout
    assert out.stdout.endswith("\nsudo ./ntpd -d -s -x\n")


@pytest.mark.skipif(not (TOP / "ntpd").exists(), reason="ntpd is not built")
def test_program_is_small():
    version = subprocess.run(["cc", "-dumpversion"], text=True,
                             capture_output=True).stdout
    roots = re.search(r"packed\[(\d+)\]",
                      (TOP / "build/gen/roots.c").read_text())
    size = (TOP / "ntpd").stat().st_size - int(roots[1])
    assert size <= MOST[int(version.split(".")[0]) > 12]


@pytest.mark.skipif("FRESH" in os.environ, reason="this is a fresh machine")
def test_readme_runs_on_a_fresh_debian_12():
    """Runs tests/fresh.sh, up to a running daemon.  In Debian 13 the reader of
    tests/image/test_readme.py does the same."""
    out = subprocess.run(["sh", "tests/fresh.sh", "12", "run"], cwd=TOP,
                         text=True, capture_output=True, timeout=1800)
    if out.returncode == 77:
        pytest.skip("image: " + out.stderr.strip().replace("\n", " "))
    assert out.returncode == 0, out.stdout + out.stderr
    assert "ntp engine ready" in out.stdout
    assert "Debian 12: well" in out.stdout

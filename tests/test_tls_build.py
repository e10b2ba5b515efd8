"""The roots that are built in: another bundle gives another binary, which then
needs nothing but itself; what is no bundle fails the build."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import pki as P
import test_net_constraint as C

TOP = Path(__file__).resolve().parent.parent
NTPD = Path(os.environ.get("NTPD", TOP / "ntpd")).resolve()
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
EPOCH = "1700000000"


def copy(where):
    """The sources and what was built already, so that little is built."""
    source = NTPD.parent
    for pattern in "*.c", "*.h", "Makefile", "ntpd.conf", "tests/static.sh", \
            "tests/tests.mk":
        for path in source.glob(pattern):
            to = where / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
    for kind in "static", "gen", "include":
        shutil.copytree(source / "build" / kind, where / "build" / kind,
                        symlinks=True, copy_function=shutil.copy2)
    return where


def make(where, bundle, target="ntpd"):
    return subprocess.run(
        ["make", "-C", str(where), "CA_BUNDLE=" + str(bundle),
         "SOURCE_DATE_EPOCH=" + EPOCH, target],
        capture_output=True, text=True)


needs_build = pytest.mark.skipif(
    not (NTPD.parent / "build/static/roots.o").exists(),
    reason="nothing is built beside ntpd")


@needs_build
@pytest.mark.scenario
def test_own_bundle_in_an_empty_root(w):
    """The image that holds one file: the roots of the bundle and one more."""
    own = Path(w.dir) / "own.pem"
    text = open(C.trust().cafile).read()
    if BUNDLE.exists():
        text += BUNDLE.read_text()
    own.write_text(text)
    where = copy(Path(w.dir) / "copy")
    done = make(where, own)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([where / "ntpd", "-V"], capture_output=True,
                          text=True).stdout
    assert "%d CA roots" % text.count("BEGIN CERTIFICATE") in said, said
    assert re.search(r"of bundle own\.pem, the newest of (\S+), the first "
                     r"expires \S+\n$", said), said

    C.ntp(w)
    C.https(w)
    root = w.empty_root()
    shutil.copy(where / "ntpd", root + "/ntpd")
    d = w.start("-d", "-s", root=root, guard_options=("-o", "-5000"),
                conf=C.conf().replace("cafile", "#"))
    assert abs(d.wait_step(5) - 5000) < 1


@needs_build
def test_version_dates_the_roots(tmp_path):
    """By the certificates themselves, in a bundle of two."""
    keys = P.Keys(str(tmp_path / "k"))
    pki = P.Pki(tmp_path / "pki", keys)
    two = [pki.make("/CN=%d" % i, "p256-" + str(i), start=-i * P.YEAR,
                    end=i * P.YEAR) for i in (1, 2)]
    where = copy(tmp_path / "copy")
    done = make(where, pki.bundle(*two))
    assert done.returncode == 0, done.stderr
    day = lambda t: time.strftime("%Y-%m-%d", time.gmtime(pki.date + t))
    said = subprocess.run([where / "ntpd", "-V"], capture_output=True,
                          text=True).stdout
    assert said.endswith("the newest of %s, the first expires %s\n" % (
        day(-P.YEAR), day(P.YEAR))), said


@needs_build
def test_bundle_without_a_package(tmp_path):
    """Where no dpkg knows its version the file's name is there."""
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    said = subprocess.run(
        ["make", "-C", str(TOP), "-n", "-B", "build/gen/roots.c"],
        capture_output=True, text=True,
        env={**os.environ, "PATH": "%s:%s" % (tmp_path, os.environ["PATH"])})
    assert re.search('mkroots %s "%s" [0-9]+ >' % (BUNDLE, BUNDLE.name),
                     said.stdout), said


@needs_build
def test_build_fails_without_roots(tmp_path):
    where = copy(tmp_path / "copy")
    (where / "ntpd").unlink(missing_ok=True)
    for text, words in ("", "no certificate"), ("x\n", "no certificate"):
        (tmp_path / "none.pem").write_text(text)
        done = make(where, tmp_path / "none.pem")
        assert done.returncode != 0 and words in done.stderr
        assert not (where / "ntpd").exists()

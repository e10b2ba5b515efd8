"""The roots that are built in: another bundle gives another binary, which then
needs nothing else.  What is no bundle fails the build."""

import os
import re
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import pki as P
import web
from world import install

TOP = Path(__file__).resolve().parents[2]
NTPD = Path(os.environ.get("NTPD", TOP / "ntpd")).resolve()
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
EPOCH = "1700000000"


def copy(where):
    """Copy the sources and what was built already, so that little is built."""
    source = NTPD.parent
    for pattern in "*.[ch]", "[cst]*/*.[ch]", "Makefile", "VERSION", "ntpd.conf", \
            "tools/*.sh", "tools/*.ld", "tests/tests.mk":
        for path in source.glob(pattern):
            to = where / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
    for kind in "static", "gen", "include":
        shutil.copytree(source / "build" / kind, where / "build" / kind,
                        symlinks=True, copy_function=shutil.copy2)
    return where


def make(where, bundle, *more, target="ntpd", epoch=EPOCH):
    return subprocess.run(
        ["make", "-C", str(where), "CA_BUNDLE=" + str(bundle),
         "SOURCE_DATE_EPOCH=" + str(epoch), *more, target],
        capture_output=True, text=True)


def version(where):
    return subprocess.run([where / "ntpd", "-V"], capture_output=True,
                          text=True).stdout


needs_build = pytest.mark.skipif(
    not (NTPD.parent / "build/static/roots.o").exists(),
    reason="units: nothing is built beside ntpd")


def test_a_missing_compiler_leaves_nothing_behind(tmp_path):
    """Once it is installed the build goes on, without "make clean"."""
    for name in "Makefile", "tests/tests.mk":
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(TOP / name, tmp_path / name)
    done = make(tmp_path, BUNDLE, "CC=no-such-gcc", target="build/include")
    assert done.returncode == 2
    assert "no compiler no-such-gcc: install musl-tools" in done.stderr
    assert not (tmp_path / "build").exists()
    done = make(tmp_path, BUNDLE, "CC=cc", target="build/include")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build/include/asm/types.h").exists()
    assert (tmp_path / "build/include/linux/types.h").exists()


@needs_build
@pytest.mark.scenario
def test_own_bundle_in_an_empty_root(w):
    """The image holds one file; the roots are this machine's bundle, whatever
    is in it, and one more."""
    own = Path(w.dir) / "own.pem"
    text = open(web.trust().cafile).read()
    if BUNDLE.exists():
        text += BUNDLE.read_text()
    own.write_text(text)
    where = copy(Path(w.dir) / "copy")
    done = make(where, own)
    assert done.returncode == 0, done.stderr
    said = version(where)
    built, left = re.search(r"own\.pem: (\d+) CA roots built in.*, (\d+) left "
                            r"out$", done.stderr, re.M).groups()
    assert int(built) + int(left) == text.count("BEGIN CERTIFICATE")
    assert done.stderr.count(": left out, ") == int(left)
    assert "%s CA roots" % built in said, said
    assert re.search(r"of bundle own\.pem, the newest of (\S+), the first "
                     r"expires \S+\n$", said), said

    web.ntp(w)
    web.https(w)
    root = w.empty_root()
    install(where / "ntpd", root + "/ntpd")
    d = w.start("-d", "-s", root=root, guard_options=("-o", "-5000"),
                conf=web.conf().replace("cafile", "#"))
    assert abs(d.wait_step(5) - 5000) < 1


def patched(pem, old, new):
    """The certificate with other bytes of the same length.  Signatures of
    roots are not checked."""
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert old in der and len(old) == len(new)
    return ssl.DER_cert_to_PEM_cert(der.replace(old, new))


class Authority:
    """Certificates of every kind that bundles are found to hold."""

    def __init__(self, where):
        keys = P.Keys(str(where / "k"))
        pki = self.pki = P.Pki(where / "pki", keys)
        two = pki.make("/CN=Second", "p256-2")
        self.good = [pki.make("/C=XX/O=A/CN=First", "p256-1").pem, two.pem]
        # Each comes with the reason that is given for it.
        self.bad = {
            "expired %s: CN=Old" % time.strftime(
                "%Y-%m-%d", time.gmtime(pki.date - 10 * P.DAY)):
                pki.make("/CN=Old", "p256-3", end=-10 * P.DAY).pem,
            # Another certificate with the same name and key, as Debian 12 has.
            "name and key of an earlier one: CN=Second":
                pki.make("/CN=Second", "p256-2", start=-99 * P.DAY).pem,
            r"not a CA's: CN=www\?example\.com": patched(
                pki.leaf(two, key="p256-4").pem, b"www.", b"www\x1b"),
            "it does not decode": ssl.DER_cert_to_PEM_cert(
                ssl.PEM_cert_to_DER_cert(two.pem)[:-9]),
            "its key is neither": pki.make("/CN=Ed", "ed25519-1").pem,
            "malformed PEM": self.good[0].replace("\nMII", "\nM!I"),
            "it has no END line": self.good[0][:200] + "\n",
            "not a CERTIFICATE: X509 CRL$": "-----BEGIN X509 CRL-----\nMAAA\n"
                                 "-----END X509 CRL-----\n",
        }
        self.early = pki.make("/CN=Early", "p256-5", start=9 * P.YEAR,
                              end=19 * P.YEAR).pem
        self.local = pki.make("/O=Company/CN=Proxy", "p256-6").pem


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def built(tmp_path, authority):
    """A function that builds with a bundle of this text."""
    where = copy(tmp_path / "copy")

    def build(text, *more):
        (where / "ntpd").unlink(missing_ok=True)
        (tmp_path / "own.pem").write_bytes(text.encode("latin-1"))
        done = make(where, tmp_path / "own.pem", *more,
                    epoch=authority.pki.date)
        return done, version(where) if (where / "ntpd").exists() else None
    return build


@needs_build
def test_what_is_of_no_use_is_left_out_with_the_reason(built, authority):
    """Each kind stands between two good ones, alone and with all the
    others."""
    first, second = authority.good
    for reason, text in authority.bad.items():
        done, said = built(first + second + text)
        assert done.returncode == 0, (reason, done.stderr)
        assert re.search(r"^\S+own\.pem:\d+: left out, .*" + reason,
                         done.stderr, re.M), done.stderr
        assert " 2 CA roots built in" in done.stderr
        assert "\n2 CA roots of bundle own.pem" in said
    done, said = built(first + second + "".join(authority.bad.values()))
    assert done.stderr.count(": left out, ") == len(authority.bad)
    assert "\n2 CA roots of" in said
    assert all(32 <= ord(c) < 127 or c == "\n" for c in done.stderr
               if not c.isalpha()), "control characters"


@needs_build
def test_lines_may_end_as_anywhere(built, authority):
    """The file has a byte order mark, CR LF, text between, and no newline at
    its end."""
    text = "\xef\xbb\xbf" + "some words\n".join(authority.good)
    for text in text.replace("\n", "\r\n"), text.rstrip("\n"):
        done, said = built(text)
        assert done.returncode == 0 and "\n2 CA roots of" in said, done.stderr
        assert "left out" not in done.stderr.replace(", 0 left out", "")


@needs_build
def test_a_root_that_begins_later_is_built_in_and_told(built, authority):
    """The build date is that of the sources, so a bundle may well be newer."""
    done, said = built(authority.good[0] + authority.early)
    assert "\n2 CA roots of" in said
    assert re.search(r"built in.*, begins only \d{4}-\d\d-\d\d: CN=Early$",
                     done.stderr, re.M), done.stderr


@needs_build
def test_a_companys_root_is_told_and_may_be_left_out(built, authority,
                                                     tmp_path):
    """Without care, a proxy's CA in the bundle of the build machine ends up in
    the program."""
    mozilla = tmp_path / "mozilla"
    mozilla.mkdir()
    for i, text in enumerate(authority.good):
        (mozilla / ("r\u0151\xf6t = %d.crt" % i)).write_text(text)
    where = "CA_MOZILLA=%s" % mozilla
    text = authority.local + "".join(authority.good)
    done, said = built(text, where)
    assert "built in, not one of Mozilla's: O=Company, CN=Proxy" in done.stderr
    assert "3 CA roots built in, 1 of them not Mozilla's (CA_LOCAL=no " \
        "leaves those out), 0 left out" in done.stderr
    assert "\n3 CA roots of" in said
    # Another value alone makes it build again.
    done, said = built(text, where, "CA_LOCAL=no")
    assert "left out, not one of Mozilla's: O=Company" in done.stderr
    assert "\n2 CA roots of" in said
    done, said = built(authority.local, where, "CA_LOCAL=no")
    assert done.returncode != 0 and said is None
    assert "own.pem: no usable certificate" in done.stderr
    # Here nobody knows which roots are Mozilla's.
    where = "CA_MOZILLA=%s" % (tmp_path / "none")
    done, said = built(text, where)
    assert "\n3 CA roots of" in said
    assert "whether they are Mozilla's is unknown" in done.stderr
    done, said = built(text, where, "CA_LOCAL=no")
    assert done.returncode != 0 and "CA_LOCAL=no needs" in done.stderr
    done, said = built(text, "CA_LOCAL=0")
    assert done.returncode != 0 and "CA_LOCAL is yes or no" in done.stderr


@needs_build
def test_more_roots_than_there_is_room_for(built, authority):
    text = "".join(patched(authority.good[0], b"First", b"%05d" % i)
                   for i in range(515))
    done, said = built(text)
    assert done.returncode == 0 and "\n512 CA roots of" in said
    assert done.stderr.count("left out, no room for more: C=XX") == 3


@needs_build
def test_only_a_bundle_without_a_usable_root_fails(built, authority):
    text = "".join(t for reason, t in authority.bad.items()
                   if "earlier" not in reason)
    done, said = built(text)
    assert done.returncode != 0 and said is None
    assert "own.pem: no usable certificate" in done.stderr
    done, said = built(text + authority.local)
    assert done.returncode == 0 and "\n1 CA roots of" in said


@needs_build
def test_version_dates_the_roots(tmp_path):
    """The date is taken from the certificates themselves, here from a bundle
    of two."""
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
    """Where dpkg does not know its version, the name of the file takes its
    place."""
    install("/bin/false", tmp_path / "dpkg-query")
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

"""The recipe for Alpine.  Its functions run here in BusyBox's shell, with musl-gcc as
the compiler and with a stand-in for apk(8); abuild and Alpine are not needed."""
import os
import pathlib
import shutil
import subprocess

import pytest

import lab

TOP = pathlib.Path(__file__).resolve().parents[2]
RECIPE = TOP / "deploy/apk/APKBUILD"
VERSION = (TOP / "VERSION").read_text().strip()
# apk(8) as far as the recipe asks it: which version is installed.
APK = """#!/bin/sh
case "$*" in
"info -e -v musl-dev") echo musl-dev-1.2.5-r10 ;;
"info -e -v ca-certificates") echo ca-certificates-20260101-r0 ;;
*) exit 1 ;;
esac
"""
pytestmark = pytest.mark.skipif(not shutil.which("busybox"),
                                reason="image: no busybox")


def shell(script, **more):
    return subprocess.run(
        ["busybox", "sh", "-euc", f'. "{RECIPE}"\n{script}'], check=True,
        text=True, stdout=subprocess.PIPE, **more).stdout


def files(root):
    return {str(p.relative_to(root)): os.readlink(p) if p.is_symlink() else
            p.stat().st_mode & 0o777
            for p in root.rglob("*") if p.is_symlink() or not p.is_dir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What the recipe and "make install" put into their roots.  The objects of this
    machine are taken, and only what knows the versions is built anew."""
    where = tmp_path_factory.mktemp("apk")
    tree = where / "ntpd"
    tree.mkdir()
    kept = [name for name in lab.cloned()
            if not name.startswith(("tests/", "docs/")) or
            name == "tests/tests.mk"]
    kept += ["build/gen", "build/include", *(
        str(p.relative_to(TOP)) for p in TOP.glob("build/static/**/*.o")
        if "tests" not in p.parts)]
    subprocess.run(["sh", "-c", 'tar -c "$@" | tar -x -C "$0"', tree, *kept],
                   cwd=TOP, check=True)
    bin = where / "bin"
    bin.mkdir()
    (bin / "apk").write_text(APK)
    (bin / "apk").chmod(0o755)
    out = where / "out"
    subprocess.run(["make", "-s", "install", "PREFIX=/usr",
                    f"DESTDIR={where / 'plain'}"], cwd=TOP, check=True)
    shell("build && check && package", cwd=tree, env={
        **os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "CC": "musl-gcc",
        "_musl": f"/usr/lib/{os.uname().machine}-linux-musl/",
        "pkgdir": str(out), "SOURCE_DATE_EPOCH": "1767225600"})
    return where / "plain", out


def test_recipe_has_the_version_and_excludes_other_daemons():
    assert shell('echo "$pkgname-$pkgver $source"') == \
        f"ntpd-{VERSION} ntpd-{VERSION}.tar.gz\n"
    assert shell('echo "$depends"').split() == \
        ["!chrony", "!ntpsec", "!openntpd"]


def test_recipe_installs_what_make_does_but_for_systemd(built):
    plain, apk = map(files, built)
    expected = {name: mode for name, mode in plain.items()
                if "systemd" not in name and not name.startswith("etc/init.d")}
    assert apk == {**expected, "etc/init.d/ntpd-sync": 0o755}
    assert "usr/sbin/ntpd" in apk and apk["usr/sbin/ntpctl"] == "ntpd"
    assert (built[1] / "var/db").is_dir()


def test_its_program_names_the_packages_of_alpine(built):
    out = subprocess.run([built[1] / "usr/sbin/ntpd", "-V"], text=True,
                         stdout=subprocess.PIPE).stdout
    assert "musl 1.2.5-r10, BearSSL unknown\n" in out
    assert " of bundle 20260101-r0" in out


def test_its_service_runs_what_is_installed_and_leaves_busybox_its_own(built):
    script = (built[1] / "etc/init.d/ntpd-sync").read_text()
    assert "\ncommand=/usr/sbin/ntpd\n" in script
    # The name of the service is nowhere else than in OpenRC's variable.
    assert '\npidfile="/run/${RC_SVCNAME}.pid"\n' in script

#!/bin/sh
# need.sh build|test: installs the Debian packages that are missing for that,
# and says so.  It never installs a service.  The package of a time daemon would
# take over the clock of the machine, so the tests only download and unpack such
# packages.
set -eu
umask 022
build="gcc libc6-dev make binutils musl-tools libbearssl-dev linux-libc-dev
	ca-certificates git"
# The package of clang's run-time has clang's number in its name, 14 in Debian
# 12.
rt=$(apt-cache depends clang 2>/dev/null |
	sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p') || rt=
test="$build libcmocka-dev clang libclang-rt-${rt:-14}-dev python3 python3-pytest
	python3-yaml python3-kubernetes iproute2 util-linux procps curl openssl mandoc
	cpio busybox-static qemu-system-x86 qemu-user-static netbase mmdebstrap
	gnutls-bin libnss3-tools
	debian-archive-keyring buildah podman runc fuse-overlayfs"
# Any version of Go will do.
command -v go >/dev/null || test="$test golang-go"
case ${1-} in
build) list=$build ;;
test) list=$test ;;
*) echo "usage: need.sh build|test" >&2; exit 2 ;;
esac
command -v dpkg-query >/dev/null || {
	echo "not a Debian system: install what these packages hold: $list" >&2
	exit 0
}
missing=
for p in $list; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
		grep -q ' installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# A machine of CI lives for one run: its disk need not be waited for.
install="$sudo apt-get install -y -qq --no-install-recommends \
	${CI:+-o Dpkg::Options::=--force-unsafe-io}"
$sudo apt-get update -qq
# Another release may lack one of them.  Then the tests that need it say so and
# are skipped.
$install $missing >/dev/null ||
	for p in $missing; do
		$install "$p" >/dev/null || { echo "cannot install $p" >&2
			[ "$1" = test ] || exit 1; }
	done

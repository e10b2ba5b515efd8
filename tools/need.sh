#!/bin/sh
# need.sh build|test: installs the Debian packages that are missing for it, and
# says so.  No service is ever installed: a time daemon's package would take the
# machine's clock; tests download and unpack those.
set -eu
umask 022
build="gcc libc6-dev make binutils musl-tools libbearssl-dev linux-libc-dev
	ca-certificates git"
# clang's run-time carries its number, 14 in Debian 12
rt=$(apt-cache depends clang 2>/dev/null |
	sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p') || rt=
test="$build libcmocka-dev clang libclang-rt-${rt:-14}-dev python3 python3-pytest
	python3-yaml python3-kubernetes iproute2 util-linux procps strace curl
	openssl mandoc cpio busybox-static qemu-system-x86 qemu-user-static
	gcc-aarch64-linux-gnu netbase mmdebstrap debian-archive-keyring buildah podman
	runc fuse-overlayfs"
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
$sudo apt-get update -qq
# Another release may not have one of them; the tests that need it then skip
# with a word.
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
	for p in $missing; do
		$sudo apt-get install -y -qq --no-install-recommends "$p" \
			>/dev/null || { echo "cannot install $p" >&2
			[ "$1" = test ] || exit 1; }
	done

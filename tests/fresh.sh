#!/bin/sh
# fresh.sh [12|13] [run]: the README's commands on a machine with nothing but
# Debian 12 or 13 (default): "make run" up to a running daemon, then "make
# test". With "run", only the first.  This shows a package or a file that was
# forgotten.
#
# The machine is a root of mmdebstrap's in build/fresh, entered by pivot_root
# in namespaces of its own (mount, process, IPC, host name) and without the
# right to set the clock.  The daemon runs in a network namespace that holds
# nothing; only what fetches packages, and the tests, which do that too, see
# this machine's network.  What it was made from is kept for a day.  The status
# is 77 if no such root can be made here.
set -eu
umask 022
cd "$(dirname "$0")/.."
case ${1-13} in
12) codename=bookworm ;;
13) codename=trixie ;;
*) echo "usage: fresh.sh [12|13] [run]" >&2; exit 2 ;;
esac
release=${1-13}
what=${2-all}
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 77; }

place=$PWD/build/fresh
root=$place/root-$release.$$
mkdir -p "$place"
base=$place/$codename.tar
[ -n "$(find "$base" -mmin -1440 2>/dev/null)" ] || {
	sh tests/root.sh "$codename" "$base.$$.tar"
	mv "$base.$$.tar" "$base"
}
# --one-file-system: mounts belong to namespaces, which are gone by then.
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$root/root/ntpd"
tar -xf "$base" -C "$root"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# What "git clone" brings; without a repository, all but what was built.
{ if [ -e .git ]; then git -c safe.directory='*' ls-files -z
else
	find . \( -path ./build -o -path ./ntpd -o -name .pytest_cache -o \
		-name __pycache__ \) -prune -o \( -type f -o -type l \) -print0
fi; } | tar --null -T - -cf - | tar -xf - -C "$root/root/ntpd"

# enter COMMAND [--net]: as root's shell in the new machine would.
enter() {
	setpriv --bounding-set -sys_time --inh-caps -sys_time \
	unshare --mount --pid --fork --kill-child --ipc --uts ${2-} sh -ec '
	[ -z "$3" ] || ip link set lo up || true
	mount --bind "$1" "$1"
	cd "$1"
	mount -t proc proc proc
	mount --rbind /dev dev
	mount --rbind /sys sys
	mount -t tmpfs tmpfs run
	mkdir -p old
	pivot_root . old
	umount -l /old
	cd /root/ntpd
	exec env -i HOME=/root \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive FRESH=yes ${CI:+CI="$CI"} \
		${http_proxy:+http_proxy="$http_proxy"} \
		${https_proxy:+https_proxy="$https_proxy"} \
		${no_proxy:+no_proxy="$no_proxy"} sh -ec "$2"
	' fresh "$root" "$1" "${2-}"
}

echo "== packages"
enter "apt-get update -q && apt-get install -qy make >/dev/null &&
	sh tools/need.sh build"
echo "== make run"
enter '
	make run >run.log 2>&1 & make=$!
	left=600
	until grep -q "^ntp engine ready$" run.log; do
		left=$((left - 1))
		kill -0 $make 2>/dev/null && [ $left -gt 0 ] || {
			cat run.log; exit 1; }
		sleep 1
	done
	./ntpd ctl -s status
	for comm in /proc/[0-9]*/comm; do
		read -r name 2>/dev/null <$comm && [ "$name" = ntpd ] || continue
		pid=${comm%/comm}
		kill "${pid#/proc/}"
	done
	wait $make || { cat run.log; exit 1; }
	cat run.log
	rm run.log; ls -l ntpd' --net
[ "$what" = run ] || {
	echo "== make test"
	enter "make test"
}
echo "== Debian $release: well"

#!/bin/sh
# root.sh CODENAME TARGET [PACKAGE ...]: a Debian root with the packages that every
# root has and these, made by mmdebstrap; TARGET is a directory or a .tar.  Status 77
# if it cannot be had (no mmdebstrap, no network), with the reason.
#
# Its packages come from where this machine gets its own: the root takes over
# the mirrors of its Debian, a proxy, and what else apt was told.
set -eu
umask 022
codename=$1 target=$2
shift 2
include=$(echo "$@" | tr ' ' ,)
command -v mmdebstrap >/dev/null || {
	echo "mmdebstrap is not installed" >&2
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apt-config dump | grep -E '^Acquire::(http|https|Check|Retries|Force)' \
	>"$work/apt.conf" || true
here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
if grep -qx ID=debian /etc/os-release; then
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u | awk -v here="$here" \
		-v want="$codename" '$3 == "main" && index($2, here) == 1 {
			print "deb", $1, want substr($2, length(here) + 1), $3
		}' >"$work/sources"
fi
set --
[ -z "$include" ] || set -- --include="$include"
[ ! -s "$work/apt.conf" ] || set -- "$@" --aptopt="$work/apt.conf"
# Without a file of sources, mmdebstrap knows Debian's own servers.
file=
[ ! -s "$work/sources" ] || file=$work/sources
# As in Debian's own images, packages are unpacked without waiting for the disk.
mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io "$@" \
	"$codename" "$target" $file \
	2>"$work/log" || {
	rm -rf "$target"
	echo "mmdebstrap cannot make a $codename root:" >&2
	grep '^E:' "$work/log" >&2 || tail -n 5 "$work/log" >&2
	exit 77
}

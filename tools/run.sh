#!/bin/sh
# run.sh [CONF]: runs ./ntpd in the foreground.  If another time daemon keeps
# the clock already, ntpd only measures.  It runs as root even then, since only
# root can make the socket by which "sudo ./ntpd ctl" asks it.
set -eu
sudo=
[ "$(id -u)" = 0 ] || ! command -v sudo >/dev/null || sudo=sudo

# /proc is read by hand, since pgrep may be missing.  The kernel cuts the names
# to 15 characters.
measure=
for comm in /proc/[0-9]*/comm; do
	read -r name 2>/dev/null <"$comm" || continue
	case $name in
	chronyd|systemd-timesyn|openntpd|ntpd|ntpd-rs|ntpd-rs-daemon) ;;
	*) continue ;;
	esac
	pid=${comm%/comm}
	pid=${pid#/proc/}
	unit=$(sed -n 's,^0::.*/\([^/]*\.service\)$,\1,p' "/proc/$pid/cgroup" \
		2>/dev/null) || unit=
	stop="kill $pid"
	[ -z "$unit" ] || stop="systemctl disable --now $unit"
	[ -n "$measure" ] || echo "$name keeps this clock: only measuring (-x)."
	[ "$stop" = "${said-}" ] ||
		echo "To let this one do it: ${sudo:+$sudo }$stop"
	said=$stop
	measure=-x
done
set -- ${1:+-f "$1"}
echo "./ntpd -d -s $measure $*"
exec $sudo ./ntpd -d -s $measure "$@"

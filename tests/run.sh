#!/bin/sh
# run.sh [CONF]: runs ./ntpd in the foreground, only measuring where another
# time daemon already keeps the clock.
set -eu
measure=
for d in chronyd systemd-timesyn openntpd ntpd ntpd-rs; do
	pgrep -x "$d" >/dev/null 2>&1 || continue
	case $d in
	systemd-timesyn) unit=systemd-timesyncd ;;
	chronyd) unit=chrony ;;
	*) unit=$d ;;
	esac
	echo "$d keeps this clock: only measuring (-x)."
	echo "To let ntpd do it: ${SUDO_HINT:-}systemctl disable --now $unit"
	measure=-x
done
set -- ${1:+-f "$1"}
echo "./ntpd -d -s $measure $*"
sudo=
[ "$(id -u)" = 0 ] || [ -n "$measure" ] || ! command -v sudo >/dev/null ||
	sudo=sudo
exec $sudo ./ntpd -d -s $measure "$@"

#!/bin/sh
# plain.sh COMMAND ...: runs a command as all tests are run, whoever calls:
# without the right to set this machine's clock, with new files that others may
# read, and with no variable of the user's environment but these.
set -eu
keep="PATH HOME USER LOGNAME TERM CI FRESH SKIPPED
	NTPD NTPD_PAST NTPD_GLIBC BUILD TLSPROBE CLKNETSIM BUSYBOX PEERS_RELEASE
	SCENARIOS NO_SANDBOX RUNS SEED TLS_FLIPS CONF_UPDATE
	http_proxy https_proxy no_proxy"
umask 022
for name in $keep; do
	eval "[ -z \"\${$name+x}\" ] || set -- \"$name=\$$name\" \"\$@\""
done
set -- env -i LC_ALL=C.UTF-8 "$@"
[ "$(id -u)" != 0 ] || set -- setpriv --bounding-set -sys_time \
	--inh-caps -sys_time "$@"
exec "$@"

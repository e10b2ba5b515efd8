#!/bin/sh
# chains.sh STEP ... [-- STEP ...]...: runs chains of commands side by side.  A step
# is "NAME: COMMAND", and "--" begins the next chain.  What a command says goes to
# build/log/NAME.log.  When it has ended, one line tells its seconds and its last
# line; of one that failed everything is shown.  A step that fails does not stop
# its chain, but the status is 1 then.
set -u
mkdir -p build/log
failed=build/log/failed
rm -f "$failed"

step() {
	name=${1%%: *}
	log=build/log/$name.log
	began=$(date +%s)
	sh -c "${1#*: }" >"$log" 2>&1 </dev/null && end= || end="failed, "
	took=$(($(date +%s) - began))
	# In one piece, since several chains speak.
	echo "${end:+$(cat "$log")
}$name: $end$took s: $(tail -n 1 "$log")"
	[ -z "$end" ] || echo "$name" >>"$failed"
}

while [ $# -gt 0 ]; do
	(
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			step "$1"
			shift
		done
	) &
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		shift
	done
	[ $# -eq 0 ] || shift
done
wait
[ ! -e "$failed" ] || {
	echo "failed:" $(sort "$failed")
	exit 1
}

#!/bin/sh
# conf.sh CONFDUMP: compares what config.c makes of each NAME.conf of this
# folder with the file beside it: NAME.ok, which has everything in struct conf
# after the warnings, or NAME.err, which has the messages.  It also checks that
# config.c notices whichever allocation fails.  test_conf.py has more about the
# language.
set -eu
dump=$(realpath "$1")
cd "$(dirname "$0")"
status=0
for f in *.conf; do
	name=${f%.conf}
	if got=$("$dump" "$f"); then want=$name.ok; else want=$name.err; fi
	[ -e "$want" ] && [ "$got" = "$(cat "$want")" ] || {
		echo "$f is read otherwise than $want says:" >&2
		echo "$got" | diff "$want" - >&2 || :
		status=1
	}
	got=$("$dump" -m "$f")
	[ -z "$got" ] || { echo "$f: $got" >&2; status=1; }
done
exit $status

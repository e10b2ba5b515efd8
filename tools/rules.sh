#!/bin/sh
# rules.sh OBJECT ...: the rules of docs/house.md about where things stand, which
# the sources and the objects of the rooms show.  Prints what breaks a rule.
# 1. No room includes or calls one of a folder that it may not know, and peers,
#    sensors, constraints and steer do not know each other.
# 2. Includes and calls form no circle.
# 3. A function that others call is declared in the header of its own room.
# 4. No header has more than 200 lines, no function more than 60.
# 5. struct daemon is in no header, and no test includes a .c file.
# 6. The top folder has at most 34 entries, but for those in capitals.
set -eu
export LC_ALL=C
files=$(ls *.[ch] core/*.[ch] sys/*.[ch] tls/*.[ch] serve/*.[ch])
headers=$(echo "$files" | grep '\.h$')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One line for each edge: who, whom, and how he knows him.
{
	awk '/^#[ \t]*include "/ {
		split($0, part, "\"")
		print FILENAME, part[2], "includes"
	}' $files
	nm -A -g "$@" | awk '{ sub(/:/, " ") }
	$2 == "U" { asks[++n] = $1 " " $3; next }
	{ owner[$4] = $1 }
	END { for (i = 1; i <= n; i++) {
		split(asks[i], ask, " ")
		if (ask[2] in owner)
			print ask[1], owner[ask[2]], "calls"
	} }'
} | sed -E 's,build/[a-z]*/,,g; s/\.[cho]( |$)/\1/g' |
	awk '$1 != $2' | sort -u > "$work/edges"

# Each prototype of a header, and the room that has the function.
awk '/^[a-z_].*[a-z0-9_]\(/ && !/^(typedef|__attribute__|struct [a-z_]+ \{|static)/ {
	name = substr($0, 1, index($0, "(") - 1)
	sub(/.*[ *]/, "", name)
	print FILENAME, name
}' $headers | sed 's/\.h / /' | sort -k 2 > "$work/declared"
nm -A -g --defined-only "$@" | awk '$2 == "T" { sub(/:.*/, "", $1); print $1, $3 }' |
	sed -E 's,^build/[a-z]*/,,; s/\.o / /' | sort -k 2 > "$work/defined"

{
	awk 'BEGIN {
		may["core"] = "core"
		may["sys"] = "core sys"
		may["tls"] = "core sys tls"
		may["serve"] = "core sys serve"
		may["top"] = "core sys tls serve top"
		owner["peers"] = owner["sensors"] = 1
		owner["constraints"] = owner["steer"] = 1
	}
	function floor(room) {
		return room ~ "/" ? substr(room, 1, index(room, "/") - 1) : "top"
	}
	index(" " may[floor($1)] " ", " " floor($2) " ") == 0 ||
	    $1 in owner && $2 in owner {
		print $1 " " $3 " " $2
	}' "$work/edges"

	cut -d' ' -f1,2 "$work/edges" | tsort 2>&1 >/dev/null |
		awk '/loop/ { print circle; circle = "a circle:"; next }
		{ circle = circle " " $2 } END { print circle }' | awk 'NF && !seen[$0]++'

	join -1 2 -2 2 "$work/declared" "$work/defined" | awk '$2 != $3 {
		print $2 ".h declares " $1 ", which is in " $3 ".c" }'
	cut -d' ' -f2 "$work/declared" | sort > "$work/names"
	awk '$2 != "main"' "$work/defined" | join -1 2 -v 1 - "$work/names" |
		awk '{ print $2 ".c has " $1 ", which no header declares" }'

	wc -l $headers | awk '$2 != "total" && $1 > 200 {
		print $2 " has " $1 " lines" }'
	awk '/^[a-z_][a-zA-Z0-9_]*\(/ { name = $1; sub(/\(.*/, "", name); at = FNR }
	/^}/ && name != "" && FNR - at >= 60 {
		print FILENAME ":" at " " name " has " FNR - at + 1 " lines" }
	/^}/ { name = "" }' $(echo "$files" | grep '\.c$') tools/*.c

	grep -n '^struct daemon {' $headers | sed 's/$/ in a header/' || true
	grep -rn --include='*.c' '#include ".*\.c"' tests |
		grep -v '^tests/sys/lesser\.c:' || true

	if [ -e .git ]; then git -c safe.directory='*' ls-files; else ls; fi |
		sed 's,/.*,,' | sort -u | grep -vxE '\..*|build|ntpd|[A-Z]+(\.md)?' |
		awk 'END { if (NR > 34) print NR " entries in the top folder" }'
} > "$work/broken"
sed 's,^,breaks docs/house.md: ,' "$work/broken" >&2
[ ! -s "$work/broken" ]

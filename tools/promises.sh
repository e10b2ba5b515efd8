#!/bin/sh
# promises.sh [WORD]: prints "file:line sentence" for every test, or for those with
# the word in that line.  A test's name is the sentence that it proves.
set -eu

# Units: the functions that the table in main() names, where they are defined.
units() {
	awk 'pass == 1 && /CMUnitTest .*\[\] = \{/ { inside = 1; next }
	/^\t\};/ { inside = 0 }
	inside && !/^#/ { entry = entry $0 }
	inside && /\),?$/ {
		gsub(/^[^(]*\([ \t]*|[,)].*/, "", entry)
		test[FILENAME, entry] = 1
		entry = ""
	}
	pass == 2 && /^[a-z][a-zA-Z0-9_]*\(void \*\*/ {
		name = substr($0, 1, index($0, "(") - 1)
		if ((FILENAME, name) in test)
			print FILENAME ":" FNR, name
	}' pass=1 "$@" pass=2 "$@"
}

# Scenarios of the simulation: their names and what they are about.
scenarios() {
	awk 'match($0, /\.name = "[^"]*/) {
		name = substr($0, RSTART + 9, RLENGTH - 9)
		line = FNR
	}
	match($0, /\.about = "[^"]*/) {
		print FILENAME ":" line, name ":", \
			substr($0, RSTART + 10, RLENGTH - 10)
	}' "$@"
}

# Python: test functions, and the cases that a decorator puts into a table.
functions() {
	awk '/^def test_/ || /^def / && kind != "" {
		name = substr($2, 1, index($2, "(") - 1)
		sub(/^test_/, "", name)
		print FILENAME ":" FNR, kind name
	}
	{ kind = "" }
	/^@(case|good|refused)/ {
		kind = substr($0, 2)
		sub(/\(.*/, "", kind)
		kind = kind ": "
	}' "$@"
}

# What the simulation of the whole daemon checks: the list that it begins with.
whole() {
	awk '/^ \*\t- / { sentence = substr($0, 6); line = FNR }
	/^ \*\t  / { sentence = sentence " " substr($0, 6) }
	sentence != "" && /[;.]$/ {
		print FILENAME ":" line, sentence
		sentence = ""
	}' "$@"
}

# Configurations: the file beside one says whether it is taken.
configurations() {
	for file; do
		name=${file##*/} said=refused
		[ ! -e "${file%.conf}.ok" ] || said=taken
		echo "$file:1 ${name%.conf} is $said"
	done
}

{ units tests/core/*.c tests/sys/*.c tests/tls/*.c tests/serve/*.c tests/top/*.c
  scenarios tests/sim/sim_scenarios.c
  whole tests/whole/whole.c
  functions tests/test_*.py tests/*/test_*.py
  configurations tests/conf/*.conf
} | awk '{ file = $1; $1 = ""; gsub("_", " "); print file $0 }' |
	grep -i -- "$(echo "${1-}" | tr _ ' ')"

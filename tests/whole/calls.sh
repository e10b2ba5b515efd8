#!/bin/sh
# calls.sh OBJECT ...: does calls.c answer each call that the daemon's objects make
# of the C library?  What only computes or writes to memory needs no answer, nor
# does what a life makes before or after its loop, or a child.
set -eu
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/known" <<'END'
_GLOBAL_OFFSET_TABLE_ __ehdr_start __errno_location _exit erfc exp expm1 ferror
fflush fileno floor fmax fmin fminf fprintf fputs frexp fwrite getopt getpagesize
hypot if_indextoname inet_aton inet_ntop inet_pton isatty lchown ldexp llrint log
lrint memchr memcmp memcpy memmove memset mmap mprotect optarg opterr optind optopt
pow printf putchar puts qsort sigaddset sigemptyset sigfillset snprintf sqrt stderr
stdout strchr strcmp strcpy strcspn strerror strlen strncat strncmp strpbrk strrchr strspn
strstr strtoul vsnprintf
END
grep -o '__wrap_[a-z0-9_]*' tests/whole/calls.h | sed 's/__wrap_//' |
	cat - "$work/known" | tr -s ' ' '\n' | sort -u > "$work/answered"
nm --defined-only -g "$@" | awk 'NF == 3 { print $3 }' | sort -u > "$work/own"
nm -u "$@" | awk '$1 == "U" { sub(/^__isoc23_/, "", $2); print $2 }' | sort -u |
	comm -23 - "$work/own" | comm -23 - "$work/answered" |
	grep -v '^br_' > "$work/missing" || true
sed 's,^,tests/whole/calls.c has no answer for ,' "$work/missing" >&2
[ ! -s "$work/missing" ]

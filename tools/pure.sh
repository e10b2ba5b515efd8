#!/bin/sh
# pure.sh "PURE OBJECTS" "ALL OBJECTS": three checks of the house.
# 1. A pure room uses nothing but pure rooms, memory, strings, formatting into
#    memory, and mathematics.  BearSSL's functions count as mathematics, but for
#    its engine of TLS and its source of random numbers.
# 2. No room has a variable that others could write.
# 3. No format uses a conversion that lesser.c does not know.
set -eu
export LC_ALL=C
allowed="memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr
strspn strcspn strstr strrchr strpbrk strcpy strncat snprintf vsnprintf
qsort inet_pton
malloc calloc realloc free
exp log log1p expm1 erfc erf sqrt fabs floor ceil lrint llrint ldexp frexp
fmin fmax fminf fmaxf sqrtf expf logf fabsf hypot pow cos sin logb ilogb scalbn fmod round copysign
__stack_chk_fail _GLOBAL_OFFSET_TABLE_"
status=0
bad=$({
	nm --defined-only $1 | awk 'NF == 3 { print "has", $3 }'
	nm -A -u $1
} | awk -v allowed="$allowed" '
	BEGIN { n = split(allowed, name); while (n > 0) has[name[n--]] }
	$1 == "has" { has[$2]; next }
	!($3 in has) && ($3 !~ /^br_/ || $3 ~ /^br_(ssl|prng)_/) {
		sub(/:$/, "", $1)
		print $1 " is not pure: it reaches " $3
	}')
[ -z "$bad" ] || {
	echo "$bad" >&2
	status=1
}
# (.data.rel.ro is const, but for the addresses in it; the other names are those
# of getopt(3), which lesser.c has)
bad=$(objdump -t $2 | awk '
	$2 == "file" && $3 == "format" { sub(/:$/, "", $1); file = $1 }
	$2 == "g" && $3 == "O" &&
	$4 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ &&
	$4 !~ /^\.data\.rel\.ro/ && $NF !~ /^opt(arg|ind|opt)$|^opterr$/ {
		print file " has a writable global symbol: " $NF
	}')
[ -z "$bad" ] || {
	echo "$bad" >&2
	status=1
}
bad=$(grep -nE '"([^"%]|%[^"])*%[0-9.*]*([-+ #]|hh?[dux]|[jtL]|[iopneEgGaACSXm])' \
	*.c core/*.c sys/*.c tls/*.c serve/*.c) && {
	echo "lesser.c does not know these conversions:" "$bad" >&2
	status=1
}
exit $status

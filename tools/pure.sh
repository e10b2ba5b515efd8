#!/bin/sh
# pure.sh "PURE OBJECTS" "ALL OBJECTS": three checks of the house.
# 1. A pure room uses nothing but pure rooms, memory, strings, formatting into
#    memory, and mathematics.  BearSSL's functions count as mathematics, but for
#    its engine of TLS and its source of random numbers.
# 2. No room has a variable that others could write.
# 3. No format uses a conversion that lesser.c does not know.
set -eu
allowed="memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr
strspn strcspn strstr strrchr strpbrk strcpy strncat snprintf vsnprintf
qsort inet_pton
malloc calloc realloc free
exp log log1p expm1 erfc erf sqrt fabs floor ceil lrint llrint ldexp frexp
fmin fmax fminf fmaxf sqrtf expf logf fabsf hypot pow cos sin logb ilogb scalbn fmod round copysign
__stack_chk_fail _GLOBAL_OFFSET_TABLE_"
defined=$(nm --defined-only $1 | awk 'NF == 3 { print $3 }')
status=0
for o in $1; do
	for s in $(nm -u "$o" | awk '$2 !~ /^br_/ || $2 ~ /^br_(ssl|prng)_/ {
		print $2 }'); do
		echo "$allowed $defined" | tr ' ' '\n' | grep -qxF -e "$s" || {
			echo "$o is not pure: it reaches $s" >&2
			status=1
		}
	done
done
for o in $2; do
	# (.data.rel.ro is const, but for the addresses in it)
	bad=$(objdump -t "$o" | awk '$2 == "g" && $3 == "O" &&
		$4 ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ &&
		$4 !~ /^\.data\.rel\.ro/ { print $NF }')
	[ -z "$bad" ] || {
		echo "$o has writable global symbols: $bad" >&2
		status=1
	}
done
bad=$(grep -nE '"([^"%]|%[^"])*%[0-9.*]*([-+ #]|hh?[dux]|[jtL]|[iopneEgGaACSXm])' \
	*.c core/*.c sys/*.c tls/*.c serve/*.c) && {
	echo "lesser.c does not know these conversions:" "$bad" >&2
	status=1
}
exit $status

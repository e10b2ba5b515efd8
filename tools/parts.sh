#!/bin/sh
# parts.sh COMPILER BEARSSL BUNDLE BUNDLE-NAME: of what ./ntpd is made, a line for each
# part that is not ours: name, package, version, licence, file, SHA-256 of the file,
# with tabs between them.  "make parts" prints it; the SBOM of a release is made of it.
set -eu
# The compiler may be a command with options.
musl=/usr/lib/$($1 -dumpmachine | sed s/gnu/musl/)/libc.a

# part NAME LICENCE FILE [VERSION]: the package is the one that the file is from.
part() {
	file=$(realpath "$3")
	package=$(dpkg-query -S "$file" 2>/dev/null | sed 's/: .*//') || package=
	version=${4-$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)} ||
		version=
	# No package has the bundle as a file: its own makes it.
	package=${package:-$(basename "$file" .crt)}
	hash=$(sha256sum "$file" | cut -d ' ' -f 1)
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$package" \
		"${version:-unknown}" "$2" "${file##*/}" "$hash"
}
part musl MIT "$musl"
part BearSSL MIT "$2"
part libgcc 'GPL-3.0-or-later WITH GCC-exception-3.1' \
	"$($1 -print-libgcc-file-name)"
part 'CA roots' MPL-2.0 "$3" "$4"

#!/bin/sh
# static.sh FILE: fails unless the ELF file runs with nothing beside it.  It
# must have no interpreter, no NEEDED entry, no executable stack, and read-only
# relocations.
set -eu
export LC_ALL=C
headers=$(readelf -lW "$1")
dynamic=$(readelf -dW "$1")
fail() { echo "$1: $2" >&2; exit 1; }
case $headers in *INTERP*) fail "$1" "asks for a program interpreter";; esac
case $dynamic in *"(NEEDED)"*) fail "$1" "needs a shared library";; esac
echo "$headers" | grep -q 'GNU_STACK.* RW  *0x' || fail "$1" "stack is executable"
echo "$headers" | grep -q GNU_RELRO || fail "$1" "has no RELRO"
echo "$dynamic" | grep -q BIND_NOW || fail "$1" "is not bound at once"

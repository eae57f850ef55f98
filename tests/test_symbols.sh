#!/bin/sh
# The symbols that libcrier.so exports are those that debian/libcrier0.symbols lists; names
# for libcrier's own use are not among them. After a change of the interface:
#     tests/test_symbols.sh renew
# in the build tree writes the list.
set -eu
srcdir=${srcdir:-$(dirname "$0")/..}
list=$srcdir/debian/libcrier0.symbols
library=.libs/libcrier.so
if [ ! -e "$library" ]; then
    echo 'SKIPPED: libcrier was built without a shared library'
    exit 77
fi
exported=$(mktemp)
trap 'rm -f "$exported"' EXIT
echo 'libcrier.so.0 libcrier0 #MINVER#' >"$exported"
# A sanitizer adds symbols of its own.
nm -D --defined-only "$library" | awk '$3 !~ /^(_|\.)/ { print " " $3 "@Base 0.1.0" }' |
    LC_ALL=C sort >>"$exported"
if grep crier__ "$exported"; then
    echo 'libcrier.so exports what is its own.'
    exit 1
fi
if [ "${1-}" = renew ]; then
    cp "$exported" "$list"
fi
if ! diff -u "$list" "$exported"; then
    echo 'In the build tree, "'"$0"' renew" writes debian/libcrier0.symbols.'
    exit 1
fi

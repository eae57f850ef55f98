#!/usr/bin/env bash
# The public headers in the programs of others: each by itself in C99 (with GNU's
# inline assembler and the like left out) and in C++, where every name is used as C++
# allows it, without a warning.
#
# Where there is no C++ compiler it says so, and is a skipped test (77).
set -eu
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
read -ra flags <<<"${HEADER_FLAGS-$(pkg-config --cflags libmicrohttpd jansson)}"
flags+=(-I"$source/include" -Wall -Wextra -Wshadow -Wpedantic -Werror
    -fsyntax-only)

for header in crier crier_client crier_server; do
    echo "#include <$header.h>" >"$scratch/$header.c"
    "${CC:-cc}" -std=c99 "${flags[@]}" "$scratch/$header.c"
done

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo 'SKIPPED: no C++ compiler (Debian: g++)'
    exit 77
fi
for header in crier crier_client crier_server; do
    cat "$scratch/$header.c" >"$scratch/$header.cc"
    # A struct is a type by its bare name, unless a function has the same.
    sed -n 's/^ *struct \(crier_[a-z_]*\) {$/\1/p; s/^struct \(crier_[a-z_]*\);$/\1/p' \
        "$source/include/$header.h" | while read -r name; do
        echo "typedef $name *pointer_to_$name;"
    done >>"$scratch/$header.cc"
    grep -q pointer_to_crier "$scratch/$header.cc"
    "${CXX:-c++}" -std=c++11 "${flags[@]}" "$scratch/$header.cc"
done

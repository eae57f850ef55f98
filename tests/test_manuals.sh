#!/bin/sh
# Each function that libcrier.so exports has a manual page, made from its comment in a public
# header (doc/man/generate); a function without a comment is an error.
set -eu
srcdir=${srcdir:-$(dirname "$0")/..}
links=$srcdir/doc/man/links
library=.libs/libcrier.so
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    echo "$*"
    exit 1
}

# Makes pages from the header $1 in $scratch/pages.
generate() {
    mkdir -p "$scratch/pages"
    perl "$srcdir/doc/man/generate" "$scratch/pages" 0.0.0 2026-01-01 "$1"
}

# ---- the pages that there are ----
while read -r function page; do
    sed -n '/^\.SH NAME/,/^\.SH SYNOPSIS/p' "$srcdir/doc/man/$page.3" | grep -qw "$function" ||
        fail "the page $page does not name $function"
    sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$srcdir/doc/man/$page.3" |
        grep -q "$function(" || fail "the page $page has no prototype of $function"
    sed -n '/^\.SH DESCRIPTION/,$p' "$srcdir/doc/man/$page.3" | grep -q "B$function" ||
        fail "the page $page does not describe $function"
done <"$links"
if [ -e "$library" ]; then
    nm -D --defined-only "$library" | awk '$3 ~ /^crier_/ { print $3 }' | LC_ALL=C sort \
        >"$scratch/exported"
    awk '{ print $1 }' "$links" | LC_ALL=C sort >"$scratch/described"
    diff -u "$scratch/exported" "$scratch/described" ||
        fail 'the functions of libcrier.so and those with a manual page differ'
fi

# ---- what a page is made of ----
cat >"$scratch/good.h" <<'END'
/*
 *   bell        something that rings
 */
/* ---- bell ------------------------------------------------------------- */

/* A remark. */

/* Why it rings: X(name, text). */
#define CRIER_WHYS(X)                                                         \
    X(CRIER_WHY_A, "one " \
      "text")                                                       \
    X(CRIER_WHY_B, "other")

/* Rings BELL (not Door-BELL), as `loud` says, and:
 *
 *   -EIO   when BELL is broken
 *
 * See crier_bell_new(). */
CRIER_API int crier_bell_ring(struct crier_bell *bell,
                              bool loud) CRIER_PRINTF(1, 2);
END
generate "$scratch/good.h"
page=$scratch/pages/crier_bell.3
grep -qx 'crier_bell_ring crier_bell' "$scratch/pages/links" || fail 'no link'
grep -qx 'crier_bell_ring \\- something that rings' "$page" || fail 'no name'
grep -qx 'int crier_bell_ring(struct crier_bell \*bell,' "$page" || fail 'no prototype'
grep -qx '                    bool loud);' "$page" || fail 'the prototype is not aligned'
grep -qx '\.B CRIER_WHY_A' "$page" || fail 'no table'
grep -qx 'one text' "$page" || fail 'no text in the table'
grep -qF 'Rings \fIbell\fP (not Door\-BELL), as \fBloud\fP says, and:' "$page" || fail 'no markup'
grep -qxF '  \-EIO   when \fIbell\fP is broken' "$page" || fail 'no literal lines'

# ---- what is refused ----
sed 's/^CRIER_API/\n&/' "$scratch/good.h" >"$scratch/bare.h"
if generate "$scratch/bare.h" 2>"$scratch/errors"; then
    fail 'a function without a comment was accepted'
fi
grep -q 'bare.h:[0-9]*: crier_bell_ring: no comment' "$scratch/errors" ||
    fail "the function is not named: $(cat "$scratch/errors")"
sed 's/^ \*   bell .*/ */' "$scratch/good.h" >"$scratch/nameless.h"
if generate "$scratch/nameless.h" 2>"$scratch/errors"; then
    fail 'a part without a summary was accepted'
fi
grep -q 'no summary of "bell"' "$scratch/errors" || fail 'the part is not named'

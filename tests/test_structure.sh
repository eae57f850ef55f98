#!/usr/bin/env bash
# Tests tests/layers and tests/names: they pass a small source tree that keeps the
# rules, and find each kind of offence that is put into it.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
read -ra compiler <<<"${CC:-cc}"

# A fresh tree that keeps the rules.
make_tree() {
    rm -rf tree build
    mkdir -p tree/{include,tests,bench,soak/cluster} tree/src/{base,crier} \
        tree/src/{libcrier,crierd}/{low,high}
    cat >tree/tests/layers.txt <<'EOF'
libcrier
    src/base
    src/libcrier/low # the lower one
    src/libcrier/high
crierd
    src/base
    src/crierd/low
    src/crierd/high
crier
    src/base
    src/crier
EOF
    cd tree
    echo 'int crier_open(void);' >include/crier.h
    add src/base/text 'int text_trim(void)' 'return 0;'
    add src/libcrier/low/frame 'int crier__frame_new(void)' 'return text_trim();'
    add src/libcrier/high/hub 'int crier_open(void)' 'return crier__frame_new();'
    add src/crierd/low/acceptor 'int acceptor_open(void)' 'return text_trim();'
    add src/crierd/high/api 'int api_run(void)' 'return acceptor_open() + crier_open();'
    add src/crier/sub 'int sub_run(void)' 'return crier_open();'
    add bench/load 'int load_run(void)' 'return 0;'
    add soak/oracle 'int oracle_run(void)' 'return 0;'
    add soak/rng 'int rng_next(void)' 'return 0;'
    add soak/cluster/site 'int site_open(void)' 'return 0;'
    printf '%s\n' 'soak_soak_SOURCES = \' '    bench/load.c bench/load.h' \
        'soak_cluster_cluster_SOURCES = \' '    bench/load.c bench/load.h' \
        >soak/Makefile.inc
    sed -i '1i #include "base/text.h"' src/libcrier/low/frame.c
    sed -i '1i #include "libcrier/low/frame.h"' src/libcrier/high/hub.c
    sed -i '1i #include <crier.h>' src/crierd/high/api.c src/crier/sub.c
    sed -i '1i #include "crierd/low/acceptor.h"' src/crierd/high/api.c
    local file
    for file in src/**/*.c bench/*.c soak/**/*.c; do
        # shellcheck disable=SC2016 # as it stands
        printf '%s\n' '' '/* Not used: static int' '{ in comments */' \
            'static __attribute__((unused)) int' "check_$(tr / _ <<<"${file%.c}")(int a)" \
            '{' '    return a;' '}' >>"$file"
    done
    cd ..
}

# Writes the files of the module $1: its function $2 with the body $3.
add() {
    echo "$2;" >"$1.h"
    printf '%s\n' "#include \"${1##*/}.h\"" '' "$2" '{' "    $3" '}' >"$1.c"
}

build_tree() {
    local file
    for file in tree/src/**/*.c; do
        file=${file#tree/}
        mkdir -p "build/${file%/*}"
        # Whatever is used without its header shall compile, too.
        "${compiler[@]}" -std=gnu89 -w -Itree/include -Itree/src -c \
            -o "build/${file%.c}.o" "tree/$file"
    done
}

# Checks that tests/layers finds nothing but the offences $@, one a line.
expect_layers() {
    local status=0
    build_tree
    "$here/layers" build tree >output || status=$?
    grep -v '^    \| needs, ' output | LC_ALL=C sort >found || true
    (($# == 0)) || printf '%s\n' "$@" | LC_ALL=C sort >expected
    (($# > 0)) || : >expected
    diff expected found || fail "tests/layers found the wrong offences"
    grep -q " $# offences\$" output || fail "tests/layers counted wrong: $(<output)"
    ((status == ($# > 0))) || fail "tests/layers exits with $status"
}

# Checks that tests/names complains about $@, one a line, and nothing else.
expect_names() {
    local status=0
    "$here/names" tree >output || status=$?
    sed -n 's/^    //p' output >found
    (($# == 0)) || printf '%s\n' "$@" >expected
    (($# > 0)) || : >expected
    diff expected found || fail "tests/names complains about the wrong functions"
    ((status == ($# > 0))) || fail "tests/names exits with $status"
}

fail() {
    echo "FAILED: $*"
    exit 1
}

shopt -s globstar
make_tree
expect_layers
expect_names

# ---- layers ---------------------------------------------------------------

sed -i '1i #include "libcrier/high/hub.h"' tree/src/libcrier/low/frame.c
expect_layers 'src/libcrier/low/frame.c includes src/libcrier/high/hub.h' \
    '2 files need each other: src/libcrier/high/hub src/libcrier/low/frame'

make_tree
sed -i '1i #  include <libcrier/low/frame.h>' tree/src/crierd/high/api.h
expect_layers 'src/crierd/high/api.h includes src/libcrier/low/frame.h'

make_tree
sed -i 's/text_trim()/api_run()/' tree/src/crierd/low/acceptor.c
expect_layers 'src/crierd/low/acceptor.c uses api_run of src/crierd/high/api.c' \
    '2 files need each other: src/crierd/high/api src/crierd/low/acceptor'

make_tree
sed -i 's/crier_open()/crier__frame_new()/' tree/src/crier/sub.c
expect_layers 'src/crier/sub.c uses crier__frame_new of src/libcrier/low/frame.c'

# A circle of three in one folder, of which no two use each other directly.
make_tree
(
    cd tree
    add src/crier/one 'int one_run(void)' 'return two_run();'
    add src/crier/two 'int two_run(void)' 'return 0;'
    add src/crier/three 'int three_run(void)' 'return one_run();'
    sed -i '1i #include "three.h"' src/crier/two.h
)
build_tree
"$here/layers" build tree >output && fail 'tests/layers misses a circle'
grep -q '^3 files need each other:' output || fail "no circle: $(<output)"
grep -q '^    src/crier/two -> src/crier/three: includes$' output ||
    fail "no way through the circle: $(<output)"

make_tree
mkdir tree/src/crier/new
(cd tree && add src/crier/new/ping 'int ping_run(void)' 'return 0;')
expect_layers 'src/crier/new is not in tests/layers.txt'

make_tree
build_tree
echo 'int late;' >tree/src/crier/late.c
"$here/layers" build tree >output && fail 'tests/layers misses a missing object'
grep -q '^src/crier/late.c has no object' output || fail "no object: $(<output)"

# ---- names ----------------------------------------------------------------

make_tree
printf '%s\n' 'static int take(void)' '{' '}' >>tree/src/crier/sub.c
expect_names 'one word:    src/crier/sub.c take'

make_tree
printf '%s\n' '#define QUICK static inline' >>tree/bench/load.h
printf '%s\n' 'static inline int oracle_run(void) { int a = 1; return a; }' \
    'static const int numbers[] = {' '    1};' \
    'QUICK int *take(void)' '{' '}' >>tree/bench/load.c
expect_names 'one word:    bench/load.c take' \
    'not unique:  bench/load.c oracle_run' 'one word:    bench/load.c take' \
    'one word:    bench/load.c take'

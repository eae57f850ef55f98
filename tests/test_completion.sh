#!/usr/bin/env bash
# The completions of crier(1) in bash, zsh and fish, and its manual page, against
# what the command says of itself by --help: each option there is in all of them,
# and nothing else is. Topics come from a real crierd, with names that would do
# harm if they were evaluated, or were put in as they are.
#
# Where zsh or fish is missing, the others are tested, and it says so and is a
# skipped test (77).
set -u
: "${CRIER:?is not set: run make check}" "${CRIERD:?}"
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
completions=$source/data/completions
scratch=$(mktemp -d) || exit 1
patience=60 # with a shell, in seconds
crierd='' line=''
checks=0 failures=0

export LC_ALL=C.UTF-8 HOME=$scratch XDG_CONFIG_HOME=$scratch TERM=dumb
export PATH=$scratch/bin:$PATH INPUTRC=/dev/null no_proxy='*'
unset CRIER_SERVER CRIER_TOKEN CRIER_KEY

finish() {
    if [[ $crierd ]]; then kill -KILL "$crierd"; fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Checks that a command prints the lines of $2, in whatever order; $1 is for
# people.
expect() {
    local name=$1 expected got
    expected=$(sort -u <<<"$2")
    got=$("${@:3}" 2>&1 | sort -u)
    checks=$((checks + 1))
    if [[ $got == "$expected" ]]; then return; fi
    failures=$((failures + 1))
    echo "failed: $name"
    comm -23 <(echo "$expected") <(echo "$got") | sed 's/^/  missing:  /'
    comm -13 <(echo "$expected") <(echo "$got") | sed 's/^/  too much: /'
}

lines() {
    printf '%s\n' "$@"
}

# ---- what the shells do ---------------------------------------------------

limited() {
    timeout "$patience" "$@"
    if (($? == 124)); then echo 'took too long'; fi
}

# offers_SHELL LINE: what is offered at its end, as that shell would read it.

offers_bash() {
    # shellcheck disable=SC2016 # it is for the other bash
    limited bash --noprofile --norc -c '
        compopt() { compgen -f -- "${words[-1]}"; } # what readline does
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        COMP_WORDBREAKS=$'\'' \t\n"\'\''><=;|&(:'\''
        _crier crier
        for word in "${COMPREPLY[@]}"; do
            eval "words=($word)"
            printf "%s\n" "${words[@]}"
        done' - "$completions/crier.bash" "$1"
}

offers_zsh() {
    limited zsh -f "$source/tests/completion/offers.zsh" "$completions" "$1" |
        sed '/^$/d'
}

offers_fish() {
    # shellcheck disable=SC2016
    limited fish --no-config -c 'source $argv[1]
        for line in (complete --escape -C $argv[2])
            eval "printf %s\\\\n" (string split \t -- $line)[1]
        end' "$completions/crier.fish" "$1"
}

# types_SHELL TEXT: the words that crier is run with when TEXT, TAB and RETURN are
# typed. (fish wants more of a terminal than there is here.)

types_bash() {
    # shellcheck disable=SC2016
    lines 'crier() { printf "%s\n" "$@" >args; }' \
        "source '$completions/crier.bash'" >"$scratch/rc"
    : >args
    printf '%s\t\nexit\n' "$1" | limited bash --noprofile \
        --rcfile "$scratch/rc" -i >"$scratch/bash.log" 2>&1
    cat args
}

types_zsh() {
    offers_zsh "$1"$'\t'
}

# ---- what crier says, and its manual page ---------------------------------

options_in() {
    grep -oE -- '(^|[[:space:];,(])--?[[:alpha:]][a-z-]*' | tr -d ' \t;,(' |
        sort -u
}

help_options() {
    "$CRIER" "$1" --help | options_in
    echo --help
}

# Prints the options that the section $1 of the manual page has an entry for.
manual_entries() {
    awk -v section="$1" '
        /^\.S[HS] / { inside = toupper($0) ~ "^\\.S[HS] \"?" section "\"?$" }
        inside && entry
        { entry = /^\.T[PQ]/ }' "$source/doc/crier.1" |
        sed 's/\\-/-/g; s/\\f.//g; s/"//g' | options_in
}

manual_options() {
    if [[ $1 == token ]]; then # reaches no server
        echo --help
    else
        manual_entries 'EVERY COMMAND'
    fi
    manual_entries "CRIER ${1^^}"
}

# ---- tests ----------------------------------------------------------------

commands=(sub pub topics export import ping token)

# The options of the command $2 in the shell $1. (At a lone "-" fish offers the
# short ones.)
all_options() {
    {
        "offers_$1" "crier $2 -"
        "offers_$1" "crier $2 --"
    } | sed '/^--$/d'
}

test_options() {
    local offers=offers_$1 command

    expect "$1: the commands" "$(lines "${commands[@]}" help)" \
        "$offers" 'crier '
    expect "$1: those that have help" "$(lines "${commands[@]}")" \
        "$offers" 'crier help '
    expect "$1: the options without a command" $'--help\n--version' \
        "$offers" 'crier --'
    for command in "${commands[@]}"; do
        expect "$1: the options of crier $command" \
            "$(help_options "$command")" all_options "$1" "$command"
    done
    for command in 'sub --state' 'export --output' 'export -o' import 'ping --cacert' 'ping --cert' 'pub --key' \
        'topics --token-file'; do
        expect "$1: the file of $command" a-file \
            "$offers" "crier $command a-f"
    done
    expect "$1: what no option has" '' "$offers" 'crier pub --id '
    expect "$1: what there is beside making a token" $'show\nhash' \
        "$offers" 'crier token --key x '
    expect "$1: no file is a token" '' "$offers" 'crier token show '
    expect "$1: the command of --exec" a-command \
        "$offers" 'crier sub -q --exec a-comm'
    expect "$1: the file of that" a-file \
        "$offers" 'crier sub -q --exec a-command a-f'
}

test_topics() {
    local offers=offers_$1 server=$CRIER_SERVER

    expect "$1: the topics" "$(lines "${topics[@]}")" "$offers" 'crier sub '
    expect "$1: the topics, to publish" "$(lines "${topics[@]}")" \
        "$offers" 'crier pub -q --event x '
    expect "$1: none where the data are" '' "$offers" 'crier pub news '
    expect "$1: those that begin with something" $'news\nnews/local' \
        "$offers" 'crier topics n'
    expect "$1: one more" $'zug,news\nzug,news/local' \
        "$offers" 'crier sub zug,n'
    expect "$1: one like an option" -v "$offers" 'crier sub -- -v'
    expect "$1: none beside a URL" '' "$offers" 'crier sub http://'
    expect "$1: none of a server that is not there" '' \
        "$offers" 'crier sub --server 127.0.0.1:1 '
    expect "$1: none with a header that is none" '' "$offers" 'crier sub -Hx '
    CRIER_SERVER=127.0.0.1:1 expect "$1: those of the server in the line" \
        news/local "$offers" "crier sub --server '$server' news/"
}

# Each topic, completed from its first letters.
test_typing() {
    local topic begin quote

    for topic in "${topics[@]:2}"; do
        for quote in \\ \' \"; do
            begin=$quote${topic:0:1}
            case $begin in
            \"\`) begin=\"\\\` ;;
            \\[[:alnum:]]) begin=${topic:0:1} ;;
            esac
            expect "$1: typed $begin and a TAB" $'sub\n'"$topic" \
                "types_$1" "crier sub $begin"
        done
    done
    expect "$1: typed one more" $'sub\nzug,my topic' \
        "types_$1" 'crier sub zug,m'
}

# The states of crierd's threads, a letter each.
thread_states() {
    # A thread may end meanwhile; the name, in parentheses, may hold anything.
    cat "/proc/$crierd/task/"*/stat 2>/dev/null | sed 's/.*) \(.\).*/\1/'
}

# Stops crierd. kill returns before the signal has reached every thread, and until then
# crierd can still answer.
stop_crierd() {
    local deadline=$((SECONDS + patience))

    kill -STOP "$crierd"
    while [[ $(thread_states | sort -u) != T ]]; do
        if ((SECONDS >= deadline)); then
            echo 'crierd does not stop'
            exit 1
        fi
        sleep 0.01
    done
}

# A crierd that takes connections and does not answer.
test_silence() {
    local patience=15

    stop_crierd
    silent=yes expect "$1: a server that does not answer" '' "offers_$1" 'crier sub '
    kill -CONT "$crierd"
}

# ---- all ------------------------------------------------------------------

# A name of each kind; there is a directory "src", too.
# shellcheck disable=SC2016
topics=(
    news
    news/local
    zug
    'my topic'
    'x$(touch harm)'
    '`touch harm`'
    "it's; \"q\" \\ !x"
    'a:b=c'
    src
    '~x'
    '#h'
    '{k..l}?[m]'
    ünder
    $'w\u202eb'
)

mkdir "$scratch/bin" "$scratch/here" "$scratch/here/src"
cd "$scratch/here" || exit 1
touch a-file
lines '#!/bin/sh' "exec '$CRIER' \"\$@\"" >"$scratch/bin/crier"
lines '#!/bin/sh' >"$scratch/bin/a-command"
# On a busy machine the completions wait longer than two seconds for a server, unless this
# is about that time.
# shellcheck disable=SC2016
lines '#!/bin/sh' 'if [ "$1" = 2 ] && [ ! "$silent" ]; then' \
    "    shift; set -- $patience \"\$@\"" fi \
    "exec '$(command -v timeout)' \"\$@\"" >"$scratch/bin/timeout"
chmod +x "$scratch/bin/"*

exec 3< <(exec "$CRIERD" --listen 127.0.0.1:0 --www "$source/www" \
    --data "$source/data" 2>&1)
crierd=$!
until [[ $line =~ 'listening on '(http://127.0.0.1:[0-9]+) ]]; do
    read -r line <&3 || exit 1
    echo "$line"
done
export CRIER_SERVER=${BASH_REMATCH[1]}
cat <&3 >/dev/null &
for topic in "${topics[@]}" -v; do
    crier pub --quiet -- "$topic" x || exit 1
done

for command in "${commands[@]}"; do
    expect "crier(1): the options of crier $command" \
        "$(help_options "$command")" manual_options "$command"
done
missing=''
for shell in bash zsh fish; do
    if ! command -v "$shell" >/dev/null; then
        echo "$shell is missing: its completion is not tested"
        missing=1
        continue
    fi
    test_options "$shell"
    test_topics "$shell"
    test_silence "$shell"
    if [[ $shell != fish ]]; then test_typing "$shell"; fi
done
expect 'no topic was evaluated' '' find . -name harm

echo "$((100 * (checks - failures) / checks))%:" \
    "Checks: $checks, Failures: $failures, Errors: 0"
if ((failures > 0)); then exit 1; fi
if [[ $missing ]]; then exit 77; fi

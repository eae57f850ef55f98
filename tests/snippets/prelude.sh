# Stands in front of every sh block of a guide (see guide.js). It gives the reader's
# terminals to a script: a command that streams goes on in the background as soon as its
# stream is open, and a crierd takes the place of the one at the same address.
#
# SNIPPETS is the directory of this guide's try; CRIERD_LISTEN, CRIERD_WWW and CRIERD_DATA
# are crierd's defaults, and CRIER_SERVER is crier's.
set -euo pipefail

# The block goes on where the last one ended: with its variables and its directory.
if [[ -e $SNIPPETS/shell ]]; then . "$SNIPPETS/shell"; fi
save_shell() {
    declare -p | grep -E '^declare -[-x]+ [A-Za-z_]\w*=' |
        grep -vE ' (BASH|SHLVL|PWD|OLDPWD|PPID|UID|EUID|_=|SNIPPETS|CRIERD_)' >"$SNIPPETS/shell"
    printf 'cd %q\n' "$PWD" >>"$SNIPPETS/shell"
}
trap save_shell EXIT

# Runs a command that shows the heads of responses as curl -v does, until it has one: a
# stream goes on in the background, and anything else is waited for.
until_open() {
    local trace pid
    trace=$(mktemp "$SNIPPETS/trace.XXXXXX")
    command "$@" 2>"$trace" &
    pid=$!
    until grep -q $'^< \r*$' "$trace"; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.02
    done
    if grep -qE '^< HTTP/[0-9.]+ 200' "$trace"; then return 0; fi
    grep -v '^[*<>{}]' "$trace" >&2 || true
    wait "$pid"
}

# curl fails when the server refuses, as the reader would see.
curl() {
    local word
    for word; do
        if [[ $word == -N ]]; then
            until_open curl -sS -v --fail-with-body "$@"
            return
        fi
    done
    command curl -sS --fail-with-body "$@"
}

crier() {
    case " $* " in
    ' sub '*' --count '* | ' sub '*' --once '* | ' sub '*' --timeout '*) command crier "$@" ;;
    ' sub '*) until_open crier sub -v "${@:2}" ;;
    *) command crier "$@" ;;
    esac
}

# Ends the crierd that listens at an address.
end_crierd() {
    local pid
    if pid=$(cat "$SNIPPETS/crierd.$1" 2>/dev/null) && kill "$pid" 2>/dev/null; then
        while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    fi
}

crierd() {
    local address=$CRIERD_LISTEN log pid i
    case " $* " in
    *' --check-config '* | *' --check-journal '* | *' --dump-config '* | *' --help '* | *' --version '*)
        command crierd "$@"
        return
        ;;
    esac
    for ((i = 1; i < $#; i++)); do
        case ${!i} in
        --listen) address=${*:i+1:1} ;;
        --config) address=$(sed -n 's/^listen *= *//p' "${@:i+1:1}") ;;
        esac
    done
    end_crierd "$address"
    log=$SNIPPETS/log.$address
    CRIERD_LISTEN=$address command crierd "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$SNIPPETS/crierd.$address"
    until grep -q 'listening on' "$log"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            cat "$log" >&2
            return 1
        fi
        sleep 0.02
    done
}

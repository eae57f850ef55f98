#!/usr/bin/env bash
# The files for systemd: the units are sound and hardened, and crierd accepts the
# configuration that they name. ("./dev test packages" runs the unit's command.)
set -eu
source=${srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
"${CRIERD:-src/crierd/crierd}" --check-config --config "$source/data/systemd/crierd.conf"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A reload checks the configuration that crierd was started with.
start=$(sed -n 's/^ExecStart=//p' data/systemd/crierd.service)
grep -qxF "ExecReload=${start/ / --check-config }" data/systemd/crierd.service

# In the journal of systemd, what keeps crierd from starting is an error, however early.
expect_error() {
    : >"$scratch/journal"
    if env JOURNAL_STREAM="$(stat -c %d:%i "$scratch/journal")" "$@" 2>"$scratch/journal"; then
        echo "crierd has started: $*"
        exit 1
    fi
    cat "$scratch/journal"
    grep -q '^<3>' "$scratch/journal"
    if grep -v '^<3>' "$scratch/journal"; then exit 1; fi
}
expect_error "${CRIERD:-src/crierd/crierd}" --listen nowhere
expect_error LISTEN_PID=x LISTEN_FDS=1 "${CRIERD:-src/crierd/crierd}" --listen 127.0.0.1:0

if ! command -v systemd-analyze >/dev/null; then
    echo 'SKIPPED: no systemd-analyze'
    exit 77
fi
# The program need not be installed.
sed 's|^\(Exec[A-Za-z]*\)=/[^ ]*/crierd |\1=/bin/true |' data/systemd/crierd.service \
    >"$scratch/crierd.service"
cp "$source/data/systemd/crierd.socket" "$scratch"
output=$(systemd-analyze verify --man=no "$scratch"/crierd.{service,socket} 2>&1) ||
    true
if grep crierd <<<"$output"; then exit 1; fi
# Without a PID 1, older versions cannot say.
if ! systemd-analyze security --help | grep -q -e --offline; then
    echo 'SKIPPED: systemd-analyze knows no --offline'
    exit 77
fi
# The threshold is in tenths.
systemd-analyze security --no-pager --offline=true --threshold=20 \
    "$scratch/crierd.service"

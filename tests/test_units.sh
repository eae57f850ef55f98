#!/usr/bin/env bash
# The files for systemd: the units are sound and hardened, and crierd accepts the
# configuration that they name. ("./dev test packages" runs the unit's command.)
set -eu
source=${srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
"${CRIERD:-src/crierd/crierd}" --check-config --config "$source/data/systemd/crierd.conf"
if ! command -v systemd-analyze >/dev/null; then
    echo 'SKIPPED: no systemd-analyze'
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The program need not be installed.
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' data/systemd/crierd.service \
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

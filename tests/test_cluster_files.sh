#!/usr/bin/env bash
# doc/examples/compose-cluster.yml and haproxy-cluster.cfg: crierd accepts what the former
# gives it, HAProxy the latter where there is one, and each names what the other has.
set -eu
source=${srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
examples=$source/doc/examples
compose=$examples/compose-cluster.yml
haproxy=$examples/haproxy-cluster.cfg

fail() {
    echo "$*" >&2
    exit 1
}

# The variables of the nodes, with a secret and a password in the place of ${NAME:?...}.
count=0
while IFS= read -r line; do
    export "${line?}"
    count=$((count + 1))
done < <(sed -n 's/^    \(CRIERD_[A-Z_]*\): "\{0,1\}\([^"]*\)"\{0,1\}$/\1=\2/p' "$compose" |
    sed 's/\${[A-Z_]*:[^}]*}/0123456789abcdef0123456789abcdef/g')
[ "$count" = 3 ] || fail "$count variables, not 3"
CRIERD_LISTEN=0.0.0.0:8080 "${CRIERD:-src/crierd/crierd}" --check-config

# The nodes are those that HAProxy sends requests to, and its file is the one mounted.
nodes=$(sed -n 's/^  \(node[0-9]*\): \*crierd$/\1/p' "$compose")
servers=$(sed -n 's/^    server \(node[0-9]*\) \1:8080$/\1/p' "$haproxy")
[ "$(wc -w <<<"$nodes")" = 3 ] || fail "nodes: $nodes"
[ "$nodes" = "$servers" ] || fail "nodes $nodes, servers $servers"
grep -q '^      - \./haproxy-cluster\.cfg:' "$compose" || fail 'HAProxy has another file'
grep -q '^    option httpchk GET /readyz$' "$haproxy" || fail 'HAProxy asks for no /readyz'

# Whatever reads YAML here agrees that it is YAML.
if python3 -c 'import yaml' 2>/dev/null; then
    python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$compose"
fi
if command -v haproxy >/dev/null; then
    haproxy -c -f "$haproxy"
fi

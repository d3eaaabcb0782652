#!/usr/bin/env bash
# Runs agentguard from this repository, setting up and building what is missing first.
#
# usage: scripts/run.sh [ARGS OF AGENTGUARD]
#
# Without arguments it guards the demo: --policy examples/policy.toml -- bash examples/demo.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$root/dist/agentguard

# Fresh means: built, and no source is newer than the start of that build. Folders are compared too, for deleted files.
is_fresh() {
  [ -x "$program" ] && [ -e "$root/dist/.stamp" ] || return 1
  local newer
  newer=$(cd "$root" && find main.ts lib ffi probes scripts package.json bun.lock LICENSE \
    -newer dist/.stamp -print -quit 2>/dev/null) || return 1
  [ -z "$newer" ]
}

is_fresh || "$root/scripts/build.sh"
[ $# -gt 0 ] || {
  cd "$root"
  set -- --policy examples/policy.toml -- bash examples/demo.sh
}
exec "$program" "$@"

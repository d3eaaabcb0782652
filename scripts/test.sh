#!/usr/bin/env bash
# Sets up, builds, checks and tests everything: the gate. See scripts/test.sh --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if ! "$root/scripts/setup.sh" --tests; then
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
cd "$root"
exec .tools/bin/bun scripts/gate.ts "$@"

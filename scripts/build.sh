#!/usr/bin/env bash
# Sets up what is missing and builds dist/agentguard; see scripts/build.ts --help for its options.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/setup.sh"
cd "$root"
exec .tools/bin/bun scripts/build.ts "$@"

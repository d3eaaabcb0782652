#!/usr/bin/env bash
# Sets up everything that building and testing needs: Debian packages, pinned tools in .tools/, npm libraries.
#
# usage: scripts/setup.sh [--tests | --help]
#
#   --tests   also what only tests need: shells, servers and machines to test with
#
# Does nothing, in a few milliseconds, when all of it is there. Progress goes to stderr. Writes only inside the
# repository, except for Debian packages, which need root. HOME may be empty or unset.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.tools

# What must be there, and the Debian package that brings it: a command, or a file by its absolute path.
debian_needs="
clang                            clang
llvm-strip                       llvm
clang-format                     clang-format
bpftool                          bpftool
gcc                              gcc
musl-gcc                         musl-tools
python3                          python3
/usr/include/stdio.h             libc6-dev
/usr/include/linux/bpf.h         linux-libc-dev
/usr/include/bpf/bpf_helpers.h   libbpf-dev
/usr/include/libelf.h            libelf-dev
/usr/include/zlib.h              zlib1g-dev
"

# What only tests need, see --tests.
test_needs="
strace                           strace
socat                            socat
tmux                             tmux
zsh                              zsh
fish                             fish
nats-server                      nats-server
"

# What only the tests on other kernels need: those are skipped where it cannot be installed.
optional_needs="
qemu-system-x86_64               qemu-system-x86
mke2fs                           e2fsprogs
xz                               xz-utils
"

# The files whose content decides whether the tools and the libraries are the right ones.
stamp_inputs=(scripts/setup.sh scripts/tools/package.json scripts/tools/package-lock.json package.json bun.lock)

say() { printf '%s\n' "$*" >&2; }

# Prints the packages of the list $1 that are missing.
missing_packages() {
  local need package
  while read -r need package; do
    case $need in
      "") ;;
      /*) [ -e "$need" ] || printf '%s ' "$package" ;;
      *) command -v "$need" >/dev/null || printf '%s ' "$package" ;;
    esac
  done <<<"$1"
}

stamp_value() { (cd "$root" && cat "${stamp_inputs[@]}" | sha256sum); }

is_stamped() {
  [ -x "$tools/bin/bun" ] && [ -x "$tools/bin/deno" ] && [ -x "$tools/bin/oxlint" ] && [ -d "$root/node_modules" ] &&
    [ "$(cat "$tools/stamp" 2>/dev/null)" = "$(stamp_value)" ]
}

# Runs a command quietly; shows its output only if it fails.
quietly() {
  local log status=0
  log=$(mktemp "$tools/log.XXXXXX")
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

require_root_for() {
  [ "$(id -u)" -eq 0 ] || {
    say "install the missing Debian packages as root, then try again: apt-get install -y --no-install-recommends $*"
    exit 1
  }
}

install_packages() {
  local packages=("$@")
  command -v apt-get >/dev/null || {
    say "install what these Debian packages bring, then try again (no apt-get on this machine): ${packages[*]}"
    exit 1
  }
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get install -y --no-install-recommends "${packages[@]}")
  # Without package lists, or with old ones, the first try fails: only then is an update worth its time.
  if "${install[@]}" >/dev/null 2>&1 </dev/null; then return; fi
  quietly apt-get update && quietly "${install[@]}" || {
    say "installing Debian packages failed; see above, and try: apt-get update && ${install[*]}"
    exit 1
  }
}

# npm verifies each package against the integrity hashes of the lock file. Install scripts stay off, as npm 11 has them
# by default; the two that matter only put the platform's binary, already downloaded, into place.
install_tools() {
  mkdir -p "$tools/npm" "$tools/bin"
  cp "$root/scripts/tools/package.json" "$root/scripts/tools/package-lock.json" "$tools/npm/"
  quietly npm ci --prefix "$tools/npm" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error || {
    say "installing the tools with npm failed; see above (is the package registry reachable?)"
    exit 1
  }
  quietly node "$tools/npm/node_modules/bun/install.js"
  quietly node "$tools/npm/node_modules/deno/install.cjs"
  local name
  for name in bun deno oxlint tsgolint; do
    ln -sfn "../npm/node_modules/.bin/$name" "$tools/bin/$name"
  done
  for name in bun deno oxlint; do
    "$tools/bin/$name" --version >/dev/null 2>&1 || {
      say "$tools/bin/$name does not run on this machine; try it by hand to see why"
      exit 1
    }
  done
}

install_libraries() {
  # Bun refuses a lock file that does not fit package.json, and verifies integrity hashes.
  (cd "$root" && quietly "$tools/bin/bun" install --frozen-lockfile --ignore-scripts) || {
    say "installing the libraries of package.json failed; see above"
    exit 1
  }
}

main() {
  local needs=$debian_needs optionals=
  case ${1:-} in
    "") ;;
    --tests)
      needs=$debian_needs$test_needs
      optionals=$optional_needs
      ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ; [ "$1" = --help ] || exit 2; exit 0 ;;
  esac
  local missing optional
  export PATH=$PATH:/usr/sbin:/sbin
  missing=$(missing_packages "$needs")
  optional=$(missing_packages "$optionals")
  # Tried once after each change of this file.
  [ ! -e "$tools/no-optional" ] || [ "$tools/no-optional" -ot "${BASH_SOURCE[0]}" ] || optional=
  if [ -z "$missing$optional" ] && is_stamped; then return; fi
  # shellcheck disable=SC2086
  [ -z "$missing" ] || require_root_for $missing
  command -v npm >/dev/null || { say "install Node.js 20 or newer with npm, then try again"; exit 1; }
  mkdir -p "$tools"
  exec 9>"$tools/lock"
  flock 9
  # Whoever held the lock may have done the work.
  missing=$(missing_packages "$needs")
  if [ -n "$missing" ]; then
    say "[1/3] Debian packages: $missing"
    # shellcheck disable=SC2086
    install_packages $missing 9>&-
  fi
  # shellcheck disable=SC2086
  [ -z "$optional" ] || (install_packages $optional 9>&-) || {
    say "going on without: $optional"
    touch "$tools/no-optional"
  }
  if is_stamped; then return; fi

  # Caches stay inside, so that an unset or read-only HOME does not matter; npm and Bun trust the system's authorities.
  [ -n "${HOME:-}" ] || export HOME=$tools/home
  export npm_config_cache=$tools/cache/npm BUN_INSTALL_CACHE_DIR=$tools/cache/bun
  if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
  fi
  rm -f "$tools/stamp"
  say "[2/3] tools: $(cd "$root/scripts/tools" && node -p 'Object.entries(require("./package.json").dependencies).map((e) => e.join(" ")).join(", ")')"
  install_tools 9>&-
  say "[3/3] libraries"
  install_libraries 9>&-
  rm -rf "$tools/cache"
  stamp_value >"$tools/stamp"
}

main "$@"

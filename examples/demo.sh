#!/bin/bash
# A short tour for a guarded run: programs, files and connections, one forbidden connection, one forbidden program.
# It changes nothing outside of a temporary directory that it makes and removes.
#
#   ./scripts/run.sh --policy examples/policy.toml -- bash examples/demo.sh
#
# Without the guard it runs too, and then tells that nothing was refused.
set -u

dir=$(mktemp -d "${TMPDIR:-/tmp}/agentguard-demo.XXXXXX") || exit 1
listener=
cleanup() {
  [ -n "$listener" ] && kill "$listener" 2> /dev/null
  rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 1

step() {
  printf '\n%s. %s\n' "$1" "$2"
}

say() {
  printf '   %s\n' "$*"
}

step 1 "Programs"
say "kernel:  $(uname -r)"
say "sorted:  $(printf 'pear\napple\nfig\n' | sort | tr '\n' ' ')"
say "nested:  $(sh -c 'sh -c "echo three shells deep"')"

step 2 "Files, all in $dir"
mkdir notes
printf 'first line\n' > notes/plan.txt
printf 'second line\n' >> notes/plan.txt
ln -s notes link
cp link/plan.txt notes/copy.txt
mv notes/copy.txt notes/final.txt
chmod 600 notes/final.txt
say "written, copied, renamed: $(wc -l < notes/final.txt) lines in notes/final.txt"
rm notes/plan.txt
say "removed: notes/plan.txt"

step 3 "An allowed connection, to a listener of our own on 127.0.0.1"
if command -v python3 > /dev/null; then
  mkfifo port
  python3 -I -S -c '
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
with open("port", "w") as out:
    print(listener.getsockname()[1], file=out)
peer, _ = listener.accept()
peer.sendall(b"hello from the listener\n")
' &
  listener=$!
  read -r port < port
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  IFS= read -r greeting <&3
  exec 3<&-
  wait "$listener"
  listener=
  say "got: $greeting"
else
  say "skipped: python3 is not installed"
fi

step 4 "A forbidden connection, to 192.0.2.1 port 443 (rule no-test-net)"
answer=$(LC_ALL=C timeout 5 bash -c 'exec 3<> /dev/tcp/192.0.2.1/443' 2>&1)
status=$?
case $answer in
  *"Operation not permitted"*) say "refused by the kernel: EPERM, Operation not permitted" ;;
  *) say "not refused by a guard (status $status): ${answer%%$'\n'*}" ;;
esac

step 5 "A forbidden program (rule no-forbidden-tool)"
cp "$(command -v touch)" forbidden-tool
say "forbidden-tool is a copy of touch; if it runs, it makes the file proof"
answer=$({ LC_ALL=C ./forbidden-tool proof; } 2>&1)
status=$?
if [ -e proof ]; then
  say "it ran (status $status): nothing forbids it here"
else
  case $answer in
    *"Operation not permitted"*) say "refused before it started: EPERM, Operation not permitted" ;;
    *) say "ended before its first instruction (status $status)" ;;
  esac
  say "there is no file proof: it never ran"
fi

step 6 "The end"
say "This script now exits with 7, to show that the exit code of a guarded command comes through."
exit 7

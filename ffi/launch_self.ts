/**
 * What the guard does to itself so that a terminal, a pipe and a shell see no difference to the bare command: it stops
 * with the command, lets go of the standard streams, and leaves without touching the terminal.
 */
import { closeSync, openSync } from "node:fs";
import { ptr } from "bun:ffi";
import { AgentguardError } from "../lib/core/mod.ts";
import { launchErrno, type LaunchSymbols, launchSymbols } from "./launch_symbols.ts";

/** `sizeof(struct sigaction)` of glibc is 152 on x86-64 and arm64. */
const SIGACTION_BYTES = 256;

/**
 * Gives `signo` its default action until the returned function puts the old handler back; without effect for SIGSTOP,
 * whose action is fixed. Throws `io` when the handler cannot be put back.
 */
export function resetHandler(libc: LaunchSymbols, signo: number): () => void {
  const old = new Uint8Array(SIGACTION_BYTES);
  const standard = new Uint8Array(SIGACTION_BYTES); // all zero: SIG_DFL, no flags, empty mask
  if (libc.sigaction(signo, ptr(standard), ptr(old)) !== 0) return () => {};
  return () => {
    if (libc.sigaction(signo, ptr(old), null) !== 0) {
      throw failure("restore the handler after a stop", launchErrno(libc));
    }
  };
}

/**
 * Lets go of what belongs to the command: replaces stdin and stdout of this process by /dev/null and closes the given
 * inherited descriptors. Otherwise a pipe would stay open after the command closed its end. Standard error stays:
 * notices go there. Call it after `launchCommand`. Throws `io`.
 */
export function releaseStreams(fds: readonly number[]): void {
  const libc = launchSymbols();
  const null_fd = openSync("/dev/null", "r+");
  try {
    for (const fd of [0, 1]) {
      if (libc.dup2(null_fd, fd) !== fd) throw failure(`replace descriptor ${fd} by /dev/null`, launchErrno(libc));
    }
  } finally {
    closeSync(null_fd);
  }
  for (const fd of fds) {
    if (libc.close(fd) !== 0) throw failure(`close inherited descriptor ${fd}`, launchErrno(libc));
  }
}

/**
 * Ends this process at once with `code` (0-255). `process.exit` would set the terminal back to its state at the start
 * and undo what the command changed (for example `stty`). No exit handler runs: everything must be closed before.
 */
export function exitUnchanged(code: number): never {
  launchSymbols()._exit(code);
  throw new AgentguardError("invariant", "end the process");
}

function failure(what: string, errno: number): AgentguardError {
  return new AgentguardError("io", `${what}: errno ${errno}`);
}

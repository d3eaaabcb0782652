/**
 * Starts the embedded launcher from a sealed memory file with posix_spawn, in the guard's own process group and
 * session, with a chosen set of descriptors. `Bun.spawn` is not used because it can pass a descriptor only at a number
 * that it chooses itself and resets every ignored signal.
 */
import { type Pointer, ptr } from "bun:ffi";
import { AgentguardError } from "../lib/core/mod.ts";
import launcher_path from "../build/native/launch" with { type: "file" };
import type { LaunchSymbols } from "./launch_symbols.ts";

const E2BIG = 7;
/** spawn.h of glibc; its opaque types take 80 and 336 bytes. */
const POSIX_SPAWN_SETSIGMASK = 8, SPAWN_TYPE_BYTES = 512;
/** `sigset_t` of glibc. */
const SIGSET_BYTES = 128;

/** The launcher's program, from the file embedded into the executable. */
export async function launcherProgram(): Promise<Uint8Array> {
  return await Bun.file(launcher_path).bytes();
}

/** What `spawnLauncher` needs. */
export interface SpawnOptions {
  /** From `sealedFile`. */
  readonly program_fd: number;
  /** The launcher's end of the socket pair; passed on at the same number. */
  readonly socket_fd: number;
  /** Inherited descriptors that are passed on at the same numbers. */
  readonly fds: readonly number[];
  /** The command and its arguments, any bytes but NUL, at least one. */
  readonly argv: readonly Uint8Array[];
  /** NUL-terminated strings. */
  readonly environment: Uint8Array<ArrayBuffer>;
}

/** Starts the launcher with all signals blocked and returns its pid. Throws `io`; `usage` for too long arguments. */
export function spawnLauncher(libc: LaunchSymbols, options: SpawnOptions): number {
  const actions = new Uint8Array(SPAWN_TYPE_BYTES);
  const attributes = new Uint8Array(SPAWN_TYPE_BYTES);
  const all_signals = new Uint8Array(SIGSET_BYTES).fill(0xff);
  // Short, so that arguments which the guard itself could be started with always fit again.
  const encoder = new TextEncoder();
  const argv = joinStrings([encoder.encode("ag-launch"), encoder.encode(String(options.socket_fd)), ...options.argv]);
  const argv_table = pointerTable(argv);
  const environment_table = pointerTable(options.environment);
  const path = cString(`/proc/self/fd/${options.program_fd}`);
  const pid = new Int32Array(1);
  check("prepare the launcher's descriptors", libc.posix_spawn_file_actions_init(ptr(actions)));
  check("prepare the launcher's attributes", libc.posix_spawnattr_init(ptr(attributes)));
  try {
    for (const fd of [options.socket_fd, ...options.fds]) {
      // The same number twice clears close-on-exec in the child only (POSIX.1-2024, glibc 2.29).
      check("pass a descriptor", libc.posix_spawn_file_actions_adddup2(ptr(actions), fd, fd));
    }
    check("block the launcher's signals", libc.posix_spawnattr_setsigmask(ptr(attributes), ptr(all_signals)));
    check("block the launcher's signals", libc.posix_spawnattr_setflags(ptr(attributes), POSIX_SPAWN_SETSIGMASK));
    // SAFETY: every buffer is a local of this function, which outlives the call; the child copies them at its exec.
    const errno = libc.posix_spawn(
      ptr(pid),
      ptr(path),
      ptr(actions),
      ptr(attributes),
      ptr(argv_table),
      ptr(environment_table),
    );
    if (errno === E2BIG) throw new AgentguardError("usage", "shorten the command's arguments or the environment");
    check("start the launcher", errno);
    return pid[0] ?? -1;
  } finally {
    libc.posix_spawn_file_actions_destroy(ptr(actions));
    libc.posix_spawnattr_destroy(ptr(attributes));
  }
}

function check(what: string, errno: number): void {
  if (errno !== 0) throw new AgentguardError("io", `${what}: errno ${errno}`);
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

function joinStrings(strings: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(strings.reduce((sum, part) => sum + part.byteLength + 1, 0));
  let at = 0;
  for (const part of strings) {
    joined.set(part, at);
    at += part.byteLength + 1;
  }
  return joined;
}

/** Addresses of the NUL-terminated strings in `bytes`, then a null. `bytes` must stay alive while the table is used. */
function pointerTable(bytes: Uint8Array<ArrayBuffer>): BigUint64Array {
  const addresses: bigint[] = [];
  if (bytes.byteLength > 0) {
    const base: Pointer = ptr(bytes);
    for (let from = 0; from < bytes.byteLength;) {
      addresses.push(BigInt(base) + BigInt(from));
      const end = bytes.indexOf(0, from);
      from = end < 0 ? bytes.byteLength : end + 1;
    }
  }
  addresses.push(0n);
  return new BigUint64Array(addresses);
}

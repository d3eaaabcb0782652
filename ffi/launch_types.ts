/** What a launch takes and tells. */
import type { Baseline } from "./launch_baseline.ts";
import type { LaunchStage } from "./launch_protocol.ts";
import type { NotifyRule } from "./launch_tests.ts";
import type { StartState } from "./launch_state.ts";

/** Settles after so many milliseconds. */
export type Sleep = (delay_ms: number) => Promise<void>;

/** What to start. */
export interface LaunchOptions {
  /** Program and arguments, at least one; bytes where they are not UTF-8. */
  readonly argv: readonly (string | Uint8Array)[];
  /** Working directory; that of the guard when absent. */
  readonly cwd?: string;
  /** Directory of the session's cgroup v2; the launcher ends the tree by its `cgroup.kill`. */
  readonly cgroup_dir?: string;
  /** What becomes of the tree when the guard dies: `deny` kills it, `open` lets it go on. */
  readonly on_failure: "deny" | "open";
  /**
   * System calls that wait until the guard answers them through the listener, the command's own exec among them: take
   * it by `takeListener` before `go` and answer from the go on. Calls of a foreign ABI (i386, x32) then fail with
   * ENOSYS. Numbers are those of this machine; read, write, seccomp and exit_group cannot be held.
   */
  readonly notify?: readonly NotifyRule[];
  /** What the command gives up; nothing when absent. */
  readonly baseline?: Baseline;
  /**
   * Absolute name of a file that does not exist: if this process dies, the launcher tells there when that was (`lost`)
   * and when the tree `ended` or was `killed`, each with microseconds of the epoch, and locks it until then.
   */
  readonly lost_file?: string;
  /**
   * Absolute name of a file that whoever answers held calls keeps up to date (see `HELD_FILE_BYTES`): if nobody answers
   * any more, the launcher refuses those that wait and lets later ones go on. Without it they all fail then.
   */
  readonly held_file?: string;
  /** From `captureStartState`. */
  readonly state: StartState;
  /** Waits, for the end of the launcher. */
  readonly sleep: Sleep;
}

/** How the command ended: exactly one of `exit_code` (0-255) and `signal` is present. */
export interface CommandExit {
  readonly exit_code?: number;
  readonly signal?: number;
  readonly core_dumped: boolean;
  /** Processor time and the largest resident set of the command and the children that it waited for. */
  readonly user_us: number;
  readonly system_us: number;
  readonly maxrss_kib: number;
}

/** What the launcher reports. */
export type LaunchEvent =
  /** The command could not begin; `exited` follows: 127 (not found), 126 (cannot be executed) or 125 (other stage). */
  | { readonly type: "exec_failed"; readonly stage: LaunchStage; readonly errno: number }
  /** Job control or SIGSTOP stopped the command: the guard stops too, by `stopGuard`. */
  | { readonly type: "stopped"; readonly signal: number }
  | { readonly type: "continued" }
  | { readonly type: "exited"; readonly exit: CommandExit }
  /** The launcher ended unasked: the command may run on without watchdog. */
  | { readonly type: "launcher_lost"; readonly exit_code?: number; readonly signal?: number };

/** Takes events in order. Must not throw. */
export type LaunchListener = (event: LaunchEvent) => void;

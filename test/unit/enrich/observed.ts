/** Decoded records for tests of the stages behind decode. */
import type { Action, Clock, Facts, KernelVerdict, Observed } from "../../../lib/core/mod.ts";

/** A clock that is moved by hand. */
export class FakeClock implements Clock {
  wall_us = 1_767_323_045_000_000;
  monotonic_us = 0;

  wallUs(): number {
    return this.wall_us;
  }

  monotonicUs(): number {
    return this.monotonic_us;
  }
}

/** Who and when; what is not given is process 100 with start 5, in scope 1, at one second. */
export interface Who {
  readonly pid?: number;
  readonly start?: number;
  readonly scope?: number;
  readonly boot_us?: number;
  readonly kernel?: KernelVerdict;
}

/** A record. */
export function observed(facts: Facts, action: Action | undefined, who: Who = {}): Observed {
  const pid = who.pid ?? 100;
  return {
    scope: who.scope ?? 1,
    boot_us: who.boot_us ?? 1_000_000,
    pid,
    tid: pid,
    start_low: who.start ?? 5,
    start_high: 0,
    ...(action === undefined ? {} : { action }),
    ...(who.kernel === undefined ? {} : { kernel: who.kernel }),
    facts,
  };
}

/** A program start. */
export function exec(
  who: Who & {
    readonly exe?: string;
    readonly cgroup?: string;
    readonly argv?: string[];
    readonly agent_index?: number;
  } = {},
): Observed {
  const exe = who.exe ?? "/usr/bin/tool";
  return observed(
    {
      kind: "exec",
      ppid: 1,
      parent_start: "1",
      uid: 1000,
      exe,
      cgroup: who.cgroup ?? "agentguard/s",
      agent_index: who.agent_index ?? -1,
    },
    { type: "exec", path: exe, argv: who.argv ?? ["tool", "-x"], cwd: "/w" },
    who,
  );
}

/** A new process. */
export function fork(child_pid: number, child_start: string, who: Who = {}): Observed {
  return observed(
    { kind: "fork", child_pid, child_start, uid: 1001 },
    { type: "process.fork", child: { pid: child_pid, start: child_start } },
    who,
  );
}

/** The end of a process. */
export function exit(who: Who = {}): Observed {
  return observed({ kind: "exit" }, { type: "process.exit", exit_code: 0 }, who);
}

/** An open that succeeded unless `result` says otherwise. */
export function open(path: string, who: Who & { readonly ino?: number; readonly result?: string } = {}): Observed {
  const result = who.result ?? "0";
  return observed(
    { kind: "open", dev: 8, ino: who.ino ?? 9, opened: result === "0" },
    { type: "file.read", path, result },
    who,
  );
}

/** Bytes through a file. */
export function close(read_bytes: number, who: Who & { readonly ino?: number } = {}): Observed {
  const facts: Facts = { kind: "close", fd: 3, dev: 8, ino: who.ino ?? 9, read_bytes, written_bytes: 0 };
  return observed(facts, undefined, who);
}

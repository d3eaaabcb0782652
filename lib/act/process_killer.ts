/** Ends processes by pidfd, after their start time was compared. */
import { readFileSync } from "node:fs";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { ProcessRef } from "../core/mod.ts";
import type { ProcessKiller } from "./actor.ts";

const SIGKILL = 9;
const EPERM = 1;
/** USER_HZ: /proc shows start times in hundredths of a second on every Linux that Bun runs on. */
const NS_PER_TICK = 10_000_000n;

/** `ProcessKiller` on the running kernel. */
export class PidfdKiller implements ProcessKiller {
  readonly #system: SystemCalls;

  constructor(system: SystemCalls) {
    this.#system = system;
  }

  kill(process: ProcessRef): "killed" | "gone" | "refused" {
    const pidfd = this.#system.pidfdOpen(process.pid);
    if (pidfd < 0) return "gone";
    try {
      // The descriptor holds the process; if its start time is ours, the pid was not reused before we opened it.
      if (startTicks(process.pid) !== BigInt(process.start) / NS_PER_TICK) return "gone";
      const result = this.#system.pidfdSignal(pidfd, SIGKILL);
      if (result === 0) return "killed";
      return -result === EPERM ? "refused" : "gone";
    } finally {
      this.#system.close(pidfd);
    }
  }
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets, so counting begins behind the last one. */
function startTicks(pid: number): bigint | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const field = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return field === undefined ? undefined : BigInt(field);
  } catch {
    return undefined; // it has ended
  }
}

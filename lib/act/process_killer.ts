/** Ends processes by pidfd, after their start time was compared. */
import { readFileSync } from "node:fs";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { ProcessRef } from "../core/mod.ts";
import type { ProcessKiller } from "./actor.ts";

const SIGKILL = 9;
const EPERM = 1;
/** include/linux/sched.h: the task is past the point where a signal could end it. */
const PF_EXITING = 0x4;
/** What pidfd_open says where no process has this pid: it ended, or the number is a thread's now. */
const NO_PROCESS: readonly number[] = [3, 22, 2]; // ESRCH, EINVAL, ENOENT
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
    if (pidfd < 0) return NO_PROCESS.includes(-pidfd) ? "gone" : "refused";
    try {
      // The descriptor holds the process; if its start time is ours, the pid was not reused before we opened it.
      const now = readStat(process.pid);
      if (now === undefined || now.ended || now.start_ticks !== BigInt(process.start) / NS_PER_TICK) return "gone";
      const result = this.#system.pidfdSignal(pidfd, SIGKILL);
      if (result !== 0) return -result === EPERM ? "refused" : "gone";
      // A signal to a process on its way out succeeds and does nothing: how it ends is settled already.
      return readStat(process.pid)?.ended_otherwise === true ? "gone" : "killed";
    } finally {
      this.#system.close(pidfd);
    }
  }
}

/**
 * Start of a process in the form of `ProcessRef`, as far as /proc tells: to the hundredth of a second. Only for
 * processes that the kernel has not reported yet; its reports are exact.
 */
export function processStart(pid: number): string {
  return ((readStat(pid)?.start_ticks ?? 0n) * NS_PER_TICK).toString();
}

interface ProcessStat {
  readonly start_ticks: bigint;
  readonly ended: boolean;
  /** Its end is settled, and not by SIGKILL. */
  readonly ended_otherwise: boolean;
}

/**
 * Of /proc/PID/stat (proc(5)): field 3 is the state, 9 the flags, 20 the threads, 22 the start, 52 the wait status.
 * The name in field 2 may hold spaces and brackets, so counting begins behind the last one. A signal to a process that
 * nobody has reaped yet succeeds and does nothing: it has ended, unless other threads outlive the first one.
 */
function readStat(pid: number): ProcessStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, threads, start] = [fields[0], fields[17], fields[19]];
    if (state === undefined || start === undefined) return undefined;
    const ended = state === "X" || (state === "Z" && Number(threads) <= 1);
    const exiting = ended || (Number(threads) <= 1 && (Number(fields[6]) & PF_EXITING) !== 0);
    return { start_ticks: BigInt(start), ended, ended_otherwise: exiting && (Number(fields[49]) & 0x7f) !== SIGKILL };
  } catch {
    return undefined; // it has ended
  }
}

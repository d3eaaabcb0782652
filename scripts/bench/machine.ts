/** What the figures were measured on. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { basename } from "node:path";

/** The machine, and what else it was doing. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_mb: number;
  readonly kernel: string;
  /** Load average of the last minute when the bench began. */
  readonly load: number;
  /** Guards that ran already: their programs add to every figure, the unguarded ones too. */
  readonly other_guards: number;
}

/** Describes this machine now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown processor",
    cores: availableParallelism(),
    memory_mb: Math.round(totalmem() / 1_048_576),
    kernel: release(),
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    other_guards: otherGuards(),
  };
}

/** One line. */
export function machineLine(machine: Machine): string {
  const { cpu, cores, memory_mb, kernel, load, other_guards } = machine;
  const noise = other_guards > 0 ? `; NOT QUIET: ${other_guards} processes of other guards` : "";
  return `${cpu}, ${cores} cores, ${memory_mb} MB, Linux ${kernel}; load ${load}${noise}`;
}

function otherGuards(): number {
  let count = 0;
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name) && programOf(name) === "agentguard") count++;
  }
  return count;
}

/** Base name of a process's program; empty where it has ended, is a kernel thread or is not ours to see. */
function programOf(pid: string): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    return "";
  }
}

/** CPU time of a process, of threads that have ended too: proc_pid_stat(5), in steps of 10 ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process, megabytes (2^20 bytes). */
export function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`read the memory of process ${pid}: /proc says no VmRSS`);
  return Number(kilobytes) / 1024;
}

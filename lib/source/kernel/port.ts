/** What the kernel source gives and takes. */
import type { Gap } from "../../core/mod.ts";

/** Takes records in time order. The memory is borrowed: valid until the call returns. */
export interface FrameSink {
  /** One record of `size` bytes at offset `at`. */
  frame(view: DataView, bytes: Uint8Array, at: number, size: number): void;
  /** A located loss. */
  gap(gap: Gap): void;
}

/** One process that ran already. */
export interface RunningProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  /** Boot-time nanoseconds, decimal. */
  readonly start: string;
  readonly parent_start: string;
  readonly cgroup_id: string;
  /** The scope that it belongs to; 0: none. */
  readonly scope: number;
}

/** Which program groups this kernel took, with the reason for those that it did not. */
export interface ProbeSupport {
  readonly group: ProbeGroup;
  readonly available: boolean;
  readonly detail: string;
}

/** Programs that stand or fall together. */
export type ProbeGroup = "process" | "syscall" | "scope" | "network" | "unix" | "names" | "iterator" | "look" | "lsm";

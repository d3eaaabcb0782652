/** What /proc says of a process that connected: proc(5). Nothing here is cached, as pids are used again. */
import { readFileSync, readlinkSync } from "node:fs";

/** The facts; read in one go, and to be trusted only if the process still lives afterwards. */
export interface ProcessFacts {
  readonly ppid: number;
  /** Start time in clock ticks since boot. */
  readonly start_ticks: number;
  /** The controlling terminal, for example `pts/3`; absent without one. */
  readonly terminal?: string;
  /** Resolved path of its program; absent where it cannot be read. */
  readonly exe?: string;
  /** Path of its version 2 cgroup; absent where it cannot be read. */
  readonly cgroup?: string;
  /** The user who logged in, which sudo does not change; absent where nobody did. */
  readonly login_uid?: number;
}

/** `loginuid` of a process that nobody logged in for. */
const NO_LOGIN = 0xffff_ffff;

/** Reads them; `undefined` where the process has ended. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const stat = read(pid, "stat");
  if (stat === undefined) return undefined;
  // After the name, which may hold anything: state, ppid, pgrp, session, tty_nr, ...
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [ppid, tty, start_ticks] = [fields[1], fields[4], fields[19]].map(Number);
  if (ppid === undefined || tty === undefined || start_ticks === undefined) return undefined;
  const terminal = terminalName(tty);
  const exe = link(pid, "exe");
  const cgroup = /^0::(.*)$/m.exec(read(pid, "cgroup") ?? "")?.[1];
  const login_uid = Number(read(pid, "loginuid") ?? NO_LOGIN);
  return {
    ppid,
    start_ticks,
    ...(terminal === undefined ? {} : { terminal }),
    ...(exe === undefined ? {} : { exe }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(login_uid === NO_LOGIN || Number.isNaN(login_uid) ? {} : { login_uid }),
  };
}

/** True if the signal was sent to the process and neither arrived nor is blocked: proc_pid_status(5). */
export function signalWaits(pid: number, signo: number): boolean {
  const status = read(pid, "status") ?? "";
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0"}`);
  const bit = 1n << BigInt(signo - 1);
  return ((mask("SigPnd") | mask("ShdPnd")) & ~mask("SigBlk") & bit) !== 0n;
}

/** The name of a terminal's device number: proc_pid_stat(5), admin-guide/devices.txt. */
function terminalName(tty: number): string | undefined {
  if (tty === 0) return undefined;
  const major = (tty >> 8) & 0xfff;
  const minor = (tty & 0xff) | ((tty >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 ? `tty${minor}` : `terminal ${major}:${minor}`;
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined; // it has ended, or the kernel has no such file
  }
}

function link(pid: number, file: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${file}`);
  } catch {
    return undefined; // it has ended, or belongs to somebody whom we may not ask about
  }
}

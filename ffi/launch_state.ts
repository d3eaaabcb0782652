/**
 * The state that the guard was started with and that the guarded command must get unchanged: descriptors, signals,
 * limits, environment. Captured once, first thing in main.
 *
 * Bun changes some of it before our first line. What it overwrites is restored as well as it can be known:
 * - It ignores SIGPIPE and SIGXFSZ, catches SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGPWR and the
 *   first real-time signals, and, with a terminal as a standard stream, SIGINT and SIGTERM. Whether the caller had them
 *   ignored is lost. A parent that is a shell and does not change dispositions for its children (an interactive one
 *   does) ignores what they ignore: then its own state is taken. SIGINT counts as ignored when SIGQUIT is: a shell
 *   ignores both for a background job. Otherwise the default is restored.
 * - It unblocks SIGPWR: assumed to have been unblocked.
 * - It raises the soft RLIMIT_NOFILE to the hard one. The parent's soft limit is taken if its hard limit is the same;
 *   otherwise (a service manager or a container runtime set it) the raised one stays.
 */
import { readFileSync } from "node:fs";
import { closedStdio, inheritedFds } from "./inherited_fd.ts";
import { launchSymbols } from "./launch_symbols.ts";

/** What the command inherits. */
export interface StartState {
  /** Descriptors from 3 up, ascending. */
  readonly fds: readonly number[];
  /** Bit n: descriptor n (0-2) was closed. */
  readonly closed_stdio: number;
  /** Signal masks: bit n-1 for signal n. */
  readonly blocked: bigint;
  readonly ignored: bigint;
  /** Soft `RLIMIT_NOFILE`; absent when it is to be left as it is. */
  readonly nofile_soft?: number;
  /** The environment as the kernel got it: NUL-terminated strings, any bytes. */
  readonly environment: Uint8Array<ArrayBuffer>;
  /** The arguments as the kernel got them, any bytes, without their NUL; `process.argv` has replaced invalid UTF-8. */
  readonly arguments: readonly Uint8Array<ArrayBuffer>[];
}

const SIGINT = 2, SIGQUIT = 3, SIGPIPE = 13, SIGTERM = 15, SIGXFSZ = 25, SIGPWR = 30;
/** Signals whose disposition Bun always replaces: also ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS, RTMIN, RTMIN+1 of libc. */
const REPLACED = mask([4, 5, 6, 7, 8, 11, 31, 32, 33, SIGPIPE, SIGXFSZ, SIGPWR]);
/** Signals that Bun catches too when a standard stream is a terminal. */
const REPLACED_ON_TERMINAL = mask([SIGINT, SIGTERM]);
/** Programs that give children their own dispositions (POSIX, 2.12 Shell Execution Environment). */
const SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "busybox"]);

/** Reads the state. Call it before anything opens a descriptor or handles a signal. Throws without a readable /proc. */
export function captureStartState(): StartState {
  const fds = inheritedFds();
  const own = statusOf("self");
  const replaced = own.caught & REPLACED_ON_TERMINAL ? REPLACED | REPLACED_ON_TERMINAL : REPLACED;
  const parent = parentState();
  let ignored = own.ignored & ~replaced;
  // bash ignores SIGQUIT for itself always; any other difference means that it resets signals for its children.
  const differs = (parent?.ignored ?? 0n) & ~ignored & ~replaced & ~mask([SIGQUIT]);
  if (parent !== undefined && SHELLS.has(parent.name) && differs === 0n) ignored |= parent.ignored & replaced;
  if ((own.caught & mask([SIGINT])) !== 0n && (ignored & mask([SIGQUIT])) !== 0n) ignored |= mask([SIGINT]);
  const limit = nofileOf("self");
  const parent_limit = parent === undefined ? undefined : nofileOf(String(parent.pid));
  const raised = limit !== undefined && limit.soft === limit.hard && parent_limit?.hard === limit.hard;
  return {
    fds,
    closed_stdio: closedStdio(),
    blocked: own.blocked,
    ignored,
    ...(raised && parent_limit !== undefined ? { nofile_soft: parent_limit.soft } : {}),
    environment: new Uint8Array(readFileSync("/proc/self/environ")),
    arguments: splitStrings(new Uint8Array(readFileSync("/proc/self/cmdline"))),
  };
}

/** True for a terminal. node:tty would tell the same, for ten milliseconds of every start. */
export function isTerminal(fd: number): boolean {
  return launchSymbols().isatty(fd) === 1;
}

interface Status {
  readonly name: string;
  readonly parent: number;
  readonly blocked: bigint;
  readonly ignored: bigint;
  readonly caught: bigint;
}

function statusOf(process: string): Status {
  const text = readFileSync(`/proc/${process}/status`, "latin1");
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
  const signals = (name: string): bigint => BigInt(`0x${field(name) || "0"}`);
  return {
    name: field("Name"),
    parent: Number(field("PPid")),
    blocked: signals("SigBlk"),
    ignored: signals("SigIgn"),
    caught: signals("SigCgt"),
  };
}

/** The parent as it is now; undefined without one in this pid namespace, or when it may not be read. */
function parentState(): (Status & { readonly pid: number }) | undefined {
  const pid = statusOf("self").parent;
  if (pid === 0) return undefined;
  try {
    return { ...statusOf(String(pid)), pid };
  } catch {
    return undefined;
  }
}

/** Soft and hard `RLIMIT_NOFILE`; undefined when they may not be read. */
function nofileOf(process: string): { readonly soft: number; readonly hard: number } | undefined {
  try {
    const found = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${process}/limits`, "latin1"));
    return found === null ? undefined : { soft: Number(found[1]), hard: Number(found[2]) };
  } catch {
    return undefined;
  }
}

/** Splits NUL-terminated strings. */
export function splitStrings(bytes: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[] {
  const strings: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < bytes.byteLength;) {
    const found = bytes.indexOf(0, from);
    const to = found < 0 ? bytes.byteLength : found;
    strings.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return strings;
}

function mask(signals: readonly number[]): bigint {
  return signals.reduce((sum, signo) => sum | (1n << BigInt(signo - 1)), 0n);
}

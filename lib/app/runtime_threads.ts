/** The runtime's own threads, and how much of the machine they may take from whoever is guarded. */
import { readdirSync, readFileSync } from "node:fs";
import type { SystemCalls } from "../../ffi/mod.ts";

/**
 * Threads that nobody waits for, by name: they compile what runs often, give memory back, and touch it ahead. The
 * collector's are not among them: while they mark, everybody else stands still.
 */
const HELPERS: ReadonlySet<string> = new Set(["JITWorker", "mi-scavenger", "JSCWarmUp"]);

/** Niceness of the helpers: a tenth of what a guarded program has, where both want the same processor. */
const HELPER_NICE = 10;

/**
 * How much later than by itself the runtime compiles a thread's functions. A task of some ten thousand actions is over
 * before compiling for millions of them pays; a flood reaches the threshold within its first seconds.
 */
const COMPILE_LATER = 64;

/** Lets the guarded go first. The runtime ends and starts its helpers as it likes: to be called again now and then. */
export function lowerHelpers(system: SystemCalls): void {
  for (const tid of readdirSync("/proc/self/task")) {
    // One that has ended meanwhile needs nothing.
    if (HELPERS.has(nameOf(tid))) system.setNice(Number(tid), HELPER_NICE);
  }
}

/** For the calling thread. */
export function compileLater(): void {
  Bun.unsafe.setJITPolicy(COMPILE_LATER);
}

function nameOf(tid: string): string {
  try {
    return readFileSync(`/proc/self/task/${tid}/comm`, "utf8").trimEnd();
  } catch {
    return "";
  }
}

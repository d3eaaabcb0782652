/** A piece of an agent's work, bare or guarded, between two stopwatches: start and end can be told apart. */

import { mkdirSync, rmSync } from "node:fs";
import { compared, type Row, timeRow } from "./report.ts";
import { ratioInterval } from "./statistics.ts";
import { guardSummary, type Lap, readLap, runToEnd, type Workshop } from "./workshop.ts";

/** Milliseconds that one run may take. */
const RUN_MS_MAX = 180_000;

/** One run. */
export interface WorkRun {
  /** The work alone, without the start and the end of the guard. */
  readonly work: Lap;
  /** Everything, the guard included. */
  readonly whole: Lap;
  /** What the guard said at its end; zeros without one. */
  readonly actions: number;
  readonly held: number;
  readonly lost: number;
}

/** Milliseconds from the start of the guard to that of the work. */
export function startMs({ work, whole }: WorkRun): number {
  return (work.from_ns - whole.from_ns) / 1e6;
}

/** Milliseconds from the end of the work to that of the guard. */
export function endMs(run: WorkRun): number {
  return run.whole.wall_ms - run.work.wall_ms - startMs(run);
}

/** Processor time of the guard alone, milliseconds: its start, its end and its launcher are in it. */
export function guardCpuMs({ work, whole }: WorkRun): number {
  return whole.cpu_ms - work.cpu_ms;
}

/** Runs `sh SCRIPT DIRECTORY` in a fresh, empty directory, guarded by `policy` if there is one. */
export async function runWork(shop: Workshop, script: string, policy?: string): Promise<WorkRun> {
  const directory = shop.fresh("work");
  const [inner, outer] = [shop.fresh("lap"), shop.fresh("lap")];
  const stopwatch = shop.workload("stopwatch");
  const guard = policy === undefined ? undefined : shop.guardArguments(policy);
  mkdirSync(directory);
  try {
    const before = [stopwatch, outer, ...(guard === undefined ? [] : [...guard.argv, "--"])];
    const done = await runToEnd([...before, stopwatch, inner, "sh", script, directory], RUN_MS_MAX);
    const counts = guard === undefined ? { actions: 0, held: 0, lost: 0 } : guardSummary(done.stderr);
    return { work: readLap(inner), whole: readLap(outer), ...counts };
  } finally {
    rmSync(directory, { recursive: true, force: true });
    if (guard !== undefined) shop.discard(guard.state);
  }
}

/** The row of `condition` beside the bare runs of the same passes, with the confidence interval of the ratio. */
export function besideBare(
  what: string,
  options: { readonly condition: string; readonly bare: readonly number[]; readonly own: readonly number[] },
): Row {
  const pairs = options.own.map((value, i) => ({ base: options.bare[i] ?? Number.NaN, value }));
  const { low, high } = ratioInterval(pairs);
  const row = compared(timeRow(`${what}, ${options.condition}`, "ms", options.own), `${what}, bare`, pairs);
  return { ...row, ratio_low: low, ratio_high: high };
}

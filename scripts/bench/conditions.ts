/** The same operations under several conditions, of which one is `bare`: interleaved passes, and rows against bare. */

import { compared, type Pair, type Row, timeRow } from "./report.ts";
import { median, passes } from "./statistics.ts";

/** Samples by operation, nanoseconds, of one run of the workload. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** What each condition gave, in the order of the passes. */
export type Runs<Condition extends string> = ReadonlyMap<Condition, readonly Samples[]>;

/** Runs every condition twice a round, in interleaved order. */
export async function runConditions<Condition extends string>(
  conditions: readonly Condition[],
  rounds: number,
  run: (condition: Condition) => Promise<Samples>,
): Promise<Runs<Condition>> {
  const runs = new Map<Condition, Samples[]>(conditions.map((condition) => [condition, []]));
  for (const pass of passes(conditions, rounds)) {
    for (const condition of pass) runs.get(condition)?.push(await run(condition));
  }
  return runs;
}

/** A row for each condition; what is added is the median over pairs of one pass. In microseconds from 10 of them on. */
export function rowsAgainstBare<Condition extends string>(operation: string, runs: Runs<Condition>): readonly Row[] {
  const samplesOf = (each: readonly Samples[]): readonly (readonly number[])[] =>
    each.map((samples) => samples.get(operation) ?? []);
  const bare = samplesOf([...runs].find(([condition]) => condition === "bare")?.[1] ?? []).map(median);
  const scale = Math.min(...bare) >= 10_000 ? { unit: "us", by: 1000 } : { unit: "ns", by: 1 };
  return [...runs].map(([condition, all]) => {
    const each = samplesOf(all);
    const row = timeRow(`${operation}, ${condition}`, scale.unit, each.flat().map((ns) => ns / scale.by));
    if (condition === "bare") return row;
    const pairs: Pair[] = each.map((samples, i) => ({
      base: (bare[i] ?? Number.NaN) / scale.by,
      value: median(samples) / scale.by,
    }));
    return compared(row, `${operation}, bare`, pairs);
  });
}

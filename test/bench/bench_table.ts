/** Runs benchmarks and prints median and tail of each, with a ratio to the first of its group. */
import { cpus } from "node:os";
import { run } from "mitata";

/** One measured benchmark. */
interface Measured {
  readonly name: string;
  /** Nanoseconds for one call. */
  readonly p50: number;
  readonly p99: number;
}

/** Runs everything that was registered and prints the table. Names of the form `group: name` form groups. */
export async function printTable(): Promise<void> {
  const { benchmarks } = await run({ format: "quiet" });
  const measured = benchmarks.flatMap(({ alias, runs }): Measured[] =>
    runs.flatMap(({ stats }) => stats === undefined ? [] : [{ name: alias, p50: stats.p50, p99: stats.p99 }])
  );
  console.log(`${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} processors, Bun ${Bun.version}`);
  console.log(`${"".padEnd(52)}${"p50".padStart(12)}${"p99".padStart(12)}${"ratio".padStart(12)}`);
  const first = new Map<string, number>();
  for (const { name, p50, p99 } of measured) {
    const [group = ""] = name.split(":");
    const base = first.get(group) ?? p50;
    first.set(group, base);
    console.log(name.padEnd(52) + shown(p50) + shown(p99) + `${(p50 / base).toFixed(2)} x`.padStart(12));
  }
}

function shown(ns: number): string {
  const text = ns >= 1e6
    ? `${(ns / 1e6).toFixed(1)} ms`
    : ns >= 1e3
    ? `${(ns / 1e3).toFixed(2)} us`
    : `${ns.toFixed(0)} ns`;
  return text.padStart(12);
}

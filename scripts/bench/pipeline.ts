/** How many events per second the stages take on one CPU, without the kernel: records are replayed from memory. */

import { mkdirSync, rmSync } from "node:fs";
import { inRoot, toolPath } from "../support/paths.ts";
import { compared, formatCount, rateRow, type Report, type Row } from "./report.ts";
import { fieldOf, onCpu, runToEnd, type Workshop } from "./workshop.ts";

/** Milliseconds that the child may take. */
const RUN_MS_MAX = 600_000;

interface Result {
  readonly ns: number[];
  readonly counts: { events: number; entries: number; merged: number };
}

/** Runs the child on the CPU that guards use, and reads what it measured. */
export async function measurePipeline(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 5;
  const events = shop.effort.quick ? 50_000 : 300_000;
  const directory = shop.fresh("pipeline");
  mkdirSync(directory);
  try {
    const child = [toolPath("bun"), inRoot("scripts", "bench", "pipeline_child.ts"), directory];
    const { stdout } = await runToEnd(onCpu(shop.guard_cpu, [...child, String(rounds), String(events)]), RUN_MS_MAX);
    return reportOf(parse(stdout));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function reportOf(results: ReadonlyMap<string, Result>): Report {
  const rows: Row[] = [];
  const notes = [
    "20,000 records replayed from memory; everything on one CPU, the runtime's compiler and collector included",
    "ratio: to decode alone of the same records; for 1,000 rules, to 1 rule; for the walk, to the same case of " +
    "opens; p99: the rate that 99 % of the samples reach",
    "opens: few files, all opened well; mixed: opens, failed opens, bytes, mkdir, connect, fork, exec, exit; walk: " +
    "opens, each of another file",
  ];
  for (const [name, { ns, counts }] of results) {
    const row = rateRow(name, ns.map((each) => 1e9 / each));
    const baseline = baselineOf(name);
    const base = baseline === undefined ? undefined : results.get(baseline);
    if (baseline === undefined || base === undefined || counts.events > 0) rows.push(row);
    else {
      const pairs = ns.map((each, i) => ({ base: 1e9 / (base.ns[i] ?? Number.NaN), value: 1e9 / each }));
      rows.push(compared(row, baseline, pairs));
    }
    if (counts.events > 0) {
      const { events, entries, merged } = counts;
      notes.push(
        `${name}: ${formatCount(events)} events, ${formatCount(entries)} entries, ${formatCount(merged)} merged`,
      );
    }
  }
  return { name: "pipeline", title: "events per second through the stages on one CPU", rows, notes, faults: [] };
}

function baselineOf(name: string): string | undefined {
  if (name.endsWith(": decode")) return undefined;
  if (name.startsWith("walk:")) return name.replace("walk:", "opens:");
  if (name.endsWith("1,000 rules")) return name.replace("1,000 rules", "1 rule");
  return `${name.split(":")[0]}: decode`;
}

function parse(text: string): ReadonlyMap<string, Result> {
  const found = new Map<string, Result>();
  for (const line of text.trim().split("\n")) {
    const value: unknown = JSON.parse(line);
    const name = fieldOf(value, "name");
    const ns = fieldOf(value, "ns");
    if (typeof name !== "string" || !Array.isArray(ns)) throw new Error(`read the pipeline's figures: ${line}`);
    const result = found.get(name) ?? { ns: [], counts: { events: 0, entries: 0, merged: 0 } };
    result.ns.push(...ns.map(Number));
    for (const field of ["events", "entries", "merged"] as const) {
      result.counts[field] += Number(fieldOf(value, field) ?? 0);
    }
    found.set(name, result);
  }
  return found;
}

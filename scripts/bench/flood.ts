/**
 * What becomes of a real flood: a guarded program opens and closes one file as fast as one CPU can. Afterwards the
 * record must account for every open: recorded by itself, merged with a count, or lost with a located gap.
 */

import { type Entry } from "../../lib/core/mod.ts";
import { entryOf, openRecordReader } from "../../lib/record/mod.ts";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compared, countRow, rateRow, type Report, timeRow } from "./report.ts";
import { passes } from "./statistics.ts";
import { type Lap, numberField, readLap, runToEnd, type Workshop } from "./workshop.ts";

/** Milliseconds that one run may take, the guard's end included. */
const RUN_MS_MAX = 180_000;

/** Where the opens of all runs went. */
interface Account {
  opens: number;
  recorded: number;
  merged: number;
  lost: number;
  gaps: number;
  entries: number;
}

interface Run {
  readonly flood_ns: number;
  readonly lap: Lap;
}

/** Runs the flood bare and guarded, interleaved, and reads the records. */
export async function measureFlood(shop: Workshop): Promise<Report> {
  const opens = shop.effort.quick ? 100_000 : 1_000_000;
  const rounds = shop.effort.quick ? 1 : 3;
  const account: Account = { opens: 0, recorded: 0, merged: 0, lost: 0, gaps: 0, entries: 0 };
  const file = shop.path("flood", "file");
  mkdirSync(dirname(file));
  writeFileSync(file, "");
  const bare: Run[] = [];
  const guarded: Run[] = [];
  try {
    for (const pass of passes([false, true], rounds)) {
      for (const guard of pass) {
        if (guard) guarded.push(await runGuarded(shop, { opens, file, account }));
        else bare.push(await runBare(shop, opens, file));
      }
    }
  } finally {
    rmSync(dirname(file), { recursive: true });
  }
  return reportOf({ account, bare, guarded, opens });
}

function reportOf(
  runs: {
    readonly account: Account;
    readonly bare: readonly Run[];
    readonly guarded: readonly Run[];
    readonly opens: number;
  },
): Report {
  const { account, bare, guarded, opens } = runs;
  const each = ({ flood_ns }: Run): number => flood_ns / opens;
  const pairs = guarded.map((run, i) => ({
    base: bare[i] === undefined ? Number.NaN : each(bare[i]),
    value: each(run),
  }));
  const guard_cpu_ns = guarded.map(({ flood_ns, lap }) => (lap.cpu_ms * 1e6 - flood_ns) / opens);
  const unaccounted = account.opens - account.recorded - account.merged - account.lost;
  const rows = [
    timeRow("open+close, bare", "ns", bare.map(each)),
    compared(timeRow("open+close, guarded", "ns", guarded.map(each)), "open+close, bare", pairs),
    rateRow("opens/s while they are made", guarded.map(({ flood_ns }) => opens / (flood_ns / 1e9))),
    rateRow("opens/s from start of the guard to its end", guarded.map(({ lap }) => opens / (lap.wall_ms / 1e3))),
    timeRow("CPU time of the guard for each open", "ns", guard_cpu_ns),
    countRow("opens made", "events", account.opens),
    countRow("recorded one by one", "events", account.recorded),
    countRow("merged, in entries with a count", "events", account.merged),
    countRow("lost, in located gaps", "events", account.lost),
    countRow("unaccounted for", "events", unaccounted),
  ];
  const notes = [
    `${guarded.length} guarded floods of ${opens} opens from one CPU; guard not pinned; ${account.entries} entries, ` +
    `${account.gaps} of them gaps`,
    "the CPU time of the guard includes its start and its end",
  ];
  // A gap counts records of any type: a few of the program's own start may be among them.
  const faults = unaccounted > 0 || (account.lost === 0 && unaccounted !== 0)
    ? [`the record accounts for ${account.opens - unaccounted} of ${account.opens} opens`]
    : [];
  return { name: "flood", title: "a real flood of opens through the executable", rows, notes, faults };
}

async function runBare(shop: Workshop, opens: number, file: string): Promise<Run> {
  const out = shop.fresh("lap");
  const argv = [shop.workload("flood"), String(shop.work_cpu), String(opens), file];
  const { stdout } = await runToEnd([shop.workload("stopwatch"), out, ...argv], RUN_MS_MAX);
  return { flood_ns: numberField(JSON.parse(stdout), "ns"), lap: readLap(out) };
}

async function runGuarded(
  shop: Workshop,
  options: { readonly opens: number; readonly file: string; readonly account: Account },
): Promise<Run> {
  const { opens, file, account } = options;
  const { state, argv } = shop.guardArguments(shop.policy("plain"));
  const out = shop.fresh("lap");
  const command = [shop.workload("flood"), String(shop.work_cpu), String(opens), file];
  try {
    const { stdout } = await runToEnd([shop.workload("stopwatch"), out, ...argv, "--", ...command], RUN_MS_MAX);
    account.opens += opens;
    using reader = openRecordReader(state);
    for (const stored of reader.query()) addEntry(account, entryOf(stored), file);
    return { flood_ns: numberField(JSON.parse(stdout), "ns"), lap: readLap(out) };
  } finally {
    shop.discard(state);
  }
}

function addEntry(account: Account, entry: Entry, file: string): void {
  account.entries++;
  if (entry.kind === "gap") {
    account.gaps++;
    account.lost += entry.gap?.type === "record" || entry.gap?.type.startsWith("open.") === true ? entry.gap.count : 0;
    return;
  }
  const action = entry.action;
  if (action?.type !== "file.read") return;
  if (action.path === file) account.recorded++;
  else if (action.path === dirname(file) && action.flags?.includes("coalesced") === true) {
    account.merged += action.count ?? 0;
  }
}

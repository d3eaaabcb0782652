/** What an agent does all day: a git clone and a small build, guarded and not, with a confidence interval. */

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { inRoot, ROOT } from "../support/paths.ts";
import { compared, type Report, type Row, timeRow } from "./report.ts";
import { passes, ratioInterval } from "./statistics.ts";
import { guardSummary, type Lap, readLap, runToEnd, type Workshop } from "./workshop.ts";

/** Milliseconds that one task may take. */
const RUN_MS_MAX = 180_000;

interface Run {
  /** The task alone, without the start and the end of the guard. */
  readonly task: Lap;
  /** Everything, the guard included. */
  readonly whole: Lap;
}

/** Measures the task bare and guarded, interleaved. */
export async function measureTask(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 15;
  const script = await prepare(shop);
  const bare: Run[] = [];
  const guarded: Run[] = [];
  const totals = { actions: 0, lost: 0 };
  await runOnce(shop, script, { guard: false, totals }); // warms the page cache
  for (const pass of passes([false, true], rounds)) {
    for (const guard of pass) (guard ? guarded : bare).push(await runOnce(shop, script, { guard, totals }));
  }
  const rows = ([
    ["task, wall", ({ task }: Run): number => task.wall_ms],
    ["task, CPU", ({ task }: Run): number => task.cpu_ms],
    ["with start and end, wall", ({ whole }: Run): number => whole.wall_ms],
    ["with start, end and guard, CPU", ({ whole }: Run): number => whole.cpu_ms],
  ] as const).flatMap(([what, of]) => rowsOf(what, bare.map(of), guarded.map(of)));
  return {
    name: "task",
    title: "an agent-like task: twice git clone and a compilation",
    rows,
    notes: [
      `${guarded.length} pairs; the ratio is the median of the pairs, in brackets the 95 % confidence interval of ` +
      "the mean (t on logarithms)",
      `${totals.actions} actions recorded, ${totals.lost} lost; nothing pinned`,
    ],
    faults: [],
  };
}

function rowsOf(what: string, bare: readonly number[], guarded: readonly number[]): readonly Row[] {
  const pairs = guarded.map((value, i) => ({ base: bare[i] ?? Number.NaN, value }));
  const { low, high } = ratioInterval(pairs);
  const row = compared(timeRow(`${what}, guarded`, "ms", guarded), `${what}, bare`, pairs);
  return [timeRow(`${what}, bare`, "ms", bare), { ...row, ratio_low: low, ratio_high: high }];
}

/** A bare copy of this repository as the remote, and the script of the task. */
async function prepare(shop: Workshop): Promise<string> {
  if (!existsSync(inRoot(".git"))) throw new Error(`run the task bench in a git checkout: ${ROOT} has no .git`);
  const remote = shop.path("remote.git");
  await mustRun(["git", "-c", "safe.directory=*", "clone", "--quiet", "--bare", "--no-hardlinks", ROOT, remote]);
  const script = shop.path("task.sh");
  writeFileSync(
    script,
    `set -e
cd "$1"
for i in 1 2; do
  git -c safe.directory='*' clone --quiet --no-local '${remote}' "clone$i"
  gcc -O1 -c '${inRoot("scripts", "bench", "operations.c")}' -o "clone$i/operations.o"
  gcc -static "clone$i/operations.o" -o "clone$i/operations"
done
`,
  );
  return script;
}

async function runOnce(
  shop: Workshop,
  script: string,
  options: { readonly guard: boolean; readonly totals: { actions: number; lost: number } },
): Promise<Run> {
  const directory = shop.fresh("task");
  const [inner, outer] = [shop.fresh("lap"), shop.fresh("lap")];
  const stopwatch = shop.workload("stopwatch");
  const work = [stopwatch, inner, "sh", script, directory];
  const guard = options.guard ? shop.guardArguments(shop.policy("plain")) : undefined;
  mkdirSync(directory);
  try {
    const done = await runToEnd(
      [stopwatch, outer, ...(guard === undefined ? [] : [...guard.argv, "--"]), ...work],
      RUN_MS_MAX,
    );
    if (guard !== undefined) {
      const { actions, lost } = guardSummary(done.stderr);
      options.totals.actions += actions;
      options.totals.lost += lost;
    }
    return { task: readLap(inner), whole: readLap(outer) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
    if (guard !== undefined) shop.discard(guard.state);
  }
}

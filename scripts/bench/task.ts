/** What an agent does all day: a git clone and a small build, guarded and not, with a confidence interval. */

import { existsSync, writeFileSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { inRoot, ROOT } from "../support/paths.ts";
import { type Report, type Row, timeRow } from "./report.ts";
import { passes } from "./statistics.ts";
import { besideBare, endMs, guardCpuMs, runWork, startMs, type WorkRun } from "./work.ts";
import type { Workshop } from "./workshop.ts";

/** Measures the task bare and guarded, interleaved. */
export async function measureTask(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 15;
  const script = await prepare(shop);
  const bare: WorkRun[] = [];
  const guarded: WorkRun[] = [];
  await runWork(shop, script); // warms the page cache
  for (const pass of passes([undefined, shop.policy("plain")], rounds)) {
    for (const policy of pass) (policy === undefined ? bare : guarded).push(await runWork(shop, script, policy));
  }
  const rows = ([
    ["task, wall", ({ work }: WorkRun): number => work.wall_ms],
    ["task, CPU", ({ work }: WorkRun): number => work.cpu_ms],
    ["with start and end, wall", ({ whole }: WorkRun): number => whole.wall_ms],
    ["with start, end and guard, CPU", ({ whole }: WorkRun): number => whole.cpu_ms],
  ] as const).flatMap(([what, of]): readonly Row[] => [
    timeRow(`${what}, bare`, "ms", bare.map(of)),
    besideBare(what, { condition: "guarded", bare: bare.map(of), own: guarded.map(of) }),
  ]);
  const total = (of: (run: WorkRun) => number): number => guarded.reduce((sum, run) => sum + of(run), 0);
  return {
    name: "task",
    title: "an agent-like task: twice git clone and a compilation",
    rows: [
      ...rows,
      timeRow("start of the guard", "ms", guarded.map(startMs)),
      timeRow("end of the guard", "ms", guarded.map(endMs)),
      timeRow("CPU time of the guard", "ms", guarded.map(guardCpuMs)),
    ],
    notes: [
      `${guarded.length} pairs; the ratio is the median of the pairs, in brackets the 95 % confidence interval of ` +
      "the mean (t on logarithms)",
      `${total(({ actions }) => actions)} actions recorded, ${total(({ lost }) => lost)} lost; nothing pinned`,
    ],
    faults: [],
  };
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

/** A real build, this repository's own, bare and guarded by 1,000 rules that observe and that enforce. */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mustRun } from "../support/command.ts";
import { inRoot, ROOT } from "../support/paths.ts";
import { countRow, type Report, type Row, timeRow } from "./report.ts";
import { passes } from "./statistics.ts";
import { besideBare, endMs, guardCpuMs, runWork, startMs, type WorkRun } from "./work.ts";
import type { Workshop } from "./workshop.ts";

/** In the order of one pass. The policies have 1,000 rules of all kinds. */
const CONDITIONS = ["bare", "observed", "enforced"] as const;
type Condition = (typeof CONDITIONS)[number];

/** Measures the build in turns. */
export async function measureBuild(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 10;
  const script = await prepare(shop);
  const runs: Readonly<Record<Condition, WorkRun[]>> = { bare: [], observed: [], enforced: [] };
  await runWork(shop, script); // fills the package cache, warms the page cache
  for (const pass of passes(CONDITIONS, rounds)) {
    for (const condition of pass) runs[condition].push(await runWork(shop, script, policyOf(shop, condition)));
  }
  return {
    name: "build",
    title: "a real build: bun install and a cold build of this repository, 1,000 rules",
    rows: [
      ...rowsOf("build, wall", runs, ({ work }) => work.wall_ms),
      ...rowsOf("build, CPU", runs, ({ work }) => work.cpu_ms),
      ...rowsOf("with start and end, wall", runs, ({ whole }) => whole.wall_ms),
      ...whereItGoes("observed", runs.observed),
      ...whereItGoes("enforced", runs.enforced),
    ],
    notes: [
      `${runs.bare.length} passes of the three; the ratio is the median of the pairs, in brackets the 95 % ` +
      "confidence interval of the mean (t on logarithms); nothing pinned",
      "observed: nothing waits for the guard; enforced: calls that a rule may refuse are held until it answers",
    ],
    faults: [],
  };
}

function policyOf(shop: Workshop, condition: Condition): string | undefined {
  if (condition === "bare") return undefined;
  return shop.policy(condition === "observed" ? "watching" : "rules");
}

function rowsOf(
  what: string,
  runs: Readonly<Record<Condition, readonly WorkRun[]>>,
  of: (run: WorkRun) => number,
): readonly Row[] {
  const bare = runs.bare.map(of);
  return [
    timeRow(`${what}, bare`, "ms", bare),
    ...(["observed", "enforced"] as const).map((condition) =>
      besideBare(what, { condition, bare, own: runs[condition].map(of) })
    ),
  ];
}

/** The parts of a guarded run that are not the build, and what the guard did meanwhile. */
function whereItGoes(condition: Condition, runs: readonly WorkRun[]): readonly Row[] {
  const events = (what: string, of: (run: WorkRun) => number): Row => ({
    ...timeRow(`${what}, ${condition}`, "events", runs.map(of)),
  });
  return [
    timeRow(`start of the guard, ${condition}`, "ms", runs.map(startMs)),
    timeRow(`end of the guard, ${condition}`, "ms", runs.map(endMs)),
    timeRow(`CPU time of the guard, ${condition}`, "ms", runs.map(guardCpuMs)),
    events("actions", ({ actions }) => actions),
    events("held calls", ({ held }) => held),
    countRow(`lost, ${condition}`, "events", runs.reduce((sum, { lost }) => sum + lost, 0)),
  ];
}

/** A clone of this repository with its tools, and the script that builds a copy of it, with a package cache. */
async function prepare(shop: Workshop): Promise<string> {
  if (!existsSync(inRoot(".git"))) throw new Error(`run the build bench in a git checkout: ${ROOT} has no .git`);
  const source = shop.path("source");
  await mustRun(["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", ROOT, source]);
  rmSync(shop.path("source", ".git"), { recursive: true });
  // Links of its own: should the clone find its tools too old, what it installs stays inside.
  const tools = shop.path("tools");
  mkdirSync(shop.path("tools", "bin"), { recursive: true });
  for (const name of readdirSync(inRoot(".tools", "bin"))) {
    symlinkSync(realpathSync(inRoot(".tools", "bin", name)), shop.path("tools", "bin", name));
  }
  copyFileSync(inRoot(".tools", "stamp"), shop.path("tools", "stamp"));
  const script = shop.path("build.sh");
  writeFileSync(
    script,
    `set -e
cp -a '${source}/.' "$1"
cp -a '${tools}' "$1/.tools"
cd "$1"
export BUN_INSTALL_CACHE_DIR='${shop.path("cache")}'
.tools/bin/bun install --frozen-lockfile --ignore-scripts
./scripts/build.sh
`,
  );
  return script;
}

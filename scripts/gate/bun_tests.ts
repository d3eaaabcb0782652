/** Runs groups of tests with `bun test` and counts them. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../support/command.ts";
import { inRoot, ROOT, toolPath } from "../support/paths.ts";
import { countFailures, type JunitReport, parseJunit, type SkippedCase } from "./junit.ts";
import { NOTHING, type Outcome, sum } from "./outcome.ts";

/** A group that takes longer than this hangs. */
const GROUP_MS = 30 * 60_000;

/** How long one test may take, by group; the rest have 10 s. */
const TEST_MS: Readonly<Record<string, number>> = {
  property: 120_000,
  kernel: 180_000,
  binary: 180_000,
  escape: 900_000,
};
const TEST_MS_DEFAULT = 10_000;

/**
 * Groups whose files run in processes of their own, as many beside each other as there are processors: each has
 * directories, cgroups and names of its own. What looks at the whole host for what was left there looks until it stays.
 */
const BESIDE: ReadonlySet<string> = new Set(["binary"]);

/** The files that take longest: they begin first, so that no process is left with one of them at the end. */
const LONG: readonly string[] = ["leaks", "hold_files", "watch_reads", "policy_learn", "hold_exec", "approval_hold"];

/** Groups that run after all others: they load the machine, or need the built executable. */
const LAST: readonly string[] = ["kernel", "binary", "escape"];

/** The folders of test/ with test files, in the order in which they run. A new folder is a group by being there. */
export function testGroups(): readonly string[] {
  const found = new Set(
    [...new Bun.Glob("test/*/**/*_test.ts").scanSync({ cwd: ROOT })].map((path) => path.split("/")[1] ?? ""),
  );
  const first = ["unit", "property"].filter((group) => found.has(group));
  const middle = [...found].filter((group) => !first.includes(group) && !LAST.includes(group)).sort();
  return [...first, ...middle, ...LAST.filter((group) => found.has(group))];
}

/** Runs the test files of one group, one file after the other in one process, or some beside each other. */
export async function runGroup(group: string): Promise<Outcome> {
  const files = [...new Bun.Glob(`test/${group}/**/*_test.ts`).scanSync({ cwd: ROOT })].sort();
  const test_ms = TEST_MS[group] ?? TEST_MS_DEFAULT;
  if (!BESIDE.has(group)) return await runTests(files, test_ms);
  const waiting = longFirst(files);
  const outcomes: Outcome[] = [];
  const runNext = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      outcomes.push(await runTests([file], test_ms));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runNext));
  return sum(outcomes);
}

/** A new list: the long ones in their order, then the others. */
function longFirst(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const at = LONG.findIndex((name) => file.endsWith(`/${name}_test.ts`));
    return at < 0 ? LONG.length : at;
  };
  return files.toSorted((a, b) => rank(a) - rank(b));
}

/** Runs the test files that stand in test/ itself. */
export async function runTopLevel(): Promise<Outcome> {
  return await runTests([...new Bun.Glob("test/*_test.ts").scanSync({ cwd: ROOT })].sort(), TEST_MS_DEFAULT);
}

async function runTests(files: readonly string[], test_ms: number): Promise<Outcome> {
  if (files.length === 0) return NOTHING;
  const directory = mkdtempSync(join(tmpdir(), "agentguard-gate-"));
  try {
    const junit = join(directory, "junit.xml");
    const options = [`--timeout=${test_ms}`, "--reporter=junit", `--reporter-outfile=${junit}`];
    const argv = [toolPath("bun"), "test", ...options, ...files.map((file) => `./${file}`)];
    const { code, stdout, stderr, timedOut } = await runCommand(argv, { timeout_ms: GROUP_MS });
    const report: JunitReport = existsSync(junit)
      ? parseJunit(readFileSync(junit, "utf8"))
      : { passed: 0, failed: 0, skipped: [] };
    const output = `${stdout}${stderr}${timedOut ? `\nended after ${GROUP_MS / 60_000} minutes` : ""}`;
    return {
      passed: report.passed,
      failed: countFailures(report, stderr, code),
      skips: report.skipped.map((skipped) => ({ name: skipped.name, reason: reasonOf(skipped) })),
      output,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * The text after `skip:` on the line of the test or the two above it, where tidy_test.ts wants it; else the condition
 * of the last `skipIf` above, which is the test's own or its group's.
 */
export function reasonOf({ file, line }: SkippedCase): string {
  const path = inRoot(file);
  if (line === 0 || !existsSync(path)) return "";
  const above = readFileSync(path, "utf8").split("\n").slice(0, line);
  const written = above.slice(-3).map((text) => /\bskip: *(.+?) *(\*\/)?$/.exec(text)?.[1] ?? "");
  const conditions = above.map((text) => /\.skipIf\((.+?)\)\(/.exec(text)?.[1] ?? "").filter((text) => text !== "");
  const condition = conditions.at(-1);
  return written.findLast((text) => text !== "") ?? (condition === undefined ? "" : `because ${condition}`);
}

/** Runs what examples/ shows, with the built executable. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXECUTABLE } from "../build/executable.ts";
import { runCommand } from "../support/command.ts";
import { inRoot, ROOT } from "../support/paths.ts";
import { checked, NOTHING, type Outcome, sum } from "./outcome.ts";

const DEMO = "examples/demo.sh";
/** The demo ends with this code, to show that it comes through. */
const DEMO_CODE = 7;
/** What suites of a policy are called; every other TOML file is a policy. */
const SUITE = ".suite.toml";

/**
 * Every policy must pass the policy check, every suite its cases; the demo must run to its end under the guard, which
 * needs root.
 */
export async function runExamples(): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const file of [...new Bun.Glob("examples/**/*.toml").scanSync({ cwd: ROOT })].sort()) {
    outcomes.push(await expectSuccess([EXECUTABLE, "policy", file.endsWith(SUITE) ? "test" : "check", file]));
  }
  if (existsSync(inRoot(DEMO))) outcomes.push(await runDemo());
  return sum(outcomes);
}

async function runDemo(): Promise<Outcome> {
  if (process.getuid?.() !== 0) return { ...NOTHING, skips: [{ name: DEMO, reason: "guarding needs root" }] };
  return await expectCode(["scripts/run.sh"], DEMO_CODE);
}

function expectSuccess(argv: readonly string[]): Promise<Outcome> {
  return expectCode(argv, 0);
}

async function expectCode(argv: readonly string[], expected: number): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "agentguard-example-"));
  const environment = { AGENTGUARD_STATE: join(directory, "state"), AGENTGUARD_RUNTIME: join(directory, "run") };
  try {
    const { code, stdout, stderr } = await runCommand(argv, { environment, timeout_ms: 120_000 });
    return checked(code === expected, `${argv.join(" ")}\nexit code ${code}\n${stdout}${stderr}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

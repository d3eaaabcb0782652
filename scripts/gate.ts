/** The gate: everything that must hold before a change is taken, with one line of counts at the end. */

import { availableParallelism } from "node:os";
import { gateParts, type Part, PREREQUISITES } from "./gate/parts.ts";
import { checked, exitCode, type Outcome, sum, summaryLine } from "./gate/outcome.ts";
import { runScript } from "./support/cli.ts";

const HELP = `
Runs every check and test of the repository.

usage: scripts/test.sh [--only PART] [--list]

  --only PART   run one part (setup and build come first all the same)
  --list        print the parts

A static check counts as one test. Checks and tests that need no quiet machine run beside each other, and the virtual
machines behind those that do: they take what is left of the processors. Output of a part is shown when it fails; every
skipped test is printed with its reason. The last line is "N passed, N failed, N skipped";
the exit code is 1 if anything failed or nothing ran.
`;

/**
 * Parts that go together run beside each other, as many as there are processors; those behind begin when all before
 * them have ended; the others run one after the other.
 */
async function runGate(parts: readonly Part[]): Promise<number> {
  const outcomes: Outcome[] = [];
  const running = new Set<Promise<void>>();
  const behind: Promise<void>[] = [];
  for (const [index, part] of parts.entries()) {
    const most = part.turn === "together" ? availableParallelism() - 1 : 0;
    while (running.size > most) await Promise.race(running);
    const turn: Promise<void> = runShown(part, `[${index + 1}/${parts.length}] ${part.name}`).then((outcome) => {
      outcomes[index] = outcome;
      running.delete(turn);
    });
    if (part.turn === "behind") {
      behind.push(turn);
      continue;
    }
    running.add(turn);
    // What comes next may need what this part makes.
    if (part.turn === undefined) await turn;
  }
  await Promise.all([...running, ...behind]);
  const total = sum(outcomes);
  const failed = parts.filter((_, index) => (outcomes[index]?.failed ?? 0) > 0);
  if (failed.length > 0) console.log(`failed parts: ${failed.map(({ name }) => name).join(", ")}`);
  console.log(summaryLine(total));
  return exitCode(total);
}

async function runShown(part: Part, label: string): Promise<Outcome> {
  const started_ms = performance.now();
  const outcome = await runPart(part);
  const seconds = ((performance.now() - started_ms) / 1000).toFixed(1);
  if (outcome.failed > 0) console.log(`${outcome.output.trimEnd()}\n`);
  for (const { name, reason } of outcome.skips) console.log(`skipped: ${name}: ${reason || "no reason given"}`);
  console.log(`${label}: ${outcome.failed > 0 ? "FAILED, " : ""}${summaryLine(outcome)} (${seconds} s)`);
  return outcome;
}

/** A part that throws failed; the gate goes on with the next. */
async function runPart(part: Part): Promise<Outcome> {
  try {
    return await part.run();
  } catch (error) {
    return checked(false, error instanceof Error ? error.stack ?? error.message : String(error));
  }
}

await runScript({ help: HELP, options: { only: "value", list: "flag" } }, async ({ only, list }) => {
  const parts = gateParts();
  if (list === true) {
    console.log(parts.map(({ name }) => name).join("\n"));
    return 0;
  }
  if (only === undefined) return await runGate(parts);
  if (!parts.some(({ name }) => name === only)) {
    throw new Error(`no part "${only}" (a folder of test/ without test files is none); --list prints the parts`);
  }
  return await runGate(parts.filter(({ name }) => name === only || PREREQUISITES.includes(name)));
});

/** Runs the escape suite and prints its table: `bun test/escape/main.ts [--only TEXT] [--json] [--programs DIR]`. */
import { existsSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { TempDir } from "../support/mod.ts";
import { escapeCases } from "./cases/mod.ts";
import { buildPrograms, escapeTable, hostChecks, runCases } from "./harness/mod.ts";

const HELP = `Runs the escape suite with dist/agentguard on this host and prints the table. Needs root.

usage: bun test/escape/main.ts [--only TEXT] [--json] [--programs DIR]

  --only TEXT      only cases whose id contains TEXT
  --json           one JSON object per case instead of the table
  --programs DIR   where the C programs are; built there if there is no such directory
  --build DIR      only build the C programs
`;

const { values } = parseArgs({
  options: {
    build: { type: "string" },
    help: { type: "boolean" },
    json: { type: "boolean" },
    only: { type: "string" },
    programs: { type: "string" },
  },
});
if (values.help === true) console.log(HELP);
else if (values.build !== undefined) await buildPrograms(values.build);
else process.exitCode = await main();

async function main(): Promise<number> {
  await using own = await TempDir.create();
  const programs = values.programs ?? own.join("programs");
  if (!existsSync(programs)) await buildPrograms(programs);
  const cases = escapeCases().filter(({ id }) => id.includes(values.only ?? ""));
  const results = await runCases(cases, { programs, host: await hostChecks() });
  const kernel = release();
  if (values.json === true) { for (const result of results) console.log(JSON.stringify({ ...result, kernel })); }
  else console.log(escapeTable(results, kernel));
  const failed = results.filter(({ problems }) => problems.length > 0);
  console.error(`${results.length - failed.length} as expected, ${failed.length} not, on Linux ${kernel}`);
  return failed.length === 0 && results.length > 0 ? 0 : 1;
}

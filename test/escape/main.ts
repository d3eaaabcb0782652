/** Runs the escape suite and prints its table: see --help. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TempDir } from "../support/mod.ts";
import { escapeCases } from "./cases/mod.ts";
import {
  buildPrograms,
  casesFor,
  escapeTable,
  hostChecks,
  type KernelResult,
  runCases,
  runGuests,
} from "./harness/mod.ts";

const HELP = `Runs the escape suite with dist/agentguard on this host and prints the table. Needs root.

usage: bun test/escape/main.ts [--only TEXT] [--json] [--programs DIR] [--seconds N] [--all-kernels] [--write]

  --only TEXT      only cases whose id contains TEXT
  --json           one JSON object per case instead of the table
  --programs DIR   where the C programs are; built there if there is no such directory
  --seconds N      what one attempt may take; default 60, on emulated machines 300
  --build DIR      only build the C programs
  --all-kernels    also on every kernel of bun scripts/vm.ts --list
  --write          put the table of all kernels into docs/enforcement.md
`;

const DOCUMENT = join(import.meta.dir, "../../docs/enforcement.md");
/** The table in the document is between these. */
const [BEGIN, END] = ["<!-- escapes: bun test/escape/main.ts --write -->", "<!-- end of escapes -->"];

const { values } = parseArgs({
  options: {
    "all-kernels": { type: "boolean" },
    build: { type: "string" },
    help: { type: "boolean" },
    json: { type: "boolean" },
    only: { type: "string" },
    programs: { type: "string" },
    seconds: { type: "string" },
    write: { type: "boolean" },
  },
});
if (values.help === true) console.log(HELP);
else if (values.build !== undefined) await buildPrograms(values.build);
else process.exitCode = await main();

async function main(): Promise<number> {
  await using own = await TempDir.create();
  const programs = values.programs ?? own.join("programs");
  if (!existsSync(programs)) await buildPrograms(programs);
  const host = await hostChecks();
  const wanted = ({ id }: { readonly id: string }): boolean => id.includes(values.only ?? "");
  const attempt_s = Number(values.seconds ?? 60);
  if (!(attempt_s > 0)) throw new Error("--seconds takes a number above 0");
  const here = await runCases(casesFor(escapeCases(), host).filter(wanted), { programs, host, attempt_s });
  const guests = values["all-kernels"] === true || values.write === true ? await runGuests() : [];
  const results: readonly KernelResult[] = [
    ...here.map((result) => ({ ...result, kernel: release() })),
    ...guests.filter(wanted),
  ];
  if (values.json === true) { for (const result of results) console.log(JSON.stringify(result)); }
  else console.log(escapeTable(results));
  const failed = results.filter(({ problems }) => problems.length > 0);
  const kernels = [...new Set(results.map(({ kernel }) => kernel))].join(", ");
  console.error(`${results.length - failed.length} as expected, ${failed.length} not, on Linux ${kernels}`);
  if (failed.length > 0 || results.length === 0) return 1;
  if (values.write === true) writeTable(escapeTable(results));
  return 0;
}

/** Only a run in which everything was as expected gets there. */
function writeTable(table: string): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no place for the table`);
  writeFileSync(DOCUMENT, `${text.slice(0, from)}${BEGIN}\n\n${table}\n\n${text.slice(to)}`);
}

/**
 * Opening a file where rules are kept by programs at security hooks: bare, as an agent under a daemon without rules,
 * and with rules that never match. An agent that a daemon finds waits for nobody: only the hooks decide. On a host
 * without them the bench runs itself in a virtual machine, where ratios alone mean anything.
 */

import { writeFileSync } from "node:fs";
import { runGuest } from "../vm/guest.ts";
import { fetchKernel } from "../vm/kernel.ts";
import { payloadImage } from "../vm/payload.ts";
import { userlandImage } from "../vm/userland.ts";
import { rowsAgainstBare, runConditions, type Samples } from "./conditions.ts";
import { Background } from "./guards.ts";
import { parseSamples } from "./operations.ts";
import type { Report } from "./report.ts";
import { fieldOf, onCpu, runToEnd, type Workshop } from "./workshop.ts";

const KERNEL = "6.12";
const GUEST_MS = 20 * 60_000;
const RUN_MS_MAX = 240_000;
const OPERATION = "open_close";

/** Names that rules are about, and rules that share them: the kernel holds 256 file rules. */
const CONDITIONS = {
  bare: undefined,
  "guarded, no rule": { names: 0, rules: 0 },
  "guarded, 8 file rules": { names: 8, rules: 8 },
  "guarded, 1,000 names in 250 file rules": { names: 1_000, rules: 250 },
} as const;

type Condition = keyof typeof CONDITIONS;
const NAMES: readonly Condition[] = [
  "bare",
  "guarded, no rule",
  "guarded, 8 file rules",
  "guarded, 1,000 names in 250 file rules",
];

/** Measures here, or in a guest. */
export async function measureLsm(shop: Workshop): Promise<Report> {
  return await hasHooks(shop) ? await measureHere(shop) : await measureInGuest(shop);
}

async function hasHooks(shop: Workshop): Promise<boolean> {
  const { stdout } = await runToEnd([shop.executable, "doctor", "--json"], RUN_MS_MAX);
  const checks = fieldOf(JSON.parse(stdout), "checks");
  return Array.isArray(checks) &&
    checks.some((check) => fieldOf(check, "id") === "probes.lsm" && fieldOf(check, "state") === "ok");
}

async function measureHere(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 4;
  const runs = await runConditions(NAMES, rounds, (condition) => runOnce(shop, condition));
  const rows = rowsAgainstBare(OPERATION, runs);
  const notes = [
    `${rounds * 2} runs of each condition; added and ratio are medians over the runs of one pass`,
    "guarded: an agent that a daemon found, whose opens the programs at security hooks decide, and which are recorded",
  ];
  return { name: "lsm", title: "opening and closing a file under security hooks", rows, notes, faults: [] };
}

async function runOnce(shop: Workshop, condition: Condition): Promise<Samples> {
  const samples = shop.effort.quick ? 10 : 50;
  const work = [shop.workload("operations"), String(shop.work_cpu), String(samples), shop.directory];
  const argv = onCpu(shop.work_cpu, [...work, shop.workload("true"), OPERATION]);
  const wanted = CONDITIONS[condition];
  if (wanted === undefined) return parseSamples((await runToEnd(argv, RUN_MS_MAX)).stdout);
  const policy = shop.path("lsm.toml");
  writeFileSync(policy, policyOf(shop.workload("operations"), wanted));
  const guard = shop.guardArguments(policy);
  const daemon = new Background(onCpu(shop.guard_cpu, guard.argv));
  try {
    await daemon.says("ready, policy");
    const { stdout } = await runToEnd(argv, RUN_MS_MAX);
    await daemon.stop();
    await requireSession(shop, guard.state);
    return parseSamples(stdout);
  } finally {
    await daemon.stop();
    shop.discard(guard.state);
  }
}

/** What was not guarded measures nothing. */
async function requireSession(shop: Workshop, state: string): Promise<void> {
  const query = [shop.executable, "audit", "query", "--state", state, "--json"];
  const { stdout } = await runToEnd(query, RUN_MS_MAX);
  if (!stdout.includes('"session.start"')) throw new Error("the daemon did not find the workload");
}

/** Rules of the four kinds that the hooks look up: a path, a directory, a base name, an extension. */
function policyOf(agent: string, { names, rules }: { readonly names: number; readonly rules: number }): string {
  const lines = ["version = 1", 'name = "bench"', 'mode = "enforce"', "[default]", '"*" = "allow"'];
  lines.push("[[agent]]", 'name = "bench"', `exe = ${JSON.stringify(agent)}`);
  for (let rule = 0; rule < rules; rule++) {
    const paths = Array.from({ length: names / rules }, (_, i) => pattern(rule * (names / rules) + i));
    lines.push("[[rules]]", `name = "rule-${rule}"`, 'action = "file.*"', `path = ${JSON.stringify(paths)}`);
    lines.push('verdict = "deny"', 'enforce = "best"');
  }
  return `${lines.join("\n")}\n`;
}

function pattern(i: number): string {
  switch (i % 4) {
    case 0:
      return `/srv/data${i}/file`;
    case 1:
      return `/srv/tree${i}/**`;
    case 2:
      return `**/name${i}`;
    default:
      return `**/*.ext${i}`;
  }
}

/** The same command in a guest, with the executable that was built here. */
async function measureInGuest(shop: Workshop): Promise<Report> {
  const kernel = await fetchKernel(KERNEL);
  const quick = shop.effort.quick ? "--quick" : "";
  const command = `export PATH="$PWD/.tools/bin:$PATH"
bun scripts/bench.ts --only lsm ${quick} --json > /tmp/report.json && tr -d '\\n' < /tmp/report.json > "$VM_RESULTS"
echo > "$VM_RESULTS"
`;
  const { results, output, console: said } = await runGuest(kernel, {
    userland: await userlandImage(),
    payload: await payloadImage(command, "bench"),
    timeout_ms: GUEST_MS,
    processors: 2,
  });
  const [report] = results.map((each) => fieldOf(each, "reports")).filter((each) => Array.isArray(each)).flat();
  if (!isReport(report)) throw new Error(`the guest brought no report:\n${output}\n${said}`);
  const note = `in a virtual machine without hardware support, Linux ${kernel.release}: only the ratios mean anything`;
  return { ...report, notes: [...report.notes, note] };
}

function isReport(value: unknown): value is Report {
  return Array.isArray(fieldOf(value, "rows")) && Array.isArray(fieldOf(value, "notes"));
}

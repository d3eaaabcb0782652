/**
 * The verdict about a connection in the kernel: how long the program at connect() runs, by the kernel's own count
 * (kernel.bpf_stats_enabled), and what a guarded UDP connect takes longer than a bare one, by rules that never match.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { rowsAgainstBare, runConditions, type Samples } from "./conditions.ts";
import { Background } from "./guards.ts";
import { parseSamples } from "./operations.ts";
import { countRow, type Report } from "./report.ts";
import { numberField, onCpu, runToEnd, type Workshop } from "./workshop.ts";

const OPERATION = "udp_connect";
const PROGRAM = "ag_connect4";
const STATISTICS = "/proc/sys/kernel/bpf_stats_enabled";
const RUN_MS_MAX = 120_000;

/** Network rules, of which the kernel holds 256; by name: the address has one in /etc/hosts. */
const CONDITIONS = {
  "bare": undefined,
  "guarded, no rule": { rules: 0, asks: "address" },
  "8 network rules": { rules: 8, asks: "address" },
  "250 network rules": { rules: 250, asks: "address" },
  "8 rules by name": { rules: 8, asks: "host" },
} as const;
type Condition = keyof typeof CONDITIONS;
const NAMES: readonly Condition[] = [
  "bare",
  "guarded, no rule",
  "8 network rules",
  "250 network rules",
  "8 rules by name",
];

/** Measures; needs bpftool. */
export async function measureVerdict(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 5;
  const runs = await runConditions(NAMES, rounds, (condition) => runOnce(shop, condition));
  const rows = [...rowsAgainstBare(OPERATION, runs)];
  for (const condition of NAMES.slice(1)) {
    rows.push(countRow(`${PROGRAM} alone, ${condition}`, "ns", await programNs(shop, condition)));
  }
  const notes = [
    `${rounds * 2} runs of each condition; added and ratio are medians over the runs of one pass`,
    `${PROGRAM} alone: the mean of all its runs by the kernel's statistics; its record is part of it`,
  ];
  return { name: "verdict", title: "the verdict about a connection", rows, notes, faults: [] };
}

async function runOnce(shop: Workshop, condition: Condition): Promise<Samples> {
  const argv = workload(shop);
  const rules = CONDITIONS[condition];
  if (rules === undefined) return parseSamples((await runToEnd(onCpu(shop.guard_cpu, argv), RUN_MS_MAX)).stdout);
  const guard = guardOf(shop, rules);
  try {
    const done = await runToEnd(onCpu(shop.guard_cpu, [...guard.argv, "--", ...argv]), RUN_MS_MAX);
    return parseSamples(done.stdout);
  } finally {
    shop.discard(guard.state);
  }
}

/** The mean time of the program, while the session that has connected stays for the look at its programs. */
async function programNs(shop: Workshop, condition: Condition): Promise<number> {
  const guard = guardOf(shop, CONDITIONS[condition] ?? CONDITIONS["guarded, no rule"]);
  const script = `"$@"; exec ${shop.workload("hold")}`;
  const argv = onCpu(shop.guard_cpu, [...guard.argv, "--", "/bin/sh", "-c", script, "sh", ...workload(shop)]);
  const before = readFileSync(STATISTICS, "utf8");
  writeFileSync(STATISTICS, "1");
  try {
    await using session = new Background(argv);
    await session.says("holding");
    const found: unknown = JSON.parse(await mustRun(["bpftool", "-j", "prog", "show", "name", PROGRAM]));
    const programs = (Array.isArray(found) ? found : [found]).filter((each) => "run_cnt" in each);
    const [busiest] = programs.toSorted((a, b) => numberField(b, "run_cnt") - numberField(a, "run_cnt"));
    return numberField(busiest, "run_time_ns") / numberField(busiest, "run_cnt");
  } finally {
    writeFileSync(STATISTICS, before);
    shop.discard(guard.state);
  }
}

function workload(shop: Workshop): readonly string[] {
  const samples = shop.effort.quick ? 10 : 50;
  const work = [shop.workload("operations"), String(shop.work_cpu), String(samples), shop.directory];
  return [...work, shop.workload("true"), OPERATION];
}

function guardOf(
  shop: Workshop,
  { rules, asks }: { readonly rules: number; readonly asks: "address" | "host" },
): ReturnType<Workshop["guardArguments"]> {
  const policy = shop.path("verdict.toml");
  const lines = ["version = 1", 'name = "bench"', 'mode = "enforce"', "[default]", '"*" = "allow"'];
  for (let i = 0; i < rules; i++) {
    lines.push("[[rules]]", `name = "rule-${i}"`, 'action = "net.connect"');
    lines.push(asks === "host" ? `host = "*.h${i}.example"\nenforce = "best"` : `address = "10.0.${i}.0/24"`);
    lines.push('port = "1-1023"', 'verdict = "deny"');
  }
  writeFileSync(policy, `${lines.join("\n")}\n`);
  return shop.guardArguments(policy);
}

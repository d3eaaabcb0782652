/**
 * The added time of single operations: bare, beside a busy loop, beside an idle daemon, beside an active guard, guarded
 * without rules and guarded with 1,000 rules. The workload measures itself; every pass runs each condition once, in
 * interleaved order.
 */

import { rowsAgainstBare, runConditions, type Samples } from "./conditions.ts";
import { besideDaemon, besideGuard, besideLoop } from "./guards.ts";
import type { Report } from "./report.ts";
import { fieldOf, guardSummary, onCpu, runToEnd, type Workshop } from "./workshop.ts";

/** What is measured together, since one start of the workload is enough for it. */
export interface OperationBench {
  readonly name: string;
  readonly title: string;
  readonly operations: readonly string[];
  readonly conditions: readonly Condition[];
}

/** Of benches about what a guard costs that lets everything go on. */
export const SEEN: readonly Condition[] = [
  "bare",
  "beside a loop",
  "idle daemon",
  "beside a guard",
  "guarded",
  "guarded, 1,000 rules",
];

/** Of benches about calls that wait for the guard; each is answered by the policy. */
export const HELD: readonly Condition[] = [
  "bare",
  "guarded, free",
  "answered, free",
  "held, free",
  "held, 1,000 rules, free",
  "held, reads by call, free",
  "answered, apart",
  "held, apart",
];

/**
 * `guarded`: no rule, so nothing waits. `held`: rules of every kind that match nothing; every call waits, and a read by
 * fanotify (`reads by call`: by seccomp). `answered`: no guard, a program that answers and does nothing else. `free`:
 * nothing is pinned; `apart`: see `Workshop.work_cpu`.
 */
export type Condition =
  | "bare"
  | "beside a loop"
  | "idle daemon"
  | "beside a guard"
  | "guarded"
  | "guarded, 1,000 rules"
  | "guarded, free"
  | "answered, free"
  | "answered, apart"
  | "held, free"
  | "held, 1,000 rules, free"
  | "held, reads by call, free"
  | "held, apart";

const POLICIES = {
  guarded: "plain",
  "guarded, 1,000 rules": "watching",
  "guarded, free": "plain",
  "held, free": "few",
  "held, 1,000 rules, free": "rules",
  "held, reads by call, free": "called",
  "held, apart": "few",
} as const;

const SEEN_NOTES: readonly string[] = [
  "beside a loop: no guard; a program that only calculates has the CPU that the guards have elsewhere",
  "idle daemon: looks for agents, guards none; beside a guard: not guarded itself, a session is idle elsewhere",
  "1,000 rules: of all kinds, in mode observe, so that nothing waits for the guard; those that wait are in `held`",
];
const HELD_NOTES: readonly string[] = [
  "guarded: no rule, nothing waits; held: 8 or 1,000 rules that match nothing, each call waits for the guard's answer",
  "a read waits by fanotify, once for each object that no rule can be about; reads by call: by seccomp, every time",
  "open_close: a file that nobody has open for writing; open_written: one that somebody has: every open waits",
  "answered: no guard; a program of a page answers each call and does nothing else: the least that waiting costs here",
  "free: nothing is pinned, as for an agent; apart: the answer comes from another CPU, which has to be woken each time",
  "each_open: open to write, and close; each_change: create, close and remove, two held calls; timed one by one",
];

/** Milliseconds that one run may take. */
const RUN_MS_MAX = 120_000;

/** Measures; needs about two seconds for each condition and pass. */
export async function measureOperations(shop: Workshop, bench: OperationBench): Promise<Report> {
  const rounds = shop.effort.quick ? 1 : 10;
  let lost = 0;
  const runs = await runConditions(bench.conditions, rounds, async (condition) => {
    const run = await runOnce(shop, condition, bench.operations);
    lost += run.lost;
    return run.samples;
  });
  const rows = bench.operations.flatMap((operation) => rowsAgainstBare(operation, runs));
  const notes = [
    `${rounds * 2} runs of each condition; workload on CPU ${shop.work_cpu}, guards on CPU ${shop.guard_cpu}; ` +
    "added and ratio are medians over the runs of one pass",
    ...(bench.conditions.includes("held, free") ? HELD_NOTES : SEEN_NOTES),
    `records lost in all guarded runs: ${lost}`,
  ];
  return { name: bench.name, title: bench.title, rows, notes, faults: [] };
}

interface Run {
  readonly samples: Samples;
  readonly lost: number;
}

async function runOnce(shop: Workshop, condition: Condition, operations: readonly string[]): Promise<Run> {
  const samples = shop.effort.quick ? 10 : 50;
  const free = condition.endsWith(", free");
  const work = [shop.workload("operations"), free ? "any" : String(shop.work_cpu), String(samples), shop.directory];
  const argv = [...work, shop.workload("true"), ...operations];
  const placed = (command: readonly string[]): readonly string[] => free ? command : onCpu(shop.guard_cpu, command);
  const bare = async (): Promise<Run> => {
    const { stdout } = await runToEnd(placed(argv), RUN_MS_MAX);
    return { samples: parseSamples(stdout), lost: 0 };
  };
  switch (condition) {
    case "bare":
      return await bare();
    case "answered, free":
    case "answered, apart": {
      const { stdout } = await runToEnd(placed([shop.workload("answer"), ...argv]), RUN_MS_MAX);
      return { samples: parseSamples(stdout), lost: 0 };
    }
    case "beside a loop":
      return await besideLoop(shop, bare);
    case "idle daemon":
      return await besideDaemon(shop, bare);
    case "beside a guard":
      return await besideGuard(shop, bare);
    default: {
      const guard = shop.guardArguments(shop.policy(POLICIES[condition]));
      try {
        const done = await runToEnd(placed([...guard.argv, "--", ...argv]), RUN_MS_MAX);
        return { samples: parseSamples(done.stdout), lost: guardSummary(done.stderr).lost };
      } finally {
        shop.discard(guard.state);
      }
    }
  }
}

/** Reads what the workload printed. */
export function parseSamples(text: string): Samples {
  const found = new Map<string, readonly number[]>();
  for (const line of text.trim().split("\n")) {
    const value: unknown = JSON.parse(line);
    const operation = fieldOf(value, "operation");
    const ns = fieldOf(value, "ns");
    if (typeof operation !== "string" || !Array.isArray(ns)) throw new Error(`read the samples: ${line}`);
    found.set(operation, ns.map(Number));
  }
  return found;
}

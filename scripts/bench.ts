/** Measures what guarding costs, each figure beside the same program unguarded in the same run. */

import { measureBuild } from "./bench/build.ts";
import { measureFlood } from "./bench/flood.ts";
import { describeMachine, machineLine } from "./bench/machine.ts";
import { type Condition, HELD, measureOperations, SEEN } from "./bench/operations.ts";
import { measureLsm } from "./bench/lsm.ts";
import { measurePipeline } from "./bench/pipeline.ts";
import { renderMarkdown, renderText, type Report } from "./bench/report.ts";
import { measureIdle, measureStart } from "./bench/start.ts";
import { measureTask } from "./bench/task.ts";
import { measureWaiting } from "./bench/waiting.ts";
import { measureVerdict } from "./bench/verdict.ts";
import { Workshop } from "./bench/workshop.ts";
import { runScript } from "./support/cli.ts";

const HELP = `
Measures what guarding costs, each figure beside the same program unguarded in the same run.

usage: bun scripts/bench.ts [--quick] [--only NAME] [--json | --markdown] [--list]

  --quick       few samples: shows that the benches work, not what they measure
  --only NAME   run one bench
  --json        print one JSON document
  --markdown    print the tables of docs/benchmarks.md
  --list        print the benches

Needs root, gcc, git, taskset and setpriv, and an executable in dist/ (scripts/build.sh). A quiet machine, too: the
first line says what else was running. The exit code is 1 if a bench failed or the record does not account for every
event of the flood.
`;

interface Bench {
  readonly name: string;
  readonly run: (shop: Workshop) => Promise<Report>;
}

const BENCHES: readonly Bench[] = [
  { name: "pipeline", run: measurePipeline },
  { name: "flood", run: measureFlood },
  operations("open", "opening and closing a file", ["open_close"], SEEN),
  operations("calls", "starting programs, connecting", ["spawn_wait", "fork_exit", "tcp_refused", "udp_connect"], SEEN),
  operations("hot", "the most frequent system calls", ["getppid", "read_4k", "write_4k"], SEEN),
  operations(
    "held",
    "calls that wait for the guard",
    ["open_close", "open_written", "open_first", "each_open", "each_change", "spawn_wait"],
    HELD,
  ),
  { name: "start", run: measureStart },
  { name: "idle", run: measureIdle },
  { name: "waiting", run: measureWaiting },
  { name: "task", run: measureTask },
  { name: "verdict", run: measureVerdict },
  { name: "lsm", run: measureLsm },
  { name: "build", run: measureBuild },
];

function operations(
  name: string,
  title: string,
  names: readonly string[],
  conditions: readonly Condition[],
): Bench {
  return { name, run: (shop) => measureOperations(shop, { name, title, operations: names, conditions }) };
}

/** A bench that throws failed; the others run all the same. */
async function runBench(bench: Bench, shop: Workshop): Promise<Report> {
  try {
    return await bench.run(shop);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name: bench.name, title: "failed", rows: [], notes: [], faults: [text] };
  }
}

await runScript(
  { help: HELP, options: { quick: "flag", only: "value", json: "flag", markdown: "flag", list: "flag" } },
  async ({ quick, only, json, markdown, list }) => {
    if (list === true) {
      console.log(BENCHES.map(({ name }) => name).join("\n"));
      return 0;
    }
    const chosen = BENCHES.filter(({ name }) => only === undefined || name === only);
    if (chosen.length === 0) throw new Error(`no bench "${only}"; --list prints the benches`);
    using shop = await Workshop.open({ quick: quick === true });
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        shop[Symbol.dispose]();
        process.exit(1); // what runs is told to end by the kernel
      });
    }
    const machine = describeMachine();
    const plain = json !== true && markdown !== true;
    if (plain) console.log(machineLine(machine));
    if (markdown === true) console.log(`${machineLine(machine)}\n`);
    const reports: Report[] = [];
    for (const bench of chosen) {
      const report = await runBench(bench, shop);
      reports.push(report);
      if (plain) console.log(renderText(report));
      if (markdown === true) console.log(`${renderMarkdown(report)}\n`);
    }
    if (json === true) console.log(JSON.stringify({ machine, quick: quick === true, reports }, null, 2));
    return reports.some(({ faults }) => faults.length > 0) ? 1 : 0;
  },
);

/** From the start of the guard to the first instruction of the command; memory and CPU time of a guard at rest. */

import { sleep } from "bun";
import { Background, besideDaemon } from "./guards.ts";
import { cpuMs, residentMb } from "./machine.ts";
import { compared, countRow, type Report, timeRow } from "./report.ts";
import { passes } from "./statistics.ts";
import { onCpu, readLap, runToEnd, type Workshop } from "./workshop.ts";

/** Milliseconds that one start may take. */
const RUN_MS_MAX = 60_000;
/** Milliseconds that a daemon has to come to rest after it said that it is ready. */
const SETTLE_MS = 2_000;

interface Start {
  readonly ready_ms: number;
  readonly wall_ms: number;
  readonly cpu_ms: number;
}

/** Starts a program that tells when it began, bare and guarded, interleaved. */
export async function measureStart(shop: Workshop): Promise<Report> {
  const rounds = shop.effort.quick ? 3 : 50;
  const conditions = ["bare", "guarded", "guarded, 1,000 rules"] as const;
  const starts = new Map(conditions.map((condition): [string, Start[]] => [condition, []]));
  await startOnce(shop, shop.policy("plain")); // the executable's pages come from disk once
  for (const pass of passes(conditions, rounds)) {
    for (const condition of pass) {
      const policy = condition === "bare" ? undefined : shop.policy(condition === "guarded" ? "plain" : "rules");
      starts.get(condition)?.push(await startOnce(shop, policy));
    }
  }
  const rows = ([["to first instruction", "ready_ms"], ["whole run", "wall_ms"], ["CPU time", "cpu_ms"]] as const)
    .flatMap(([what, field]) =>
      conditions.map((condition) => {
        const bare = (starts.get("bare") ?? []).map((start) => start[field]);
        const own = (starts.get(condition) ?? []).map((start) => start[field]);
        const row = timeRow(`${what}, ${condition}`, "ms", own);
        const pairs = own.map((value, i) => ({ base: bare[i] ?? Number.NaN, value }));
        return condition === "bare" ? row : compared(row, `${what}, bare`, pairs);
      })
    );
  return {
    name: "start",
    title: "from exec of the guard to the first instruction of the command",
    rows,
    notes: ["the command is a static program that tells when its main began; not pinned; warm page cache"],
    faults: [],
  };
}

async function startOnce(shop: Workshop, policy: string | undefined): Promise<Start> {
  const out = shop.fresh("lap");
  const guard = policy === undefined ? undefined : shop.guardArguments(policy);
  const argv = [...(guard === undefined ? [] : [...guard.argv, "--quiet", "--"]), shop.workload("stamp")];
  try {
    const { stdout } = await runToEnd([shop.workload("stopwatch"), out, ...argv], RUN_MS_MAX);
    const lap = readLap(out);
    return { ready_ms: (Number(stdout) - lap.from_ns) / 1e6, wall_ms: lap.wall_ms, cpu_ms: lap.cpu_ms };
  } finally {
    if (guard !== undefined) shop.discard(guard.state);
  }
}

/** A daemon at rest: without an agent, then with one that does nothing. */
export async function measureIdle(shop: Workshop): Promise<Report> {
  const seconds = shop.effort.quick ? 20 : 60; // the share is told in steps of 10 ms
  const times = shop.effort.quick ? 1 : 3;
  const share = { alone: new Array<number>(), held: new Array<number>() };
  const memory = { alone: new Array<number>(), held: new Array<number>() };
  for (let n = 0; n < times; n++) {
    await besideDaemon(shop, async (pid) => {
      await sleep(SETTLE_MS);
      memory.alone.push(residentMb(pid));
      share.alone.push(await cpuShare(pid, seconds));
      await using agent = new Background(onCpu(shop.work_cpu, [shop.workload("hold")]));
      await agent.says("holding");
      await sleep(SETTLE_MS);
      memory.held.push(residentMb(pid));
      share.held.push(await cpuShare(pid, seconds));
    });
  }
  return {
    name: "idle",
    title: "a daemon at rest",
    rows: [
      timeRow("RSS, no session", "MB", memory.alone),
      timeRow("RSS, one idle session", "MB", memory.held),
      timeRow("CPU, no session", "%", share.alone),
      timeRow("CPU, one idle session", "%", share.held),
      countRow("observed each time for", "s", seconds),
    ],
    notes: ["CPU: user and system time of all threads, as a share of one core, in steps of 10 ms; MB are 2^20 bytes"],
    faults: [],
  };
}

/** Percent of one core that a process uses in the next `seconds`. */
async function cpuShare(pid: number, seconds: number): Promise<number> {
  const from_ms = performance.now();
  const before = cpuMs(pid);
  await sleep(seconds * 1000);
  return (cpuMs(pid) - before) / (performance.now() - from_ms) * 100;
}

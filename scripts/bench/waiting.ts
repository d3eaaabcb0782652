/** What it costs to hold program starts that wait for a person: CPU time and memory of the guard meanwhile. */

import { sleep } from "bun";
import { writeFileSync } from "node:fs";
import { Background } from "./guards.ts";
import { cpuMs, residentMb } from "./machine.ts";
import { countRow, type Report, timeRow } from "./report.ts";
import { onCpu, policyText, type Workshop } from "./workshop.ts";

/** Milliseconds that all of them may take to come to their wait. */
const HELD_MS_MAX = 120_000;
/** Milliseconds between two looks at how many wait, and from the last look to the measurement. */
const LOOK_MS = 500;
const SETTLE_MS = 3_000;

/** Holds a thousand starts of a program and looks at the guard, which has nothing to do until somebody answers. */
export async function measureWaiting(shop: Workshop): Promise<Report> {
  const count = shop.effort.quick ? 50 : 1_000;
  const seconds = shop.effort.quick ? 2 : 10;
  const policy = shop.path("waiting.toml");
  const rule = ["[[rules]]", `name = "ask"`, `action = "exec"`, `exe = "true"`, `verdict = "ask"`];
  writeFileSync(policy, `${policyText({ rules: 0 })}${rule.join("\n")}\n`);
  const { state, argv } = shop.guardArguments(policy);
  const script = `read go; for i in $(seq ${count}); do ${shop.workload("true")} & done; wait`;
  const share: number[] = [];
  try {
    await using guard = new Background(
      onCpu(shop.guard_cpu, [...argv, "--", "/bin/bash", "-c", `echo began; ${script}`]),
    );
    await guard.says("began");
    const alone_mb = residentMb(guard.pid);
    guard.type("go\n");
    const from_ms = performance.now();
    while (await waiting(`${state}-runtime/control.sock`) < count) {
      if (performance.now() - from_ms > HELD_MS_MAX) throw new Error(`not all of ${count} starts wait`);
      await sleep(LOOK_MS);
    }
    const held_ms = performance.now() - from_ms;
    await sleep(SETTLE_MS);
    for (let i = 0; i < (shop.effort.quick ? 1 : 3); i++) {
      const [before_ms, at_ms] = [cpuMs(guard.pid), performance.now()];
      await sleep(seconds * 1_000);
      share.push((cpuMs(guard.pid) - before_ms) / (performance.now() - at_ms) * 100);
    }
    const held_mb = residentMb(guard.pid);
    await guard.stop();
    return {
      name: "waiting",
      title: `${count} program starts wait for a person`,
      rows: [
        timeRow("CPU of the guard meanwhile", "%", share),
        countRow("RSS before", "MB", alone_mb),
        countRow("RSS while they wait", "MB", held_mb),
        countRow("until all of them waited", "ms", held_ms),
      ],
      notes: ["CPU: user and system time of all threads, as a share of one core; steps of 10 ms"],
      faults: [],
    };
  } finally {
    shop.discard(state);
  }
}

/** How many questions wait. */
async function waiting(socket: string): Promise<number> {
  const response = await fetch("http://guard/v1/approvals", { unix: socket });
  const listed: unknown = await response.json();
  return typeof listed === "object" && listed !== null && "approvals" in listed && Array.isArray(listed.approvals)
    ? listed.approvals.length
    : 0;
}

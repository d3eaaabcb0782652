/** The runtime's helpers give way; the threads that the guard's work runs on do not. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { openShim, SystemCalls } from "../../../ffi/mod.ts";
import { lowerHelpers } from "../../../lib/app/runtime_threads.ts";

/** Niceness of the threads of this process, by name. proc(5): the name is in parentheses, the niceness is field 19. */
function niceness(): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  for (const tid of readdirSync("/proc/self/task")) {
    const stat = readFileSync(`/proc/self/task/${tid}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const nice = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
    found.set(name, (found.get(name) ?? new Set()).add(nice));
  }
  return found;
}

test("compilers run at nice 10, and nobody else's niceness changes", () => {
  // The engine starts its compiler threads when something runs often.
  let sum = 0;
  while (!niceness().has("JITWorker")) for (let i = 0; i < 1_000_000; i++) sum = (sum + i) % 7;
  const before = niceness();
  const system = new SystemCalls(openShim());
  lowerHelpers(system);
  lowerHelpers(system);
  const after = niceness();
  expect([...after.get("JITWorker") ?? []]).toEqual([10]);
  const helpers = new Set(["JITWorker", "mi-scavenger", "JSCWarmUp"]);
  for (const [name, nice] of before) {
    if (after.has(name) && !helpers.has(name)) expect([name, after.get(name)]).toEqual([name, nice]);
  }
  expect(sum).toBeLessThan(7);
});

test("a thread that has ended is told by its errno", () => {
  // Above /proc/sys/kernel/pid_max, whatever that is.
  expect(new SystemCalls(openShim()).setNice(0x7fff_fff0, 10)).toBe(-3);
});

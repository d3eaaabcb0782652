import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { openRecordReader, parseEntry } from "../../../lib/record/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { openWriter } from "./support.ts";

const CUTS = 20;
const CHILD = join(import.meta.dir, "recovery_child.ts");

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

/**
 * Runs the child until it has acknowledged `lines` times, kills it a random moment later; gives the last acknowledged
 * number.
 */
async function runUntilKilled(lines: number, spin: number): Promise<number> {
  const child = Bun.spawn([process.execPath, CHILD, dir.path], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let killed = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value);
    if (killed || text.split("\n").length <= lines) continue;
    // The child is at an arbitrary place of its next group by the time that this turn ends.
    for (let turn = 0; turn < spin; turn++) await new Promise((resolve) => setImmediate(resolve));
    process.kill(child.pid, "SIGKILL");
    killed = true;
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  // A number that was cut in the middle was not acknowledged.
  const whole = text.slice(0, text.lastIndexOf("\n")).split("\n");
  return Number(whole.at(-1));
}

test("after kill -9 at any moment the record opens, verifies, and holds everything acknowledged", async () => {
  for (let cut = 0; cut < CUTS; cut++) {
    const spin = Math.floor(Math.random() * 300);
    const acknowledged = await runUntilKilled(1 + (cut % 5), spin);
    expect(acknowledged).toBeGreaterThan(0);
    // First a reader, on the log as the dead process left it; then the next writer.
    using reader = openRecordReader(dir.path);
    const report = reader.verify({ structure: true });
    expect(report).toMatchObject({ ok: true });
    expect(report.entries).toBeGreaterThanOrEqual(acknowledged);
    expect(reader.count()).toBe(report.entries);
    const writer = openWriter(dir.path);
    // The next start says what happened.
    expect(writer.head().seq).toBe(report.entries + 1);
    const [last] = reader.query({ newest: true, limit: 1 });
    expect(parseEntry(last?.line ?? "")?.action?.type).toBe("guard.recovered");
    await writer.close();
  }
}, 120_000);

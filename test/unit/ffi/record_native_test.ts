/** The record's native code by itself, under the compiler's sanitizers. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { TempDir } from "../../support/mod.ts";

setDefaultTimeout(120_000);

const SOURCE = new URL("./fixtures/record_native.c", import.meta.url).pathname;
const FLAGS = ["-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** Builds the program and runs it; gives what it printed. */
async function ran(parameters: readonly string[], input: string): Promise<string> {
  await using dir = await TempDir.create();
  const program = dir.join("record_native");
  const built = Bun.spawnSync(["gcc", ...FLAGS, SOURCE, "-o", program]);
  expect(built.stderr.toString()).toBe("");
  const run = Bun.spawnSync([program, ...parameters], { stdin: Buffer.from(input) });
  expect(run.stderr.toString()).toBe("");
  expect(run.exitCode).toBe(0);
  return run.stdout.toString();
}

test("SHA-256 with and without the processor's instructions, of every length up to 300", async () => {
  const digests = (await ran(["hash"], "")).trimEnd().split("\n");
  expect(digests).toHaveLength(301);
  for (const [length, digest] of digests.entries()) {
    const bytes = Uint8Array.from({ length }, (_, i) => i & 255);
    expect(digest).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});

test("no change of a draft's bytes leads out of a buffer", async () => {
  const id = "01KDYAK3480000000000000000";
  const process = { pid: 1, start: "2", exe: "/usr/bin/env", argv: ["a", "b\n\u0001\ud800"], cwd: "/" };
  const drafts = [
    { time_us: 1_767_323_045_000_006, kind: "observation", process, action: { type: "file.read", path: "/ü/b" } },
    {
      kind: "decision",
      time_us: 1,
      session_id: id,
      decision: { rule: "r", verdict: "deny", decision_id: id, b: 1, a: 2 },
    },
    { time_us: 2, kind: "outcome", outcome: { label: "x", decision_id: "y" }, gap: { z: [1, [2, { b: [], a: {} }]] } },
    { time_us: 3, kind: "observation", action: { type: "exec", path: "/b", argv: ["b", "c"], flags: ["f"] } },
  ];
  const lines = drafts.map((draft) => `${JSON.stringify(draft)}\n`).join("");
  expect(await ran(["mutate", "20261130", "50000"], lines)).toBe("done\n");
});

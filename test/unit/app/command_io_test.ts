/** Writers and exit codes, in real processes where pipes and devices matter. */
import { describe, expect, test } from "bun:test";
import { exitCodeOf, LineWriter, PipeClosed } from "../../../lib/app/command_io.ts";
import { AgentguardError, type ErrorCode } from "../../../lib/core/mod.ts";
import { memoryIo, MemoryWriter } from "./support.ts";

const WRITE_MANY = `
  const { exitCodeOf, LineWriter, processIo } = await import("${import.meta.dir}/../../../lib/app/command_io.ts");
  const io = processIo();
  process.exit(await exitCodeOf(io, async () => {
    const out = new LineWriter(io.stdout);
    for (let i = 0; i < 300000; i++) await out.line("line " + i);
    await out.flush();
    return 0;
  }));`;

/** Runs the script in a shell pipeline; the last line of stdout is the exit code of the script. */
async function pipeline(after: string): Promise<{ readonly out: string; readonly error: string }> {
  const shell = `"$BUN" -e "$CODE" ${after}; echo "\${PIPESTATUS[0]}"`;
  const env = { ...process.env, BUN: process.execPath, CODE: WRITE_MANY };
  const child = Bun.spawn(["bash", "-c", shell], { env, stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, error };
}

describe("processIo", () => {
  test("| head ends it quietly with 0", async () => {
    expect(await pipeline("| head -1")).toEqual({ out: "line 0\n0\n", error: "" });
  });

  test("a reader that never reads anything", async () => {
    expect(await pipeline("| true")).toEqual({ out: "0\n", error: "" });
  });

  test("a slow reader gets everything", async () => {
    expect(await pipeline("| (sleep 0.2; tail -1)")).toEqual({ out: "line 299999\n0\n", error: "" });
  });

  test("a full device is an error", async () => {
    const { out, error } = await pipeline("> /dev/full");
    expect(out).toBe("1\n");
    expect(error).toMatch(/^agentguard: write output failed \(ENOSPC[^\n]*\)\n$/);
  });
});

describe("exitCodeOf", () => {
  const codes: readonly (readonly [ErrorCode, number])[] = [
    ["usage", 2],
    ["config", 2],
    ["policy", 2],
    ["not_found", 1],
    ["io", 1],
    ["tamper", 1],
    ["busy", 1],
  ];
  test.each([...codes])("%s: %i and one safe line", async (code, expected) => {
    const io = memoryIo();
    const failing = (): Promise<number> => Promise.reject(new AgentguardError(code, "free \x1b[2J\nthe thing"));
    expect(await exitCodeOf(io, failing)).toBe(expected);
    expect(io.stderr.text).toBe("agentguard: free \\x1b[2J\\nthe thing\n");
  });

  test("a defect goes through", async () => {
    for (const defect of [new Error("defect"), new AgentguardError("invariant", "broken")]) {
      const thrown: unknown = await exitCodeOf(memoryIo(), () => Promise.reject(defect)).catch((error: unknown) =>
        error
      );
      expect(thrown).toBe(defect);
    }
  });

  test("a closed pipe is 0, also when stderr is closed too", async () => {
    const io = memoryIo({ stderr: new MemoryWriter(0) });
    expect(await exitCodeOf(io, () => Promise.reject(new PipeClosed("gone")))).toBe(0);
    expect(await exitCodeOf(io, () => Promise.reject(new AgentguardError("io", "x")))).toBe(1);
  });
});

test("LineWriter batches and keeps order", async () => {
  const writer = new MemoryWriter();
  const out = new LineWriter(writer);
  await out.line("a");
  expect(writer.text).toBe("");
  await out.line("x".repeat(70_000));
  expect(writer.lines()).toHaveLength(2);
  await out.line("b");
  await out.flush();
  await out.flush();
  expect(writer.lines().at(-1)).toBe("b");
});

/** `audit prune`, `erase` and `hold` on real records. */
import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandAuditKeep } from "../../../lib/app/command_audit_keep.ts";
import { type Clock, type EntryDraft, IdGenerator, silentLog } from "../../../lib/core/mod.ts";
import { openRecordReader, openRecordWriter, type RecordWriter } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { memoryIo, NOW_US, SESSION, TempDir } from "./support.ts";

const clock: Clock = { wallUs: () => NOW_US, monotonicUs: () => 0 };
const HOUR_US = 3_600_000_000;

function openRecord(directory: string): RecordWriter {
  const ids = new IdGenerator(clock);
  return openRecordWriter(directory, { boot_id: "b", clock, ids, log: silentLog, timers: systemTimers });
}

/** Four reads, of two principals, three hours to no time ago. */
async function record(directory: string): Promise<void> {
  await using writer = openRecord(directory);
  for (const [n, principal] of ["alice", "bob", "alice", "bob"].entries()) {
    const draft: EntryDraft = {
      time_us: NOW_US - (3 - n) * HOUR_US,
      kind: "observation",
      session_id: SESSION,
      principal,
      action: { type: "file.read", path: `/w/${n}`, result: "0" },
    };
    writer.append(draft);
  }
}

async function carryOut(line: string): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const parsed = parseCommandLine(line.split(" "));
  if (!parsed.ok) return { code: 2, out: "", err: parsed.error.message };
  const command = parsed.value;
  const io = memoryIo();
  switch (command.kind) {
    case "audit.prune":
    case "audit.erase":
    case "audit.hold.add":
    case "audit.hold.list":
    case "audit.hold.release":
      return { code: await commandAuditKeep(command, io), out: io.stdout.text, err: io.stderr.text };
    default:
      throw new Error(`another command: ${command.kind}`);
  }
}

function left(directory: string): unknown[] {
  using reader = openRecordReader(directory);
  expect(reader.verify({ structure: true }).ok).toBe(true);
  return [...reader.query({ type: "file.*" })].map(({ seq }) => seq);
}

describe("audit prune", () => {
  test("by age, first dry", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const dry = await carryOut(`audit prune --older-than 90m --dry-run --state ${dir.path}`);
    expect([dry.code, dry.out]).toEqual([0, expect.stringMatching(/^2 entries would be pruned, \d+ bytes of text\n$/)]);
    expect(left(dir.path)).toEqual([1, 2, 3, 4]);
    const done = await carryOut(`audit prune --older-than 90m --state ${dir.path}`);
    expect(done.out).toMatch(/^2 entries pruned, \d+ bytes of text, as entry 5 says\n$/);
    expect(left(dir.path)).toEqual([3, 4]);
  });

  test("as JSON", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const { out } = await carryOut(`audit prune --older-than 90m --json --state ${dir.path}`);
    expect(JSON.parse(out)).toMatchObject({ entries: 2, held_back: 0, statements: [5], traces: false });
  });
});

describe("audit erase", () => {
  test("one principal's entries, but not what a hold keeps", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const added = await carryOut(`audit hold add case-1 --principal alice --since 90m --state ${dir.path}`);
    expect(added).toEqual({ code: 0, out: "hold case-1 is in force, as entry 5 says\n", err: "" });
    expect((await carryOut(`audit hold list --state ${dir.path}`)).out).toMatch(/^case-1 +5 .*alice/m);
    const done = await carryOut(`audit erase --principal alice --reason request-17 --state ${dir.path}`);
    expect(done.out).toMatch(/^1 entries pruned, .* as entry 6 says; 1 stay because of a hold\n$/);
    expect(left(dir.path)).toEqual([2, 3, 4]);
    const released = await carryOut(`audit hold release case-1 --reason closed --state ${dir.path}`);
    expect(released.out).toBe("hold case-1 is released, as entry 7 says\n");
    expect((await carryOut(`audit hold list --state ${dir.path}`)).out).toBe("no holds\n");
    await carryOut(`audit erase --principal alice --state ${dir.path}`);
    expect(left(dir.path)).toEqual([2, 4]);
  });

  test("one session's entries up to a time", async () => {
    using dir = new TempDir();
    await record(dir.path);
    await carryOut(`audit erase --session ${SESSION} --until 90m --state ${dir.path}`);
    expect(left(dir.path)).toEqual([3, 4]);
  });
});

describe("what cannot be done says why and changes nothing", () => {
  test.each([
    ["audit prune", "say what goes"],
    ["audit prune --older-than yesterday", "use an age"],
    ["audit prune --older-than 2026-01-01", "use an age"],
    ["audit prune --max-size 10", "use a size"],
    ["audit prune --keep-sessions 0", "whole number"],
    ["audit erase --since 1h", "say whose entries go"],
    ["audit hold add", "name"],
    ["audit hold", "say what to do: agentguard audit hold add|list|release"],
    ["audit hold remove", "unknown command 'hold remove'"],
  ])("%p", async (line, said) => {
    const { code, err } = await carryOut(line);
    expect(code).toBe(2);
    expect(err).toContain(said);
  });

  test("no record; a hold that is none; one that is not there; a writer beside", async () => {
    using dir = new TempDir();
    const fails = async (line: string, code: number): Promise<string> => {
      const done = await carryOut(`${line} --state ${dir.path}`);
      expect([done.code, done.out]).toEqual([code, ""]);
      return done.err;
    };
    expect(await fails("audit prune --older-than 1h", 1)).toContain("no such file");
    await record(dir.path);
    expect(await fails("audit hold add case-1", 2)).toContain("say what is held");
    expect(await fails("audit hold add a/b --principal p", 2)).toContain("name the hold");
    expect(await fails("audit hold release case-1", 1)).toContain("none of this name");
    await using writer = openRecord(dir.path);
    await writer.flush();
    expect(await fails("audit prune --older-than 1h", 1)).toContain("another guard writes it");
  });
});

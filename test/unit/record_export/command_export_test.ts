/** `audit export` on real records. */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { commandAuditExport, type ExportRequest } from "../../../lib/app/command_export.ts";
import { type Clock, type EntryDraft, IdGenerator, silentLog } from "../../../lib/core/mod.ts";
import { EXPORT_FORMATS, openRecordReader, openRecordWriter, RECORD_FILE } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { memoryIo, MemoryWriter, NOW_US } from "../app/support.ts";

const clock: Clock = { wallUs: () => NOW_US, monotonicUs: () => 0 };

/** `count` reads. */
function reads(count: number): readonly EntryDraft[] {
  return Array.from({ length: count }, (_, n): EntryDraft => ({
    time_us: NOW_US + n,
    kind: "observation",
    process: { pid: n, start: "1" },
    action: { type: "file.read", path: `/w/${n}\u001b[2J`, result: "0" },
  }));
}

async function record(directory: string, drafts: readonly EntryDraft[]): Promise<void> {
  const ids = new IdGenerator(clock);
  await using writer = openRecordWriter(directory, { boot_id: "b", clock, ids, log: silentLog, timers: systemTimers });
  for (const draft of drafts) writer.append(draft);
  await writer.flush();
}

function request(directory: string, more: Partial<ExportRequest> = {}): ExportRequest {
  return { directory, query: {}, format: "jsonl", profile: "1.8", host: "h", product_version: "1", ...more };
}

describe("audit export", () => {
  test.each(EXPORT_FORMATS)("%s writes every entry, inert on a terminal", async (format) => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(600));
    const io = memoryIo();
    expect(await commandAuditExport(request(dir.path, { format }), io)).toBe(0);
    expect(io.stdout.lines()).toHaveLength(format === "otlp" ? 2 : 600);
    for (let n = 0; n < 600; n++) expect(io.stdout.text).toContain(`/w/${n}\\`);
    expect(io.stdout.text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(io.stderr.text).toBe("");
  });

  test("JSON lines are the stored texts; the query chooses them", async () => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(5));
    const io = memoryIo();
    expect(await commandAuditExport(request(dir.path, { query: { after_seq: 3 } }), io)).toBe(0);
    using reader = openRecordReader(dir.path);
    expect(io.stdout.lines()).toEqual([...reader.query({ after_seq: 3 })].map(({ line }) => line));
    expect(io.stdout.lines()).toHaveLength(2);
  });

  test("OCSF 1.9 chains the entries", async () => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(2));
    const io = memoryIo();
    await commandAuditExport(request(dir.path, { format: "ocsf", profile: "1.9" }), io);
    const [first, second] = io.stdout.lines().map((line) => JSON.parse(line).attestation_list[0]);
    expect(second.prev_event).toEqual({ uid: first.uid, type_uid: 100_102, fingerprint: first.fingerprint });
  });

  test("no record, or a file that is none, ends with 1 and says so", async () => {
    await using dir = await TempDir.create();
    const missing = memoryIo();
    expect(await commandAuditExport(request(dir.join("none")), missing)).toBe(1);
    expect(missing.stderr.text).toStartWith("agentguard: ");
    await writeFile(dir.join(RECORD_FILE), "no database");
    const broken = memoryIo();
    expect(await commandAuditExport(request(dir.path, { format: "cef" }), broken)).toBe(1);
    expect(broken.stderr.text).toContain(RECORD_FILE);
  });

  test("a reader that goes away is no error", async () => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(3_000));
    const io = memoryIo({ stdout: new MemoryWriter(10) });
    expect(await commandAuditExport(request(dir.path), io)).toBe(0);
    expect(io.stderr.text).toBe("");
  });
});

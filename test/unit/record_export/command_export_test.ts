/** `audit export` on real records. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { parseCommandLine } from "../../../lib/app/cli.ts";
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
  const flags = { state_dir: directory };
  return { query: {}, format: "jsonl", profile: "1.8", host: "h", output: undefined, flags, ...more };
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

  test("a file takes its name when it is whole, and is left alone when it cannot be", async () => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(5));
    const output = dir.join("out.jsonl");
    expect(await commandAuditExport(request(dir.path, { output }), memoryIo())).toBe(0);
    const whole = await readFile(output, "utf8");
    expect(whole.trimEnd().split("\n")).toHaveLength(5);
    const names = async () => (await readdir(dir.path)).filter((name) => name.startsWith("out")).sort();
    expect(await names()).toEqual(["out.jsonl"]);
    using database = new Database(dir.join(RECORD_FILE));
    database.run("UPDATE texts SET data = CAST(replace(CAST(data AS TEXT), '/w/4', '/w/\"') AS BLOB)");
    const io = memoryIo();
    expect(await commandAuditExport(request(dir.path, { output, format: "cef" }), io)).toBe(1);
    expect(io.stderr.text).toContain("its text is not an entry");
    expect(await readFile(output, "utf8")).toBe(whole);
    expect(await names()).toEqual(["out.jsonl"]);
  });

  test("no file is made of a directory, a device or a link", async () => {
    await using dir = await TempDir.create();
    await record(dir.path, reads(1));
    await symlink(dir.join("elsewhere"), dir.join("link"));
    for (const output of [dir.path, "/dev/null", dir.join("link")]) {
      const io = memoryIo();
      expect(await commandAuditExport(request(dir.path, { output }), io)).toBe(1);
      expect(io.stderr.text).toContain("it is no regular file");
    }
    expect(await commandAuditExport(request(dir.path, { output: dir.join("no/such") }), memoryIo())).toBe(1);
  });

  test.each([
    ["audit export", "give --format"],
    ["audit export --format xml", "jsonl, ocsf, cef, otlp"],
    ["audit export --format cef --ocsf-profile 1.9", "remove --ocsf-profile"],
    ["audit export --format ocsf --ocsf-profile 2.0", "1.8, 1.9"],
    ["audit export --format cef --since yesterday", "--since"],
  ])("%p is wrong usage", (line, said) => {
    const parsed = parseCommandLine(line.split(" "));
    expect(parsed.ok ? "" : parsed.error.message).toContain(said);
  });

  test("the command line chooses entries as a query does", () => {
    const line = "audit export --format ocsf --ocsf-profile 1.9 --type net.* --after-seq 7 --output o --host h";
    expect(parseCommandLine(line.split(" "))).toMatchObject({
      ok: true,
      value: {
        kind: "audit.export",
        format: "ocsf",
        profile: "1.9",
        filter: { type: "net.*", after_seq: 7, newest: false },
        output: "o",
        host: "h",
      },
    });
  });
});

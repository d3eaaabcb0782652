/** Repairing a damaged record: what goes on, what is lost, and that the next start works and verify says so. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "../../../lib/core/mod.ts";
import { Keeper, openRecordReader, repairRecord, type RepairReport } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { PYTHON, TempDir } from "../../support/mod.ts";
import {
  decision,
  KeptLog,
  observation,
  openWriter,
  recordFile,
  rewriteText,
  tamper,
  TestClock,
  testIds,
} from "./support.ts";

const VERIFIER = join(import.meta.dir, "../../../docs/verify_record.py");

let dir: TempDir;
let clock: TestClock;
beforeEach(async () => {
  dir = await TempDir.create();
  clock = new TestClock();
});
afterEach(() => dir[Symbol.asyncDispose]());

async function record(count: number, from: number = 1): Promise<void> {
  await using writer = openWriter(dir.path, { clock });
  for (let n = from; n < from + count; n++) writer.append(n % 5 === 0 ? decision(n) : observation(n));
}

function repair(): RepairReport {
  clock.now_us++;
  return repairRecord(dir.path, { boot_id: "boot", clock, ids: testIds(clock) });
}

/** The record verifies in every respect, here and by the second verifier, and a writer goes on. */
async function goesOn(): Promise<ReturnType<ReturnType<typeof openRecordReader>["verify"]>> {
  await record(3, 9_000);
  using reader = openRecordReader(dir.path);
  const report = reader.verify({ structure: true });
  expect(report).toMatchObject({ ok: true });
  const key = reader.state()?.keys[0]?.key.text ?? "";
  const python = Bun.spawnSync([PYTHON, VERIFIER, "--key", key, "--db", recordFile(dir.path)]);
  expect(`${python.stdout}${python.stderr}`).toStartWith("ok: ");
  return report;
}

function said(): unknown[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query({ kind: "gap" })].map(({ line }) => JSON.parse(line).gap);
}

function texts(): number[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query({ type: "file.*" })].map(({ seq }) => seq).filter((seq) => seq < 1_000);
}

describe("nothing is done", () => {
  test("where nothing is wrong", async () => {
    await record(300);
    const before = readFileSync(recordFile(dir.path));
    expect(repair()).toMatchObject({ continued: true, size: 300, lost: 0 });
    expect(readFileSync(recordFile(dir.path)).equals(before)).toBe(true);
    expect(new Bun.Glob("*damaged*").scanSync(dir.path).next().done).toBe(true);
  });

  test("where there is no record, or a writer has it", async () => {
    expect(() => repair()).toThrow("no such file");
    await using writer = openWriter(dir.path);
    await writer.flush();
    expect(() => repair()).toThrow("another guard writes it");
  });
});

describe("what is damaged is lost, and all else goes on", () => {
  test("edited and emptied texts", async () => {
    await record(600);
    rewriteText(dir.path, 7, (text) => text.replace("/w/7", "/w/8"));
    rewriteText(dir.path, 8, () => "");
    rewriteText(dir.path, 301, (text) => text.replace("/w/301", "/w/302"));
    const report = repair();
    expect(report).toMatchObject({ continued: true, lost: 3, ranges: [[7, 8], [301, 301]], unsigned: 0, size: 602 });
    expect(report.fault).toContain("entry 7 does not verify: edited");
    expect(existsSync(report.kept_as ?? "")).toBe(true);
    expect(statSync(report.kept_as ?? "").mode & 0o777).toBe(0o600);
    expect(said()).toEqual([{
      source: "record",
      type: "damaged",
      count: 3,
      from: "2026-01-02T03:04:05.000012Z",
      to: "2026-01-02T03:04:05.000308Z",
    }]);
    const verified = await goesOn();
    expect(verified).toMatchObject({ pruned: { entries: 3, lost: 3, statements: [{ seq: 601, lost: true }] } });
    expect(texts()).not.toContain(7);
    expect(texts()).toContain(9);
    expect(repair()).toMatchObject({ continued: true, lost: 0 });
  });

  test("rows that are gone, in the middle and at the end", async () => {
    await record(700);
    tamper(dir.path, "DELETE FROM texts WHERE first_seq = 257");
    tamper(dir.path, "DELETE FROM texts WHERE first_seq > 512");
    expect(repair()).toMatchObject({ continued: true, lost: 444, ranges: [[257, 700]] });
    await goesOn();
  });

  test("the tree above the leaves, and the leaves themselves, are made again from the texts", async () => {
    await record(600);
    tamper(dir.path, "UPDATE tiles SET data = zeroblob(length(data)) WHERE id > 3");
    expect(repair()).toMatchObject({ continued: true, lost: 0 });
    tamper(dir.path, "UPDATE tiles SET data = zeroblob(length(data)) WHERE id = 1");
    expect(repair()).toMatchObject({ continued: true, lost: 0 });
    tamper(dir.path, "DELETE FROM tiles WHERE id = 0");
    expect(repair()).toMatchObject({ continued: true, lost: 0 });
    expect((await goesOn()).ok).toBe(true);
    expect(texts().filter((seq) => seq <= 600)).toHaveLength(480);
  });

  test("the index", async () => {
    await record(600);
    tamper(dir.path, "DELETE FROM postings WHERE block = 1");
    tamper(dir.path, "UPDATE spans SET time_max = 0");
    expect(repair()).toMatchObject({ continued: true, lost: 0 });
    await goesOn();
    using reader = openRecordReader(dir.path);
    expect(reader.count({ rule: "no-egress" })).toBeGreaterThanOrEqual(120);
  });

  test("entries that nobody signed, and checkpoints of a wrong signature", async () => {
    await record(300);
    await record(100, 301);
    tamper(dir.path, "UPDATE checkpoints SET signature = zeroblob(64) WHERE size = 300");
    tamper(dir.path, "INSERT INTO texts (first_seq, data) VALUES (401, CAST('forged' || char(10) AS BLOB))");
    expect(repair()).toMatchObject({ continued: true, lost: 0, unsigned: 1 });
    await goesOn();
  });

  test("what was pruned before stays pruned and is not called lost", async () => {
    await record(300);
    clock.now_us += 86_400_000_000;
    {
      await using writer = openWriter(dir.path, { clock });
      const keep = { keep_ms: undefined, max_bytes: undefined, keep_sessions: undefined };
      using keeper = new Keeper(writer, { clock, timers: systemTimers, log: new KeptLog(), keep });
      await keeper.request({ op: "prune", ...keep, keep_ms: 1_000, dry_run: false });
    }
    await record(10, 301);
    rewriteText(dir.path, 305, () => "");
    expect(repair()).toMatchObject({ lost: 1, ranges: [[305, 305]] });
    expect(await goesOn()).toMatchObject({ pruned: { entries: 301, lost: 1 } });
  });

  test("a page of the file", async () => {
    await record(256 * 12);
    const { page, bytes } = pageOf("texts");
    const fd = openSync(recordFile(dir.path), "r+");
    writeSync(fd, new Uint8Array(bytes).fill(0x5a), 0, bytes, page * bytes);
    closeSync(fd);
    const report = repair();
    expect(report.continued).toBe(true);
    expect(report.lost).toBeGreaterThan(0);
    expect(report.lost).toBeLessThan(256 * 12);
    await goesOn();
  });
});

/** A leaf page of a table, by the file's own statistics. */
function pageOf(table: string): { readonly page: number; readonly bytes: number } {
  using database = new Database(recordFile(dir.path));
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const bytes = Number(Object.values(database.query("PRAGMA page_size").get() ?? {})[0]);
  const file = readFileSync(recordFile(dir.path));
  const root = Number(
    Object.values(database.query("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(table) ?? {})[0],
  );
  // Type 5 is an inner page of a table, whose first child is at the first cell (sqlite.org/fileformat.html, 1.6).
  let at = (root - 1) * bytes;
  while (file[at] === 5) at = (file.readUInt32BE(at + file.readUInt16BE(at + 12)) - 1) * bytes;
  return { page: at / bytes, bytes };
}

describe("what cannot go on is kept, and a new record begins under another name", () => {
  test.each<[string, () => void]>([
    ["text and hash of one entry", () => {
      rewriteText(dir.path, 7, () => "");
      tamper(dir.path, "DELETE FROM tiles WHERE id = 0");
    }],
    ["a history that was written again", () => {
      rewriteText(dir.path, 7, (text) => text.replace("/w/7", "/w/8"));
      tamper(dir.path, "UPDATE tiles SET data = zeroblob(length(data)) WHERE id = 0");
    }],
    ["every checkpoint", () => tamper(dir.path, "DELETE FROM checkpoints")],
    ["the file itself", () => writeFileSync(recordFile(dir.path), "no database")],
    ["the key", () => renameSync(dir.join("signing.key"), dir.join("elsewhere"))],
  ])("%s", async (_name, damage) => {
    await record(300);
    damage();
    const report = repair();
    expect(report.continued).toBe(false);
    expect(report.origin).toMatch(/\/after-\d{8}T\d{6}$/);
    expect(existsSync(report.kept_as ?? "")).toBe(true);
    using reader = openRecordReader(dir.path);
    expect(reader.state()?.origin).toBe(report.origin);
    expect([...reader.query({ type: "guard.record.repaired" })][0]?.line).toContain("could not go on");
    await goesOn();
  });
});

test("a repair that was interrupted is done again", async () => {
  await record(300);
  rewriteText(dir.path, 7, () => "");
  writeFileSync(`${recordFile(dir.path)}.repaired`, "half of it");
  expect(repair()).toMatchObject({ continued: true, lost: 1 });
  await goesOn();
});

test("the guard refuses a damaged record and takes the repaired one; the copy still shows the damage", async () => {
  await record(300);
  rewriteText(dir.path, 7, (text) => text.replace("/w/7", "/w/8"));
  expect(await record(1).catch(errorMessage)).toContain("entry 7 does not verify: edited");
  const { kept_as } = repair();
  await record(1);
  await using copy = await TempDir.create();
  renameSync(kept_as ?? "", recordFile(copy.path));
  using reader = openRecordReader(copy.path);
  expect(reader.verify()).toMatchObject({ ok: false, seq: 7, why: "edited" });
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { readFileSync, writeFileSync } from "node:fs";
import { AgentguardError } from "../../../lib/core/mod.ts";
import { FIRST_PREV, leafHash, openRecordReader, type VerifyReport } from "../../../lib/record/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { decision, observation, openWriter, recordFile, tamper } from "./support.ts";

let dir: TempDir;
let lines: string[];

beforeEach(async () => {
  dir = await TempDir.create();
  const writer = openWriter(dir.path);
  for (let n = 1; n <= 6; n++) writer.append(n % 2 === 0 ? decision(n) : observation(n));
  await writer.close();
  using reader = openRecordReader(dir.path);
  lines = [...reader.query()].map((stored) => stored.line);
});
afterEach(() => dir[Symbol.asyncDispose]());

function verify(): VerifyReport {
  using reader = openRecordReader(dir.path);
  return reader.verify({ structure: true });
}

/** Stores another text under a number, with the hash that belongs to it. */
function rewrite(seq: number, line: string): void {
  tamper(dir.path, "UPDATE entries SET body = ?, hash = ? WHERE seq = ?", Buffer.from(line), leafHash(line), seq);
}

function lineOf(seq: number): string {
  return lines[seq - 1] ?? "";
}

test("an untouched record verifies and names its head", () => {
  expect(verify()).toEqual({ ok: true, entries: 6, head_seq: 6, head_hash: leafHash(lineOf(6)).toHex() });
});

test("an empty record verifies", async () => {
  await using empty = await TempDir.create();
  await openWriter(empty.path).close();
  using reader = openRecordReader(empty.path);
  expect(reader.verify()).toEqual({ ok: true, entries: 0, head_seq: 0, head_hash: FIRST_PREV });
});

test.each([
  ["a changed text", "UPDATE entries SET body = replace(body, '/w/3', '/w/4') WHERE seq = 3", 3, "edited"],
  ["a changed hash", "UPDATE entries SET hash = zeroblob(32) WHERE seq = 3", 3, "edited"],
  ["a shorter hash", "UPDATE entries SET hash = substr(hash, 1, 31) WHERE seq = 3", 3, "edited"],
  ["a text of another storage class", "UPDATE entries SET body = CAST(body AS TEXT) WHERE seq = 3", 3, "edited"],
  ["a removed entry", "DELETE FROM entries WHERE seq = 3", 3, "missing"],
  ["a removed first entry", "DELETE FROM entries WHERE seq = 1", 1, "missing"],
  ["a removed last entry", "DELETE FROM entries WHERE seq = 6", 6, "missing"],
  ["everything removed", "DELETE FROM entries", 1, "missing"],
  [
    "an entry before the first",
    "INSERT INTO entries SELECT -1, entry_id, time_us, kind, type, session_id, verdict, rule, " +
    "pid, decision_id, body, hash FROM entries WHERE seq = 3",
    1,
    "missing",
  ],
  ["a renumbered entry", "UPDATE entries SET seq = 9 WHERE seq = 6", 6, "missing"],
  ["a changed type", "UPDATE entries SET type = 'exec' WHERE seq = 2", 2, "column"],
  ["a removed rule", "UPDATE entries SET rule = NULL WHERE seq = 2", 2, "column"],
  ["an added session", "UPDATE entries SET session_id = 'X' WHERE seq = 3", 3, "column"],
  ["a changed time", "UPDATE entries SET time_us = time_us + 1 WHERE seq = 4", 4, "column"],
  ["another head", "UPDATE head SET hash = zeroblob(32)", 6, "head"],
  ["an older head", "UPDATE head SET seq = 5, hash = (SELECT hash FROM entries WHERE seq = 5)", 6, "head"],
])("%s is found", (_name, sql, seq, why) => {
  tamper(dir.path, sql);
  expect(verify()).toMatchObject({ ok: false, seq, why, entries: why === "head" ? 6 : seq - 1 });
});

test("two exchanged entries are found as reordered", () => {
  rewrite(2, lineOf(4));
  rewrite(4, lineOf(2));
  expect(verify()).toMatchObject({ ok: false, seq: 2, why: "reordered" });
});

test("an entry that was rewritten with its hash breaks the chain at the next", () => {
  rewrite(3, lineOf(3).replace("/w/3", "/w/4"));
  expect(verify()).toMatchObject({ ok: false, seq: 4, why: "unchained", entries: 3 });
});

test("a last entry that was rewritten with its hash differs from the head", () => {
  rewrite(6, lineOf(6).replace("not this way", "all is well."));
  expect(verify()).toMatchObject({ ok: false, seq: 6, why: "head" });
});

test("a text that is not canonical is found even with the right hash", () => {
  rewrite(2, lineOf(2).replace('"kind":', '"kind": '));
  expect(verify()).toMatchObject({ ok: false, seq: 2, why: "not_canonical" });
});

test("a text that is no entry, or not UTF-8, is found", () => {
  rewrite(2, "{}");
  expect(verify()).toMatchObject({ ok: false, seq: 2, why: "not_canonical" });
  tamper(dir.path, "UPDATE entries SET body = x'ff' WHERE seq = 2");
  expect(verify()).toMatchObject({ ok: false, seq: 2, why: "edited" });
});

test("a damaged index is found by the look at the structure, and only by it", () => {
  const path = recordFile(dir.path);
  const database = new Database(path);
  const place = database.query<{ rootpage: number; page_size: number }, []>(
    "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'entries_decision'",
  ).get();
  database.close(true);
  if (place === null) throw new Error("no index entries_decision");
  const bytes = readFileSync(path);
  const at = bytes.indexOf("DECISION4", (place.rootpage - 1) * place.page_size);
  expect(Math.floor(at / place.page_size)).toBe(place.rootpage - 1);
  bytes.write("X", at);
  writeFileSync(path, bytes);
  using reader = openRecordReader(dir.path);
  expect(reader.verify()).toMatchObject({ ok: true });
  expect(reader.verify({ structure: true })).toMatchObject({ ok: false, why: "unreadable" });
});

test("verification can begin in the middle, and trusts the hash before", () => {
  tamper(dir.path, "UPDATE entries SET body = x'00' WHERE seq = 2");
  using reader = openRecordReader(dir.path);
  expect(reader.verify({ from_seq: 3 })).toMatchObject({ ok: true, entries: 4, head_seq: 6 });
  expect(reader.verify({ from_seq: 2 })).toMatchObject({ ok: false, seq: 2, why: "edited" });
});

test("verification tells how far it is and can be cancelled", () => {
  using reader = openRecordReader(dir.path);
  const progress: number[] = [];
  reader.verify({ onProgress: (entries) => progress.push(entries) });
  expect(progress).toEqual([6]);
  expect(() => reader.verify({ signal: AbortSignal.abort() })).toThrow(
    new AgentguardError("cancelled", "verify the record: cancelled"),
  );
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { AgentguardError } from "../../../lib/core/mod.ts";
import {
  FIRST_PREV,
  KEY_FILE,
  leafHash,
  type LogState,
  openRecordReader,
  type VerifyReport,
} from "../../../lib/record/mod.ts";
import { TreeBuilder } from "../../../lib/record/merkle.ts";
import { signCheckpoint } from "../../../lib/record/signer.ts";
import { readSigningKey } from "../../../lib/record/signing_key.ts";
import { lineAt, partsOf } from "../../../lib/record/stored_text.ts";
import { TempDir } from "../../support/mod.ts";
import { decision, observation, openWriter, recordFile, rewriteText, storedTextOf, tamper } from "./support.ts";

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

function lineOf(seq: number): string {
  return lines[seq - 1] ?? "";
}

test("an untouched record verifies and names its head", () => {
  expect(verify()).toMatchObject({
    ok: true,
    entries: 6,
    head_seq: 6,
    head_hash: leafHash(lineOf(6)).toHex(),
    checkpoints: 2,
    key_trusted: false,
  });
});

test("an empty record verifies", async () => {
  await using empty = await TempDir.create();
  await openWriter(empty.path).close();
  using reader = openRecordReader(empty.path);
  expect(reader.verify()).toMatchObject({ ok: true, entries: 0, head_seq: 0, head_hash: FIRST_PREV, checkpoints: 1 });
});

test.each<[string, string, number, string]>([
  ["a text of another storage class", "UPDATE texts SET data = CAST(data AS TEXT)", 1, "missing"],
  ["everything removed", "DELETE FROM texts", 1, "missing"],
  ["a row of texts that begins elsewhere", "UPDATE texts SET first_seq = 2", 1, "missing"],
  ["entries that nothing signed", "UPDATE checkpoints SET size = 5 WHERE size = 6", 5, "checkpoint"],
  ["a changed root", "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 6", 6, "checkpoint"],
  ["a changed signature", "UPDATE checkpoints SET signature = zeroblob(64) WHERE size = 6", 6, "checkpoint"],
  ["an older signature changed", "UPDATE checkpoints SET signature = zeroblob(64) WHERE size = 0", 1, "checkpoint"],
  ["no checkpoint", "DELETE FROM checkpoints", 1, "unsigned"],
  ["another key", "UPDATE keys SET public = zeroblob(32)", 6, "checkpoint"],
  ["another origin", "UPDATE log SET origin = 'other'", 6, "checkpoint"],
  ["a changed leaf hash", "UPDATE tiles SET data = CAST(zeroblob(32) || substr(data, 33) AS BLOB)", 1, "edited"],
  ["a tile that is too long", "UPDATE tiles SET data = CAST(data || zeroblob(32) AS BLOB)", 6, "tree"],
  ["a tile that is too short", "UPDATE tiles SET data = CAST(substr(data, 1, 96) AS BLOB)", 4, "tree"],
  ["a changed term", "UPDATE terms SET value = 'exec' WHERE value = 'file.read'", 1, "index"],
  ["a removed posting", "DELETE FROM postings WHERE term = (SELECT id FROM terms WHERE value = 'deny')", 1, "index"],
  ["a removed decision", "DELETE FROM decisions WHERE key = (SELECT max(key) FROM decisions)", 1, "index"],
  ["a changed time", "UPDATE spans SET time_max = time_max - 1", 1, "index"],
])("%s is found", (_name, sql, seq, why) => {
  tamper(dir.path, sql);
  expect(verify()).toMatchObject({ ok: false, seq, why });
});

test("an edited text is found at its entry", () => {
  rewriteText(dir.path, 3, (stored) => stored.replace("/w/3", "/w/4"));
  expect(verify()).toMatchObject({ ok: false, seq: 3, why: "edited", entries: 2 });
});

test("a removed entry is found as missing, at the beginning, in the middle and at the end", async () => {
  for (const seq of [1, 3, 6]) {
    await using copy = await TempDir.create();
    copyFileSync(recordFile(dir.path), recordFile(copy.path));
    rewriteText(copy.path, seq, () => undefined);
    using reader = openRecordReader(copy.path);
    expect(reader.verify({ structure: true })).toMatchObject({ ok: false, seq, why: "missing", entries: seq - 1 });
  }
});

test("two exchanged entries are found as reordered", () => {
  const [two, four] = [storedTextOf(dir.path, 2), storedTextOf(dir.path, 4)];
  rewriteText(dir.path, 2, () => four);
  rewriteText(dir.path, 4, () => two);
  expect(verify()).toMatchObject({ ok: false, seq: 2, why: "reordered" });
});

test("a record that was rewritten with all its hashes is a fork of what was signed", () => {
  let prev = FIRST_PREV;
  const leaves: Uint8Array[] = [];
  for (let seq = 1; seq <= 6; seq++) {
    rewriteText(dir.path, seq, (stored) => {
      const changed = stored.replace("/w/3", "/w/9");
      const leaf = leafHash(lineAt(partsOf(changed), { seq, prev }));
      leaves.push(leaf);
      prev = leaf.toHex();
      return changed;
    });
  }
  tamper(dir.path, "UPDATE tiles SET data = ? WHERE id = 0", Buffer.concat(leaves));
  expect(verify()).toMatchObject({ ok: false, seq: 1, why: "fork" });
});

test("entries after the newest checkpoint are found as unsigned", () => {
  const stored = storedTextOf(dir.path, 6);
  tamper(dir.path, "INSERT INTO texts VALUES (7, ?)", Buffer.from(`${stored}\n`));
  expect(verify()).toMatchObject({ ok: false, seq: 7, why: "unsigned", entries: 6 });
});

test("a signature over what no recorder writes does not help", async () => {
  const { origin, keys } = readState();
  const key = readSigningKey(dir.path, KEY_FILE);
  if (key === undefined) throw new Error("no key");
  expect(keys[0]?.key.equals(key.public_key)).toBe(true);
  rewriteText(dir.path, 6, (stored) => stored.replace('"kind":', '"kind": '));
  const stored = Array.from({ length: 6 }, (_, n) => storedTextOf(dir.path, n + 1));
  const tree = new TreeBuilder();
  const leaves = stored.map((text, n) => leafHash(lineAt(partsOf(text), { seq: n + 1, prev: prevOf(n) })));
  for (const leaf of leaves) tree.append(leaf);
  const { size, root, signature } = signCheckpoint({ origin, key, key_id: 1 }, 6, tree.root());
  tamper(dir.path, "UPDATE tiles SET data = ? WHERE id = 0", Buffer.concat(leaves));
  tamper(dir.path, "UPDATE checkpoints SET root = ?, signature = ? WHERE size = ?", root, signature, size);
  expect(verify()).toMatchObject({ ok: false, seq: 6, why: "not_canonical" });
});

function readState(): LogState {
  using reader = openRecordReader(dir.path);
  const state = reader.state();
  if (state === undefined) throw new Error("no state");
  return state;
}

function prevOf(n: number): string {
  return n === 0 ? FIRST_PREV : leafHash(lineOf(n)).toHex();
}

test("a text that is not UTF-8 is found", () => {
  tamper(dir.path, "UPDATE texts SET data = CAST(x'ff' || substr(data, 2) AS BLOB)");
  expect(verify()).toMatchObject({ ok: false, seq: 1, why: "edited" });
});

test("a damaged index is found by the look at the structure, and only by it", () => {
  const path = recordFile(dir.path);
  const database = new Database(path);
  const place = database.query<{ rootpage: number; page_size: number }, []>(
    "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'sqlite_autoindex_terms_1'",
  ).get();
  database.close(true);
  if (place === null) throw new Error("no index of terms");
  const bytes = readFileSync(path);
  const at = bytes.indexOf("no-egress", (place.rootpage - 1) * place.page_size);
  expect(Math.floor(at / place.page_size)).toBe(place.rootpage - 1);
  bytes.write("X", at);
  writeFileSync(path, bytes);
  using reader = openRecordReader(dir.path);
  expect(reader.verify()).toMatchObject({ ok: true });
  expect(reader.verify({ structure: true })).toMatchObject({ ok: false, why: "unreadable" });
});

test("verification can begin in the middle, and trusts the hash before", () => {
  rewriteText(dir.path, 2, (stored) => stored.replace("deny", "DENY"));
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

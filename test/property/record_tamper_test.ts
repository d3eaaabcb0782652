import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { AgentguardError } from "../../lib/core/mod.ts";
import { openRecordReader } from "../../lib/record/mod.ts";
import { FIELD_COLUMNS, RECORD_FILE, RECORD_SCHEMA } from "../../lib/record/schema.ts";
import { type VerifyReport, verifyStore } from "../../lib/record/verify.ts";
import { openStore, type Row, type SqlValue, type Store } from "../../lib/store/mod.ts";
import { TempDir } from "../support/mod.ts";
import { decision, observation, openWriter } from "../unit/record/support.ts";

const ENTRIES = 4;
let dir: TempDir;
let store: Store;
let rows: readonly Row[];

beforeAll(async () => {
  dir = await TempDir.create();
  const writer = openWriter(dir.path);
  // A rule with letters of two and three bytes, and the replacement character that broken text decodes to.
  writer.append(decision(1, "r\u00e9gle \ufffd \u20ac"));
  writer.append(observation(2));
  writer.append(decision(3));
  writer.append({ ...decision(4), kind: "outcome" });
  await writer.close();
  store = openStore(dir.join(RECORD_FILE), { mode: "write", schema: RECORD_SCHEMA });
  rows = store.prepare("SELECT * FROM entries ORDER BY seq").all();
});

afterAll(async () => {
  store.close();
  await dir[Symbol.asyncDispose]();
});

class Undo extends Error {}

/** What verification says after a change, which is then undone. */
function verifyChanged(sql: string, ...parameters: SqlValue[]): VerifyReport {
  let report: VerifyReport | undefined;
  try {
    store.transaction(() => {
      expect(store.prepare(sql).run(...parameters)).toBe(1);
      report = verifyStore(store);
      throw new Undo();
    });
  } catch (thrown) {
    if (!(thrown instanceof Undo)) throw thrown;
  }
  if (report === undefined) throw new Error("not verified");
  return report;
}

/** Each way to change one bit. */
function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      yield changed;
    }
  }
}

test("the untouched record verifies", () => {
  expect(rows).toHaveLength(ENTRIES);
  expect(verifyStore(store)).toMatchObject({ ok: true, entries: ENTRIES });
});

test("any one-bit change of any body or hash is found at its entry", () => {
  let changes = 0;
  for (const column of ["body", "hash"]) {
    for (const [index, row] of rows.entries()) {
      const bytes = row[column];
      if (!(bytes instanceof Uint8Array)) throw new Error(`column ${column} holds no bytes`);
      for (const changed of flips(bytes)) {
        const report = verifyChanged(`UPDATE entries SET ${column} = ? WHERE seq = ?`, changed, index + 1);
        if (report.ok || report.seq !== index + 1) expect(report).toMatchObject({ ok: false, seq: index + 1 });
        changes++;
      }
    }
  }
  expect(changes).toBeGreaterThan(8 * ENTRIES * 250);
}, 120_000);

test("any one-bit change of any column is found at its entry", () => {
  const encoder = new TextEncoder();
  for (const column of FIELD_COLUMNS) {
    for (const [index, row] of rows.entries()) {
      const value = row[column];
      const seq = index + 1;
      if (typeof value === "string") {
        for (const changed of flips(encoder.encode(value))) {
          const report = verifyChanged(`UPDATE entries SET ${column} = CAST(? AS TEXT) WHERE seq = ?`, changed, seq);
          if (report.ok || report.seq !== seq) expect(report).toMatchObject({ ok: false, seq, why: "column" });
        }
      } else if (typeof value === "number") {
        for (let bit = 0; bit < 64; bit++) {
          const flip = `UPDATE entries SET ${column} = (${column} | (1 << ?)) - (${column} & (1 << ?)) WHERE seq = ?`;
          expect(verifyChanged(flip, bit, bit, seq)).toMatchObject({ ok: false, seq, why: "column" });
        }
      }
    }
  }
}, 120_000);

test("any one-bit change of a number is found at or before its entry", () => {
  for (let seq = 1; seq <= ENTRIES; seq++) {
    for (let bit = 0; bit < 64; bit++) {
      const taken = bit < 3 && (seq ^ (1 << bit)) >= 1 && (seq ^ (1 << bit)) <= ENTRIES;
      if (taken) continue; // another entry has that number: the database refuses it
      const flip = "UPDATE entries SET seq = (seq | (1 << ?)) - (seq & (1 << ?)) WHERE seq = ?";
      const report = verifyChanged(flip, bit, bit, seq);
      expect(report).toMatchObject({ ok: false, why: "missing" });
      if (!report.ok) expect(report.seq).toBeLessThanOrEqual(seq);
    }
  }
});

test("any one-bit change of the head is found at the end", () => {
  const head = store.prepare("SELECT hash FROM head").get()?.["hash"];
  if (!(head instanceof Uint8Array)) throw new Error("no head");
  for (const changed of flips(head)) {
    expect(verifyChanged("UPDATE head SET hash = ?", changed)).toMatchObject({ ok: false, seq: ENTRIES, why: "head" });
  }
  for (let bit = 0; bit < 63; bit++) {
    const report = verifyChanged("UPDATE head SET seq = (seq | (1 << ?)) - (seq & (1 << ?))", bit, bit);
    expect(report).toMatchObject({ ok: false });
    if (!report.ok) expect([ENTRIES, ENTRIES + 1]).toContain(report.seq);
  }
});

test("a bit changed anywhere in the file is found, or changes nothing that is read", async () => {
  await using copies = await TempDir.create();
  const source = copies.join("source.db");
  store.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  // A copy of a file that this process has open, by another process: closing it here would drop the store's locks.
  Bun.spawnSync(["cp", dir.join(RECORD_FILE), source]);
  const bytes = readFileSync(source);
  const target = copies.join(RECORD_FILE);
  copyFileSync(source, target);
  const untouched = look(copies.path);
  expect(untouched).toHaveLength(ENTRIES);
  let found = 0;
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      writeFileSync(target, changed);
      for (const suffix of ["-wal", "-shm"]) writeFileSync(`${target}${suffix}`, "");
      const lines = look(copies.path);
      if (lines === undefined) found++;
      else expect(lines).toEqual(untouched ?? []);
    }),
    { numRuns: 600 },
  );
  expect(found).toBeGreaterThan(0);
}, 120_000);

/** The lines of a record that verifies with its structure; `undefined` of one that does not. */
function look(directory: string): string[] | undefined {
  try {
    using reader = openRecordReader(directory);
    if (!reader.verify({ structure: true }).ok) return undefined;
    return [...reader.query()].map((stored) => stored.line);
  } catch (thrown) {
    if (thrown instanceof AgentguardError && ["tamper", "unsupported", "io"].includes(thrown.code)) return undefined;
    throw thrown;
  }
}

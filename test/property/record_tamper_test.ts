import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { AgentguardError, IdGenerator } from "../../lib/core/mod.ts";
import { openRecordReader, RECORD_FILE, rotateKey, type VerifyReport } from "../../lib/record/mod.ts";
import { RECORD_SCHEMA } from "../../lib/record/schema.ts";
import { verifyStore } from "../../lib/record/verify.ts";
import { openStore, type Row, type SqlValue, type Store } from "../../lib/store/mod.ts";
import { TempDir } from "../support/mod.ts";
import { decision, observation, openWriter, TestClock } from "../unit/record/support.ts";

/** Four, and that of the rotation. */
const ENTRIES = 5;
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
  const clock = new TestClock();
  rotateKey(dir.path, { boot_id: "boot", clock, ids: new IdGenerator(clock) });
  store = openStore(dir.join(RECORD_FILE), { mode: "write", schema: RECORD_SCHEMA });
  rows = store.prepare("SELECT * FROM texts ORDER BY first_seq").all();
});

afterAll(async () => {
  store.close();
  await dir[Symbol.asyncDispose]();
});

class Undo extends Error {}

/** What verification says after a change, which is then undone; `undefined` where the database itself refuses it. */
function verifyChanged(sql: string, ...parameters: SqlValue[]): VerifyReport | undefined {
  let report: VerifyReport | undefined;
  try {
    store.transaction(() => {
      expect(store.prepare(sql).run(...parameters)).toBe(1);
      report = verifyStore(store, { structure: true });
      throw new Undo();
    });
  } catch (thrown) {
    if (thrown instanceof AgentguardError && /UNIQUE|CHECK/.test(thrown.message)) return undefined;
    if (!(thrown instanceof Undo)) throw thrown;
  }
  if (report === undefined) throw new Error("not verified");
  return report;
}

/** Every byte of a value changed once, by another bit each time. */
function* changes(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    yield changed;
  }
}

/** Bits of an integer that are changed: all that a number of this product uses. */
const INTEGER_BITS = 52;

/** Tables that the record consists of, with what names a row. `writer` is a hint that nothing relies on. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  texts: ["first_seq"],
  tiles: ["id"],
  checkpoints: ["size"],
  keys: ["id"],
  log: ["id"],
  terms: ["id"],
  postings: ["term", "block"],
  decisions: ["key", "block"],
  spans: ["block"],
};

test("the untouched record verifies", () => {
  expect(verifyStore(store, { structure: true })).toMatchObject({ ok: true, entries: ENTRIES, checkpoints: 3 });
});

test("no table is left out", () => {
  const tables = store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  expect(tables.map((row) => row["name"])).toEqual([...Object.keys(TABLES), "writer"].sort());
});

test.each(Object.keys(TABLES))("every byte of %s, changed once, is found", (table) => {
  const key = TABLES[table] ?? [];
  const where = key.map((column) => `${column} = ?`).join(" AND ");
  let found = 0;
  const tell = (report: VerifyReport | undefined, what: string): void => {
    if (report?.ok === true) throw new Error(`${table}: ${what} was not found`);
    if (report !== undefined) found++;
  };
  for (const row of store.prepare(`SELECT * FROM ${table}`).all()) {
    const place = key.map((column) => row[column] ?? null);
    for (const [column, value] of Object.entries(row)) {
      const set = (sql: string): string => `UPDATE ${table} SET ${column} = ${sql} WHERE ${where}`;
      if (value instanceof Uint8Array) {
        for (const changed of changes(value)) tell(verifyChanged(set("?"), changed, ...place), column);
      } else if (typeof value === "string") {
        const bytes = new TextEncoder().encode(value);
        for (const changed of changes(bytes)) tell(verifyChanged(set("CAST(? AS TEXT)"), changed, ...place), column);
      } else {
        for (let bit = 0; bit < INTEGER_BITS; bit++) {
          const flip = `(${column} | (1 << ?)) - (${column} & (1 << ?))`;
          tell(verifyChanged(set(flip), bit, bit, ...place), `bit ${bit} of ${column} ${String(value)}`);
        }
      }
    }
  }
  expect(found).toBeGreaterThan(0);
}, 120_000);

test("every byte of a text, changed once, is found at its entry", () => {
  let seq = 1;
  for (const row of rows) {
    const data = row["data"];
    if (!(data instanceof Uint8Array)) throw new Error("no texts");
    let at = 0;
    for (const changed of changes(data)) {
      const report = verifyChanged("UPDATE texts SET data = ? WHERE first_seq = ?", changed, row["first_seq"] ?? null);
      if (report === undefined || report.ok || report.seq !== seq) expect(report).toMatchObject({ ok: false, seq });
      if (data[at++] === 0x0a) seq++;
    }
  }
  expect(seq).toBe(ENTRIES + 1);
}, 120_000);

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

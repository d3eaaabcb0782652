/**
 * From the record's first form, one row per entry, to blocks: nothing is lost, and nothing that does not verify is
 * taken over.
 */
import { AgentguardError, CanonicalWriter, parseTime } from "../core/mod.ts";
import type { Row, Store } from "../store/mod.ts";
import { FIRST_PREV, leafHash, parseEntry, textParts } from "./entry.ts";
import { LogTables } from "./log_tables.ts";
import { lineAt, storedText } from "./stored_text.ts";

const PAGE_ROWS = 1_024;

/**
 * Fills the tables of version 2 from `entries`. Throws `tamper` at the first entry that does not verify: a record is
 * brought up to date whole or not at all.
 */
export function migrateFromRows(store: Store): void {
  const tables = new LogTables(store, 0);
  const select = store.prepare(`SELECT seq, body, hash FROM entries WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const writer = new CanonicalWriter();
  let prev = FIRST_PREV;
  // A page that starts below 1 finds rows that were put before the first one.
  for (let page = select.all(Number.MIN_SAFE_INTEGER); page.length > 0; page = select.all(tables.size)) {
    for (const row of page) prev = takeOver(store, tables, { row, prev, decoder, writer });
    tables.write(tables.take());
  }
  const head = store.prepare("SELECT seq, hash FROM head WHERE id = 1").get();
  const head_hash = head?.["hash"];
  const ends = head === undefined
    ? tables.size === 0
    : head["seq"] === tables.size && head_hash instanceof Uint8Array && head_hash.toHex() === prev;
  if (!ends) throw notSound(store, tables.size + 1);
}

/** Adds one row; gives its hash, hex. */
function takeOver(
  store: Store,
  tables: LogTables,
  { row, prev, decoder, writer }: {
    readonly row: Row;
    readonly prev: string;
    readonly decoder: TextDecoder;
    readonly writer: CanonicalWriter;
  },
): string {
  const seq = tables.size + 1;
  const { body, hash } = row;
  if (row["seq"] !== seq || !(body instanceof Uint8Array) || !(hash instanceof Uint8Array)) throw notSound(store, seq);
  const line = decoder.decode(body);
  const entry = parseEntry(line);
  const time_us = entry === undefined ? undefined : parseTime(entry.time);
  if (entry === undefined || time_us === undefined) throw notSound(store, seq);
  const { entry_id, boot_id, time } = entry;
  const parts = textParts({ entry_id, boot_id, draft: entry, time }, writer);
  const sound = leafHash(line).toHex() === hash.toHex() && lineAt(parts, { seq, prev }) === line;
  if (!sound) throw notSound(store, seq);
  tables.add({ seq, entry_id, stored: storedText(parts), draft: { ...entry, time_us } }, hash);
  return hash.toHex();
}

function notSound(store: Store, seq: number): AgentguardError {
  return new AgentguardError(
    "tamper",
    `bring ${store.path} up to date: entry ${seq} does not verify; keep a copy as evidence, and move the file ` +
      "away to begin a new record",
  );
}

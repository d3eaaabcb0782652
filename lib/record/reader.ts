/** Reading a record: beside a live writer, after a crash, or from a copy. */
import { join } from "node:path";
import { AgentguardError, type Entry, invariant } from "../core/mod.ts";
import { openStore, type Row, type Store } from "../store/mod.ts";
import { readHead, type RecordHead } from "./committer.ts";
import { parseEntry } from "./entry.ts";
import { type EntryFilter, type SeqRange, whereOf } from "./query.ts";
import { RECORD_FILE, RECORD_SCHEMA } from "./schema.ts";
import { type VerifyOptions, type VerifyReport, verifyStore } from "./verify.ts";

/** Which entries, how many, in which order. */
export interface EntryQuery extends EntryFilter {
  /** Entries at most; all by default. */
  readonly limit?: number;
  /** Newest first; oldest first by default. */
  readonly newest?: boolean;
  /** Ends the iteration between two pages with `cancelled`. */
  readonly signal?: AbortSignal;
}

/** An entry as stored. */
export interface StoredEntry {
  readonly seq: number;
  /** Its canonical JSON, as stored. */
  readonly line: string;
}

/** Rows of one page: one read transaction, a few hundred kilobytes. */
const PAGE_ROWS = 512;

/** Opens the record in `directory` for reading. Throws `not_found`, `io`, `tamper`, `unsupported`, naming the file. */
export function openRecordReader(directory: string): RecordReader {
  return new RecordReader(openStore(join(directory, RECORD_FILE), { mode: "read", schema: RECORD_SCHEMA }));
}

/** The entry of a stored line. Throws `tamper` where the line is none, naming its number. */
export function entryOf(stored: StoredEntry): Entry {
  const entry = parseEntry(stored.line);
  if (entry !== undefined) return entry;
  throw new AgentguardError(
    "tamper",
    `read entry ${stored.seq}: its text is not an entry; run agentguard audit verify`,
  );
}

/** A record opened for reading. Every method throws what the store throws. */
export class RecordReader implements Disposable {
  readonly #store: Store;
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** Takes over an opened store; `openRecordReader` is the way in. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** The file. */
  get path(): string {
    return this.#store.path;
  }

  /**
   * Yields the entries that match, page by page. Entries committed during the iteration are seen where the oldest come
   * first and no time is given; nothing is locked between pages. What it yields is as stored, not verified.
   */
  *query(query: EntryQuery = {}): Generator<StoredEntry, void, void> {
    let rest = query.limit ?? Number.MAX_SAFE_INTEGER;
    let range = this.#range(query);
    const order = query.newest === true ? "DESC" : "ASC";
    while (rest > 0 && range.from_seq <= range.to_seq) {
      if (query.signal?.aborted === true) throw new AgentguardError("cancelled", "query the record: cancelled");
      const size = Math.min(rest, PAGE_ROWS);
      const where = whereOf(query, range);
      const sql = `SELECT seq, body FROM entries WHERE ${where.sql} ORDER BY seq ${order} LIMIT ?`;
      const rows = this.#store.all(sql, [...where.parameters, size]);
      for (const row of rows) yield this.#stored(row);
      if (rows.length < size) return;
      rest -= rows.length;
      const last = integerOf(rows.at(-1), "seq");
      range = query.newest === true ? { ...range, to_seq: last - 1 } : { ...range, from_seq: last + 1 };
    }
  }

  /** The entry with this id. */
  get(entry_id: string): StoredEntry | undefined {
    const row = this.#store.prepare("SELECT seq, body FROM entries WHERE entry_id = ?").get(entry_id);
    return row === undefined ? undefined : this.#stored(row);
  }

  /** How many entries match. */
  count(filter: EntryFilter = {}): number {
    const where = whereOf(filter, this.#range(filter));
    return integerOf(this.#store.all(`SELECT count(*) AS n FROM entries WHERE ${where.sql}`, where.parameters)[0], "n");
  }

  /** The last entry; `{seq: 0}` for an empty record. */
  head(): RecordHead {
    return readHead(this.#store);
  }

  /** Verifies the record; see `verifyStore`. */
  verify(options: VerifyOptions = {}): VerifyReport {
    return verifyStore(this.#store, options);
  }

  /** Closes the file. Doing it twice is harmless. */
  close(): void {
    this.#store.close();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Numbers between which matching entries lie. Times follow the numbers only roughly (producers differ, clocks step), so
   * the time index gives the outer bounds and each page still compares the time.
   */
  #range(filter: EntryFilter): SeqRange {
    const from_seq = (filter.after_seq ?? 0) + 1;
    if (filter.since_us === undefined && filter.until_us === undefined) {
      return { from_seq, to_seq: Number.MAX_SAFE_INTEGER };
    }
    const row = this.#store.prepare(
      "SELECT min(seq) AS low, max(seq) AS high FROM entries WHERE time_us BETWEEN ? AND ?",
    )
      .get(filter.since_us ?? Number.MIN_SAFE_INTEGER, filter.until_us ?? Number.MAX_SAFE_INTEGER);
    const low = row?.["low"];
    const high = row?.["high"];
    if (typeof low !== "number" || typeof high !== "number") return { from_seq: 1, to_seq: 0 };
    return { from_seq: Math.max(from_seq, low), to_seq: high };
  }

  #stored(row: Row): StoredEntry {
    const body = row["body"];
    if (!(body instanceof Uint8Array)) {
      const seq = String(row["seq"]);
      throw new AgentguardError("tamper", `read entry ${seq}: its text is missing; run agentguard audit verify`);
    }
    return { seq: integerOf(row, "seq"), line: this.#decoder.decode(body) };
  }
}

function integerOf(row: Row | undefined, column: string): number {
  const value = row?.[column];
  invariant(typeof value === "number", `read the record: column ${column} is no integer`);
  return value;
}

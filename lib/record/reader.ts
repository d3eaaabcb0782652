/** Reading a record: beside a live writer, after a crash, or from a copy. */
import { join } from "node:path";
import { AgentguardError, type Entry, invariant } from "../core/mod.ts";
import { openStore, type Row, type Store } from "../store/mod.ts";
import { parseEntry } from "./entry.ts";
import { BLOCK_ENTRIES, blockOf, RECORD_FILE } from "./layout.ts";
import { leafHex, type LogState, readHead, readLogState, type RecordHead } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { hashAt, type TileSource, TileTree } from "./merkle.ts";
import { activeHolds, type Hold } from "./holds.ts";
import { blockCondition, type EntryFilter, entryTests } from "./query.ts";
import { PRUNED_TEXT } from "./pruned.ts";
import { RECORD_SCHEMA } from "./schema.ts";
import { lineAt, partsOf } from "./stored_text.ts";
import { idKey } from "./terms.ts";
import { TextReader } from "./text_reader.ts";
import { type VerifyOptions, verifyStore } from "./verify.ts";
import type { VerifyReport } from "./verify_report.ts";

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

/** Blocks that are looked at before all are. */
const NEAR_BLOCKS = 64;
/** Blocks named by one read of the index. */
const BLOCKS_PAGE = 64;

/** Opens the record in `directory` for reading. Throws `not_found`, `io`, `tamper`, `unsupported`, naming the file. */
export function openRecordReader(directory: string): RecordReader {
  const store = openStore(join(directory, RECORD_FILE), { mode: "read", schema: RECORD_SCHEMA });
  try {
    return new RecordReader(store);
  } catch (thrown) {
    store.close();
    throw thrown;
  }
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

/** A record opened for reading. Every method throws what the store throws, and `tamper` for what cannot be read. */
export class RecordReader implements Disposable {
  readonly #store: Store;
  readonly #texts: TextReader;
  readonly #tiles: TileSource;

  /** Takes over an opened store; `openRecordReader` is the way in. */
  constructor(store: Store) {
    this.#store = store;
    this.#texts = new TextReader(store);
    this.#tiles = storedTiles(store);
  }

  /** The file. */
  get path(): string {
    return this.#store.path;
  }

  /**
   * Yields the entries that match, block by block. Entries committed during the iteration are seen where the oldest
   * come first; nothing is locked between blocks. What it yields is as stored, not verified.
   */
  *query(query: EntryQuery = {}): Generator<StoredEntry, void, void> {
    let rest = query.limit ?? Number.MAX_SAFE_INTEGER;
    const tests = entryTests(query);
    const newest = query.newest === true;
    const { after_seq = 0, before_seq = Infinity } = query;
    for (const block of this.#blocks(query)) {
      if (rest <= 0) return;
      if (query.signal?.aborted === true) throw new AgentguardError("cancelled", "query the record: cancelled");
      const entries = this.#entries(block, tests?.stored);
      if (newest) entries.reverse();
      for (const entry of entries) {
        if (entry.seq <= after_seq || entry.seq >= before_seq || tests?.line(entry.line) === false) continue;
        yield entry;
        if (--rest <= 0) return;
      }
    }
  }

  /** The entry with this id. */
  get(entry_id: string): StoredEntry | undefined {
    const key = idKey(entry_id);
    const needle = `"entry_id":${JSON.stringify(entry_id)}`;
    const looked = new Set<number>();
    for (const block of this.#blocksOf(key)) {
      if (looked.has(block)) continue;
      looked.add(block);
      for (const entry of this.#entries(block, (text) => text.includes(needle))) {
        if (parseEntry(entry.line)?.entry_id === entry_id) return entry;
      }
    }
    return undefined;
  }

  /** The blocks whose ids may have this key: first where ids ascend as they do unless the clock was set, then all. */
  *#blocksOf(key: number): Generator<number, void, void> {
    const last = this.#store.prepare(
      "SELECT block, id_min, id_max FROM spans WHERE block <= ? ORDER BY block DESC LIMIT 1",
    );
    const spanAt = (
      block: number,
    ): { readonly block: number; readonly id_min: number; readonly id_max: number } | undefined => {
      const row = last.get(block);
      return row === undefined
        ? undefined
        : { block: integerOf(row, "block"), id_min: integerOf(row, "id_min"), id_max: integerOf(row, "id_max") };
    };
    let [low, high] = [0, spanAt(Number.MAX_SAFE_INTEGER)?.block ?? 0];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const span = spanAt(middle);
      if (span === undefined || span.id_min <= key) low = middle;
      else high = Math.min(middle, span.block) - 1;
    }
    // Ids of one millisecond may fill blocks.
    let span = spanAt(low);
    for (let n = 0; n < NEAR_BLOCKS && span !== undefined && span.id_max >= key; n++) {
      if (span.id_min <= key) yield span.block;
      span = spanAt(span.block - 1);
    }
    const all = this.#store.prepare("SELECT block FROM spans WHERE id_min <= ? AND id_max >= ? ORDER BY block");
    for (const row of all.all(key, key)) yield integerOf(row, "block");
  }

  /** The entry with this number; `undefined` where there is none, or its text was pruned. */
  at(seq: number): StoredEntry | undefined {
    const stored = this.#texts.entry(seq);
    return stored === undefined || stored === PRUNED_TEXT
      ? undefined
      : { seq, line: lineAt(partsOf(stored), { seq, prev: this.#leafHex(seq - 1) }) };
  }

  /** How many entries match. */
  count(filter: EntryFilter = {}): number {
    let count = 0;
    for (const _ of this.query(filter)) count++;
    return count;
  }

  /** The last entry; `{seq: 0}` for an empty record. */
  head(): RecordHead {
    return readHead(this.#store);
  }

  /** Verifies the record; see `verifyStore`. */
  verify(options: VerifyOptions = {}): VerifyReport {
    return verifyStore(this.#store, options);
  }

  /** Origin, keys and newest checkpoint; `undefined` where nothing was ever signed. */
  state(): LogState | undefined {
    return readLogState(this.#store);
  }

  /** The holds in force; see `activeHolds`. */
  holds(): readonly Hold[] {
    return activeHolds(this.#store);
  }

  /** The Merkle tree, for proofs. Nothing in it is verified. */
  tree(): TileTree {
    return new TileTree(this.#tiles);
  }

  /** Closes the file. Doing it twice is harmless. */
  close(): void {
    this.#store.close();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The blocks that may hold matching entries, in the order asked for. */
  *#blocks(query: EntryQuery): Generator<number, void, void> {
    const condition = blockCondition(this.#store, query);
    if (condition === undefined) return;
    const order = query.newest === true ? "DESC" : "ASC";
    const sql = `SELECT block FROM spans WHERE block BETWEEN ? AND ?${condition.sql} ORDER BY block ${order} ` +
      `LIMIT ${BLOCKS_PAGE}`;
    const { after_seq = 0, before_seq = Number.MAX_SAFE_INTEGER } = query;
    let [low, high] = [blockOf(after_seq + 1), blockOf(before_seq - 1)];
    for (;;) {
      const rows = this.#store.all(sql, [low, high, ...condition.parameters]);
      for (const row of rows) yield integerOf(row, "block");
      if (rows.length < BLOCKS_PAGE) return;
      const last = integerOf(rows.at(-1), "block");
      if (query.newest === true) high = last - 1;
      else low = last + 1;
    }
  }

  /** The entries of a block whose stored text passes, with their canonical texts. */
  #entries(block: number, passes: ((stored: string) => boolean) | undefined): StoredEntry[] {
    const entries: StoredEntry[] = [];
    const runs = this.#texts.block(block);
    // After the texts: they were committed together, and tiles only grow.
    const leaves = this.#tiles(0, block) ?? new Uint8Array();
    for (const { first_seq, entries: texts } of runs) {
      for (const [index, stored] of texts.entries()) {
        const seq = first_seq + index;
        if (stored === undefined) throw unreadable(seq);
        if (stored === PRUNED_TEXT) continue;
        if (passes?.(stored) === false) continue;
        const at = (seq - 1) % BLOCK_ENTRIES;
        const prev = at === 0 ? this.#leafHex(seq - 1) : hashAt(leaves, at - 1).toHex();
        entries.push({ seq, line: lineAt(partsOf(stored), { seq, prev }) });
      }
    }
    return entries;
  }

  #leafHex(seq: number): string {
    return leafHex(this.#store, seq);
  }
}

function unreadable(seq: number): AgentguardError {
  return new AgentguardError("tamper", `read entry ${seq}: its text is not UTF-8; run agentguard audit verify`);
}

function integerOf(row: Row | undefined, column: string): number {
  const value = row?.[column];
  invariant(typeof value === "number", `read the record: column ${column} is no integer`);
  return value;
}

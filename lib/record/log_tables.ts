/**
 * Writing entries into the tables: texts, tree and index of a batch, gathered in memory, then stored in one
 * transaction.
 */
import { invariant } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { BLOCK_ENTRIES, blockOf, firstOf, tileId } from "./layout.ts";
import { type TileSource, type TileWrite, TreeBuilder } from "./merkle.ts";
import { ENTRY_END } from "./stored_text.ts";
import { idKey, type IndexedFields, indexedOf, TERM_FIELDS, type TermField } from "./terms.ts";

/** An entry on its way into the tables. */
export interface LogItem {
  readonly seq: number;
  readonly entry_id: string;
  /** As `storedText` writes it. */
  readonly stored: string;
  /** The fields that the index looks at, and the time. */
  readonly draft: IndexedFields & { readonly time_us: number };
}

/** What `LogTables.write` stores. */
export interface LogBatch {
  readonly texts: readonly TextRow[];
  readonly tiles: readonly TileWrite[];
  readonly terms: readonly TermRow[];
  /** Term and block. */
  readonly postings: readonly (readonly [number, number])[];
  /** `idKey` of a decision and block. */
  readonly decisions: readonly (readonly [number, number])[];
  readonly spans: readonly Span[];
}

interface TextRow {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly data: Uint8Array;
}

interface TermRow {
  readonly id: number;
  readonly field: number;
  readonly value: string;
}

/** Between which times and ids the entries of a block lie. */
export interface Span {
  readonly block: number;
  readonly time_min: number;
  readonly time_max: number;
  readonly id_min: number;
  readonly id_max: number;
}

/** A row of `texts` is ended when it has this many bytes: an entry of the greatest size, or a block of usual ones. */
const TEXT_BYTES_MAX = 1_048_576;
/** Room for texts at first: a batch of usual entries. It grows. */
const BUFFER_BYTES = 524_288;
/** Terms remembered; over that they are looked up again. */
const TERMS_MAX = 65_536;

/** Reads tiles as `TileTree` wants them. */
export function storedTiles(store: Store): TileSource {
  const select = store.prepare("SELECT data FROM tiles WHERE id = ?");
  return (level, index) => {
    const data = select.get(tileId(level, index))?.["data"];
    return data instanceof Uint8Array ? data : undefined;
  };
}

/** The tables of a log that grows. What `add` took is in memory until `take` and `write`. */
export class LogTables {
  readonly #store: Store;
  readonly #tree: TreeBuilder;
  readonly #terms: Readonly<Record<TermField, Map<string, number>>>;
  #term_count = 0;
  #next_term: number;
  /** The block of the last entry, and what was posted for it. */
  #span: Span | undefined;
  readonly #posted: Set<number> = new Set();
  readonly #decided: Set<number> = new Set();
  #texts: TextRow[] = [];
  /** Texts of the batch at hand: reused once the batch is stored, so that a steady flow allocates nothing. */
  #buffer: Buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;
  /** Where the row at hand begins, and its first entry. */
  #row_from = 0;
  #row_seq = 0;
  #new_terms: TermRow[] = [];
  #postings: (readonly [number, number])[] = [];
  #decisions: (readonly [number, number])[] = [];
  #spans: Span[] = [];

  /** Goes on after the first `size` entries. Throws `tamper` where the stored tree is not whole. */
  constructor(store: Store, size: number) {
    this.#store = store;
    this.#tree = TreeBuilder.resume(size, storedTiles(store));
    this.#terms = { type: new Map(), session_id: new Map(), rule: new Map(), verdict: new Map(), kind: new Map() };
    this.#next_term = store.integer("SELECT coalesce(max(id), 0) + 1 FROM terms");
    if (size % BLOCK_ENTRIES !== 0) this.#span = readSpan(store, blockOf(size));
  }

  /** Entries so far, those not written yet included. */
  get size(): number {
    return this.#tree.size;
  }

  /** The root of the tree over all entries so far. */
  root(): Uint8Array {
    return this.#tree.root();
  }

  /** Adds the next entry with its leaf hash, which is not kept. */
  add(item: LogItem, hash: Uint8Array): void {
    invariant(item.seq === this.#tree.size + 1, `add entry ${item.seq}: the log has ${this.#tree.size}`);
    this.#tree.append(hash);
    if (this.#used === this.#row_from) this.#row_seq = item.seq;
    this.#putText(item.stored);
    this.#index(item);
    if (item.seq % BLOCK_ENTRIES === 0 || this.#used - this.#row_from >= TEXT_BYTES_MAX) this.#endText();
  }

  /** Adds the next entry's hash and place without its text, which is lost or was pruned. */
  addHash(hash: Uint8Array): void {
    this.#tree.append(hash);
    if (this.#used === this.#row_from) this.#row_seq = this.#tree.size;
    this.#putText(ENTRY_END);
    if (this.#tree.size % BLOCK_ENTRIES === 0) this.#endText();
  }

  /** What was added since the last call. Its texts are overwritten by the next `add`: store it before. */
  take(): LogBatch {
    this.#endText();
    if (this.#span !== undefined) this.#spans.push(this.#span);
    const batch: LogBatch = {
      texts: this.#texts,
      tiles: this.#tree.takeChanged(),
      terms: this.#new_terms,
      postings: this.#postings,
      decisions: this.#decisions,
      spans: this.#spans,
    };
    this.#texts = [];
    this.#new_terms = [];
    this.#postings = [];
    this.#decisions = [];
    this.#spans = [];
    this.#used = 0;
    this.#row_from = 0;
    return batch;
  }

  /**
   * Stores a batch inside the caller's transaction; may be repeated after a failed one. Throws what the store throws.
   */
  write(batch: LogBatch): void {
    const store = this.#store;
    const put_tile = store.prepare("INSERT OR REPLACE INTO tiles (id, data) VALUES (?, ?)");
    const put_term = store.prepare("INSERT INTO terms (id, field, value) VALUES (?, ?, ?)");
    const put_posting = store.prepare("INSERT OR IGNORE INTO postings (term, block) VALUES (?, ?)");
    const put_decision = store.prepare("INSERT OR IGNORE INTO decisions (key, block) VALUES (?, ?)");
    const put_span = store.prepare("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?)");
    for (const row of batch.texts) this.#writeText(row);
    for (const { level, index, data } of batch.tiles) put_tile.run(tileId(level, index), data);
    for (const { id, field, value } of batch.terms) put_term.run(id, field, value);
    for (const [term, block] of batch.postings) put_posting.run(term, block);
    for (const [key, block] of batch.decisions) put_decision.run(key, block);
    for (const span of batch.spans) {
      put_span.run(span.block, span.time_min, span.time_max, span.id_min, span.id_max);
    }
    // Not earlier: what a failed batch would have stored must still be known when it is repeated.
    if (this.#term_count > TERMS_MAX) this.#forgetTerms();
  }

  /** Forgets what it knows of the stored index, which was changed behind it; nothing may be added and not written. */
  forgetIndex(): void {
    this.#forgetTerms();
    this.#posted.clear();
    this.#decided.clear();
  }

  /** Stores a row; when it completes its block, the rows of the block become one. */
  #writeText({ first_seq, last_seq, data }: TextRow): void {
    const insert = this.#store.prepare("INSERT INTO texts (first_seq, data) VALUES (?, ?)");
    const first = firstOf(blockOf(first_seq));
    if (last_seq % BLOCK_ENTRIES !== 0 || first_seq === first) {
      insert.run(first_seq, data);
      return;
    }
    const rows = this.#store.prepare("SELECT data FROM texts WHERE first_seq >= ? AND first_seq < ? ORDER BY first_seq")
      .all(first, first_seq);
    const parts = [...rows.map((row) => row["data"]), data].filter((part) => part instanceof Uint8Array);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (parts.length !== rows.length + 1 || bytes > TEXT_BYTES_MAX) {
      insert.run(first_seq, data);
      return;
    }
    this.#store.prepare("DELETE FROM texts WHERE first_seq >= ? AND first_seq < ?").run(first, first_seq);
    insert.run(first, Buffer.concat(parts));
  }

  #putText(stored: string): void {
    // A UTF-16 unit is at most three bytes of UTF-8.
    if (this.#buffer.length - this.#used < stored.length * 3) this.#grow(stored.length * 3);
    this.#used += this.#buffer.write(stored, this.#used, "utf8");
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }

  #endText(): void {
    if (this.#used === this.#row_from) return;
    const data = this.#buffer.subarray(this.#row_from, this.#used);
    this.#texts.push({ first_seq: this.#row_seq, last_seq: this.#tree.size, data });
    this.#row_from = this.#used;
  }

  #index({ seq, entry_id, draft }: LogItem): void {
    const block = blockOf(seq);
    if (this.#span?.block !== block) {
      if (this.#span !== undefined) this.#spans.push(this.#span);
      this.#span = undefined;
      this.#posted.clear();
      this.#decided.clear();
    }
    this.#span = widen(this.#span, { block, time_us: draft.time_us, id: idKey(entry_id) });
    const { terms, decision_key } = indexedOf(draft);
    for (const [field, value] of terms) {
      const term = this.#term(field, value);
      if (this.#posted.has(term)) continue;
      this.#posted.add(term);
      this.#postings.push([term, block]);
    }
    if (decision_key === undefined || this.#decided.has(decision_key)) return;
    this.#decided.add(decision_key);
    this.#decisions.push([decision_key, block]);
  }

  #term(field: TermField, value: string): number {
    const known = this.#terms[field].get(value);
    if (known !== undefined) return known;
    const row = this.#store.prepare("SELECT id FROM terms WHERE field = ? AND value = ?").get(
      TERM_FIELDS[field],
      value,
    );
    const stored = row?.["id"];
    const id = typeof stored === "number" ? stored : this.#next_term++;
    if (stored === undefined) this.#new_terms.push({ id, field: TERM_FIELDS[field], value });
    this.#terms[field].set(value, id);
    this.#term_count++;
    return id;
  }

  #forgetTerms(): void {
    for (const terms of Object.values(this.#terms)) terms.clear();
    this.#term_count = 0;
  }
}

/** The span of a block; `undefined` where it has none. */
export function readSpan(store: Store, block: number): Span | undefined {
  const row = store.prepare("SELECT time_min, time_max, id_min, id_max FROM spans WHERE block = ?").get(block);
  if (row === undefined) return undefined;
  const { time_min, time_max, id_min, id_max } = row;
  if (typeof time_min !== "number" || typeof time_max !== "number") return undefined;
  if (typeof id_min !== "number" || typeof id_max !== "number") return undefined;
  return { block, time_min, time_max, id_min, id_max };
}

/** The span with one entry more. */
export function widen(
  span: Span | undefined,
  { block, time_us, id }: { readonly block: number; readonly time_us: number; readonly id: number },
): Span {
  if (span === undefined) return { block, time_min: time_us, time_max: time_us, id_min: id, id_max: id };
  return {
    block,
    time_min: Math.min(span.time_min, time_us),
    time_max: Math.max(span.time_max, time_us),
    id_min: Math.min(span.id_min, id),
    id_max: Math.max(span.id_max, id),
  };
}

/**
 * Writing entries into the tables: texts, tree and index of a batch, gathered in memory, then stored in one
 * transaction.
 */
import { invariant } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { BLOCK_ENTRIES, blockOf, firstOf, tileId } from "./layout.ts";
import { TEXT_BYTES_MAX } from "./batch_sealer.ts";
import { type TileSource, type TileWrite, TreeBuilder } from "./merkle.ts";
import type { SealedBatch } from "./sealed_batch.ts";
import { joined, readSpan, type Span, widen } from "./spans.ts";
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

  /** Adds the next entries. */
  addBatch({ first_seq, texts, leaves, parts }: SealedBatch): void {
    invariant(first_seq === this.#tree.size + 1, `add entry ${first_seq}: the log has ${this.#tree.size}`);
    invariant(this.#used === this.#row_from, `add entry ${first_seq}: a row is open`);
    this.#tree.append(leaves);
    for (const part of parts) {
      const last_seq = part.first_seq + part.entries - 1;
      this.#texts.push({ first_seq: part.first_seq, last_seq, data: texts.subarray(part.from, part.to) });
      const block = blockOf(part.first_seq);
      this.#atBlock(block);
      const { time_min, time_max, id_min, id_max } = part;
      this.#span = joined(this.#span, { block, time_min, time_max, id_min, id_max });
      for (const [field, value] of part.terms) this.#post(field, value, block);
      for (const key of part.decisions) this.#decide(key, block);
    }
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
    this.#atBlock(block);
    this.#span = widen(this.#span, { block, time_us: draft.time_us, id: idKey(entry_id) });
    const { terms, decision_key } = indexedOf(draft);
    for (const [field, value] of terms) this.#post(field, value, block);
    if (decision_key !== undefined) this.#decide(decision_key, block);
  }

  /** What comes next is of this block. */
  #atBlock(block: number): void {
    if (this.#span?.block === block) return;
    if (this.#span !== undefined) this.#spans.push(this.#span);
    this.#span = undefined;
    this.#posted.clear();
    this.#decided.clear();
  }

  #post(field: TermField, value: string, block: number): void {
    const term = this.#term(field, value);
    if (this.#posted.has(term)) return;
    this.#posted.add(term);
    this.#postings.push([term, block]);
  }

  #decide(key: number, block: number): void {
    if (this.#decided.has(key)) return;
    this.#decided.add(key);
    this.#decisions.push([key, block]);
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

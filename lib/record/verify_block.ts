/** The checks of one block: each text against its leaf hash, and on request its form and the index. */
import { recordCalls } from "../../ffi/mod.ts";
import { CanonicalWriter, parseTime } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { FIRST_PREV, leafHash, parseEntry } from "./entry.ts";
import { BLOCK_ENTRIES, blockOf, firstOf } from "./layout.ts";
import { newestCheckpoint } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { HASH_BYTES, hashAt, type TileSource } from "./merkle.ts";
import { PRUNED_TEXT, type PrunedCollector } from "./pruned.ts";
import { leafTextAt, lineAt, partsOf } from "./stored_text.ts";
import { readSpan, type Span, widen } from "./spans.ts";
import { idKey, indexedOf, TERM_FIELDS, type TermField } from "./terms.ts";
import { afterEntries, type TextBytes, TextReader } from "./text_reader.ts";
import type { Fault } from "./verify_report.ts";

/** Length of a hash in hex. */
const HEX_CHARS = 2 * HASH_BYTES;
/** How far from its place a text is searched that does not belong there, entries. */
const SEARCH_MAX = 16_384;

/** Takes verified leaf hashes, in order, one or more at a time; a fault ends the verification. */
export type LeafTaker = (leaves: Uint8Array) => Fault | undefined;

/** Verifies blocks in order. */
export class BlockVerifier {
  readonly #store: Store;
  readonly #texts: TextReader;
  readonly #tiles: TileSource;
  readonly #deep: boolean;
  readonly #pruned: PrunedCollector;
  /** The leaf hash of the entry at hand. */
  readonly #hash: Uint8Array<ArrayBuffer> = new Uint8Array(HASH_BYTES);
  readonly #writer: CanonicalWriter = new CanonicalWriter();
  #block = -1;
  #leaves: Uint8Array = new Uint8Array();
  #last_leaf = FIRST_PREV;

  /** `deep` also checks the form of each entry and the index; `pruned` is told of entries without text. */
  constructor(store: Store, options: { readonly deep: boolean; readonly pruned: PrunedCollector }) {
    this.#store = store;
    this.#texts = new TextReader(store);
    this.#tiles = storedTiles(store);
    this.#deep = options.deep;
    this.#pruned = options.pruned;
  }

  /** The leaf hash of the last entry that was verified, hex. */
  get last_leaf(): string {
    return this.#last_leaf;
  }

  /** A stored tile; that of the last block's leaves is the one which its entries were compared with. */
  tile(level: number, index: number): Uint8Array | undefined {
    return level === 0 && index === this.#block ? this.#leaves : this.#tiles(level, index);
  }

  /** Verifies the entries `from_seq` to `to_seq`, of one block. `prev` is the hash of the entry before, hex. */
  verify(from_seq: number, to_seq: number, prev: string, take: LeafTaker): Fault | undefined {
    const block = blockOf(from_seq);
    const rows = this.#texts.rows(block);
    const leaves = this.#tiles(0, block) ?? new Uint8Array();
    this.#block = block;
    this.#leaves = leaves;
    const hashed = this.#hashed(rows, from_seq, to_seq, prev);
    if (hashed !== undefined && !this.#deep) {
      this.#last_leaf = hashed.subarray(-HASH_BYTES).toHex();
      return take(hashed);
    }
    // Comparing texts costs half of comparing bytes here, and the next entry needs the text anyway.
    const leaves_hex = leaves.toHex();
    const index = this.#deep ? new BlockIndex(this.#store, block) : undefined;
    let before = prev;
    let next = from_seq;
    for (const { first_seq, data } of rows) {
      const entries = this.#texts.decode(data);
      if (first_seq > next) return missing(next, `the next entry is ${first_seq}`);
      for (let seq = next; seq <= to_seq && seq < first_seq + entries.length; seq++) {
        const at = (seq - 1) % BLOCK_ENTRIES;
        const leaf = leaves_hex.slice(at * HEX_CHARS, (at + 1) * HEX_CHARS);
        const fault = this.#entry(entries[seq - first_seq], {
          seq,
          prev: before,
          leaf,
          index,
          fits: hashed !== undefined,
        });
        if (fault !== undefined) return fault;
        before = leaf;
        next = seq + 1;
        const found = hashed === undefined ? take(this.#hash) : undefined;
        if (found !== undefined) return found;
      }
    }
    this.#last_leaf = before;
    if (next <= to_seq) return missing(next, "the record ends before it, or its block is shorter than it was");
    const found = hashed === undefined ? undefined : take(hashed);
    if (found !== undefined) return found;
    // The index of a block that is only verified in part knows more than was seen here.
    return from_seq === firstOf(block) ? this.#compareIndex(index, to_seq) : undefined;
  }

  /** The leaf hashes of these entries, where each has its text and the hash that the tree holds: most often. */
  #hashed(
    rows: readonly TextBytes[],
    from_seq: number,
    to_seq: number,
    prev: string,
  ): Uint8Array | undefined {
    const expected = this.#leaves;
    const hashes = new Uint8Array((to_seq - from_seq + 1) * HASH_BYTES);
    let before: Uint8Array = Uint8Array.fromHex(prev);
    let next = from_seq;
    for (const { first_seq, data } of rows) {
      if (next > to_seq) break;
      const at = first_seq > next ? -1 : afterEntries(data, next - first_seq);
      if (at < 0) return undefined;
      const here = (next - 1) % BLOCK_ENTRIES;
      const out = hashes.subarray((next - from_seq) * HASH_BYTES).subarray(
        0,
        Math.max(0, expected.length - here * HASH_BYTES),
      );
      const found = recordCalls().chain(data.subarray(at), out, {
        first_seq: next,
        prev: before,
        expected: expected.subarray(here * HASH_BYTES),
      });
      if (found === 0) continue;
      next += found;
      before = hashAt(hashes, next - 1 - from_seq);
    }
    return next > to_seq ? hashes : undefined;
  }

  /** A pruning takes texts and index out together, and they are read one after the other here: then once more. */
  #compareIndex(index: BlockIndex | undefined, to_seq: number): Fault | undefined {
    const fault = index?.compare(to_seq);
    if (fault === undefined) return undefined;
    const again = new BlockIndex(this.#store, blockOf(to_seq));
    for (const { first_seq, entries } of this.#texts.block(blockOf(to_seq))) {
      for (const [at, stored] of entries.entries()) {
        if (first_seq + at > to_seq) break;
        const entry = stored === undefined || stored === PRUNED_TEXT
          ? undefined
          : parseEntry(lineAt(partsOf(stored), { seq: first_seq + at, prev: FIRST_PREV }));
        if (entry === undefined) again.skip();
        else again.add(entry.entry_id, parseTime(entry.time) ?? Number.NaN, indexedOf(entry));
      }
    }
    return again.compare(to_seq);
  }

  #entry(
    stored: string | undefined,
    place: {
      readonly seq: number;
      readonly prev: string;
      readonly leaf: string;
      readonly index?: BlockIndex | undefined;
      /** Its hash was found to be that of the tree. */
      readonly fits: boolean;
    },
  ): Fault | undefined {
    const { seq, leaf, index } = place;
    if (stored === undefined) return edited(seq, "its text is not UTF-8");
    if (leaf.length !== HEX_CHARS) return { seq, why: "tree", detail: "its leaf hash is missing" };
    if (stored === PRUNED_TEXT) {
      index?.skip();
      this.#pruned.add(seq);
      this.#hash.setFromHex(leaf);
      return undefined;
    }
    const parts = partsOf(stored);
    // Hex from the hash function itself takes twice the time of hashing.
    if (!place.fits) Bun.SHA256.hash(leafTextAt(parts, place), this.#hash);
    if (!place.fits && this.#hash.toHex() !== leaf) return this.#misfit(stored, place);
    if (index === undefined) return undefined;
    const line = lineAt(parts, place);
    const entry = parseEntry(line);
    if (entry?.seq !== seq || entry.prev !== place.prev || this.#writer.text(entry) !== line) {
      return { seq, why: "not_canonical", detail: "its text is not as a recorder writes entries" };
    }
    index.add(entry.entry_id, parseTime(entry.time) ?? Number.NaN, indexedOf(entry));
    return undefined;
  }

  /** Says what became of a text that does not fit: it is looked for at other places. */
  #misfit(stored: string, { seq, leaf }: { readonly seq: number; readonly leaf: string }): Fault {
    const parts = partsOf(stored);
    let leaves: Uint8Array = new Uint8Array();
    let prev: string | undefined;
    for (let at = Math.max(1, seq - SEARCH_MAX); at <= seq + SEARCH_MAX; at++) {
      const offset = (at - 1) % BLOCK_ENTRIES;
      if (offset === 0 || leaves.length === 0) leaves = this.#tiles(0, blockOf(at)) ?? new Uint8Array();
      const own = hashAt(leaves, offset).toHex();
      if (own.length !== HEX_CHARS) break;
      if (at === 1) prev = FIRST_PREV;
      if (prev !== undefined && at !== seq) {
        const hash = leafHash(lineAt(parts, { seq: at, prev })).toHex();
        if (hash === own || hash === leaf) {
          const rest = this.#texts.block(blockOf(seq)).reduce((sum, run) => sum + run.entries.length, 0);
          const gone = at === seq + 1 && rest < this.#entriesOf(blockOf(seq));
          return gone
            ? missing(seq, `the entry in its place is ${at}`)
            : { seq, why: "reordered", detail: `the text in its place is that of entry ${at}` };
        }
      }
      prev = own;
    }
    return edited(seq, "its text, or the hash of the entry before, does not give the stored hash");
  }

  #entriesOf(block: number): number {
    return (this.#tiles(0, block)?.length ?? 0) / HASH_BYTES;
  }
}

/** What the index must know of a block, gathered from its entries. */
class BlockIndex {
  readonly #store: Store;
  readonly #block: number;
  readonly #terms: Readonly<Record<TermField, Set<string>>>;
  readonly #decisions: Set<number> = new Set();
  #span: Span | undefined;
  /** Some entries have no text: the index may know more. */
  #partial = false;

  constructor(store: Store, block: number) {
    this.#store = store;
    this.#block = block;
    this.#terms = { type: new Set(), session_id: new Set(), rule: new Set(), verdict: new Set(), kind: new Set() };
  }

  add(entry_id: string, time_us: number, { terms, decision_key }: ReturnType<typeof indexedOf>): void {
    this.#span = widen(this.#span, { block: this.#block, time_us, id: idKey(entry_id) });
    for (const [field, value] of terms) this.#terms[field].add(value);
    if (decision_key !== undefined) this.#decisions.add(decision_key);
  }

  /** An entry without text. */
  skip(): void {
    this.#partial = true;
  }

  /** Compares with the stored index, given the last entry that was added. */
  compare(last_seq: number): Fault | undefined {
    const term = this.#store.prepare(
      "SELECT 1 FROM terms JOIN postings ON term = id WHERE field = ? AND value = ? AND block = ?",
    );
    for (const field of FIELDS) {
      for (const value of this.#terms[field]) {
        if (term.get(TERM_FIELDS[field], value, this.#block) === undefined) return this.#fault(`${field} ${value}`);
      }
    }
    const decision = this.#store.prepare("SELECT 1 FROM decisions WHERE key = ? AND block = ?");
    for (const key of this.#decisions) {
      if (decision.get(key, this.#block) === undefined) return this.#fault(`decision key ${key}`);
    }
    const span = readSpan(this.#store, this.#block);
    if (this.#partial && this.#span === undefined) return undefined;
    if (span === undefined || this.#span === undefined) return this.#fault("its times");
    const { time_min, time_max, id_min, id_max } = this.#span;
    const wide = span.time_min <= time_min && span.time_max >= time_max && span.id_min <= id_min &&
      span.id_max >= id_max;
    const exact = wide && span.time_min === time_min && span.time_max === time_max && span.id_min === id_min &&
      span.id_max === id_max;
    // The span of a block that has grown meanwhile may be wider.
    const grown = last_seq < firstOf(this.#block + 1) - 1 && (newestCheckpoint(this.#store)?.size ?? 0) > last_seq;
    return exact || (wide && (grown || this.#partial)) ? undefined : this.#fault("its times and ids");
  }

  #fault(what: string): Fault {
    const detail = `the index of entries ${firstOf(this.#block)} to ${firstOf(this.#block + 1) - 1} lacks ${what}`;
    return { seq: firstOf(this.#block), why: "index", detail };
  }
}

const FIELDS = ["type", "session_id", "rule", "verdict", "kind"] as const;

function missing(seq: number, detail: string): Fault {
  return { seq, why: "missing", detail };
}

function edited(seq: number, detail: string): Fault {
  return { seq, why: "edited", detail };
}

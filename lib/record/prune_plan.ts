/** Choosing the entries whose texts may go: block by block, oldest first. */
import { type Entry, type HoldTerms, parseTime, type WallUs } from "../core/mod.ts";
import type { SqlValue, Store } from "../store/mod.ts";
import { parseEntry } from "./entry.ts";
import { termsTest } from "./holds.ts";
import { BLOCK_ENTRIES, blockOf } from "./layout.ts";
import { leafHex, newestCheckpoint } from "./log_state.ts";
import { readSpan } from "./spans.ts";
import { PRUNED_TEXT } from "./pruned.ts";
import { RangeBuilder, type SeqRange } from "./ranges.ts";
import { lineAt, partsOf } from "./stored_text.ts";
import { TERM_FIELDS } from "./terms.ts";
import { TextReader } from "./text_reader.ts";
import { blocksOfTypes, KEPT_TYPES } from "./typed_entries.ts";

/** What is to go. */
export type PruneScope =
  /** Everything before a time. */
  | { readonly by: "age"; readonly before_us: WallUs }
  /** The oldest, until so many bytes of text are gone. */
  | { readonly by: "size"; readonly free_bytes: number }
  /** These sessions. */
  | { readonly by: "sessions"; readonly session_ids: ReadonlySet<string> }
  /** What all given terms match. */
  | { readonly by: "subject"; readonly terms: Omit<HoldTerms, "name"> };

/** What was chosen. */
export interface PlannedPrune {
  /** Ascending. */
  readonly ranges: readonly SeqRange[];
  readonly entries: number;
  /** Of their texts. */
  readonly bytes: number;
}

/** Blocks named by one read of the index. */
const BLOCKS_PAGE = 64;
/** Runs in one plan: an entry of the record names them all. */
const RANGES_MAX = 1_000;
/** Blocks of one plan: a million entries. */
const BLOCKS_MAX = 4_096;

/** Walks the blocks that may hold what is to go. Entries may be added meanwhile; nothing else may change the texts. */
export class PrunePlanner {
  readonly #store: Store;
  readonly #scope: PruneScope;
  readonly #held: ((entry: Entry) => boolean) | undefined;
  readonly #texts: TextReader;
  /** Blocks with entries that are never pruned. */
  readonly #kept: ReadonlySet<number>;
  readonly #goes: (entry: Entry) => boolean;
  /** Blocks from here on are not looked at. */
  readonly #end: number;
  #page: number[] = [];
  #next = 0;
  #done = false;
  #freed = 0;
  #held_back = 0;

  /** `held` tells what must stay. Throws what the store throws. */
  constructor(store: Store, scope: PruneScope, held: ((entry: Entry) => boolean) | undefined) {
    this.#store = store;
    this.#scope = scope;
    this.#held = held;
    this.#texts = new TextReader(store);
    this.#kept = new Set(blocksOfTypes(store, KEPT_TYPES));
    this.#goes = entryTest(scope);
    const size = newestCheckpoint(store)?.size ?? 0;
    // Room is made of whole blocks; everything else goes to the last entry.
    this.#end = scope.by === "size" ? Math.floor(size / BLOCK_ENTRIES) : blockOf(size) + 1;
  }

  /** Entries that would have gone, were they not held. */
  get held_back(): number {
    return this.#held_back;
  }

  /**
   * Yields one statement's worth after the other; `undefined` after each `blocks` blocks, for the caller to let others
   * work.
   */
  *plans(blocks: number): Generator<PlannedPrune | undefined, void, void> {
    while (!this.#done) {
      const builder = new RangeBuilder();
      let [seen, bytes] = [0, 0];
      while (!this.#done && seen < BLOCKS_MAX && builder.ranges.length < RANGES_MAX) {
        for (let n = 0; n < blocks && !this.#done && builder.ranges.length < RANGES_MAX; n++, seen++) {
          const block = this.#nextBlock();
          if (block !== undefined) bytes += this.#block(block, builder);
        }
        yield undefined;
      }
      if (builder.count > 0) yield { ranges: builder.ranges, entries: builder.count, bytes };
    }
  }

  #nextBlock(): number | undefined {
    if (this.#page.length === 0) {
      const { sql, parameters } = blockQuery(this.#store, this.#scope);
      const rows = sql === undefined ? [] : this.#store.all(sql, [this.#next, this.#end, ...parameters]);
      this.#page = rows.flatMap(({ block }) => typeof block === "number" ? [block] : []);
    }
    const block = this.#page.shift();
    this.#done = block === undefined;
    if (block !== undefined) this.#next = block + 1;
    return block;
  }

  /** Adds what may go of one block; gives the bytes of its texts. */
  #block(block: number, builder: RangeBuilder): number {
    const scope = this.#scope;
    const span = readSpan(this.#store, block);
    const whole = this.#held === undefined && !this.#kept.has(block) &&
      (scope.by === "size" || (scope.by === "age" && span !== undefined && span.time_max < scope.before_us));
    let bytes = 0;
    let bridge = false;
    for (const { first_seq, entries } of this.#texts.block(block)) {
      for (const [index, stored] of entries.entries()) {
        const seq = first_seq + index;
        if (stored === PRUNED_TEXT) continue;
        if (stored === undefined || !(whole || this.#entryGoes(stored, seq)) || this.#enough()) {
          bridge = false;
          continue;
        }
        builder.add(seq, bridge);
        bridge = true;
        bytes += stored.length;
        this.#freed += stored.length;
      }
    }
    this.#done ||= this.#enough();
    return bytes;
  }

  #enough(): boolean {
    return this.#scope.by === "size" && this.#freed >= this.#scope.free_bytes;
  }

  #entryGoes(stored: string, seq: number): boolean {
    const entry = parseEntry(lineAt(partsOf(stored), { seq, prev: leafHex(this.#store, seq - 1) }));
    // What cannot be read is evidence.
    if (entry === undefined || !this.#goes(entry)) return false;
    if (entry.action !== undefined && KEPT_TYPES.includes(entry.action.type)) return false;
    if (this.#held?.(entry) !== true) return true;
    this.#held_back++;
    return false;
  }
}

function entryTest(scope: PruneScope): (entry: Entry) => boolean {
  switch (scope.by) {
    case "age":
      return (entry) => (parseTime(entry.time) ?? Number.POSITIVE_INFINITY) < scope.before_us;
    case "size":
      return () => true;
    case "sessions":
      return (entry) => entry.session_id !== undefined && scope.session_ids.has(entry.session_id);
    default:
      return termsTest(scope.terms);
  }
}

/** The next blocks from one on; no `sql` where none can match. */
function blockQuery(
  store: Store,
  scope: PruneScope,
): { readonly sql: string | undefined; readonly parameters: readonly SqlValue[] } {
  const select = (condition: string): string =>
    `SELECT block FROM spans WHERE block >= ? AND block < ?${condition} ORDER BY block LIMIT ${BLOCKS_PAGE}`;
  if (scope.by === "size") return { sql: select(""), parameters: [] };
  if (scope.by === "age") return { sql: select(" AND time_min < ?"), parameters: [scope.before_us] };
  const sessions = scope.by === "sessions"
    ? [...scope.session_ids]
    : [scope.terms.session_id].flatMap((id) => id ?? []);
  if (scope.by === "subject" && sessions.length === 0) return { sql: select(""), parameters: [] };
  const find = store.prepare("SELECT id FROM terms WHERE field = ? AND value = ?");
  const ids = sessions.flatMap((session) => {
    const id = find.get(TERM_FIELDS.session_id, session)?.["id"];
    return typeof id === "number" ? [id] : [];
  });
  if (ids.length === 0) return { sql: undefined, parameters: [] };
  const marks = ids.map(() => "?").join(", ");
  const condition = ` AND EXISTS (SELECT 1 FROM postings WHERE term IN (${marks}) AND block = spans.block)`;
  return { sql: select(condition), parameters: ids };
}

/** Reading what a damaged record still gives, and choosing for each entry what can be kept. */
import { parseTime } from "../core/mod.ts";
import type { Row, Store } from "../store/mod.ts";
import { FIRST_PREV, leafHash, parseEntry } from "./entry.ts";
import { BLOCK_ENTRIES, blockOf, firstOf } from "./layout.ts";
import { checkpointsFrom, headOf, keyFor, type LogState, readLogState, type StoredCheckpoint } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { HASH_BYTES, hashAt, type TileSource, TreeBuilder } from "./merkle.ts";
import { checkpointText } from "./note.ts";
import { PRUNED_TEXT } from "./pruned.ts";
import { lineAt, partsOf } from "./stored_text.ts";
import { sameBytes } from "./tree_proof.ts";
import { TextReader } from "./text_reader.ts";

/** One entry of a damaged record. */
export interface SalvagedEntry {
  readonly seq: number;
  readonly hash: Uint8Array;
  /** As stored; absent where it does not fit its hash, or is gone. */
  readonly stored?: string;
  /** True where there was no text on purpose, as after a pruning, as far as can be told. */
  readonly empty: boolean;
}

/** What the record was signed with. */
export interface SalvagedState {
  readonly state: LogState;
  /** Every checkpoint with a sound signature up to the greatest one whose tree can be made, ascending. */
  readonly checkpoints: readonly StoredCheckpoint[];
}

/** Which of the two is believed where an entry and its stored hash differ. */
export type Belief = "tiles" | "texts";

/** Checkpoints read at once. */
const CHECKPOINTS_PAGE = 1_024;

/** A damaged record. Nothing here throws for damage: what cannot be read is not there. */
export class Salvage {
  readonly #store: Store;
  readonly #texts: TextReader;
  readonly #tiles: TileSource;

  constructor(store: Store) {
    this.#store = store;
    this.#texts = new TextReader(store);
    this.#tiles = storedTiles(store);
  }

  /** Origin, keys and sound checkpoints; `undefined` where nothing signed can be read. */
  state(): SalvagedState | undefined {
    const state = attempt(() => readLogState(this.#store), undefined);
    if (state === undefined) return undefined;
    const checkpoints: StoredCheckpoint[] = [];
    for (let from = 0;;) {
      const page = attempt(() => checkpointsFrom(this.#store, from, CHECKPOINTS_PAGE), []);
      checkpoints.push(...page.filter((checkpoint) => isSigned(state, checkpoint)));
      const last = page.at(-1);
      if (last === undefined || page.length < CHECKPOINTS_PAGE) break;
      from = last.size + 1;
    }
    return checkpoints.length === 0 ? undefined : { state, checkpoints };
  }

  /**
   * The greatest checkpoint that the entries lead to when `belief` is followed; `undefined` where there is none but
   * that of the empty record. Checkpoints on the way that differ are left out.
   */
  reach(checkpoints: readonly StoredCheckpoint[], belief: Belief): readonly StoredCheckpoint[] {
    const builder = new TreeBuilder();
    const agreed: StoredCheckpoint[] = [];
    let at = 0;
    const compare = (): void => {
      for (; (checkpoints[at]?.size ?? Number.POSITIVE_INFINITY) <= builder.size; at++) {
        const checkpoint = checkpoints[at];
        if (checkpoint?.size === builder.size && sameBytes(checkpoint.root, builder.root())) agreed.push(checkpoint);
      }
    };
    compare();
    for (const { hash } of this.entries(checkpoints.at(-1)?.size ?? 0, belief)) {
      builder.append(hash);
      builder.takeChanged();
      compare();
    }
    return agreed;
  }

  /** The entries 1 to `size`, as far as hashes can be had without a hole. */
  *entries(size: number, belief: Belief): Generator<SalvagedEntry, void, void> {
    let prev = FIRST_PREV;
    for (let block = 0; firstOf(block) <= size; block++) {
      const texts = this.#textsOf(block);
      const leaves = attempt(() => this.#tiles(0, block), undefined) ?? new Uint8Array();
      const last = Math.min(size, firstOf(block + 1) - 1);
      for (let seq = firstOf(block); seq <= last; seq++) {
        const entry = choose(seq, { stored: texts.get(seq), leaf: leafAt(leaves, seq), prev, belief });
        if (entry === undefined) return;
        yield entry;
        prev = entry.hash.toHex();
      }
    }
  }

  /** Entries that have a text in the file, signed or not; those that cannot be read are not counted. */
  lastText(): number {
    const row = attempt<Row | undefined>(
      () => this.#store.prepare("SELECT max(first_seq) AS first FROM texts").get(),
      undefined,
    );
    const first = row?.["first"];
    if (typeof first !== "number" || first < 1) return 0;
    return Math.max(first, ...this.#textsOf(blockOf(first)).keys());
  }

  #textsOf(block: number): ReadonlyMap<number, string> {
    const found = new Map<number, string>();
    for (const { first_seq, entries } of attempt(() => this.#texts.block(block), [])) {
      for (const [index, stored] of entries.entries()) {
        if (stored !== undefined && !found.has(first_seq + index)) found.set(first_seq + index, stored);
      }
    }
    return found;
  }
}

/** The time of a stored text, RFC 3339; `undefined` where it has none. */
export function timeOf(stored: string): string | undefined {
  const entry = parseEntry(lineAt(partsOf(stored), { seq: 1, prev: FIRST_PREV }));
  return entry !== undefined && parseTime(entry.time) !== undefined ? entry.time : undefined;
}

function choose(
  seq: number,
  { stored, leaf, prev, belief }: {
    readonly stored: string | undefined;
    readonly leaf: Uint8Array | undefined;
    readonly prev: string;
    readonly belief: Belief;
  },
): SalvagedEntry | undefined {
  const has_text = stored !== undefined && stored !== PRUNED_TEXT;
  const own = has_text ? leafHash(lineAt(partsOf(stored), { seq, prev })) : undefined;
  if (has_text && own !== undefined && (leaf === undefined || belief === "texts" || sameBytes(own, leaf))) {
    return { seq, hash: own, stored, empty: false };
  }
  return leaf === undefined ? undefined : { seq, hash: leaf, empty: stored === PRUNED_TEXT };
}

function leafAt(leaves: Uint8Array, seq: number): Uint8Array | undefined {
  const at = (seq - 1) % BLOCK_ENTRIES;
  return leaves.length >= (at + 1) * HASH_BYTES ? Uint8Array.from(hashAt(leaves, at)) : undefined;
}

function isSigned({ origin, keys }: LogState, checkpoint: StoredCheckpoint): boolean {
  const stored = keyFor(keys, checkpoint.size);
  if (stored === undefined || stored.id !== checkpoint.key_id) return false;
  return stored.key.verifies(checkpointText(headOf(origin, checkpoint)), checkpoint.signature);
}

/** The value, or what stands for it where the file does not give it. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    // A damaged page: the copy that was set aside has it, and what it held is counted as lost.
    return otherwise;
  }
}

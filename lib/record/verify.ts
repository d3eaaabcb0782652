/** Verification of a record, streaming: the first thing that is wrong, where, and why. */
import { AgentguardError, errorMessage } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { FIRST_PREV } from "./entry.ts";
import { KeyChain } from "./key_chain.ts";
import { blockOf, firstOf } from "./layout.ts";
import {
  checkpointsFrom,
  leafHex,
  type LogState,
  newestCheckpoint,
  readLogState,
  type StoredCheckpoint,
} from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { HASH_BYTES, TileTree, TreeBuilder } from "./merkle.ts";
import type { PublicKey, TreeHead } from "./note.ts";
import { PrunedCollector, type PrunedEntries } from "./pruned.ts";
import { TextReader } from "./text_reader.ts";
import { sameBytes } from "./tree_proof.ts";
import { BlockVerifier } from "./verify_block.ts";
import type { Fault, RecordFault, VerifiedRecord, VerifyReport } from "./verify_report.ts";

/** How to verify. */
export interface VerifyOptions {
  /** The first number to verify, 1 by default; the tree is trusted to hold the right hashes of the entries before. */
  readonly from_seq?: number;
  /** A checkpoint that is known to be genuine: the record must begin with it, and only what came after is verified. */
  readonly from?: TreeHead;
  /** Also look at every page, compare the index with the entries, and check the form of each entry. */
  readonly structure?: boolean;
  /** The key that the record must be signed by. Without it the record's own first key is taken at its word. */
  readonly key?: PublicKey;
  /** Told after each block of entries. */
  readonly onProgress?: (entries: number) => void;
  /** Stops it between two blocks with `cancelled`. */
  readonly signal?: AbortSignal;
}

/** A guard that prunes while its record is verified is waited for so often. */
const ATTEMPTS_MAX = 5;
/** Checkpoints read at once. */
const CHECKPOINTS_PAGE = 1_024;

/** Stored checkpoints, in order of size, read page by page. */
class CheckpointCursor {
  readonly #store: Store;
  #from: number;
  #page: readonly StoredCheckpoint[] = [];
  #at = 0;
  #more = true;

  constructor(store: Store, from_size: number) {
    this.#store = store;
    this.#from = from_size;
  }

  peek(): StoredCheckpoint | undefined {
    if (this.#at === this.#page.length && this.#more) {
      this.#page = checkpointsFrom(this.#store, this.#from, CHECKPOINTS_PAGE);
      this.#more = this.#page.length === CHECKPOINTS_PAGE;
      this.#from = (this.#page.at(-1)?.size ?? 0) + 1;
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  skip(): void {
    this.#at++;
  }
}

/** Verifies an opened record; other processes may write meanwhile. Throws only `cancelled`, `closed` and `busy`. */
export function verifyStore(store: Store, options: VerifyOptions = {}): VerifyReport {
  for (let attempt = 1;; attempt++) {
    const verification = new Verification(store, options);
    const report = reportOf(verification, options);
    if (report.ok || !verification.outdated || attempt >= ATTEMPTS_MAX) return report;
  }
}

function reportOf(verification: Verification, options: VerifyOptions): VerifyReport {
  try {
    return verification.run();
  } catch (thrown) {
    if (options.signal?.aborted === true) {
      throw new AgentguardError("cancelled", "verify the record: cancelled", { cause: thrown });
    }
    if (thrown instanceof AgentguardError && (thrown.code === "busy" || thrown.code === "closed")) throw thrown;
    return verification.fault({ seq: verification.next_seq, why: "unreadable", detail: errorMessage(thrown) });
  }
}

class Verification {
  readonly #store: Store;
  readonly #options: VerifyOptions;
  readonly #from_seq: number;
  #builder: TreeBuilder = new TreeBuilder();
  #entries = 0;
  #checked = 0;
  readonly #pruned: PrunedCollector = new PrunedCollector();
  #pruned_entries: PrunedEntries | undefined;
  /** True where texts went for a reason that came after what was verified: verify again. */
  outdated = false;
  /** Size of the last checkpoint that agreed. */
  #agreed = 0;
  readonly #expected: CheckpointCursor;

  constructor(store: Store, options: VerifyOptions) {
    this.#store = store;
    this.#options = options;
    this.#from_seq = options.from_seq ?? (options.from?.size ?? 0) + 1;
    this.#expected = new CheckpointCursor(store, this.#from_seq - 1);
  }

  /** The first number not verified so far. */
  get next_seq(): number {
    return this.#from_seq + this.#entries;
  }

  fault({ seq, why, detail }: Fault): RecordFault {
    return { ok: false, entries: this.#entries, seq, why, detail };
  }

  run(): VerifyReport {
    const damage = this.#options.structure === true ? this.#store.check("full") : [];
    if (damage.length > 0) {
      return this.fault({ seq: this.#from_seq, why: "unreadable", detail: damage.join("; ") });
    }
    // The checkpoint before the entries: what is committed in between is covered by a later one.
    const state = readLogState(this.#store);
    if (state === undefined) return this.#neverSigned();
    const chain = KeyChain.open(this.#store, state, this.#options.key);
    if (!chain.ok) return this.fault({ ...chain.error, why: "foreign_key" });
    const fault = this.#begin(state, chain.value) ?? this.#walk(state, chain.value) ??
      this.#end(state, chain.value) ?? this.#judgePruned(state);
    return fault === undefined ? this.#verified(state) : this.fault(fault);
  }

  #neverSigned(): VerifyReport {
    if (new TextReader(this.#store).end() > 1) {
      return this.fault({ seq: 1, why: "unsigned", detail: "the record has entries and no checkpoint" });
    }
    return { ok: true, entries: 0, head_seq: 0, head_hash: FIRST_PREV, checkpoints: 0, key_trusted: false };
  }

  /** The newest checkpoint, the known one, and the tree before the first entry. */
  #begin(state: LogState, chain: KeyChain): Fault | undefined {
    const { newest } = state;
    const wrong = chain.fault(newest);
    if (wrong !== undefined) return { seq: Math.max(1, newest.size), why: "checkpoint", detail: wrong };
    const known = this.#options.from;
    if (known !== undefined) {
      if (known.origin !== state.origin) {
        return { seq: 1, why: "fork", detail: `the record is ${state.origin}, the checkpoint is of ${known.origin}` };
      }
      if (known.size > newest.size) {
        const detail = `the known checkpoint covers ${known.size} entries, the record has ${newest.size}`;
        return { seq: newest.size + 1, why: "cut", detail };
      }
      if (!sameBytes(new TileTree(storedTiles(this.#store)).root(known.size), known.root)) {
        return {
          seq: Math.max(1, known.size),
          why: "fork",
          detail: `the first ${known.size} entries are not those that the ` +
            "known checkpoint signed",
        };
      }
      this.#agreed = known.size;
    }
    const before = Math.min(this.#from_seq - 1, newest.size);
    if (before > 0) this.#builder = TreeBuilder.resume(before, storedTiles(this.#store));
    return undefined;
  }

  /** Every entry up to the newest checkpoint. */
  #walk(state: LogState, chain: KeyChain): Fault | undefined {
    const blocks = new BlockVerifier(this.#store, { deep: this.#options.structure === true, pruned: this.#pruned });
    const size = state.newest.size;
    let fault = this.#compare(chain);
    let prev = leafHex(this.#store, this.#builder.size);
    for (let seq = this.#builder.size + 1; seq <= size && fault === undefined;) {
      this.#options.signal?.throwIfAborted();
      const last = Math.min(size, firstOf(blockOf(seq) + 1) - 1);
      fault = blocks.verify(seq, last, prev, (leaves) => this.#take(leaves, chain)) ?? this.#tiles(size, blocks);
      if (fault !== undefined) break;
      prev = blocks.last_leaf;
      seq = last + 1;
      this.#options.onProgress?.(this.#entries);
    }
    return fault;
  }

  /** Adds leaves to the tree, which is compared with each checkpoint on the way. */
  #take(leaves: Uint8Array, chain: KeyChain): Fault | undefined {
    let rest = leaves;
    let fault: Fault | undefined;
    while (rest.length > 0 && fault === undefined) {
      const { size } = this.#builder;
      while ((this.#expected.peek()?.size ?? Infinity) <= size) this.#expected.skip();
      const count = Math.min(rest.length / HASH_BYTES, (this.#expected.peek()?.size ?? Infinity) - size);
      this.#builder.append(rest.subarray(0, count * HASH_BYTES));
      this.#entries += count;
      rest = rest.subarray(count * HASH_BYTES);
      fault = this.#compare(chain);
    }
    return fault;
  }

  /** Compares the tree with the checkpoint of its size, if there is one. */
  #compare(chain: KeyChain): Fault | undefined {
    const size = this.#builder.size;
    let checkpoint = this.#expected.peek();
    for (; checkpoint !== undefined && checkpoint.size < size; checkpoint = this.#expected.peek()) {
      this.#expected.skip();
    }
    return checkpoint?.size === size ? this.#checkpoint(checkpoint, chain) : undefined;
  }

  #checkpoint(checkpoint: StoredCheckpoint, chain: KeyChain): Fault | undefined {
    const { size, root } = checkpoint;
    const wrong = chain.fault(checkpoint);
    if (wrong !== undefined) return { seq: Math.max(1, size), why: "checkpoint", detail: wrong };
    this.#checked++;
    if (!sameBytes(root, this.#builder.root())) {
      const detail = `entries ${this.#agreed + 1} to ${size} are not those that checkpoint ${size} signed`;
      return { seq: Math.min(this.#agreed + 1, Math.max(1, size)), why: "fork", detail };
    }
    this.#agreed = size;
    return undefined;
  }

  /** Compares the stored tree above the leaves, and the leaves' own tile lengths, with what the entries give. */
  #tiles(size: number, blocks: BlockVerifier): Fault | undefined {
    // A tile is compared once it is whole, or as far as it goes at the end.
    const at_end = this.#builder.size === size;
    for (const { level, index, data } of at_end ? this.#builder.takeChanged() : this.#builder.takeFull()) {
      const found = blocks.tile(level, index);
      const same = found !== undefined && found.length >= data.length &&
        sameBytes(found.subarray(0, data.length), data);
      const grown = found !== undefined && found.length > data.length;
      // A live writer makes the last tiles longer; then it has signed more than this, too.
      if (same && !(grown && newestCheckpoint(this.#store)?.size === size)) continue;
      const detail = `tile ${index} of level ${level} of the tree is not that of the entries`;
      return { seq: Math.max(1, this.#builder.size), why: "tree", detail };
    }
    return undefined;
  }

  /** The newest checkpoint must have been met, and nothing may follow it. */
  #end(state: LogState, chain: KeyChain): Fault | undefined {
    // A live writer replaces its newest checkpoint: then the cursor has not met it.
    const fault = this.#agreed === state.newest.size && this.#checked > 0
      ? undefined
      : this.#checkpoint(state.newest, chain);
    if (fault !== undefined) return fault;
    const end = new TextReader(this.#store).end() - 1;
    if (end <= state.newest.size) return undefined;
    // A writer may have gone on meanwhile: its checkpoint came with its entries.
    const covered = newestCheckpoint(this.#store)?.size ?? 0;
    if (end <= covered) return undefined;
    return { seq: covered + 1, why: "unsigned", detail: `entries ${covered + 1} to ${end} have no checkpoint` };
  }

  /** Texts may be gone only where the record itself says so. */
  #judgePruned(state: LogState): Fault | undefined {
    if (!this.#pruned.any) return undefined;
    const judged = this.#pruned.judge(this.#store, state.newest.size);
    if ("pruned" in judged) {
      this.#pruned_entries = judged.pruned;
      return undefined;
    }
    this.outdated = (newestCheckpoint(this.#store)?.size ?? 0) > state.newest.size;
    return judged.fault;
  }

  #verified(state: LogState): VerifiedRecord {
    const { origin, keys, newest } = state;
    const key = keys.find((each) => each.id === newest.key_id)?.key;
    return {
      ok: true,
      entries: this.#entries,
      head_seq: newest.size,
      head_hash: leafHex(this.#store, newest.size),
      root: newest.root.toHex(),
      checkpoints: this.#checked,
      ...(key === undefined ? undefined : { key_id: key.idFor(origin).toHex() }),
      key_trusted: this.#options.key !== undefined,
      ...(this.#pruned_entries === undefined ? undefined : { pruned: this.#pruned_entries }),
    };
  }
}

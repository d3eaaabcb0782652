/**
 * Turns batches of drafts into committed entries: numbers, chains, hashes, signs, stores. Synchronous, and safe to
 * repeat. They are durable with the next sync of the store.
 */
import { type Clock, invariant } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { BatchSealer, type SealOptions } from "./batch_sealer.ts";
import type { QueuedDraft } from "./draft_line.ts";
import { newestCheckpoint, readHead, type RecordHead, type StoredCheckpoint } from "./log_state.ts";
import { type LogBatch, LogTables } from "./log_tables.ts";
import type { PublicKey } from "./note.ts";
import type { SealedBatch } from "./sealed_batch.ts";
import { rotationDraft } from "./rotation.ts";
import { signCheckpoint, type Signer } from "./signer.ts";
import type { SigningKey } from "./signing_key.ts";
import { sameBytes } from "./tree_proof.ts";

/** What stays the same for every entry of one writer. */
export interface CommitterOptions extends SealOptions {
  readonly clock: Clock;
}

/** A batch that is numbered, hashed and signed, and not yet stored. */
interface Prepared {
  readonly sealed: SealedBatch;
  readonly tables: LogBatch;
  readonly checkpoint: StoredCheckpoint;
  /** Size of the checkpoint that this one takes the place of. */
  readonly replaces: number | undefined;
  /** The signer from now on, when the batch is a key rotation. */
  readonly next_signer: Signer | undefined;
}

/** Of the checkpoints within this time one is kept; each commit has its own until the next. Microseconds. */
const CHECKPOINT_EVERY_US = 1_000_000;

/**
 * Commits one batch at a time, each with a signed checkpoint that covers it. A batch whose commit failed is kept, with
 * its numbers and hashes, and the next call begins with it: whatever became of the failed attempt, the record ends up
 * with each entry once and in order.
 */
export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #tables: LogTables;
  readonly #sealer: BatchSealer;
  #signer: Signer;
  #head: RecordHead;
  #unfinished: Prepared | undefined;
  /** The newest checkpoint, where the next one may take its place. */
  #passing: number | undefined;
  #kept_us = Number.NEGATIVE_INFINITY;

  /** Continues after the newest checkpoint, which the caller has verified. Throws what the store throws. */
  constructor(store: Store, signer: Signer, options: CommitterOptions) {
    this.#store = store;
    this.#signer = signer;
    this.#clock = options.clock;
    this.#sealer = new BatchSealer(options);
    this.#head = readHead(store);
    this.#tables = new LogTables(store, this.#head.seq);
  }

  /** The last committed entry. */
  get head(): RecordHead {
    return this.#head;
  }

  /** Entries of a batch whose commit has failed so far. */
  get unfinished(): number {
    return this.#unfinished?.sealed.count ?? 0;
  }

  /** The stored index was changed: nothing that was known of it holds. Nothing may be unfinished. */
  forgetIndex(): void {
    this.#tables.forgetIndex();
  }

  /** See `BatchSealer.giveBack`. */
  giveBack(batch: SealedBatch): void {
    this.#sealer.giveBack(batch);
  }

  /** Commits the unfinished batch, which there must be. Throws what the store throws. */
  finish(): SealedBatch {
    const batch = this.#unfinished;
    invariant(batch !== undefined, "commit an unfinished batch: there is none");
    // A commit that reported failure may have reached the disk all the same.
    const stored = newestCheckpoint(this.#store);
    const { size, root } = batch.checkpoint;
    if (stored?.size !== size || !sameBytes(stored.root, root)) this.#write(batch);
    this.#done(batch);
    return batch.sealed;
  }

  /**
   * Seals and commits `drafts` (not empty, and nothing is unfinished). Throws what the store throws; then they are
   * unfinished.
   */
  commit(drafts: readonly QueuedDraft[]): SealedBatch {
    const batch = this.#prepare(drafts, undefined);
    this.#unfinished = batch;
    this.#write(batch);
    this.#done(batch);
    return batch.sealed;
  }

  /**
   * Puts a new key in force: one entry that both keys signed, under a checkpoint of the new one. Nothing may be
   * unfinished. Throws what the store throws; then `finish` repeats it.
   */
  rotate(new_key: SigningKey): SealedBatch {
    const { origin, key, key_id } = this.#signer;
    const time_us = this.#clock.wallUs();
    const draft = rotationDraft({ origin, seq: this.#tables.size + 1 }, { old_key: key, new_key, time_us });
    const batch = this.#prepare([draft], { origin, key: new_key, key_id: key_id + 1 });
    this.#unfinished = batch;
    this.#write(batch);
    this.#done(batch);
    return batch.sealed;
  }

  #prepare(drafts: readonly QueuedDraft[], next_signer: Signer | undefined): Prepared {
    const { seq, hash } = this.#head;
    const place = { first_seq: seq + 1, prev: Uint8Array.fromHex(hash), now_us: this.#clock.wallUs() };
    const sealed = this.#sealer.seal(drafts, place);
    this.#tables.addBatch(sealed);
    const tables = this.#tables.take();
    const checkpoint = signCheckpoint(next_signer ?? this.#signer, this.#tables.size, this.#tables.root());
    return { sealed, tables, checkpoint, replaces: this.#passing, next_signer };
  }

  #write({ tables, checkpoint, replaces, next_signer }: Prepared): void {
    const store = this.#store;
    store.write(() => {
      this.#tables.write(tables);
      if (next_signer !== undefined) {
        putKey(store, { key_id: next_signer.key_id, public_key: next_signer.key.public_key }, checkpoint.size);
      }
      if (replaces !== undefined) store.prepare("DELETE FROM checkpoints WHERE size = ?").run(replaces);
      putCheckpoint(store, checkpoint);
    });
  }

  #done({ sealed, checkpoint, next_signer }: Prepared): void {
    this.#head = { seq: sealed.last_seq, hash: sealed.last_leaf.toHex() };
    this.#unfinished = undefined;
    const now_us = this.#clock.monotonicUs();
    const keep = next_signer !== undefined || now_us - this.#kept_us >= CHECKPOINT_EVERY_US;
    this.#passing = keep ? undefined : checkpoint.size;
    if (keep) this.#kept_us = now_us;
    this.#signer = next_signer ?? this.#signer;
  }
}

/** Stores a checkpoint. */
export function putCheckpoint(store: Store, { size, key_id, root, signature }: StoredCheckpoint): void {
  store.prepare("INSERT INTO checkpoints (size, key_id, root, signature) VALUES (?, ?, ?, ?)")
    .run(size, key_id, root, signature);
}

/** Stores a public key, in force from entry `since_seq` on. */
export function putKey(
  store: Store,
  { key_id, public_key }: { readonly key_id: number; readonly public_key: PublicKey },
  since_seq: number,
): void {
  store.prepare("INSERT INTO keys (id, since_seq, public) VALUES (?, ?, ?)").run(key_id, since_seq, public_key.bytes);
}

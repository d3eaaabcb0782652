/** Turns batches of drafts into committed entries: numbers, chains, hashes, stores. Synchronous, and safe to repeat. */
import { type Clock, type EntryDraft, type IdGenerator } from "../core/mod.ts";
import type { Statement, Store } from "../store/mod.ts";
import { type EntryPlace, FIRST_PREV, type SealedEntry, sealEntry } from "./entry.ts";
import { fieldColumns, GET_HEAD, INSERT_ENTRY, PUT_HEAD } from "./schema.ts";

/** The last entry of a record. */
export interface RecordHead {
  /** 0 for an empty record. */
  readonly seq: number;
  /** Its hash, hex; 64 zeros for an empty record. */
  readonly hash: string;
}

/** What stays the same for every entry of one writer. */
export interface CommitterOptions {
  /** The kernel's boot, as `/proc/sys/kernel/random/boot_id` names it. */
  readonly boot_id: string;
  readonly clock: Clock;
  readonly ids: IdGenerator;
}

/** The stored head, `{seq: 0}` where there is none. Throws what the store throws. */
export function readHead(store: Store): RecordHead {
  const row = store.prepare(GET_HEAD).get();
  const seq = row?.["seq"];
  const hash = row?.["hash"];
  if (typeof seq !== "number" || !(hash instanceof Uint8Array)) return { seq: 0, hash: FIRST_PREV };
  return { seq, hash: hash.toHex() };
}

/**
 * Commits one batch at a time. A batch whose commit failed is kept, with its numbers and hashes, and the next call begins
 * with it: whatever became of the failed attempt, the record ends up with each entry once and in order.
 */
export class Committer {
  readonly #store: Store;
  readonly #options: CommitterOptions;
  readonly #insert: Statement;
  readonly #put_head: Statement;
  #head: RecordHead;
  #unfinished: readonly SealedEntry[] = [];

  /** Continues after the stored head, which the caller has checked. Throws what the store throws. */
  constructor(store: Store, options: CommitterOptions) {
    this.#store = store;
    this.#options = options;
    this.#insert = store.prepare(INSERT_ENTRY);
    this.#put_head = store.prepare(PUT_HEAD);
    this.#head = readHead(store);
  }

  /** The last committed entry. */
  get head(): RecordHead {
    return this.#head;
  }

  /** Entries of a batch whose commit has failed so far. */
  get unfinished(): number {
    return this.#unfinished.length;
  }

  /** Commits the unfinished batch. Does nothing where there is none. Throws what the store throws. */
  finish(): readonly SealedEntry[] {
    const batch = this.#unfinished;
    const last = batch.at(-1);
    if (last === undefined) return batch;
    // A commit that reported failure may have reached the disk all the same.
    const stored = readHead(this.#store);
    if (stored.seq !== last.seq || stored.hash !== last.hash_hex) this.#write(batch, last);
    this.#done(last);
    return batch;
  }

  /** Seals and commits `drafts` (not empty, and nothing is unfinished). Throws what the store throws; then they are unfinished. */
  commit(drafts: readonly EntryDraft[]): readonly SealedEntry[] {
    const batch = this.#seal(drafts);
    const last = batch.at(-1);
    if (last === undefined) return batch;
    this.#unfinished = batch;
    this.#write(batch, last);
    this.#done(last);
    return batch;
  }

  #seal(drafts: readonly EntryDraft[]): readonly SealedEntry[] {
    const { boot_id, clock, ids } = this.#options;
    const now_us = clock.wallUs();
    let { seq, hash: prev } = this.#head;
    const batch: SealedEntry[] = [];
    for (const draft of drafts) {
      seq++;
      const sealed = sealOrTell(draft, { seq, entry_id: ids.entry(), boot_id, prev, now_us });
      prev = sealed.hash_hex;
      batch.push(sealed);
    }
    return batch;
  }

  #write(batch: readonly SealedEntry[], last: SealedEntry): void {
    this.#store.transaction(() => {
      for (const sealed of batch) {
        const columns = fieldColumns(sealed.entry_id, sealed.draft.time_us, sealed.draft);
        this.#insert.run(sealed.seq, ...columns, sealed.body, sealed.hash);
      }
      this.#put_head.run(last.seq, last.hash);
    });
  }

  #done(last: SealedEntry): void {
    this.#head = { seq: last.seq, hash: last.hash_hex };
    this.#unfinished = [];
  }
}

/** A draft that cannot be read (an accessor in it throws) must cost neither the batch nor its own trace. */
function sealOrTell(draft: EntryDraft, place: EntryPlace): SealedEntry {
  try {
    return sealEntry(draft, place);
  } catch {
    return sealEntry(
      { time_us: place.now_us, kind: "gap", gap: { source: "recorder", type: "record", count: 1 } },
      place,
    );
  }
}

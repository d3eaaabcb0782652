/** A batch of entries, numbered, chained and hashed. */
import { HASH_BYTES, hashAt } from "./merkle.ts";
import type { CommittedEntry } from "./recorder.ts";
import { lineAt, partsOf, storedEntries } from "./stored_text.ts";
import type { TermField } from "./terms.ts";

/** Entries of one block whose texts are one row, and what the index must know of them. */
export interface SealedPart {
  readonly first_seq: number;
  readonly entries: number;
  /** Where their texts lie in those of the batch. */
  readonly from: number;
  readonly to: number;
  readonly time_min: number;
  readonly time_max: number;
  readonly id_min: number;
  readonly id_max: number;
  /** Some may come twice. */
  readonly terms: readonly (readonly [TermField, string])[];
  /** `idKey` of decisions; some may come twice. */
  readonly decisions: readonly number[];
}

/** What a batch is made of. */
export interface SealedBatchParts {
  readonly first_seq: number;
  /** Hash of the entry before. */
  readonly prev: Uint8Array;
  /** As `storedText` writes them, one after the other. */
  readonly texts: Uint8Array;
  /** The memory that they lie in, where another batch may have it afterwards. */
  readonly memory?: Buffer;
  /** Their leaf hashes. */
  readonly leaves: Uint8Array;
  /** In order, without gaps. */
  readonly parts: readonly SealedPart[];
}

/** Made by `BatchSealer`; not empty. */
export class SealedBatch {
  readonly first_seq: number;
  readonly texts: Uint8Array;
  readonly memory: Buffer | undefined;
  readonly leaves: Uint8Array;
  readonly parts: readonly SealedPart[];
  readonly #prev: Uint8Array;
  #stored: readonly string[] | undefined;

  constructor({ first_seq, prev, texts, memory, leaves, parts }: SealedBatchParts) {
    this.first_seq = first_seq;
    this.texts = texts;
    this.memory = memory;
    this.leaves = leaves;
    this.parts = parts;
    this.#prev = prev;
  }

  /** How many entries. */
  get count(): number {
    return this.leaves.length / HASH_BYTES;
  }

  /** The number of the last entry. */
  get last_seq(): number {
    return this.first_seq + this.count - 1;
  }

  /** The hash of the last entry. */
  get last_leaf(): Uint8Array {
    return hashAt(this.leaves, this.count - 1);
  }

  /** The entries; their lines are put together when they are asked for: most often nobody does. */
  entries(): readonly CommittedEntry[] {
    return Array.from({ length: this.count }, (_, index) => new BatchEntry(this, index));
  }

  /** The canonical text of the entry at this place. */
  line(index: number): string {
    const stored = (this.#stored ??= storedEntries(new TextDecoder().decode(this.texts)))[index] ?? "";
    const prev = index === 0 ? this.#prev : hashAt(this.leaves, index - 1);
    return lineAt(partsOf(stored), { seq: this.first_seq + index, prev: prev.toHex() });
  }
}

class BatchEntry implements CommittedEntry {
  readonly seq: number;
  readonly #batch: SealedBatch;
  readonly #index: number;

  constructor(batch: SealedBatch, index: number) {
    this.seq = batch.first_seq + index;
    this.#batch = batch;
    this.#index = index;
  }

  get line(): string {
    return this.#batch.line(this.#index);
  }
}

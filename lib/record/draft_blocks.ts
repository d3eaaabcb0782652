/**
 * Memory that a producer and the recorder share: drafts are written there once, as bytes, and read where they lie. The
 * producer owns it; a block is the recorder's from the message that names it to the answer that its drafts are settled.
 */
import { classOf, draftJson, type DraftLine, type QueuedDraft, readDraftMemory } from "./draft_line.ts";

/** Of one block: a look of the reader, or a good part of a batch. */
const BLOCK_BYTES = 131_072;
/** Blocks at most: what comes in the time between two commits, at some ten thousand entries a second. */
const BLOCKS = 32;
const LF = 10;

/** Drafts in a block. */
export interface FilledBlock {
  readonly block: number;
  /** Bytes, the last line break included. */
  readonly bytes: number;
  /** Their classes, a character each. */
  readonly classes: string;
}

/** Shared memory for a producer. */
export function draftMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * BLOCKS);
}

/** The producer's blocks. */
export class DraftBlocks {
  readonly #blocks: readonly Buffer[];
  /** Those that nobody has; the one that was used last is used next, so that few are ever touched. */
  readonly #free: number[];

  constructor(memory: SharedArrayBuffer) {
    this.#blocks = blocksOf(memory);
    this.#free = this.#blocks.map((_, index) => this.#blocks.length - 1 - index);
  }

  /** True while there is a block to fill. */
  get left(): boolean {
    return this.#free.length > 0;
  }

  /** Puts as many of the drafts from `first` on into a block as it takes; `undefined` without a block, or for none. */
  fill(drafts: readonly QueuedDraft[], first: number): FilledBlock | undefined {
    const block = this.#free.pop();
    const memory = block === undefined ? undefined : this.#blocks[block];
    if (block === undefined || memory === undefined) return undefined;
    let [bytes, classes] = [0, ""];
    for (let index = first; index < drafts.length; index++) {
      const draft = drafts[index];
      if (draft === undefined) break;
      const json = draftJson(draft);
      // A UTF-16 unit is at most three bytes of UTF-8.
      if (bytes + json.length * 3 + 1 > memory.length) break;
      bytes += memory.write(json, bytes, "utf8");
      memory[bytes++] = LF;
      classes += classOf(draft);
    }
    if (bytes > 0) return { block, bytes, classes };
    this.#free.push(block);
    return undefined;
  }

  /** The drafts of a block are settled. */
  free(block: number): void {
    this.#free.push(block);
  }
}

/** The same memory, where it is read. */
export class SharedDrafts {
  readonly #blocks: readonly Buffer[];

  constructor(memory: SharedArrayBuffer) {
    this.#blocks = blocksOf(memory);
  }

  /** The drafts of a block, which hold until they are settled; `undefined` for what is none. */
  read({ block, bytes, classes }: FilledBlock): readonly DraftLine[] | undefined {
    const memory = this.#blocks[block];
    return memory === undefined ? undefined : readDraftMemory(memory, bytes, classes);
  }
}

function blocksOf(memory: SharedArrayBuffer): readonly Buffer[] {
  return Array.from({ length: Math.floor(memory.byteLength / BLOCK_BYTES) }, (_, index) => {
    return Buffer.from(memory, index * BLOCK_BYTES, BLOCK_BYTES);
  });
}

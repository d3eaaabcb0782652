/** Removing the texts of many entries in small steps. */
import type { Store } from "../store/mod.ts";
import { blockOf } from "./layout.ts";
import { emptyTexts } from "./prune_texts.ts";
import type { SeqRange } from "./ranges.ts";

/** Blocks that are looked at, or emptied, before others may work. */
export const BLOCKS_STEP = 2;

/** The blocks of the ranges, a few at a time. */
export function* pruneSteps(ranges: readonly SeqRange[]): Generator<readonly number[], void, void> {
  let blocks: number[] = [];
  let last = -1;
  for (const [from, to] of ranges) {
    for (let block = Math.max(last + 1, blockOf(from)); block <= blockOf(to); block++) {
      blocks.push(block);
      last = block;
      if (blocks.length < BLOCKS_STEP) continue;
      yield blocks;
      blocks = [];
    }
  }
  if (blocks.length > 0) yield blocks;
}

/** Removes what the ranges name of some blocks, in one transaction. Throws what the store throws. */
export function removeFrom(store: Store, blocks: readonly number[], ranges: readonly SeqRange[]): void {
  // What is deleted is overwritten: without it the file would keep the texts until the room is used again.
  store.exec("PRAGMA secure_delete = ON");
  try {
    store.transaction(() => {
      for (const block of blocks) emptyTexts(store, block, (seq) => contains(ranges, seq));
    });
  } finally {
    store.exec("PRAGMA secure_delete = FAST");
  }
}

function contains(ranges: readonly SeqRange[], seq: number): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined || seq < range[0]) high = middle - 1;
    else if (seq > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}

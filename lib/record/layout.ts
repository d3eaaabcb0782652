/** Names of files, and how numbers of entries become rows. */

/** File name of the record in a state directory. */
export const RECORD_FILE = "record.db";
/** File name of the lock that its one writer holds. */
export const RECORD_LOCK_FILE = "record.lock.db";

/** Entries of one block: as many as a tile has hashes. Block `n` holds the numbers from `n * 256 + 1`. */
export const BLOCK_ENTRIES = 256;

/** Tiles of one level: more than a tree of 2^48 leaves needs. */
const TILES_PER_LEVEL = 2 ** 40;

/** The row of a tile. */
export function tileId(level: number, index: number): number {
  return level * TILES_PER_LEVEL + index;
}

/** The block of an entry. */
export function blockOf(seq: number): number {
  return Math.floor((seq - 1) / BLOCK_ENTRIES);
}

/** The number of a block's first entry. */
export function firstOf(block: number): number {
  return block * BLOCK_ENTRIES + 1;
}

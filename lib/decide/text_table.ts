/**
 * A hash table over pieces of a text that is never cut: the caller computes the hash while it walks the text and the
 * table compares in place. Immutable once built.
 */

/** Hash of the empty text (FNV-1a offset basis). */
export const HASH_SEED: number = 0x811c9dc5 | 0;

/** Takes one UTF-16 unit into a hash (FNV-1a). */
export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** Hash of a whole text. */
function hashText(text: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < text.length; i++) hash = hashStep(hash, text.charCodeAt(i));
  return hash;
}

interface Bucket<T> {
  readonly key: string;
  readonly hash: number;
  readonly value: T;
}

/** Texts to values, with open addressing at a quarter full at most. */
export class TextTable<T> {
  readonly #slots: Int32Array;
  readonly #buckets: readonly Bucket<T>[];
  readonly #mask: number;
  readonly size: number;

  constructor(entries: ReadonlyMap<string, T>) {
    let capacity = 4;
    while (capacity < entries.size * 4) capacity *= 2;
    this.#mask = capacity - 1;
    this.#slots = new Int32Array(capacity);
    this.#buckets = Array.from(entries, ([key, value]) => ({ key, hash: hashText(key), value }));
    this.size = this.#buckets.length;
    this.#buckets.forEach((bucket, i) => {
      let slot = spread(bucket.hash) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = i + 1;
    });
  }

  /** The value for the key `text[from, to)`, whose hash is given. */
  find(hash: number, text: string, from: number, to: number): T | undefined {
    for (let slot = spread(hash) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) return undefined;
      const bucket = this.#buckets[found - 1];
      if (
        bucket !== undefined && bucket.hash === hash && bucket.key.length === to - from &&
        text.startsWith(bucket.key, from)
      ) return bucket.value;
    }
  }
}

function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}

/** The Merkle tree of RFC 6962, built leaf by leaf, with its hashes in tiles of 256 (C2SP tlog-tiles). */
import { recordCalls } from "../../ffi/mod.ts";
import { AgentguardError, invariant } from "../core/mod.ts";

/** Length of every hash, bytes. */
export const HASH_BYTES = 32;
/** Hashes in a full tile: 2 to the power of `TILE_HEIGHT`. */
export const TILE_WIDTH = 256;
/** Levels of the tree that one level of tiles spans. */
export const TILE_HEIGHT = 8;
/** Levels that a tree of at most 2^53 leaves can have. */
const LEVELS_MAX = 54;

/** Gives the hashes of a tile, 32 bytes each; a partial tile has fewer than 256. `undefined` where there is none. */
export type TileSource = (level: number, index: number) => Uint8Array | undefined;

/** One tile to be stored: the whole of it, also where only its end is new. */
export interface TileWrite {
  readonly level: number;
  readonly index: number;
  readonly data: Uint8Array;
}

/** Hashes inner nodes: SHA-256 of 0x01 and both children. Source: RFC 6962 section 2.1. */
export class NodeHasher {
  readonly #input: Uint8Array<ArrayBuffer> = new Uint8Array(1 + 2 * HASH_BYTES);

  constructor() {
    this.#input[0] = 1;
  }

  /** Writes the node's hash to `out`, which may be one of the children. */
  join(left: Uint8Array, right: Uint8Array, out: Uint8Array<ArrayBuffer>): void {
    this.#input.set(left, 1);
    this.#input.set(right, 1 + HASH_BYTES);
    Bun.SHA256.hash(this.#input, out);
  }

  /** The node's hash, in a buffer of its own. */
  node(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(HASH_BYTES);
    this.join(left, right, out);
    return out;
  }
}

/** The root of a tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  const out = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash("", out);
  return out;
}

/** Whole subtrees of 256^level leaves in a tree of `size`: the hashes that tiles of this level hold. */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/**
 * A tree that grows: keeps the roots of its whole subtrees (the frontier) and the tiles that are not full yet, about 20
 * KiB for a billion leaves. A leaf costs one inner hash on average.
 */
export class TreeBuilder {
  readonly #hasher: NodeHasher = new NodeHasher();
  /** By height, one after the other: the last whole subtree of that height, meaningful where the size has that bit. */
  readonly #frontier: Uint8Array<ArrayBuffer> = new Uint8Array(LEVELS_MAX * HASH_BYTES);
  /** By tile level: the unfinished tile. */
  readonly #tails: Uint8Array[] = [];
  #full: TileWrite[] = [];
  #size = 0;
  /** The size when the changes were last taken. */
  #taken = 0;

  /** Goes on after the first `size` leaves of a stored tree. Throws `tamper` where a tile is missing or too short. */
  static resume(size: number, tiles: TileSource): TreeBuilder {
    const builder = new TreeBuilder();
    const tree = new TileTree(tiles);
    builder.#size = size;
    builder.#taken = size;
    for (let level = 0; hashesAt(level, size) > 0; level++) {
      const count = hashesAt(level, size);
      const tail = builder.#tail(level);
      const partial = count % TILE_WIDTH;
      if (partial > 0) tail.set(tree.tile(level, Math.floor(count / TILE_WIDTH), partial));
    }
    for (let height = 0, left = size; left > 0; height++, left = Math.floor(left / 2)) {
      if (left % 2 === 1) hashAt(builder.#frontier, height).set(tree.subtree(height, left - 1));
    }
    return builder;
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds leaf hashes, one after the other. */
  append(leaves: Uint8Array): void {
    const count = leaves.length / HASH_BYTES;
    for (let from = 0; from < count;) {
      // Up to the end of a tile, so that each tile above gets at most one hash.
      const to = Math.min(count, from + TILE_WIDTH - this.#size % TILE_WIDTH);
      this.#appendInTile(leaves.subarray(from * HASH_BYTES, to * HASH_BYTES));
      from = to;
    }
  }

  #appendInTile(leaves: Uint8Array): void {
    const first = this.#size;
    const roots = recordCalls().grow(this.#frontier, first, leaves);
    this.#size += leaves.length / HASH_BYTES;
    this.#put(0, leaves, first);
    for (let at = 0; at * HASH_BYTES < roots.length; at++) {
      this.#put(at + 1, hashAt(roots, at), hashesAt(at + 1, this.#size) - 1);
    }
  }

  /** The root now. Source: RFC 6962 section 2.1. */
  root(): Uint8Array {
    let root: Uint8Array<ArrayBuffer> | undefined;
    for (let height = 0, left = this.#size; left > 0; height++, left = Math.floor(left / 2)) {
      if (left % 2 === 0) continue;
      const subtree = hashAt(this.#frontier, height);
      if (root === undefined) root = Uint8Array.from(subtree);
      else this.#hasher.join(subtree, root, root);
    }
    return root ?? emptyRoot();
  }

  /** The tiles that filled up since the last call of this or `takeChanged`. */
  takeFull(): readonly TileWrite[] {
    const writes = this.#full;
    this.#full = [];
    return writes;
  }

  /**
   * The tiles that changed since the last call, lower levels first; a tile that filled up comes before its successor.
   */
  takeChanged(): readonly TileWrite[] {
    const writes = [...this.takeFull()];
    for (let level = 0; hashesAt(level, this.#size) > 0; level++) {
      const count = hashesAt(level, this.#size);
      const partial = count % TILE_WIDTH;
      if (partial === 0 || count === hashesAt(level, this.#taken)) continue;
      const data = this.#tail(level).slice(0, partial * HASH_BYTES);
      writes.push({ level, index: Math.floor(count / TILE_WIDTH), data });
    }
    this.#taken = this.#size;
    return writes;
  }

  #tail(level: number): Uint8Array {
    return this.#tails[level] ??= new Uint8Array(TILE_WIDTH * HASH_BYTES);
  }

  /** Puts hashes that end in the tile of the first. */
  #put(level: number, hashes: Uint8Array, position: number): void {
    const tail = this.#tail(level);
    const at = position % TILE_WIDTH;
    tail.set(hashes, at * HASH_BYTES);
    if (at + hashes.length / HASH_BYTES < TILE_WIDTH) return;
    this.#full.push({ level, index: Math.floor(position / TILE_WIDTH), data: tail.slice() });
  }
}

/** Tiles kept by a `TileTree`: the path of one proof through a tree of 2^40 leaves, several times over. */
const CACHED_TILES_MAX = 64;

/** A stored tree, read through its tiles. Every method throws `tamper` where a tile is missing or too short. */
export class TileTree {
  readonly #tiles: TileSource;
  readonly #hasher: NodeHasher = new NodeHasher();
  readonly #cache: Map<string, Uint8Array> = new Map();

  constructor(tiles: TileSource) {
    this.#tiles = tiles;
  }

  /** The first `count` hashes of a tile, 1 to 256. */
  tile(level: number, index: number, count: number): Uint8Array {
    const key = `${level}/${index}`;
    let data = this.#cache.get(key);
    if (data === undefined || data.length < count * HASH_BYTES) {
      data = this.#tiles(level, index);
      if (data === undefined || data.length < count * HASH_BYTES) {
        const found = data === undefined ? "is missing" : `holds ${data.length / HASH_BYTES} hashes of ${count}`;
        throw new AgentguardError("tamper", `read the tree: tile ${index} of level ${level} ${found}`);
      }
      if (this.#cache.size >= CACHED_TILES_MAX) this.#cache.clear();
      this.#cache.set(key, data);
    }
    return data.subarray(0, count * HASH_BYTES);
  }

  /** The hash of leaf `index`, from 0. */
  leaf(index: number): Uint8Array {
    return this.subtree(0, index);
  }

  /** The root of the whole subtree over leaves [k * 2^height, (k + 1) * 2^height). */
  subtree(height: number, k: number): Uint8Array {
    const level = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height % TILE_HEIGHT);
    const first = k * count;
    const at = first % TILE_WIDTH;
    const data = this.tile(level, Math.floor(first / TILE_WIDTH), at + count);
    const hashes = Array.from({ length: count }, (_, i) => hashAt(data, at + i));
    for (let width = count; width > 1; width /= 2) {
      for (let i = 0; i < width; i += 2) hashes[i / 2] = this.#hasher.node(at0(hashes, i), at0(hashes, i + 1));
    }
    return at0(hashes, 0);
  }

  /** The root over leaves [from, to), not empty: `MTH` of RFC 6962 section 2.1. */
  range(from: number, to: number): Uint8Array {
    const count = to - from;
    const height = Math.log2(count);
    if (Number.isInteger(height)) return this.subtree(height, from / count);
    const middle = from + splitPoint(count);
    return this.#hasher.node(this.range(from, middle), this.range(middle, to));
  }

  /** The root of the first `size` leaves. */
  root(size: number): Uint8Array {
    return size === 0 ? emptyRoot() : this.range(0, size);
  }

  /** The proof that leaf `index` is in the tree of `size`: `PATH` of RFC 6962 section 2.1.1, nearest hash first. */
  inclusion(index: number, size: number): readonly Uint8Array[] {
    invariant(index >= 0 && index < size, `prove leaf ${index}: the tree has ${size} leaves`);
    const path: Uint8Array[] = [];
    let [from, to] = [0, size];
    while (to - from > 1) {
      const middle = from + splitPoint(to - from);
      if (index < middle) {
        path.push(this.range(middle, to));
        to = middle;
      } else {
        path.push(this.range(from, middle));
        from = middle;
      }
    }
    return path.reverse();
  }

  /**
   * The proof that the tree of `size` begins with the tree of `old_size` (from 1): `PROOF` of RFC 6962 section 2.1.2.
   */
  consistency(old_size: number, size: number): readonly Uint8Array[] {
    invariant(old_size >= 1 && old_size <= size, `prove consistency: ${old_size} leaves of ${size}`);
    const proof: Uint8Array[] = [];
    let [from, to, whole] = [0, size, true];
    while (old_size < to) {
      const middle = from + splitPoint(to - from);
      if (old_size <= middle) {
        proof.push(this.range(middle, to));
        to = middle;
      } else {
        proof.push(this.range(from, middle));
        from = middle;
        whole = false;
      }
    }
    if (!whole) proof.push(this.range(from, to));
    return proof.reverse();
  }
}

/** Hash number `index` of a tile's data. */
export function hashAt(data: Uint8Array, index: number): Uint8Array {
  return data.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

/** The largest power of two below `count`, from 2. */
function splitPoint(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}

function at0(hashes: readonly Uint8Array[], index: number): Uint8Array {
  const hash = hashes[index];
  invariant(hash !== undefined, "hash a subtree: a child is missing");
  return hash;
}

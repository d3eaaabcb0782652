/** Checks of Merkle proofs: pure, without a tree. Source: RFC 9162 sections 2.1.3.2 and 2.1.4.2. */
import { NodeHasher } from "./merkle.ts";

/** What an inclusion proof claims: that `leaf` has number `index` (from 0) in the tree of `size` with this root. */
export interface InclusionClaim {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly root: Uint8Array;
}

/** What a consistency proof claims: that the tree of `size` begins with the tree of `old_size`. */
export interface ConsistencyClaim {
  readonly old_size: number;
  readonly old_root: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

/** True if the path leads from the leaf to the root. */
export function verifyInclusion(claim: InclusionClaim, path: readonly Uint8Array[]): boolean {
  if (!(claim.index >= 0 && claim.index < claim.size)) return false;
  const hasher = new NodeHasher();
  let index = claim.index;
  let last = claim.size - 1;
  let hash = claim.leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (index % 2 === 1 || index === last) {
      hash = hasher.node(sibling, hash);
      while (index % 2 === 0 && index !== 0) [index, last] = [half(index), half(last)];
    } else {
      hash = hasher.node(hash, sibling);
    }
    [index, last] = [half(index), half(last)];
  }
  return last === 0 && sameBytes(hash, claim.root);
}

/** True if the proof leads from the one root to the other. */
export function verifyConsistency(claim: ConsistencyClaim, proof: readonly Uint8Array[]): boolean {
  const { old_size, old_root, size, root } = claim;
  if (old_size < 0 || old_size > size) return false;
  if (old_size === size) return proof.length === 0 && sameBytes(old_root, root);
  // The empty tree is the beginning of every tree.
  if (old_size === 0) return proof.length === 0;
  const hashes = Number.isInteger(Math.log2(old_size)) ? [old_root, ...proof] : [...proof];
  const start = hashes.shift();
  if (start === undefined) return false;
  const hasher = new NodeHasher();
  let [index, last] = [old_size - 1, size - 1];
  while (index % 2 === 1) [index, last] = [half(index), half(last)];
  let [old_hash, hash] = [start, start];
  for (const sibling of hashes) {
    if (last === 0) return false;
    if (index % 2 === 1 || index === last) {
      old_hash = hasher.node(sibling, old_hash);
      hash = hasher.node(sibling, hash);
      while (index % 2 === 0 && index !== 0) [index, last] = [half(index), half(last)];
    } else {
      hash = hasher.node(hash, sibling);
    }
    [index, last] = [half(index), half(last)];
  }
  return last === 0 && sameBytes(old_hash, old_root) && sameBytes(hash, root);
}

/** True for equal lengths and bytes; not in constant time, as nothing here is secret. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

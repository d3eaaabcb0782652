import { expect, test } from "bun:test";
import fc from "fast-check";
import { HASH_BYTES, NodeHasher, TileTree, TreeBuilder } from "../../lib/record/merkle.ts";
import { verifyConsistency, verifyInclusion } from "../../lib/record/tree_proof.ts";

const LEAVES = 3_000;
const hasher = new NodeHasher();
const leaves = Array.from({ length: LEAVES }, (_, n) => {
  const hash = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash(`\u0000${n}`, hash);
  return hash;
});
const tiles = new Map<string, Uint8Array>();
const builder = new TreeBuilder();
for (const leaf of leaves) builder.append(leaf);
for (const { level, index, data } of builder.takeChanged()) tiles.set(`${level}/${index}`, data);
const tree = new TileTree((level, index) => tiles.get(`${level}/${index}`));

/** MTH of RFC 6962 section 2.1 in its own words. */
function root(from: number, to: number): Uint8Array {
  const [leaf] = leaves.slice(from, from + 1);
  if (leaf === undefined) throw new Error("no leaf");
  if (to - from === 1) return leaf;
  let split = 1;
  while (split * 2 < to - from) split *= 2;
  return hasher.node(root(from, from + split), root(from + split, to));
}

const size = fc.integer({ min: 1, max: LEAVES });

test("the root of any size is that of the definition", () => {
  fc.assert(fc.property(size, (count) => expect(tree.root(count)).toEqual(root(0, count))), { numRuns: 60 });
});

test("every inclusion proof holds, for its own leaf, place, size and root alone", () => {
  fc.assert(
    fc.property(size, fc.nat(), fc.nat(), (count, at, other) => {
      const index = at % count;
      const [leaf] = leaves.slice(index, index + 1);
      if (leaf === undefined) throw new Error("no leaf");
      const path = tree.inclusion(index, count);
      const claim = { leaf, index, size: count, root: tree.root(count) };
      expect(verifyInclusion(claim, path)).toBe(true);
      const wrong = other % LEAVES;
      if (wrong !== index && wrong < count) expect(verifyInclusion({ ...claim, index: wrong }, path)).toBe(false);
      if (wrong !== count && wrong > 0) expect(verifyInclusion({ ...claim, root: tree.root(wrong) }, path)).toBe(false);
    }),
    { numRuns: 400 },
  );
});

test("every consistency proof holds, for its own two trees alone", () => {
  fc.assert(
    fc.property(size, fc.nat(), fc.nat(), (count, at, other) => {
      const old_size = 1 + (at % count);
      const proof = tree.consistency(old_size, count);
      const claim = { old_size, old_root: tree.root(old_size), size: count, root: tree.root(count) };
      expect(verifyConsistency(claim, proof)).toBe(true);
      const wrong = 1 + (other % count);
      if (wrong === old_size) return;
      expect(verifyConsistency({ ...claim, old_root: tree.root(wrong) }, proof)).toBe(false);
    }),
    { numRuns: 400 },
  );
});

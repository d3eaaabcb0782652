import { expect, test } from "bun:test";
import { emptyRoot, HASH_BYTES, hashAt, TileTree, type TileWrite, TreeBuilder } from "../../../lib/record/merkle.ts";
import { verifyConsistency, verifyInclusion } from "../../../lib/record/tree_proof.ts";

/** Leaf inputs and the roots of their trees, from the reference tests of Certificate Transparency (RFC 6962). */
const INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

function leafOf(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash(Buffer.concat([Uint8Array.of(0), input]), out);
  return out;
}

function numbered(n: number): Uint8Array {
  return leafOf(Buffer.from(`leaf ${n}`));
}

/** Stores tiles as the database does: the last write of each place. */
class Tiles {
  readonly #data: Map<string, Uint8Array> = new Map();

  put(writes: readonly TileWrite[]): void {
    for (const { level, index, data } of writes) this.#data.set(`${level}/${index}`, data);
  }

  readonly read = (level: number, index: number): Uint8Array | undefined => this.#data.get(`${level}/${index}`);
}

test("roots are those of the reference vectors", () => {
  const builder = new TreeBuilder();
  expect(builder.root().toHex()).toBe(EMPTY);
  expect(emptyRoot().toHex()).toBe(EMPTY);
  for (const [index, input] of INPUTS.entries()) {
    builder.append(leafOf(Uint8Array.fromHex(input)));
    expect(builder.root().toHex()).toBe(ROOTS[index] ?? "");
  }
});

test("proofs are those of the reference vectors", () => {
  const tiles = new Tiles();
  const builder = new TreeBuilder();
  for (const input of INPUTS) builder.append(leafOf(Uint8Array.fromHex(input)));
  tiles.put(builder.takeChanged());
  const tree = new TileTree(tiles.read);
  expect(tree.inclusion(5, 8).map((hash) => hash.toHex())).toEqual([
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
  expect(tree.consistency(6, 8).map((hash) => hash.toHex())).toEqual([
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  ]);
});

test("tiles have 256 hashes, higher levels those of full tiles, and a partial tile comes last", () => {
  const builder = new TreeBuilder();
  const shape: string[] = [];
  for (let n = 0; n < 700; n++) {
    builder.append(numbered(n));
    if (n !== 99 && n !== 699) continue;
    shape.push(
      ...builder.takeChanged().map(({ level, index, data }) => `${level}/${index}:${data.length / HASH_BYTES}`),
    );
  }
  expect(shape).toEqual(["0/0:100", "0/0:256", "0/1:256", "0/2:188", "1/0:2"]);
  expect(builder.takeChanged()).toEqual([]);
});

test("a tree goes on from its tiles as if it had never stopped", () => {
  const tiles = new Tiles();
  const whole = new TreeBuilder();
  let resumed = new TreeBuilder();
  for (let n = 0; n < 1_200; n++) {
    whole.append(numbered(n));
    resumed.append(numbered(n));
    if (n % 97 !== 0 && n !== 255 && n !== 511) continue;
    tiles.put(resumed.takeChanged());
    resumed = TreeBuilder.resume(n + 1, tiles.read);
    expect(resumed.root()).toEqual(whole.root());
  }
  expect(resumed.root()).toEqual(whole.root());
});

test("a missing or short tile is told", () => {
  const tiles = new Tiles();
  const builder = new TreeBuilder();
  for (let n = 0; n < 300; n++) builder.append(numbered(n));
  tiles.put(builder.takeChanged());
  expect(() => new TileTree(() => undefined).root(300)).toThrow("tile 0 of level 1 is missing");
  const short = (level: number, index: number): Uint8Array | undefined => tiles.read(level, index)?.subarray(0, 32);
  expect(() => new TileTree(short).root(300)).toThrow("tile 1 of level 0 holds 1 hashes of 32");
  expect(() => TreeBuilder.resume(301, tiles.read)).toThrow("holds 44 hashes of 45");
});

test("a proof with anything changed does not hold", () => {
  const tiles = new Tiles();
  const builder = new TreeBuilder();
  for (let n = 0; n < 11; n++) builder.append(numbered(n));
  tiles.put(builder.takeChanged());
  const tree = new TileTree(tiles.read);
  const root = tree.root(11);
  const path = tree.inclusion(4, 11);
  const claim = { leaf: numbered(4), index: 4, size: 11, root };
  expect(verifyInclusion(claim, path)).toBe(true);
  const flipped = path.map((hash, n) => n === 1 ? hash.map((byte, at) => at === 7 ? byte ^ 1 : byte) : hash);
  expect(verifyInclusion(claim, flipped)).toBe(false);
  expect(verifyInclusion(claim, path.slice(1))).toBe(false);
  expect(verifyInclusion(claim, [...path, root])).toBe(false);
  for (const index of [-1, 3, 5, 11]) expect(verifyInclusion({ ...claim, index }, path)).toBe(false);
  expect(verifyInclusion({ ...claim, leaf: numbered(5) }, path)).toBe(false);
  const old = { old_size: 6, old_root: tree.root(6), size: 11, root };
  const proof = tree.consistency(6, 11);
  expect(verifyConsistency(old, proof)).toBe(true);
  expect(verifyConsistency({ ...old, old_root: tree.root(7) }, proof)).toBe(false);
  expect(verifyConsistency({ ...old, root: tree.root(10) }, proof)).toBe(false);
  expect(verifyConsistency({ ...old, old_size: 5 }, proof)).toBe(false);
  expect(verifyConsistency(old, [...proof, root])).toBe(false);
  expect(verifyConsistency({ ...old, old_size: 12 }, proof)).toBe(false);
  expect(verifyConsistency({ ...old, old_size: 0 }, [])).toBe(true);
  expect(verifyConsistency({ ...old, old_size: 11, old_root: root }, [])).toBe(true);
  expect(hashAt(root, 0)).toEqual(root);
});

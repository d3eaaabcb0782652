/** File rules in the maps, looked up as the programs do it. */
import { describe, expect, test } from "bun:test";
import { AgExecKey, AgFilePolicy, AgObject, AgRuleBits } from "../../../probes/abi.gen.ts";
import type { LoweredFileRule } from "../../../lib/core/mod.ts";
import { FILE_ACTIONS, type FileEntry, filePolicy, nameEntries, objectEntries } from "../../../lib/act/file_rules.ts";
import type { FileObject, ObjectFinder } from "../../../lib/act/mod.ts";

function fileRule(fields: Partial<LoweredFileRule>): LoweredFileRule {
  return { rule_index: 0, actions: ["file.read"], paths: [], names: [], extensions: [], trees: [], ...fields };
}

/** Bits of the rules in a vector. */
function bits(value: Uint8Array, at: number = 0): readonly number[] {
  const view = new DataView(value.buffer, value.byteOffset);
  return Array.from({ length: 256 }, (_, bit) => bit).filter((bit) =>
    (view.getBigUint64(at + (bit >> 6) * 8, true) >> BigInt(bit & 63)) & 1n
  );
}

function textOf(entry: FileEntry): string {
  const at = AgExecKey.path;
  const end = entry.key.indexOf(0, at);
  return new TextDecoder().decode(entry.key.subarray(at, end < 0 ? undefined : end));
}

/** Objects by path: what the file system would say. */
class Objects implements ObjectFinder {
  readonly #by_path: Readonly<Record<string, bigint>>;
  readonly #linked: Readonly<Record<string, readonly bigint[]>>;

  constructor(by_path: Readonly<Record<string, bigint>>, linked: Readonly<Record<string, readonly bigint[]>> = {}) {
    this.#by_path = by_path;
    this.#linked = linked;
  }

  find(path: string): FileObject | undefined {
    const ino = this.#by_path[path];
    return ino === undefined ? undefined : { dev: 5, ino };
  }

  linked(directory: string): readonly FileObject[] {
    return (this.#linked[directory] ?? []).map((ino) => ({ dev: 5, ino }));
  }
}

describe("names", () => {
  test("a tree inside a tree carries the rules of both; the final slash keeps neighbours out", () => {
    const entries = nameEntries(1, [
      fileRule({ trees: ["/a"] }),
      fileRule({ trees: ["/a/b"] }),
      fileRule({ trees: ["/ab"] }),
    ]);
    const trees = new Map(entries.map((entry) => [textOf(entry), bits(entry.value)]));
    expect(trees).toEqual(new Map([["/a/", [0]], ["/a/b/", [0, 1]], ["/ab/", [2]]]));
  });

  test("paths, base names and extensions are told apart; rules of one text share its entry", () => {
    const entries = nameEntries(0, [
      fileRule({ paths: ["/x"], names: ["x"] }),
      fileRule({ names: ["x"], extensions: [".x"] }),
    ]);
    const found = entries.map((entry) => {
      const kind = new DataView(entry.key.buffer).getUint32(AgExecKey.base_name, true);
      return [entry.map, kind, textOf(entry), bits(entry.value)];
    });
    expect(found).toEqual([
      ["file_names", 0, "/x", [0]],
      ["file_names", 1, "x", [0, 1]],
      ["file_names", 2, ".x", [1]],
    ]);
  });
});

test("the policy word: one bit per rule in each action, beyond the first word too", () => {
  const rules = Array.from(
    { length: 70 },
    (_, i) => fileRule({ rule_index: 100 + i, actions: i === 69 ? ["file.delete", "unix.connect"] : ["file.read"] }),
  );
  const value = filePolicy(7, rules, 3);
  const view = new DataView(value.buffer);
  expect(view.getUint32(AgFilePolicy.generation, true)).toBe(7);
  expect(view.getUint32(AgFilePolicy.rules, true)).toBe(70);
  const of = (action: keyof typeof FILE_ACTIONS): readonly number[] =>
    bits(value, AgFilePolicy.action + FILE_ACTIONS[action] * AgRuleBits.SIZE);
  expect(of("file.read")).toHaveLength(69);
  expect([of("file.delete"), of("unix.connect"), of("file.write")]).toEqual([[69], [69], []]);
  expect(view.getInt32(AgFilePolicy.rule_index + 69 * 4, true)).toBe(169);
});

describe("objects", () => {
  // A file of the guard's working directory is not what an abstract name means.
  const finder = new Objects({ "/f": 10n, "/d": 20n, "/bin/x": 30n, "@s": 40n }, { "/d": [21n] });
  const exec = [{ rule_index: 8, verdict: "deny", paths: ["/bin/x"], names: [], trees: [] } as const];
  const entries = objectEntries(
    0,
    { files: [fileRule({ paths: ["/f", "/gone", "@s"] }), fileRule({ trees: ["/d"] })], exec },
    finder,
  );
  const by_ino = new Map(entries.map(({ key, value }) => [new DataView(key.buffer).getBigUint64(0, true), value]));
  const value = (ino: bigint): Uint8Array => by_ino.get(ino) ?? new Uint8Array();

  test("a file holds for itself, a directory also for what is below it, a name that is gone for nothing", () => {
    expect([...by_ino.keys()]).toEqual([10n, 20n, 21n, 30n]);
    expect([bits(value(10n), AgObject.self), bits(value(10n), AgObject.below)]).toEqual([[0], []]);
    expect([bits(value(20n), AgObject.self), bits(value(20n), AgObject.below)]).toEqual([[1], [1]]);
  });

  test("a file below that has a name elsewhere holds for itself", () => {
    expect([bits(value(21n), AgObject.self), bits(value(21n), AgObject.below)]).toEqual([[1], []]);
  });

  test("a program has its rule", () => {
    const view = new DataView(value(30n).buffer);
    expect([view.getUint32(AgObject.exec, true), view.getInt32(AgObject.exec + 4, true)]).toEqual([2, 8]);
  });
});

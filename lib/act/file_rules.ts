/** File rules as entries of the maps of the programs at security hooks. */
import {
  AgExecKey,
  AgExecRule,
  AgFileAction,
  AgFilePolicy,
  AgNameKind,
  AgObject,
  AgObjectKey,
  AgRuleBits,
  AgVerdict,
} from "../../probes/abi.gen.ts";
import { type FileActionName, LIMITS, type LoweredExecRule, type LoweredFileRule } from "../core/mod.ts";
import { execKey, treeKey } from "./exec_rules.ts";
import type { FileObject, ObjectFinder } from "./file_objects.ts";
import { addRule, noRules } from "./prefix_bits.ts";

/** Kernel numbers of the actions. */
export const FILE_ACTIONS: Readonly<Record<FileActionName, number>> = {
  "file.read": AgFileAction.READ,
  "file.write": AgFileAction.WRITE,
  "file.create": AgFileAction.CREATE,
  "file.truncate": AgFileAction.TRUNCATE,
  "file.delete": AgFileAction.DELETE,
  "file.mkdir": AgFileAction.MKDIR,
  "file.rmdir": AgFileAction.RMDIR,
  "file.chmod": AgFileAction.CHMOD,
  "file.chown": AgFileAction.CHOWN,
  "file.mknod": AgFileAction.MKNOD,
  "file.rename": AgFileAction.RENAME,
  "file.link": AgFileAction.LINK,
  "file.symlink": AgFileAction.SYMLINK,
  "unix.connect": AgFileAction.UNIX_CONNECT,
};

/** One entry of a map. */
export interface FileEntry {
  readonly map: "file_names" | "file_trees" | "file_objects";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The policy word of a slot. Rule number `i` is bit `i`. */
export function filePolicy(generation: number, rules: readonly LoweredFileRule[], objects: number): Uint8Array {
  const value = new Uint8Array(AgFilePolicy.SIZE);
  const view = new DataView(value.buffer);
  view.setUint32(AgFilePolicy.generation, generation, true);
  view.setUint32(AgFilePolicy.rules, rules.length, true);
  view.setUint32(AgFilePolicy.objects, objects, true);
  rules.forEach((rule, bit) => {
    for (const action of rule.actions) {
      const at = AgFilePolicy.action + FILE_ACTIONS[action] * AgRuleBits.SIZE + (bit >> 6) * 8;
      view.setBigUint64(at, view.getBigUint64(at, true) | (1n << BigInt(bit & 63)), true);
    }
    view.setInt32(AgFilePolicy.rule_index + bit * 4, rule.rule_index, true);
  });
  return value;
}

/** Entries for the names that rules have. */
export function nameEntries(slot: number, rules: readonly LoweredFileRule[]): FileEntry[] {
  const names = new BitTable();
  const trees = new BitTable();
  rules.forEach((rule, bit) => {
    for (const text of rule.paths) names.add(`${AgNameKind.PATH}${text}`, bit);
    for (const text of rule.names) names.add(`${AgNameKind.BASE}${text}`, bit);
    for (const text of rule.extensions) names.add(`${AgNameKind.EXTENSION}${text}`, bit);
    for (const text of rule.trees) trees.add(text, bit);
  });
  const entries: FileEntry[] = [];
  for (const [text, words] of names.words) {
    const key = execKey(slot, text.slice(1), false);
    new DataView(key.buffer).setUint32(AgExecKey.base_name, Number(text.charAt(0)), true);
    entries.push({ map: "file_names", key, value: bytesOf(words) });
  }
  for (const [tree, words] of trees.words) {
    const all = words.slice();
    // A lookup finds the longest tree only, so it carries the rules of those above it.
    for (let at = tree.lastIndexOf("/"); at > 0; at = tree.lastIndexOf("/", at - 1)) {
      join(all, trees.words.get(tree.slice(0, at)));
    }
    entries.push({ map: "file_trees", key: treeKey(slot, tree), value: bytesOf(all) });
  }
  return entries;
}

/**
 * Entries for the objects that the names stand for now: renamed, linked or mounted elsewhere they are the same. Of
 * files below a directory only those are looked for that have names outside already.
 */
export function objectEntries(
  slot: number,
  rules: { readonly files: readonly LoweredFileRule[]; readonly exec: readonly LoweredExecRule[] },
  finder: ObjectFinder,
): FileEntry[] {
  const objects = new Map<string, Uint8Array>();
  const valueOf = (object: FileObject): DataView => {
    const key = objectKey(slot, object);
    const text = key.toHex();
    const value = objects.get(text) ?? new Uint8Array(AgObject.SIZE);
    objects.set(text, value);
    return new DataView(value.buffer);
  };
  const set = (object: FileObject | undefined, at: number, bit: number): void => {
    if (object === undefined) return;
    const view = valueOf(object);
    const word = at + (bit >> 6) * 8;
    view.setBigUint64(word, view.getBigUint64(word, true) | (1n << BigInt(bit & 63)), true);
  };
  let names_left: number = LIMITS.protected_names_max;
  rules.files.forEach((rule, bit) => {
    // The name of an abstract socket is no file's.
    for (const path of rule.paths.filter((each) => each.startsWith("/"))) set(finder.find(path), AgObject.self, bit);
    for (const tree of rule.trees) {
      const directory = finder.find(tree);
      set(directory, AgObject.self, bit);
      set(directory, AgObject.below, bit);
      const linked = finder.linked(tree, names_left);
      names_left -= linked.length;
      for (const object of linked) set(object, AgObject.self, bit);
    }
  });
  for (const rule of rules.exec.filter(({ verdict }) => verdict !== "allow")) {
    for (const path of rule.paths) {
      const object = finder.find(path);
      if (object === undefined) continue;
      const view = valueOf(object);
      if (view.getUint32(AgObject.exec + AgExecRule.verdict, true) !== 0) continue; // the first rule is named
      view.setUint32(AgObject.exec + AgExecRule.verdict, AgVerdict.DENY, true);
      view.setInt32(AgObject.exec + AgExecRule.rule_index, rule.rule_index, true);
    }
  }
  return [...objects].map(([key, value]) => ({ map: "file_objects", key: Uint8Array.fromHex(key), value }));
}

/** The key of an object in a slot. */
export function objectKey(slot: number, { dev, ino }: FileObject): Uint8Array {
  const key = new Uint8Array(AgObjectKey.SIZE);
  const view = new DataView(key.buffer);
  view.setBigUint64(AgObjectKey.ino, ino, true);
  view.setUint32(AgObjectKey.dev, dev, true);
  view.setUint32(AgObjectKey.slot, slot, true);
  return key;
}

/** Bit vectors by text. */
class BitTable {
  readonly words: Map<string, BigUint64Array> = new Map();

  add(text: string, bit: number): void {
    const words = this.words.get(text) ?? noRules();
    addRule(words, bit);
    this.words.set(text, words);
  }
}

function join(into: BigUint64Array, words: BigUint64Array | undefined): void {
  words?.forEach((word, i) => into[i] = (into[i] ?? 0n) | word);
}

function bytesOf(words: BigUint64Array): Uint8Array {
  return new Uint8Array(words.slice().buffer);
}

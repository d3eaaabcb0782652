/** Exec rules as entries of the kernel's maps. */
import { AgExecKey, AgExecRule, AgLimit, AgTreeKey, AgVerdict } from "../../probes/abi.gen.ts";
import { AgentguardError, type LoweredExecRule, type LoweredUnixRule } from "../core/mod.ts";

const encoder = new TextEncoder();

/** One entry of a map. */
export interface ExecEntry {
  readonly map: "exec_rules" | "exec_trees" | "unix_rules" | "unix_trees";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * All entries of a slot; where several rules name one key, the strictest holds. Throws `overflow` for a path too long.
 */
export function execEntries(slot: number, rules: readonly LoweredExecRule[]): ExecEntry[] {
  return entriesOf(slot, rules, { exact: "exec_rules", trees: "exec_trees" });
}

/** The same for rules about unix sockets, all of which refuse. */
export function unixEntries(slot: number, rules: readonly LoweredUnixRule[]): ExecEntry[] {
  const refusing = rules.map((rule): LoweredExecRule => ({ ...rule, verdict: "deny" }));
  return entriesOf(slot, refusing, { exact: "unix_rules", trees: "unix_trees" });
}

function entriesOf(
  slot: number,
  rules: readonly LoweredExecRule[],
  maps: { readonly exact: ExecEntry["map"]; readonly trees: ExecEntry["map"] },
): ExecEntry[] {
  const exact = new Map<string, ExecChoice>();
  const trees = new Map<string, ExecChoice>();
  for (const rule of rules) {
    for (const path of rule.paths) choose(exact, `/${path}`, rule);
    for (const name of rule.names) choose(exact, `=${name}`, rule);
    for (const tree of rule.trees) choose(trees, tree, rule);
  }
  const entries: ExecEntry[] = [];
  for (const [name, choice] of exact) {
    const key = execKey(slot, name.slice(1), name.startsWith("="));
    entries.push({ map: maps.exact, key, value: execValue(choice) });
  }
  for (const [tree, choice] of trees) {
    entries.push({ map: maps.trees, key: treeKey(slot, tree), value: execValue(mergeParents(trees, tree, choice)) });
  }
  return entries;
}

/** Verdict and rule of one key, where several rules name it: deny wins, then the first rule. */
interface ExecChoice {
  readonly deny: boolean;
  readonly rule_index: number;
}

function choose(into: Map<string, ExecChoice>, key: string, rule: LoweredExecRule): void {
  const choice: ExecChoice = { deny: rule.verdict !== "allow", rule_index: rule.rule_index };
  const before = into.get(key);
  into.set(key, before === undefined ? choice : stricter(before, choice));
}

function stricter(a: ExecChoice, b: ExecChoice): ExecChoice {
  if (a.deny !== b.deny) return a.deny ? a : b;
  return a.rule_index <= b.rule_index ? a : b;
}

/** A deny on a directory above holds below, also where a more specific entry allows. */
function mergeParents(trees: ReadonlyMap<string, ExecChoice>, tree: string, own: ExecChoice): ExecChoice {
  let merged = own;
  for (let slash = tree.lastIndexOf("/"); slash >= 0; slash = tree.lastIndexOf("/", slash - 1)) {
    const parent = trees.get(tree.slice(0, slash));
    if (parent !== undefined) merged = stricter(merged, parent);
    if (slash === 0) break;
  }
  return merged;
}

function pathBytes(path: string): Uint8Array {
  const bytes = encoder.encode(path);
  if (bytes.length >= AgLimit.KEY_PATH_MAX) {
    throw new AgentguardError("overflow", `lower policy: ${path} is longer than ${AgLimit.KEY_PATH_MAX - 1} bytes`);
  }
  return bytes;
}

/** Key of one path or base name. */
export function execKey(slot: number, path: string, base_name: boolean): Uint8Array {
  const key = new Uint8Array(AgExecKey.SIZE);
  const view = new DataView(key.buffer);
  view.setUint32(AgExecKey.slot, slot, true);
  view.setUint32(AgExecKey.base_name, base_name ? 1 : 0, true);
  key.set(pathBytes(path), AgExecKey.path);
  return key;
}

/** The final slash makes `/a/b` cover `/a/b/c` and not `/a/bc`. */
export function treeKey(slot: number, tree: string): Uint8Array {
  const bytes = pathBytes(`${tree}/`);
  const key = new Uint8Array(AgTreeKey.SIZE);
  const view = new DataView(key.buffer);
  view.setUint32(AgTreeKey.prefix_bits, 32 + bytes.length * 8, true);
  view.setUint32(AgTreeKey.slot, slot, true);
  key.set(bytes, AgTreeKey.path);
  return key;
}

function execValue(choice: ExecChoice): Uint8Array {
  const value = new Uint8Array(AgExecRule.SIZE);
  const view = new DataView(value.buffer);
  view.setUint32(AgExecRule.verdict, choice.deny ? AgVerdict.DENY : AgVerdict.ALLOW, true);
  view.setInt32(AgExecRule.rule_index, choice.rule_index, true);
  return value;
}

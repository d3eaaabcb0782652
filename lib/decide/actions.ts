/** Names of actions in a policy: types, globs over them, classes of `[default]`, and which predicate reads what. */
import { ACTION_TYPES, type ActionType } from "../core/mod.ts";
import type { PredicateName, Predicates, RuleNode } from "./ast.ts";
import { parseTextGlob } from "./glob.ts";
import { matchTextGlobs } from "./match.ts";
import { nearest } from "./suggest.ts";

/**
 * What an agent asks for. A pattern that begins with a wildcard speaks of these only: facts (`exec.failed`,
 * `process.*`, `net.dns`) and what the guard and its operators say of themselves must be named.
 */
const REQUEST_TYPES: readonly ActionType[] = ACTION_TYPES.filter((type) =>
  type === "exec" || (/^(?:file|net|unix|tool|llm|agent)\./.test(type) && type !== "net.dns")
);

/** What a pattern can stand for: `net.*` is what goes out, not the answers about names that come in. */
const GLOB_TYPES: readonly ActionType[] = ACTION_TYPES.filter((type) => type !== "net.dns");

/** The action types that a name or glob stands for; empty if none. */
export function expandAction(text: string): readonly ActionType[] {
  const exact = ACTION_TYPES.find((type) => type === text);
  if (exact !== undefined) return [exact];
  const globs = parseTextGlob(text);
  if (!globs.ok || !/[*?[{]/.test(text)) return [];
  const pool = /^[*?[]/.test(text) ? REQUEST_TYPES : GLOB_TYPES;
  return pool.filter((type) => matchTextGlobs(globs.value, type));
}

/** How closely a class of `[default]` names its types: the closest class that covers a type wins. */
export interface DefaultClass {
  readonly types: readonly ActionType[];
  /** 3 a type, 2 a family or a glob, 1 `*`. */
  readonly closeness: number;
}

/** A class of `[default]`: a type, `*`, a family (`net`) or a glob (`net.*`, the same). */
export function expandDefaultClass(text: string): DefaultClass {
  if (text === "*") return { types: REQUEST_TYPES, closeness: 1 };
  const types = expandAction(text);
  if (types.length === 1 && types[0] === text) return { types, closeness: 3 };
  if (types.length > 0) return { types, closeness: 2 };
  return { types: GLOB_TYPES.filter((type) => type.startsWith(`${text}.`)), closeness: 2 };
}

/** The nearest valid name for an unknown action. */
export function suggestAction(text: string): string {
  if (ACTION_TYPES.some((type) => type.startsWith(`${text}.`))) return `did you mean "${text}.*"?`;
  return suggestFrom(text, ["file.*", "net.*", "unix.*", "tool.*", ...ACTION_TYPES]);
}

/** The nearest valid class of `[default]` for an unknown one. */
export function suggestDefaultClass(text: string): string {
  return suggestFrom(text, ["file", "net", "unix", "tool", ...ACTION_TYPES]);
}

function suggestFrom(text: string, known: readonly string[]): string {
  const found = nearest(text, known);
  return found === undefined ? `known actions: ${REQUEST_TYPES.join(", ")}` : `did you mean "${found}"?`;
}

/** Types with a path of their own. */
const PATH_TYPES: readonly ActionType[] = ACTION_TYPES.filter((type) =>
  /^(?:exec|exec\.failed|unix\.connect|file\..*)$/.test(type)
);
const NET_TYPES: readonly ActionType[] = ["net.connect", "net.send", "net.bind", "net.listen"];
/** Types that may have names. What is bound is an address of this host: nobody looks its name up. */
const NAMED_TYPES: readonly ActionType[] = ["net.connect", "net.send", "net.dns"];

/** For each predicate the types in which it can hold; `undefined` for those that ask about the process or session. */
const PREDICATE_TYPES: Readonly<Record<PredicateName, readonly ActionType[] | undefined>> = {
  path: PATH_TYPES,
  new_path: ["file.rename", "file.link", "file.symlink"],
  exe: ["exec", "exec.failed", "tool.call"],
  argv: ["exec", "tool.call"],
  address: NET_TYPES,
  port: NET_TYPES,
  protocol: NET_TYPES,
  host: NAMED_TYPES,
  tool: ["tool.call"],
  server: ["tool.call"],
  action: undefined,
  by: undefined,
  cwd: undefined,
  user: undefined,
  agent: undefined,
  principal: undefined,
  session: undefined,
  ancestor: undefined,
  group: undefined,
  tag: undefined,
  args: ["tool.call"],
  model: undefined,
  tokens: undefined,
  declared: undefined,
  opaque: ["exec", "tool.call"],
  risk: undefined,
  time: undefined,
  rate: undefined,
  after: undefined,
  since: undefined,
  label: undefined,
};

/** The same to ask about one type. */
const PREDICATE_SETS: ReadonlyMap<string, ReadonlySet<ActionType>> = new Map(
  Object.entries(PREDICATE_TYPES).flatMap(([name, types]) => types === undefined ? [] : [[name, new Set(types)]]),
);

/** The action types in which a predicate can hold; `undefined` for those that ask about the process or session. */
export function typesOfPredicate(name: PredicateName): readonly ActionType[] | undefined {
  return PREDICATE_TYPES[name];
}

/** The predicates that a set has, in the order in which they are parsed. */
export function predicateNames(predicates: Predicates): readonly PredicateName[] {
  const names: PredicateName[] = [];
  let name: PredicateName;
  for (name in predicates) if (predicates[name] !== undefined) names.push(name);
  return names;
}

/** The types in which every predicate of a rule can hold. */
export function reachableTypes({ node }: { readonly node: RuleNode }): readonly ActionType[] {
  let types = node.actions;
  let name: PredicateName;
  for (name in node.predicates) {
    const possible = node.predicates[name] === undefined ? undefined : PREDICATE_SETS.get(name);
    // Most rules lose nothing here: then no list is made.
    if (possible === undefined || types.every((type) => possible.has(type))) continue;
    types = types.filter((type) => possible.has(type));
  }
  return types;
}

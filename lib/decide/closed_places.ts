/**
 * Places that rules close whatever happens: for whom, when and after what is not asked. What the command never sees of
 * them needs no decision, and nobody who decides (docs/baseline.md).
 */
import type { ActionType } from "../core/mod.ts";
import type { PathPattern, Predicates } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { PathGlob } from "./glob.ts";
import { isBelow, matchPathGlob } from "./match.ts";
import { kernelHome, pathForm } from "./path_forms.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { typedLayers, type TypedRule } from "./typed_rules.ts";

/** A place that one rule closes. */
export interface ClosedPlace {
  readonly rule: string;
  readonly rule_index: number;
  /** `file`: neither read nor written; `socket`: not connected to. */
  readonly what: "file" | "socket";
  /** Absolute and normal. */
  readonly path: string;
  /** Everything below is closed, too. */
  readonly tree: boolean;
  /** No exception can speak of anything there. */
  readonly whole: boolean;
  /** The rule closes this absolute and normal name, and none of its exceptions may speak of it. */
  closes(name: string): boolean;
}

/** What a closed file may not be: with less than this the rule leaves something that a mask would take. */
const FILE_TYPES: readonly ActionType[] = ["file.read", "file.write"];
const SOCKET_TYPES: readonly ActionType[] = ["unix.connect"];

/** The places of every enforcing rule that denies by `path` alone, for its literal paths and whole directories. */
export function closedPlaces(snapshot: PolicySnapshot, home: string | undefined): readonly ClosedPlace[] {
  const known_home = kernelHome(home);
  const rules = typedLayers(snapshot.layers).filter(({ file }) => file.mode === "enforce").flatMap((layer) =>
    layer.rules
  );
  return rules.filter(isUnconditional).flatMap((rule) => [
    ...placesOf(rule, { what: "file", types: FILE_TYPES, home: known_home }),
    ...placesOf(rule, { what: "socket", types: SOCKET_TYPES, home: known_home }),
  ]);
}

function isUnconditional({ node }: TypedRule): boolean {
  return node.mode === "enforce" && node.verdict === "deny" &&
    predicateNames(node.predicates).every((name) => name === "path");
}

interface Asked {
  readonly what: ClosedPlace["what"];
  readonly types: readonly ActionType[];
  readonly home: string | undefined;
}

function placesOf({ node, index, name, types: all }: TypedRule, { what, types, home }: Asked): readonly ClosedPlace[] {
  if (!types.every((type) => all.includes(type))) return [];
  const excepts = node.excepts.filter(({ action }) =>
    action === undefined || action.some((type) => all.includes(type))
  );
  const patterns = node.predicates.path ?? [];
  const closes = (path: string): boolean =>
    matches(patterns, path, home) && !excepts.some((except) => maySpeakOf(except, path, home));
  return patterns.flatMap(({ globs }) => globs).flatMap((glob) => {
    const form = pathForm(glob, home);
    if (form === undefined || form.kind === "name") return [];
    const tree = form.kind === "tree";
    const whole = tree ? !excepts.some((except) => mayReach(except, form.text, home)) : closes(form.text);
    return tree || whole ? [{ rule: name, rule_index: index, what, path: form.text, tree, whole, closes }] : [];
  });
}

/** An exception whose other conditions nobody knows is taken to hold. */
function maySpeakOf({ path }: Predicates, name: string, home: string | undefined): boolean {
  return path === undefined || home === undefined || matches(path, name, home);
}

function matches(patterns: readonly PathPattern[], name: string, home: string | undefined): boolean {
  return patterns.some(({ globs }) => globs.some((glob) => matchPathGlob(glob, name, { home, any_home: false })));
}

/** The exception may speak of something in the directory. */
function mayReach({ path }: Predicates, tree: string, home: string | undefined): boolean {
  return path === undefined || path.some(({ globs }) => globs.some((glob) => overlaps(glob, tree, home)));
}

function overlaps(glob: PathGlob, tree: string, home: string | undefined): boolean {
  const begin = glob.root === "absolute" ? "" : glob.root === "home" ? home : undefined;
  if (glob.root === "abstract") return false;
  if (begin === undefined) return true;
  let fixed = begin;
  for (const segment of glob.segments) {
    if (segment.kind !== "literal") return isBelow(fixed, tree) || isBelow(tree, fixed);
    fixed += `/${segment.text}`;
  }
  return isBelow(fixed, tree);
}

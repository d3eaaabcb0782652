/** Rules that never decide because another one covers everything that they cover and always wins. */
import type { ActionType } from "../core/mod.ts";
import type { PredicateName } from "./ast.ts";
import { predicateNames, reachableTypes } from "./actions.ts";
import { narrowKeys, predicateCovers, wideKeys } from "./cover.ts";
import type { Diagnostics } from "./diagnostic.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";

/** Pairs of rules compared in one load; beyond this the search ends with a word. */
const COMPARISONS_MAX = 200_000;
const STRENGTH = { log: 0, allow: 1, redact: 2, ask: 3, deny: 4 } as const;

/** A rule with what is asked of it again and again. */
interface Entry {
  readonly layer: NumberedLayer;
  readonly rule: NumberedRule;
  readonly types: readonly ActionType[];
  readonly names: readonly PredicateName[];
}

/** Warns of every rule that is surely shadowed. May miss some, never invents one. */
export function checkShadowed(layers: readonly NumberedLayer[], diagnostics: Diagnostics): void {
  const entries = layers.flatMap((layer) =>
    layer.rules.map((rule): Entry => ({
      layer,
      rule,
      types: reachableTypes(rule),
      names: predicateNames(rule.node.predicates),
    }))
  );
  const index = new Map<string, Entry[]>();
  const lengths = new Set<number>();
  for (const entry of entries) {
    for (const { prefix_bits } of entry.rule.node.predicates.address ?? []) lengths.add(prefix_bits);
    for (const key of wideKeys(entry.rule.node.predicates)) {
      const known = index.get(key);
      if (known === undefined) index.set(key, [entry]);
      else known.push(entry);
    }
  }
  const prefixes = [...lengths];
  let left = COMPARISONS_MAX;
  for (const narrow of entries) {
    const candidates: Entry[] = [];
    for (const key of narrowKeys(narrow.rule.node.predicates, prefixes)) {
      const found = index.get(key);
      left -= found?.length ?? 0;
      if (left < 0) break;
      if (found !== undefined) candidates.push(...found);
    }
    if (left < 0) {
      const message = "the search for shadowed rules ends here: there are too many rules that may cover each other";
      diagnostics.warning(narrow.rule.node.position, message);
      return;
    }
    const stronger = candidates.find((wide) => shadows(wide, narrow));
    if (stronger === undefined) continue;
    const { node } = stronger.rule;
    const where = `"${stronger.rule.name}" (${node.position.file}:${node.position.line})`;
    diagnostics.warning(
      narrow.rule.node.position,
      `rule "${narrow.rule.name}" never decides: ${node.verdict} rule ${where} covers everything that it covers`,
      node.verdict === narrow.rule.node.verdict ? "remove one of them" : "use except in the other rule",
    );
  }
}

function shadows(wide: Entry, narrow: Entry): boolean {
  if (wide === narrow || wide.layer.file.mode !== narrow.layer.file.mode) return false;
  // Layers only tighten: the same verdict in two of them is no slip.
  if (wide.layer !== narrow.layer && wide.rule.node.verdict === narrow.rule.node.verdict) return false;
  return beats(wide.rule, narrow.rule) && covers(wide, narrow);
}

/** True if `other` always decides where both hold; of equals, the earlier one. */
function beats(other: NumberedRule, rule: NumberedRule): boolean {
  if (other.node.mode !== rule.node.mode || (rule.node.verdict === "log") !== (other.node.verdict === "log")) {
    return false;
  }
  const difference = STRENGTH[other.node.verdict] - STRENGTH[rule.node.verdict];
  return difference > 0 || (difference === 0 && other.index < rule.index);
}

/** True if `wide` surely holds wherever `narrow` does. */
function covers(wide: Entry, narrow: Entry): boolean {
  const { node } = wide.rule;
  // An allow needs every name to match and a deny any one: what an allow covers, a deny with the same patterns covers.
  if (node.verdict === "allow" && narrow.rule.node.verdict !== "allow") return false;
  if (node.excepts.length > 0 || !wide.names.every((name) => narrow.names.includes(name))) return false;
  if (narrow.types.length === 0 || !narrow.types.every((type) => wide.types.includes(type))) return false;
  return wide.names.every((name) => predicateCovers(name, node.predicates, narrow.rule.node.predicates));
}

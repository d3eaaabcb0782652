/** The nearest change of a policy that lets an action through. Every proposal is tried before it is made. */
import type { Event, Verdict } from "../core/mod.ts";
import type { PredicateName, Predicates, RuleNode } from "./ast.ts";
import { exceptSnippet, parseSnippet, ruleSnippet, type SnippetLine, snippetLines } from "./explain_snippet.ts";
import { evaluateReference, type NumberedLayer, type NumberedRule, ruleHolds } from "./reference.ts";

/** One edit. */
export type Change =
  /** Put this into the rule, beside the exceptions that it has. */
  | {
    readonly kind: "except";
    readonly rule: string;
    readonly file: string;
    readonly line: number;
    readonly toml: string;
    /** The rule has exceptions already: its `except` must be a list, and this one of its elements. */
    readonly listed: boolean;
  }
  /** Add this to the values of one predicate of an allow rule that fails only there. */
  | {
    readonly kind: "extend";
    readonly rule: string;
    readonly file: string;
    readonly line: number;
    readonly predicate: PredicateName;
    readonly toml: string;
  }
  /** Add this rule to the file. */
  | { readonly kind: "rule"; readonly file: string; readonly toml: string };

/** More edits than this are no near change. */
const CHANGES_MAX = 8;

/**
 * The edits after which the action is let through, all of them needed; `undefined` where it already is. An empty list:
 * no edit of this size does it.
 */
export function nearestChange(layers: readonly NumberedLayer[], event: Event): readonly Change[] | undefined {
  if (passes(layers, event)) return undefined;
  const lines = snippetLines(event);
  const changes: Change[] = [];
  let changed = layers;
  for (let i = 0; i < CHANGES_MAX; i++) {
    const step = nextChange(changed, event, lines);
    if (step === undefined) return [];
    changes.push(step.change);
    changed = step.layers;
    if (passes(changed, event)) return changes;
  }
  return [];
}

function passes(layers: readonly NumberedLayer[], event: Event): boolean {
  const { verdict, would } = evaluateReference(layers, event);
  return lets(verdict) && (would === undefined || lets(would));
}

function lets(verdict: Verdict): boolean {
  return verdict === "allow" || verdict === "log" || verdict === "redact";
}

interface Step {
  readonly change: Change;
  readonly layers: readonly NumberedLayer[];
}

/** Deals with one thing that stops the action: a rule that forbids, or the default of one layer. */
function nextChange(
  layers: readonly NumberedLayer[],
  event: Event,
  lines: readonly SnippetLine[],
): Step | undefined {
  for (const layer of layers.filter(({ file }) => file.mode !== "disabled")) {
    const holding = layer.rules.filter((rule) => ruleHolds(rule.node, event));
    const stopping = holding.find((rule) => !lets(rule.node.verdict));
    if (stopping !== undefined) return addExcept(layers, stopping, { event, lines });
    const fallback = layer.file.defaults.get(event.action.type);
    const lifted = holding.some(({ node }) =>
      node.mode === "enforce" && (node.verdict === "allow" || node.verdict === "redact")
    );
    if (fallback === undefined || lets(fallback) || lifted) continue;
    return extendRule(layers, layer, { event, lines }) ?? addRule(layers, layer, { event, lines });
  }
  return undefined;
}

interface Wanted {
  readonly event: Event;
  readonly lines: readonly SnippetLine[];
}

function addExcept(layers: readonly NumberedLayer[], rule: NumberedRule, { event, lines }: Wanted): Step | undefined {
  const toml = exceptSnippet(event, lines);
  const parsed = parseSnippet(`[[rules]]\naction = "${event.action.type}"\nverdict = "deny"\n${toml}`);
  if (parsed === undefined) return undefined;
  const node: RuleNode = { ...rule.node, excepts: [...rule.node.excepts, ...parsed.excepts] };
  if (ruleHolds(node, event)) return undefined;
  const { file, line } = node.position;
  const listed = rule.node.excepts.length > 0;
  return {
    change: {
      kind: "except",
      rule: rule.name,
      file,
      line,
      toml: listed ? toml.slice("except = ".length) : toml,
      listed,
    },
    layers: replaceRule(layers, rule, node),
  };
}

/** An allow rule of the layer that fails in one predicate only. */
function extendRule(
  layers: readonly NumberedLayer[],
  layer: NumberedLayer,
  { event, lines }: Wanted,
): Step | undefined {
  const parsed = parseSnippet(ruleSnippet(event, lines));
  if (parsed === undefined) return undefined;
  for (const rule of layer.rules) {
    const { node } = rule;
    if (node.verdict !== "allow" || node.mode !== "enforce" || !node.actions.includes(event.action.type)) continue;
    for (const [key, value] of lines) {
      const name = nameOf(key, node.predicates);
      if (name === undefined) continue;
      const predicates = withValues(node.predicates, parsed.predicates, name);
      if (predicates === undefined || !ruleHolds({ ...node, predicates }, event)) continue;
      const { file, line } = node.predicate_positions.get(name) ?? node.position;
      return {
        change: { kind: "extend", rule: rule.name, file, line, predicate: name, toml: value },
        layers: replaceRule(layers, rule, { ...node, predicates }),
      };
    }
  }
  return undefined;
}

function nameOf(key: string, predicates: Predicates): PredicateName | undefined {
  let name: PredicateName;
  for (name in predicates) if (name === key) return name;
  return undefined;
}

/** The rule's predicates with the values of one of them joined to those of another set. */
function withValues(own: Predicates, other: Predicates, name: PredicateName): Predicates | undefined {
  const [mine, more]: readonly unknown[] = [own[name], other[name]];
  if (!Array.isArray(mine) || !Array.isArray(more)) return undefined;
  return { ...own, [name]: [...mine, ...more] };
}

function addRule(layers: readonly NumberedLayer[], layer: NumberedLayer, { event, lines }: Wanted): Step | undefined {
  const toml = ruleSnippet(event, lines);
  const node = parseSnippet(toml);
  if (node === undefined || !ruleHolds(node, event)) return undefined;
  const added: NumberedRule = { index: Number.MAX_SAFE_INTEGER, name: "<new>", node };
  return {
    change: { kind: "rule", file: layer.file.file, toml },
    layers: layers.map((each) => each === layer ? { ...each, rules: [...each.rules, added] } : each),
  };
}

function replaceRule(layers: readonly NumberedLayer[], rule: NumberedRule, node: RuleNode): readonly NumberedLayer[] {
  return layers.map((layer) => ({
    ...layer,
    rules: layer.rules.map((each) => each.index === rule.index ? { ...each, node } : each),
  }));
}

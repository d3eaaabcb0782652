/** The nearest change of a policy that lets an action through. Every proposal is tried before it is made. */
import type { Event } from "../core/mod.ts";
import type { PredicateName, Predicates, RuleNode } from "./ast.ts";
import { exceptSnippet, parseSnippet, ruleSnippet, type SnippetLine, snippetLines } from "./explain_snippet.ts";
import { holdsIn, lets, type Past, type View, viewsOf } from "./explain_views.ts";
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
export function nearestChange(
  layers: readonly NumberedLayer[],
  event: Event,
  past: Past,
): readonly Change[] | undefined {
  const passes = (changed: readonly NumberedLayer[]): boolean => {
    const { verdict, would } = evaluateReference(changed, event, past);
    return lets(verdict) && (would === undefined || lets(would));
  };
  if (passes(layers)) return undefined;
  const views = viewsOf(event, past);
  const changes: Change[] = [];
  let changed = layers;
  for (let i = 0; i < CHANGES_MAX; i++) {
    const step = nextChange(changed, views);
    if (step === undefined) return [];
    changes.push(step.change);
    changed = step.layers;
    if (passes(changed)) return changes;
  }
  return [];
}

interface Step {
  readonly change: Change;
  readonly layers: readonly NumberedLayer[];
}

/** Deals with one thing that stops the action: a rule that forbids, or the default of one layer. */
function nextChange(layers: readonly NumberedLayer[], views: readonly View[]): Step | undefined {
  for (const view of views) {
    for (const layer of layers.filter(({ file }) => file.mode !== "disabled")) {
      const holding = layer.rules.filter((rule) => holdsIn(view, layer, rule));
      const stopping = holding.find((rule) => !lets(rule.node.verdict));
      if (stopping !== undefined) return addExcept(layers, { layer, rule: stopping }, view);
      const fallback = view.no_default ? undefined : layer.file.defaults.get(view.event.action.type);
      if (fallback === undefined || lets(fallback) || liftsIn(view, layer)) continue;
      return extendRule(layers, layer, view) ?? addRule(layers, layer, view);
    }
  }
  return undefined;
}

/** A rule of the layer that lifts its default; inside a command line they count too, though they only keep it out. */
function liftsIn(view: View, layer: NumberedLayer): boolean {
  return layer.rules.some(({ name, node }) =>
    node.mode === "enforce" && (node.verdict === "allow" || node.verdict === "redact") &&
    !(view.only_arguments && node.predicates.argv === undefined) &&
    ruleHolds(node, view.event, { ...view.past, rule: name, observes: false, opaque: view.opaque })
  );
}

/** The conditions with and without the arguments: what is not known for certain permits nothing. */
function variants(view: View): readonly (readonly SnippetLine[])[] {
  const lines = snippetLines(view.event);
  const short = lines.filter(([key]) => key !== "argv");
  return short.length === lines.length ? [lines] : [lines, short];
}

function addExcept(
  layers: readonly NumberedLayer[],
  { layer, rule }: { readonly layer: NumberedLayer; readonly rule: NumberedRule },
  view: View,
): Step | undefined {
  for (const lines of variants(view)) {
    const toml = exceptSnippet(view.event, lines);
    const parsed = parseSnippet(`[[rules]]\naction = "${view.event.action.type}"\nverdict = "deny"\n${toml}`);
    if (parsed === undefined) continue;
    const node: RuleNode = { ...rule.node, excepts: [...rule.node.excepts, ...parsed.excepts] };
    if (holdsIn(view, layer, rule, node)) continue;
    const { file, line } = node.position;
    const listed = rule.node.excepts.length > 0;
    const text = listed ? toml.slice("except = ".length) : toml;
    return {
      change: { kind: "except", rule: rule.name, file, line, toml: text, listed },
      layers: replaceRule(layers, rule, node),
    };
  }
  return undefined;
}

/** An allow rule of the layer that fails in one predicate only. */
function extendRule(layers: readonly NumberedLayer[], layer: NumberedLayer, view: View): Step | undefined {
  const lines = snippetLines(view.event);
  const parsed = parseSnippet(ruleSnippet(view.event, lines));
  if (parsed === undefined) return undefined;
  for (const rule of layer.rules) {
    const { node } = rule;
    if (node.verdict !== "allow" || node.mode !== "enforce" || !node.actions.includes(view.event.action.type)) continue;
    for (const [key, value] of lines) {
      const name = nameOf(key, node.predicates);
      if (name === undefined) continue;
      const predicates = withValues(node.predicates, parsed.predicates, name);
      if (predicates === undefined || !permits({ ...node, predicates }, view)) continue;
      const { file, line } = node.predicate_positions.get(name) ?? node.position;
      return {
        change: { kind: "extend", rule: rule.name, file, line, predicate: name, toml: value },
        layers: replaceRule(layers, rule, { ...node, predicates }),
      };
    }
  }
  return undefined;
}

function permits(node: RuleNode, { event, past, opaque }: View): boolean {
  return ruleHolds(node, event, { ...past, rule: "", observes: false, opaque });
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

function addRule(layers: readonly NumberedLayer[], layer: NumberedLayer, view: View): Step | undefined {
  for (const lines of variants(view)) {
    const toml = ruleSnippet(view.event, lines);
    const node = parseSnippet(toml);
    if (node === undefined || !permits(node, view)) continue;
    const added: NumberedRule = { index: Number.MAX_SAFE_INTEGER, name: "<new>", node };
    return {
      change: { kind: "rule", file: layer.file.file, toml },
      layers: layers.map((each) => each === layer ? { ...each, rules: [...each.rules, added] } : each),
    };
  }
  return undefined;
}

function replaceRule(layers: readonly NumberedLayer[], rule: NumberedRule, node: RuleNode): readonly NumberedLayer[] {
  return layers.map((layer) => ({
    ...layer,
    rules: layer.rules.map((each) => each.index === rule.index ? { ...each, node } : each),
  }));
}

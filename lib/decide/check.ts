/** Checks that need a whole rule, or several: duplicates, rules that can never hold or never matter, inline tests. */
import type { ActionType } from "../core/mod.ts";
import type { Predicates, RuleNode } from "./ast.ts";
import { predicateNames, reachableTypes, typesOfPredicate } from "./actions.ts";
import type { Diagnostics } from "./diagnostic.ts";
import { runInlineTests } from "./inline_tests.ts";
import { markName, markPatterns, marksAskedBy, marksSetBy } from "./marks.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import { withoutPositions } from "./cover.ts";
import { checkShadowed } from "./shadow.ts";
import { KEYS_MAX } from "./state.ts";
import { didYouMean } from "./suggest.ts";

/** Adds errors and warnings about rules that parsed but do not make sense. */
export function checkLayers(layers: readonly NumberedLayer[], diagnostics: Diagnostics): void {
  for (const layer of layers) {
    checkNames(layer, diagnostics);
    for (const rule of layer.rules) {
      checkReach(rule, diagnostics);
      runInlineTests(rule, diagnostics);
    }
  }
  checkMarks(layers, diagnostics);
  checkShadowed(layers, diagnostics);
}

/** Searches for the nearest name: each looks at all. */
const HINTS_MAX = 20;

/** A mark that nobody sets is never there; and a session keeps only so many. */
function checkMarks(layers: readonly NumberedLayer[], diagnostics: Diagnostics): void {
  const nodes = layers.flatMap((layer) => layer.file.mode === "disabled" ? [] : layer.rules.map((rule) => rule.node));
  const asked = marksAskedBy(nodes);
  if (asked.size === 0) return;
  const set = new Set(nodes.flatMap((node) => marksSetBy(node)));
  let searches = HINTS_MAX;
  for (const node of nodes) {
    for (const { kind, name, position } of [node.predicates, ...node.excepts].flatMap((each) => markPatterns(each))) {
      if (set.has(markName({ kind, name }))) continue;
      const known = searches-- <= 0
        ? []
        : [...set].flatMap((mark) => mark.startsWith(`${kind} `) ? mark.slice(kind.length + 1) : []);
      const hint = didYouMean(name, known) ??
        (kind === "rule" ? "name a rule of this policy" : 'set it with verdict = "log" and label = [...]');
      diagnostics.error(
        position,
        kind === "rule" ? `no rule is named "${name}"` : `no rule sets label "${name}"`,
        hint,
      );
    }
  }
  const [first] = nodes;
  // Each mark has keys for what forbids, and in each file that sets it for what that file permits.
  const in_files = layers.map(({ rules }) => new Set(rules.flatMap(({ node }) => marksSetBy(node))));
  const keys = [...asked].reduce((sum, mark) => sum + 2 + 2 * in_files.filter((marks) => marks.has(mark)).length, 0);
  if (keys > KEYS_MAX && first !== undefined) {
    const message = `the rules ask about ${asked.size} labels and rules, which is more than a session keeps (about ${
      KEYS_MAX / 4
    })`;
    diagnostics.error(first.position, message);
  }
}

function checkNames(layer: NumberedLayer, diagnostics: Diagnostics): void {
  const first = new Map<string, RuleNode>();
  for (const { node } of layer.rules) {
    const known = first.get(node.name);
    if (known === undefined) first.set(node.name, node);
    else {
      const message = `duplicate rule name "${node.name}", first in line ${known.name_position.line}`;
      diagnostics.error(node.name_position, message, "rename one of them");
    }
  }
  const agents = new Set<string>();
  for (const agent of layer.file.agents) {
    // Several entries may describe one agent; the same entry twice is a slip.
    const key = JSON.stringify([agent.name, agent.exe, agent.argv, agent.cgroup, agent.pid], withoutPositions);
    if (agents.has(key)) diagnostics.warning(agent.position, `agent "${agent.name}" is written twice`);
    agents.add(key);
  }
}

/** A predicate on an action that has no such field never holds. */
function checkReach({ node }: NumberedRule, diagnostics: Diagnostics): void {
  const reached = reachableTypes({ node });
  for (const name of predicateNames(node.predicates)) {
    const possible = typesOfPredicate(name);
    if (possible === undefined) continue;
    const never = node.named_actions.filter((type) => !possible.includes(type));
    const position = node.predicate_positions.get(name) ?? node.position;
    if (!node.actions.some((type) => possible.includes(type))) {
      const hint = name === "exe" ? "use by for the program that acts" : `${name} belongs to ${possible.join(", ")}`;
      diagnostics.error(position, `predicate ${name} never holds for the actions of this rule`, hint);
      return;
    }
    if (never.length > 0) {
      diagnostics.warning(
        position,
        `predicate ${name} never holds for ${never.join(", ")}: the rule does not cover it`,
        "write a rule of its own",
      );
    }
  }
  if (reached.length === 0 && node.actions.length > 0) {
    diagnostics.error(node.action_position, "the predicates of this rule exclude each other: it covers no action");
  }
  for (const except of node.excepts) checkExcept({ node, except, reached }, diagnostics);
}

function checkExcept(
  { node, except, reached }: {
    readonly node: NumberedRule["node"];
    readonly except: Predicates;
    readonly reached: readonly ActionType[];
  },
  diagnostics: Diagnostics,
): void {
  let types = reached;
  for (const name of predicateNames(except)) {
    const possible = name === "action" ? except.action : typesOfPredicate(name);
    if (possible !== undefined) types = types.filter((type) => possible.includes(type));
  }
  if (types.length === 0 && reached.length > 0) {
    diagnostics.warning(node.position, `an exception of rule "${node.name}" never applies to the rule's actions`);
  }
}

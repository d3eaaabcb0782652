/** Rules that ask for what nobody on a host reports: they are no error, but they never hold there. */
import type { ActionType } from "../core/mod.ts";
import { predicateNames } from "./actions.ts";
import type { PredicateName, Predicates, RuleNode } from "./ast.ts";
import { type Diagnostic, Diagnostics } from "./diagnostic.ts";
import type { PolicySnapshot } from "./snapshot.ts";

/** What has no source. */
export interface MissingSources {
  readonly predicates: ReadonlySet<PredicateName>;
  readonly actions: ReadonlySet<ActionType>;
}

/** One warning for each predicate without a source, and for each rule about nothing but actions without one. */
export function checkSources(snapshot: PolicySnapshot, missing: MissingSources): readonly Diagnostic[] {
  const diagnostics = new Diagnostics();
  for (const { file, rules } of snapshot.layers) {
    if (file.mode === "disabled") continue;
    for (const { node, name } of rules) {
      if (node.actions.length > 0 && node.actions.every((type) => missing.actions.has(type))) {
        const message = `nothing on this host reports ${node.actions.join(", ")} yet: rule "${name}" never holds`;
        diagnostics.warning(node.action_position, message);
      }
      for (const each of absent(node.predicates, missing)) {
        const position = node.predicate_positions.get(each) ?? node.position;
        diagnostics.warning(position, `predicate ${each} has no source on this host yet: ${meaning(each, node, name)}`);
      }
      for (const each of node.excepts.flatMap((except) => absent(except, missing))) {
        const message =
          `predicate ${each} has no source on this host yet: that exception of rule "${name}" never applies`;
        diagnostics.warning(node.position, message);
      }
    }
  }
  return diagnostics.list();
}

function absent(predicates: Predicates, missing: MissingSources): readonly PredicateName[] {
  return predicateNames(predicates).filter((name) => missing.predicates.has(name));
}

function meaning(predicate: PredicateName, node: RuleNode, rule: string): string {
  const undeclared = node.predicates.declared?.some(({ value }) => !value) === true;
  // Where nobody compared, what forbids takes an action for undeclared.
  if (predicate === "declared" && node.verdict !== "allow" && undeclared) return "every action counts as undeclared";
  return `rule "${rule}" never holds`;
}

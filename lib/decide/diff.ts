/** Two policies: which rules differ, and which actions of a recording they decide differently. */
import type { RebuildOptions } from "./replay_events.ts";
import { answerOfRuling, Comparison } from "./replay.ts";
import { type ShownRule, showPolicy } from "./show.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { StatefulDecider } from "./stateful.ts";

/** A rule that both have, but not in the same words. */
export interface ChangedRule {
  readonly before: ShownRule;
  readonly after: ShownRule;
}

/** A default that differs; an absent verdict means that the policy has none for this action. */
export interface ChangedDefault {
  readonly action: string;
  readonly before?: string;
  readonly after?: string;
}

/** How two policies differ as texts. */
export interface PolicyDiff {
  readonly added: readonly ShownRule[];
  readonly removed: readonly ShownRule[];
  readonly changed: readonly ChangedRule[];
  readonly defaults: readonly ChangedDefault[];
}

/** Compares rules by name, and the defaults of all layers. Order and places do not matter: rulings ignore them. */
export function diffRules(before: PolicySnapshot, after: PolicySnapshot): PolicyDiff {
  const old_rules = new Map(showPolicy(before).rules.map((rule) => [rule.rule, rule]));
  const new_rules = showPolicy(after).rules;
  const kept = new Set(new_rules.map(({ rule }) => rule));
  return {
    added: new_rules.filter(({ rule }) => !old_rules.has(rule)),
    removed: [...old_rules.values()].filter(({ rule }) => !kept.has(rule)),
    changed: new_rules.flatMap((rule) => {
      const old = old_rules.get(rule.rule);
      return old === undefined || meaning(old) === meaning(rule) ? [] : [{ before: old, after: rule }];
    }),
    defaults: diffDefaults(before, after),
  };
}

/** Compares what two policies say of each recorded action. */
export function compareDiff(before: PolicySnapshot, after: PolicySnapshot, options: RebuildOptions = {}): Comparison {
  const decider = new StatefulDecider(before);
  return new Comparison(({ event }) => answerOfRuling(decider.evaluate(event)), after, options);
}

function meaning({ verdict, mode, actions, predicates, ...rest }: ShownRule): string {
  const { except, labels, enforce, reason } = rest;
  const sorted = [[...actions].sort(), Object.entries(predicates).sort()];
  return JSON.stringify([verdict, mode, ...sorted, except, labels, enforce, reason]);
}

function diffDefaults(before: PolicySnapshot, after: PolicySnapshot): readonly ChangedDefault[] {
  const old_defaults = defaultsOf(before);
  const new_defaults = defaultsOf(after);
  return [...new Set([...old_defaults.keys(), ...new_defaults.keys()])].flatMap((action) => {
    const [old, next] = [old_defaults.get(action), new_defaults.get(action)];
    if (old === next) return [];
    return [{ action, ...(old === undefined ? {} : { before: old }), ...(next === undefined ? {} : { after: next }) }];
  });
}

/** By action type the verdicts of all layers that have one. */
function defaultsOf(snapshot: PolicySnapshot): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { file } of snapshot.layers) {
    if (file.mode === "disabled") continue;
    for (const [action, verdict] of file.defaults) {
      const known = found.get(action);
      found.set(action, known === undefined ? verdict : `${known}, ${verdict}`);
    }
  }
  return found;
}

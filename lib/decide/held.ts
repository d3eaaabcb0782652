/** Which actions of a policy must wait for a decision to be refused cleanly, or to be asked about. */
import type { ActionType } from "../core/mod.ts";
import { ACTION_TYPES } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import type { PolicySnapshot } from "./snapshot.ts";

/** Every action type that an enforcing rule or default may refuse or ask about. */
export function refusableActions(snapshot: PolicySnapshot): ReadonlySet<ActionType> {
  const found = new Set<ActionType>();
  for (const { file, rules } of snapshot.layers) {
    if (file.mode !== "enforce") continue;
    for (const rule of rules) {
      const { mode, verdict } = rule.node;
      if (mode !== "enforce" || (verdict !== "deny" && verdict !== "ask")) continue;
      for (const type of reachableTypes(rule)) found.add(type);
    }
    for (const type of ACTION_TYPES) {
      const verdict = file.defaults.get(type);
      if (verdict === "deny" || verdict === "ask") found.add(type);
    }
  }
  return found;
}

/** True if what the policy says of a program start may depend on what was seen before, or on programs further up. */
export function asksThePast(snapshot: PolicySnapshot): boolean {
  if (snapshot.has_state) return true;
  return snapshot.layers.some(({ file, rules }) =>
    file.mode !== "disabled" &&
    rules.some(({ node }) =>
      node.predicates.ancestor !== undefined || node.excepts.some((except) => except.ancestor !== undefined)
    )
  );
}

/** What is ruled about held calls that did not come true as they were let go. */
import type { Action, ActionType, DecisionId, GrantFailure, Ruling } from "../core/mod.ts";

/** A held start that came up as something else than what was let go, or a held call that goes to another address. */
export function grantRuling(
  failure: GrantFailure,
  type: ActionType,
  decided: DecisionId | undefined,
): Ruling {
  const of = decided === undefined ? "" : ` (decision ${decided})`;
  const reasons = type === "exec" ? START_REASONS : ADDRESS_REASONS;
  return { verdict: "deny", rule_index: -1, reason: `${reasons[failure]}${of}`, mode: "enforce" };
}

const START_REASONS: Readonly<Record<GrantFailure, string>> = {
  missing: "nobody let this program start",
  different: "the program, its name or its arguments are not those that were let go",
  expired: "the program came up too long after it was let go",
};

const ADDRESS_REASONS: Readonly<Record<GrantFailure, string>> = {
  missing: "nobody let this call go to an address",
  different: "the address is not the one that was let go",
  expired: "the call came too long after it was let go",
};

/** The errno that a call failed with; `undefined` where it did not. */
export function errorOf(action: Action): string | undefined {
  if (action.type === "exec.failed") return action.errno;
  return "result" in action && action.result !== undefined && action.result !== "0" ? action.result : undefined;
}

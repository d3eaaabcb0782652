/** What is ruled about held calls that did not come true as they were let go. */
import type { Action, DecisionId, GrantFailure, Ruling } from "../core/mod.ts";

/** A held start that came up as something else than what was let go. */
export function grantRuling(failure: GrantFailure, decided: DecisionId | undefined): Ruling {
  const of = decided === undefined ? "" : ` (decision ${decided})`;
  return { verdict: "deny", rule_index: -1, reason: `${GRANT_REASONS[failure]}${of}`, mode: "enforce" };
}

const GRANT_REASONS: Readonly<Record<GrantFailure, string>> = {
  missing: "nobody let this program start",
  different: "the program, its name or its arguments are not those that were let go",
  expired: "the program came up too long after it was let go",
};

/** The errno that a call failed with; `undefined` where it did not. */
export function errorOf(action: Action): string | undefined {
  if (action.type === "exec.failed") return action.errno;
  return "result" in action && action.result !== undefined && action.result !== "0" ? action.result : undefined;
}

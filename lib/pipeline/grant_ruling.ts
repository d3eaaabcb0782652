/** What is ruled about a held program start that did not come up as it was let go. */
import type { DecisionId, GrantFailure, Ruling } from "../core/mod.ts";

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

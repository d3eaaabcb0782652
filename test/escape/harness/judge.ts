/** What the record says about a case, and whether that and the effect are as expected. Pure. */
import type { Entry, Mechanism, Outcome, OutcomeLabel } from "../../../lib/core/mod.ts";
import type { EscapeCase, EscapeResult, Expectation, Seen } from "./types.ts";

/** From the strongest to the weakest: of several outcomes of one case the weakest is its label. */
const STRENGTH: readonly OutcomeLabel[] = [
  "prevented",
  "held",
  "killed_before_effect",
  "killed_after_effect",
  "replied",
  "unenforceable",
  "failed",
  "observed",
  "allowed",
];

/** Labels that promise that nothing happened. */
const PROMISES: ReadonlySet<string> = new Set(["prevented", "killed_before_effect"]);

/** What the record shows of the decisions of one case. */
export interface Shown {
  readonly label: OutcomeLabel | "none";
  readonly mechanism: Mechanism | "none";
}

/** Names of the rules of a case, in their order. */
export function ruleNames({ id, rules }: Pick<EscapeCase, "id" | "rules">): readonly string[] {
  return rules.map((_, index) => index === 0 ? id : `${id}-${index + 1}`);
}

/** The weakest outcome of the refusals of a case: those that its rules decided, or for a bare one the guard itself. */
export function shownOf(
  escape: Pick<EscapeCase, "id" | "rules" | "bare">,
  { entries, place }: Pick<Seen, "entries" | "place">,
): Shown {
  const names = new Set(ruleNames(escape));
  const attackers = new Set(
    entries.flatMap(({ action, process }) => action?.type === "exec" && action.cwd === place.dir ? [process?.pid] : []),
  );
  const isMeant = ({ action, decision, process }: Entry): boolean =>
    escape.bare === true
      ? action?.type === "guard.tamper" && attackers.has(process?.pid)
      : names.has(decision?.rule ?? "");
  const outcomes = new Map<string, Outcome>();
  // Later outcomes of a decision tell of the bytes that went through.
  for (const { outcome } of entries) {
    if (outcome !== undefined && !outcomes.has(outcome.decision_id)) outcomes.set(outcome.decision_id, outcome);
  }
  let shown: Shown = { label: "none", mechanism: "none" };
  for (const entry of entries) {
    const { decision } = entry;
    if (decision === undefined || !isMeant(entry)) continue;
    if (decision.verdict !== "deny" && decision.verdict !== "ask") continue;
    const outcome = outcomes.get(decision.decision_id);
    const found: Shown = outcome ?? { label: "failed", mechanism: "none" };
    if (shown.label === "none" || weakness(found) > weakness(shown)) shown = found;
  }
  return { label: shown.label, mechanism: shown.mechanism };
}

function weakness({ label }: Shown): number {
  return label === "none" ? -1 : STRENGTH.indexOf(label);
}

/** The expectation that counts on a host with these checks of the doctor. */
export function expectationOf(escape: EscapeCase, host: ReadonlySet<string>): Expectation {
  const found = escape.expected.find(({ needs }) => (needs ?? []).every((need) => host.has(need)));
  if (found === undefined) throw new Error(`escape case ${escape.id}: no expectation without needs at the end`);
  return found;
}

/** Compares. */
export function judge(
  escape: EscapeCase,
  shown: Shown,
  { happened, host }: { readonly happened: boolean; readonly host: ReadonlySet<string> },
): EscapeResult {
  const expected = expectationOf(escape, host);
  const problems: string[] = [];
  if (shown.label !== expected.label) problems.push(`label ${shown.label}, expected ${expected.label}`);
  else if (shown.label !== "none" && shown.mechanism !== expected.mechanism) {
    problems.push(`mechanism ${shown.mechanism}, expected ${expected.mechanism}`);
  }
  if (happened && PROMISES.has(shown.label)) problems.push(`the effect happened although the label is ${shown.label}`);
  if (happened && expected.effect !== "may") problems.push("the effect happened");
  return {
    id: escape.id,
    escape: escape.escape,
    label: shown.label,
    mechanism: shown.label === "none" ? expected.mechanism : shown.mechanism,
    effect: happened ? "happened" : "none",
    problems,
  };
}

/** Joins what the layers say to one ruling: the strictest answer of all, and what observing rules would add to it. */
import type { Action, ExecAction, Ruling, Verdict } from "../core/mod.ts";
import type { FileMode } from "./ast.ts";
import { reasonInside, reasonOfDefault, reasonOfRule, reasonWithShadow } from "./reason.ts";
import type { CompiledRule } from "./compiled_rule.ts";
import { type DefaultAnswer, type Selection, STRICTNESS } from "./selection.ts";

/** What decides: a rule, or a default. */
type Answer = CompiledRule | DefaultAnswer;

/** Where no layer says anything. */
const NOTHING: Answer = { kind: "default", verdict: "allow", ruling: undefined };

/** Collects the answers of one event. Kept in fields, so that nothing is allocated for an event. */
export class Answers {
  readonly #all_observe: boolean;
  #real: Answer = NOTHING;
  #full: Answer = NOTHING;
  #has_real = false;
  #has_full = false;
  /** The command inside the command line that is being decided, and those that the answers are about. */
  #inner: ExecAction | undefined;
  #real_inner: ExecAction | undefined;
  #full_inner: ExecAction | undefined;

  /** `all_observe`: every layer only observes. */
  constructor(all_observe: boolean) {
    this.#all_observe = all_observe;
  }

  /** Forgets everything, for the next event. */
  clear(): void {
    this.#real = NOTHING;
    this.#full = NOTHING;
    this.#has_real = false;
    this.#has_full = false;
    this.#inner = undefined;
    this.#real_inner = undefined;
    this.#full_inner = undefined;
  }

  /** From now on the answers are about a command inside the command line. They only tighten. */
  enter(action: Action): void {
    this.#inner = action.type === "exec" ? action : undefined;
  }

  /** Takes the answer of one layer. */
  combine(mode: FileMode, selection: Selection, fallback: DefaultAnswer | undefined): void {
    const full = answerOf(selection.lifts_full ? selection.full : undefined, selection.full_log, fallback);
    if (full !== undefined && this.#replaces(full, this.#full, this.#has_full)) {
      this.#full = full;
      this.#has_full = true;
      this.#full_inner = this.#inner;
    }
    if (mode !== "enforce") return;
    const real = answerOf(selection.lifts_real ? selection.real : undefined, selection.real_log, fallback);
    if (real !== undefined && this.#replaces(real, this.#real, this.#has_real)) {
      this.#real = real;
      this.#has_real = true;
      this.#real_inner = this.#inner;
    }
  }

  #replaces(next: Answer, known: Answer, has_known: boolean): boolean {
    if (this.#inner !== undefined && STRICTNESS[next.verdict] < STRICTNESS.redact) return false;
    return !has_known || STRICTNESS[next.verdict] > STRICTNESS[known.verdict];
  }

  /** The ruling for all answers taken. */
  ruling(action: Action): Ruling {
    const real = this.#real;
    const full = this.#full;
    const passes = real.verdict === "allow" || real.verdict === "log";
    const full_passes = full.verdict === "allow" || full.verdict === "log";
    const differs = passes !== full_passes || (!passes && real.verdict !== full.verdict);
    if (differs && !passes) {
      const reason = reasonWithShadow(
        reasonOf(real, action, this.#real_inner),
        full.kind === "rule" ? full.name : undefined,
        full.verdict,
      );
      return { ...named(real), reason, mode: "enforce", would: full.verdict };
    }
    if (differs) {
      return {
        ...named(full),
        verdict: real.verdict,
        reason: reasonOf(full, action, this.#full_inner),
        mode: "observe",
        would: full.verdict,
      };
    }
    if (this.#all_observe) {
      return { ...named(full), verdict: "allow", reason: reasonOf(full, action, this.#full_inner), mode: "observe" };
    }
    if (real.ruling !== undefined && this.#real_inner === undefined) return real.ruling;
    return { ...named(real), reason: reasonOf(real, action, this.#real_inner), mode: "enforce" };
  }
}

/** deny > ask > redact > allow > default; a log rule names itself where the action passes. */
function answerOf(
  rule: CompiledRule | undefined,
  log: CompiledRule | undefined,
  fallback: DefaultAnswer | undefined,
): Answer | undefined {
  const answer = rule ?? fallback;
  if (log === undefined) return answer;
  return answer === undefined || answer.verdict === "allow" || answer.verdict === "log" ? log : answer;
}

function named(answer: Answer): { readonly verdict: Verdict; readonly rule?: string; readonly rule_index: number } {
  const { verdict } = answer;
  return answer.kind === "rule"
    ? { verdict, rule: answer.name, rule_index: answer.index }
    : { verdict, rule_index: -1 };
}

function reasonOf(answer: Answer, action: Action, inner: ExecAction | undefined): string {
  const reason = answer.kind === "rule"
    ? reasonOfRule(answer.name, answer.node, inner ?? action)
    : reasonOfDefault(answer.verdict, action.type);
  return inner === undefined ? reason : reasonInside(reason, inner);
}

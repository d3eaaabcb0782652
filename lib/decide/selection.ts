/** Rules as the compiled tables hold them, and the search for the one that decides. */
import type { Ruling, Verdict } from "../core/mod.ts";
import type { PredicateName } from "./ast.ts";
import type { CompiledRule } from "./compiled_rule.ts";
import type { EventNames } from "./names.ts";

/** A compiled condition. */
export type Check = (names: EventNames) => boolean;

/** One predicate, compiled. */
export interface CompiledPredicate {
  readonly name: PredicateName;
  readonly check: Check;
}

/** What a layer says where no rule does. */
export interface DefaultAnswer {
  readonly kind: "default";
  readonly verdict: Verdict;
  /** The finished ruling; `undefined` where no layer says anything. */
  readonly ruling: Ruling | undefined;
}

/** A rule as found through an index. `whole`: what the index found answers the indexed predicate completely. */
export interface Candidate {
  readonly rule: CompiledRule;
  readonly whole: boolean;
}

const RANKS: Readonly<Record<Verdict, number>> = { log: 0, allow: 1, redact: 2, ask: 3, deny: 4 };
/** What is stricter has the greater number. */
export const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, log: 1, redact: 2, ask: 3, deny: 4 };

/** More than the rules of a policy; an index fits below it. */
const INDEX_SPAN = 1 << 20;

/** See `CompiledRule.key`. */
export function ruleKey(verdict: Verdict, index: number): number {
  return RANKS[verdict] * INDEX_SPAN + (INDEX_SPAN - 1 - index);
}

/** True where nothing stands in the rule's way: there is no stricter default, or the rule permits. */
function isLifted(rule: CompiledRule | undefined, fallback: DefaultAnswer | undefined): boolean {
  if (rule === undefined || fallback === undefined || rule.verdict === "allow") return true;
  return STRICTNESS[fallback.verdict] <= STRICTNESS[rule.verdict];
}

/** The best rules of one layer for one event: among those that are enforced (`real`), and among all (`full`). */
export class Selection {
  real: CompiledRule | undefined;
  full: CompiledRule | undefined;
  real_log: CompiledRule | undefined;
  full_log: CompiledRule | undefined;
  #real_key = -1;
  #full_key = -1;
  #real_log_key = -1;
  #full_log_key = -1;
  /** Where the layer's default is stricter than the best rule: some rule lifts it, see `settle`. */
  lifts_real = true;
  lifts_full = true;
  /** Where set: every rule that holds is put here, and none is compared. */
  collected: CompiledRule[] | undefined;
  /** Only rules that ask for arguments are considered. */
  only_arguments = false;
  readonly #names: EventNames;

  constructor(names: EventNames) {
    this.#names = names;
  }

  /** Forgets everything, for the next layer or event. */
  clear(): void {
    this.real = undefined;
    this.full = undefined;
    this.real_log = undefined;
    this.full_log = undefined;
    this.#real_key = -1;
    this.#full_key = -1;
    this.#real_log_key = -1;
    this.#full_log_key = -1;
    this.lifts_real = true;
    this.lifts_full = true;
  }

  /** True where no default is stricter than the best rules; else `settle`. */
  settled(fallback: DefaultAnswer | undefined): boolean {
    return isLifted(this.full, fallback) && isLifted(this.real, fallback);
  }

  /**
   * A question (or a redaction) takes the place of a stricter default only where some rule would hold also if it
   * permitted: what rests on one of several names, or on what another file remembers, tightens and does not lift.
   * `holding` is every rule that holds.
   */
  settle(fallback: DefaultAnswer | undefined, holding: readonly CompiledRule[]): void {
    const lifting = holding.filter(({ verdict }) => verdict !== "deny" && verdict !== "log");
    const surely = lifting.filter((rule) => rule.surelyHolds(this.#names));
    this.lifts_full = isLifted(this.full, fallback) || surely.length > 0;
    this.lifts_real = isLifted(this.real, fallback) || surely.some(({ observe }) => !observe);
  }

  /** Considers rules that an index has found. */
  offer(candidates: readonly Candidate[]): void {
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i];
      if (candidate === undefined) continue;
      const { rule } = candidate;
      if (!this.#improves(rule)) continue;
      if (candidate.whole ? rule.restHolds(this.#names) : rule.holds(this.#names)) this.#take(rule);
    }
  }

  /** Considers rules that no index holds. */
  scan(rules: readonly CompiledRule[]): void {
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      if (rule === undefined || !this.#improves(rule)) continue;
      if (rule.holds(this.#names)) this.#take(rule);
    }
  }

  #improves(rule: CompiledRule): boolean {
    if (this.collected !== undefined) return !this.collected.includes(rule);
    if (this.only_arguments && !rule.asks_arguments) return false;
    if (rule.is_log) return rule.key > this.#full_log_key || (!rule.observe && rule.key > this.#real_log_key);
    return rule.key > this.#full_key || (!rule.observe && rule.key > this.#real_key);
  }

  #take(rule: CompiledRule): void {
    if (this.collected !== undefined) {
      this.collected.push(rule);
      return;
    }
    const { key } = rule;
    if (rule.is_log) {
      if (key > this.#full_log_key) {
        this.full_log = rule;
        this.#full_log_key = key;
      }
      if (!rule.observe && key > this.#real_log_key) {
        this.real_log = rule;
        this.#real_log_key = key;
      }
      return;
    }
    if (key > this.#full_key) {
      this.full = rule;
      this.#full_key = key;
    }
    if (!rule.observe && key > this.#real_key) {
      this.real = rule;
      this.#real_key = key;
    }
  }
}

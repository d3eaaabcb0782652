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
/** More than the rules of a policy; an index fits below it. */
const INDEX_SPAN = 1 << 20;

/** See `CompiledRule.key`. */
export function ruleKey(verdict: Verdict, index: number): number {
  return RANKS[verdict] * INDEX_SPAN + (INDEX_SPAN - 1 - index);
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

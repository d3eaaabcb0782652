/** Rules as the compiled tables hold them, and the search for the one that decides. */
import type { Ruling, Verdict } from "../core/mod.ts";
import type { PredicateName, RatePattern, RuleNode } from "./ast.ts";
import type { EventNames } from "./names.ts";
import type { RulePlace } from "./predicates_facts.ts";

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

/** One rule, compiled. */
export interface CompiledRule {
  readonly kind: "rule";
  readonly index: number;
  /** Unique in the snapshot. */
  readonly name: string;
  readonly node: RuleNode;
  readonly verdict: Verdict;
  readonly observe: boolean;
  /** Orders rules by verdict, then by place: the greatest that holds decides. Log rules are below all others. */
  readonly key: number;
  readonly is_log: boolean;
  /** True if one name that matches is enough (everything but `allow`). */
  readonly one_name: boolean;
  /** All predicates and exceptions but the type; `undefined` if there are none. */
  readonly check: Check | undefined;
  /** The same without the predicate that the index has answered already. */
  readonly rest: Check | undefined;
  /** The finished ruling of an enforcing layer, where its reason does not depend on the event. */
  readonly ruling: Ruling | undefined;
  /** Asks for arguments: looks inside command lines that have started already, see `hasStarted`. */
  readonly asks_arguments: boolean;
  /** What the rule leaves behind where it holds; only in the tables for that. */
  readonly effect: RuleEffect | undefined;
}

/** What a rule leaves behind in the state. */
export type RuleEffect =
  | {
    readonly kind: "marks";
    readonly marks: readonly string[];
    readonly place: RulePlace;
    /** Holds where what permits may rely on it. */
    readonly surely: Check | undefined;
  }
  | { readonly kind: "rate"; readonly rates: readonly RatePattern[] };

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
      const check = candidate.whole ? rule.rest : rule.check;
      if (check === undefined || check(this.#names)) this.#take(rule);
    }
  }

  /** Considers rules that no index holds. */
  scan(rules: readonly CompiledRule[]): void {
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      if (rule === undefined || !this.#improves(rule)) continue;
      if (rule.check === undefined || rule.check(this.#names)) this.#take(rule);
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

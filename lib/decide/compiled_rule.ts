/**
 * One rule as the tables hold it. Its conditions become closures when an event first comes near it: of a large policy
 * most rules are never asked, and a start must not wait for them.
 */
import type { Ruling, Verdict } from "../core/mod.ts";
import { predicateNames } from "./actions.ts";
import type { Anchors } from "./anchors.ts";
import type { RatePattern, RuleNode } from "./ast.ts";
import { marksSetBy } from "./marks.ts";
import type { EventNames } from "./names.ts";
import { allOf, compilePredicates } from "./predicates.ts";
import type { RulePlace } from "./predicates_facts.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import { type Check, ruleKey } from "./selection.ts";

/** What a rule leaves behind in the state. */
export type RuleEffect =
  | { readonly kind: "marks"; readonly marks: readonly string[] }
  | { readonly kind: "rate"; readonly rates: readonly RatePattern[] };

/** Conditions as closures; an absent one always holds. */
interface Conditions {
  readonly all: Check | undefined;
  /** Without the predicate that the index has answered already. */
  readonly rest: Check | undefined;
}

/** One rule, compiled. */
export class CompiledRule {
  readonly kind = "rule";
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
  /** The finished ruling of an enforcing layer, where its reason does not depend on the event. */
  readonly ruling: Ruling | undefined;
  /** Asks for arguments: looks inside command lines that have started already, see `hasStarted`. */
  readonly asks_arguments: boolean;
  /** What the rule leaves behind where it holds; only in the tables for that. */
  readonly effect: RuleEffect | undefined;
  readonly place: RulePlace;
  readonly #indexed: Anchors["kind"];
  /** There is a condition besides the one that the index answers. */
  readonly #has_rest: boolean;
  #conditions: Conditions | undefined;
  #surely: Conditions | undefined;

  constructor({ index, name, node }: NumberedRule, anchors: Anchors, options: {
    readonly layer: NumberedLayer;
    readonly effect?: RuleEffect;
  }) {
    const { file } = options.layer;
    const { verdict, reason } = node;
    this.index = index;
    this.name = name;
    this.node = node;
    this.verdict = verdict;
    this.observe = node.mode === "observe";
    this.key = ruleKey(verdict, index);
    this.is_log = verdict === "log";
    this.one_name = verdict !== "allow";
    this.ruling = reason === undefined
      ? undefined
      : Object.freeze({ verdict, rule: name, rule_index: index, reason, mode: "enforce" });
    this.asks_arguments = node.predicates.argv !== undefined;
    this.effect = options.effect;
    this.place = { rule: name, observes: file.mode !== "enforce" || this.observe, file: file.file };
    this.#indexed = anchors.kind;
    this.#has_rest = node.excepts.length > 0 || predicateNames(node.predicates).some((each) => each !== anchors.kind);
  }

  /** True if all predicates hold and no exception does; the type is known to fit. */
  holds(names: EventNames): boolean {
    const { all } = this.#conditions ??= this.#compile(this.one_name);
    return all === undefined || all(names);
  }

  /** The same where the index has answered its predicate completely. */
  restHolds(names: EventNames): boolean {
    if (!this.#has_rest) return true;
    const { rest } = this.#conditions ??= this.#compile(this.one_name);
    return rest === undefined || rest(names);
  }

  /** Holds also from the side of what permits: what permits may rely on it. */
  surelyHolds(names: EventNames): boolean {
    const { all } = this.#surely ??= this.#compile(false);
    return all === undefined || all(names);
  }

  #compile(one_name: boolean): Conditions {
    const { predicates, excepts } = this.node;
    const lifted = excepts.map((except): Check => {
      // Exceptions take the other side: what a rule forbids is excepted only when every name says so.
      const holds = allOf(compilePredicates(except, !one_name, this.place).map(({ check }) => check));
      return holds === undefined ? () => false : (names) => !holds(names);
    });
    const checks = compilePredicates(predicates, one_name, this.place);
    const others = checks.filter(({ name }) => name !== this.#indexed);
    return {
      all: allOf([...checks.map(({ check }) => check), ...lifted]),
      rest: allOf([...others.map(({ check }) => check), ...lifted]),
    };
  }
}

const NO_EFFECTS: readonly CompiledRule[] = [];

/** What the rule leaves behind: the marks that are asked for, and its rates. Each holds where the rule does. */
export function compileEffects(
  rule: NumberedRule,
  anchors: Anchors,
  { layer, asked }: { readonly layer: NumberedLayer; readonly asked: ReadonlySet<string> },
): readonly CompiledRule[] {
  const { node } = rule;
  if (asked.size === 0 && node.predicates.rate === undefined) return NO_EFFECTS;
  const effects: CompiledRule[] = [];
  // Marks and counts are about attempts, so the rule is seen as one that forbids. Then one more deny leaves no fewer.
  const attempt = { ...node, verdict: "log" as const };
  const { rate, ...others } = node.predicates;
  if (rate !== undefined) {
    // An action counts where all but the rate holds.
    const counted = { ...rule, node: { ...attempt, predicates: others } };
    effects.push(new CompiledRule(counted, anchors, { layer, effect: { kind: "rate", rates: rate } }));
  }
  const marks = marksSetBy(node).filter((mark) => asked.has(mark));
  if (marks.length > 0) {
    effects.push(new CompiledRule({ ...rule, node: attempt }, anchors, { layer, effect: { kind: "marks", marks } }));
  }
  return effects;
}

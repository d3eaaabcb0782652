/** From the syntax tree to tables: for each action type, indexes over its rules and a list of those that fit in none. */
import { ACTION_TYPES, type ActionType, type Ruling, type Verdict } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import { type Anchors, planAnchors } from "./anchors.ts";
import type { FileMode } from "./ast.ts";
import { NetIndex } from "./net_index.ts";
import { type PathAnchor, type PathIndex, PathIndexBuilder } from "./path_index.ts";
import { allOf, compilePredicates } from "./predicates.ts";
import { reasonOfDefault } from "./reason.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import { type Check, type CompiledRule, ruleKey } from "./selection.ts";

/** What a layer says of an event: a rule, or its default. */
export interface Answer {
  readonly verdict: Verdict;
  readonly rule: CompiledRule | undefined;
  /** The finished ruling where its reason does not depend on the event. */
  readonly ruling: Ruling | undefined;
}

/** The rules of one layer for one action type. */
export interface TypeTable {
  readonly path: PathIndex | undefined;
  readonly exe: PathIndex | undefined;
  readonly by: PathIndex | undefined;
  readonly net: NetIndex | undefined;
  readonly tools: ReadonlyMap<string, readonly CompiledRule[]> | undefined;
  /** Rules that no index holds, strictest first. */
  readonly scan: readonly CompiledRule[];
  readonly fallback: Answer | undefined;
}

/** One layer, compiled. Types without a rule or default are absent. */
export interface CompiledLayer {
  readonly mode: FileMode;
  readonly tables: ReadonlyMap<ActionType, TypeTable>;
  readonly answers: ReadonlyMap<CompiledRule, Answer>;
}

/** Compiles one layer. */
export function compileLayer(layer: NumberedLayer): CompiledLayer {
  const builders = new Map<ActionType, TableBuilder>();
  const answers = new Map<CompiledRule, Answer>();
  const builderOf = (type: ActionType): TableBuilder => {
    const known = builders.get(type);
    if (known !== undefined) return known;
    const made = new TableBuilder();
    builders.set(type, made);
    return made;
  };
  const plan = planAnchors(layer.rules);
  for (const [rule, anchors] of plan) {
    const compiled = compileRule(rule, anchors);
    answers.set(compiled, ruleAnswer(compiled));
    for (const type of reachableTypes(rule)) builderOf(type).add(compiled, anchors);
  }
  const tables = new Map<ActionType, TypeTable>();
  for (const type of ACTION_TYPES) {
    const fallback = layer.file.defaults.get(type);
    const builder = builders.get(type);
    if (builder === undefined && fallback === undefined) continue;
    tables.set(type, (builder ?? new TableBuilder()).build(fallback === undefined ? undefined : defaultAnswer(fallback, type)));
  }
  return { mode: layer.file.mode, tables, answers };
}

function compileRule({ index, name, node }: NumberedRule, anchors: Anchors): CompiledRule {
  const one_name = node.verdict !== "allow";
  const excepts = node.excepts.map((except): Check => {
    // Exceptions take the other side: what a rule forbids is excepted only when every name says so.
    const holds = compilePredicates(except, !one_name);
    return holds === undefined ? () => false : (names) => !holds(names);
  });
  const all = compilePredicates(node.predicates, one_name);
  const answered = anchors.kind === "none" ? undefined : anchors.kind;
  const others = compilePredicates(node.predicates, one_name, { answered });
  return {
    index,
    name,
    node,
    verdict: node.verdict,
    observe: node.mode === "observe",
    key: ruleKey(node.verdict, index),
    is_log: node.verdict === "log",
    one_name,
    check: allOf(all === undefined ? excepts : [all, ...excepts]),
    rest: allOf(others === undefined ? excepts : [others, ...excepts]),
  };
}

function ruleAnswer(rule: CompiledRule): Answer {
  const { verdict, node, name, index } = rule;
  if (node.reason === undefined) return { verdict, rule, ruling: undefined };
  return {
    verdict,
    rule,
    ruling: Object.freeze({ verdict, rule: name, rule_index: index, reason: node.reason, mode: "enforce" }),
  };
}

function defaultAnswer(verdict: Verdict, type: ActionType): Answer {
  const reason = reasonOfDefault(verdict, type);
  return { verdict, rule: undefined, ruling: Object.freeze({ verdict, rule_index: -1, reason, mode: "enforce" }) };
}

class TableBuilder {
  readonly #path = new PathIndexBuilder();
  readonly #exe = new PathIndexBuilder();
  readonly #by = new PathIndexBuilder();
  readonly #tools = new Map<string, CompiledRule[]>();
  readonly #scan: CompiledRule[] = [];
  #net: NetIndex | undefined;

  add(rule: CompiledRule, anchors: Anchors): void {
    const { predicates } = rule.node;
    switch (anchors.kind) {
      case "path":
        // With `new_path` the two names of an action are told apart, which the index does not do.
        this.#addPath(this.#path, rule, {
          anchors: anchors.anchors,
          whole_allowed: rule.one_name && predicates.new_path === undefined,
        });
        return;
      case "exe":
        this.#addPath(this.#exe, rule, { anchors: anchors.anchors, whole_allowed: rule.one_name });
        return;
      case "by":
        this.#addPath(this.#by, rule, { anchors: anchors.anchors, whole_allowed: rule.one_name });
        return;
      case "tool":
        for (const text of anchors.texts) {
          const known = this.#tools.get(text);
          if (known === undefined) this.#tools.set(text, [rule]);
          else known.push(rule);
        }
        return;
      case "host":
        this.#netIndex().addHosts(rule, anchors.anchors);
        return;
      case "address":
        this.#netIndex().addAddresses(rule, predicates.address ?? []);
        return;
      case "port":
        this.#netIndex().addPorts(rule, predicates.port ?? []);
        return;
      case "none":
        this.#scan.push(rule);
        return;
    }
  }

  build(fallback: Answer | undefined): TypeTable {
    this.#net?.seal();
    return {
      path: this.#path.build(),
      exe: this.#exe.build(),
      by: this.#by.build(),
      net: this.#net,
      tools: this.#tools.size > 0 ? this.#tools : undefined,
      scan: this.#scan.sort((a, b) => b.key - a.key),
      fallback,
    };
  }

  #addPath(
    index: PathIndexBuilder,
    rule: CompiledRule,
    options: { readonly anchors: readonly PathAnchor[]; readonly whole_allowed: boolean },
  ): void {
    for (const anchor of options.anchors) index.add(rule, anchor, options);
  }

  #netIndex(): NetIndex {
    this.#net ??= new NetIndex();
    return this.#net;
  }
}

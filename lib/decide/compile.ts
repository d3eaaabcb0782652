/**
 * From the syntax tree to tables: for each action type, indexes over its rules and a list of those that fit in none.
 */
import { ACTION_TYPES, type ActionType, type Verdict } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import { type Anchors, planAnchors } from "./anchors.ts";
import type { FileMode } from "./ast.ts";
import { CompiledRule, compileEffects } from "./compiled_rule.ts";
import { NetIndex } from "./net_index.ts";
import { type PathAnchor, type PathIndex, PathIndexBuilder } from "./path_index.ts";
import { reasonOfDefault } from "./reason.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import type { DefaultAnswer } from "./selection.ts";

/** The rules of one layer for one action type. */
export interface TypeTable {
  readonly path: PathIndex | undefined;
  readonly exe: PathIndex | undefined;
  readonly by: PathIndex | undefined;
  readonly net: NetIndex | undefined;
  readonly tools: ReadonlyMap<string, readonly CompiledRule[]> | undefined;
  /** Rules that no index holds, strictest first. */
  readonly scan: readonly CompiledRule[];
  readonly fallback: DefaultAnswer | undefined;
}

/** One layer, compiled. Types without a rule or default are absent. */
export interface CompiledLayer {
  readonly mode: FileMode;
  readonly tables: ReadonlyMap<ActionType, TypeTable>;
  /** Rules that leave something behind: marks that are asked for, and counts. */
  readonly effects: ReadonlyMap<ActionType, RuleTable>;
}

/** Everything but the default, which types share that have the same rules. */
export type RuleTable = Omit<TypeTable, "fallback">;

/** Compiles one layer; `asked` are the marks that some rule of any layer asks about. */
export function compileLayer(layer: NumberedLayer, asked: ReadonlySet<string>): CompiledLayer {
  const reached_by = new Map(layer.rules.map((rule) => [rule, reachableTypes(rule)]));
  const { groups, types } = groupTypes(reached_by);
  const builders = groups.map(() => new TableBuilder());
  const leaving = groups.map(() => new TableBuilder());
  for (const [rule, anchors] of planAnchors(layer.rules)) {
    const compiled = new CompiledRule(rule, anchors, { layer });
    const effects = compileEffects(rule, anchors, { layer, asked });
    const reached = reached_by.get(rule) ?? [];
    groups.forEach(([first], group) => {
      if (first === undefined || !reached.includes(first)) return;
      // The program of a tool call is in its command line, where no index looks.
      const found_by: Anchors = first === "tool.call" && anchors.kind === "exe" ? { kind: "none" } : anchors;
      builders[group]?.add(compiled, found_by);
      for (const effect of effects) leaving[group]?.add(effect, found_by);
    });
  }
  const built = builders.map((builder) => builder.build());
  const effects = new Map<ActionType, RuleTable>();
  const tables = leaving.map((builder) => builder.empty ? undefined : builder.build());
  for (const [type, group] of types) {
    const table = tables[group];
    if (table !== undefined) effects.set(type, table);
  }
  return { mode: layer.file.mode, tables: typeTables(layer, { built, types }), effects };
}

function typeTables(
  layer: NumberedLayer,
  { built, types }: { readonly built: readonly RuleTable[]; readonly types: ReadonlyMap<ActionType, number> },
): ReadonlyMap<ActionType, TypeTable> {
  const tables = new Map<ActionType, TypeTable>();
  for (const type of ACTION_TYPES) {
    const verdict = layer.file.defaults.get(type);
    const rules = built[types.get(type) ?? -1];
    if (rules === undefined && verdict === undefined) continue;
    const fallback = verdict === undefined ? undefined : defaultAnswer(verdict, type);
    tables.set(type, { ...(rules ?? new TableBuilder().build()), fallback });
  }
  return tables;
}

/** Groups of types that exactly the same rules reach, tool calls apart; types that no rule reaches are in none. */
function groupTypes(
  reached_by: ReadonlyMap<NumberedRule, readonly ActionType[]>,
): { readonly groups: readonly (readonly ActionType[])[]; readonly types: ReadonlyMap<ActionType, number> } {
  const reaches = new Map<string, readonly ActionType[]>();
  // Many rules share one list: equal ones are told by their text, the same one by itself.
  for (const reached of new Set(reached_by.values())) reaches.set(reached.join(" "), reached);
  const groups = new Map<string, ActionType[]>();
  for (const type of ACTION_TYPES) {
    const reached_in = [...reaches.values()].map((reached) => reached.includes(type) ? "1" : "0").join("");
    if (!reached_in.includes("1")) continue;
    const members = type === "tool.call" ? `${reached_in} ${type}` : reached_in;
    const known = groups.get(members);
    if (known === undefined) groups.set(members, [type]);
    else known.push(type);
  }
  const list = [...groups.values()];
  return { groups: list, types: new Map(list.flatMap((members, i) => members.map((type) => [type, i]))) };
}

function defaultAnswer(verdict: Verdict, type: ActionType): DefaultAnswer {
  const reason = reasonOfDefault(verdict, type);
  return {
    kind: "default",
    verdict,
    ruling: Object.freeze({ verdict, rule_index: -1, reason, mode: "enforce" }),
  };
}

class TableBuilder {
  readonly #path = new PathIndexBuilder();
  readonly #exe = new PathIndexBuilder();
  readonly #by = new PathIndexBuilder();
  readonly #tools = new Map<string, CompiledRule[]>();
  readonly #scan: CompiledRule[] = [];
  #net: NetIndex | undefined;
  /** Nothing was added. */
  empty = true;

  add(rule: CompiledRule, anchors: Anchors): void {
    this.empty = false;
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

  build(): RuleTable {
    this.#net?.seal();
    return {
      path: this.#path.build(),
      exe: this.#exe.build(),
      by: this.#by.build(),
      net: this.#net,
      tools: this.#tools.size > 0 ? this.#tools : undefined,
      scan: this.#scan.sort((a, b) => b.key - a.key),
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

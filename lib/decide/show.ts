/** A policy as it is in force: rules with their origin, defaults, settings. */
import type { ActionType, ApprovalSettings, PolicyRef, Verdict } from "../core/mod.ts";
import type { AgentPattern } from "./agents.ts";
import type { DefaultVerdict, FileMode, PredicateName, Predicates } from "./ast.ts";
import type { Position } from "./diagnostic.ts";
import type { GuardSettings } from "./guard_settings.ts";
import type { PolicySnapshot } from "./snapshot.ts";

/** Conditions as texts, by predicate. */
export type ShownPredicates = Readonly<Record<string, readonly string[]>>;

/** One rule with its origin. */
export interface ShownRule extends Position {
  readonly rule: string;
  readonly rule_index: number;
  /** Name of the policy file's `name`. */
  readonly policy: string;
  /** Number of the layer, from 1. */
  readonly layer: number;
  readonly verdict: Verdict;
  readonly mode: FileMode;
  readonly actions: readonly ActionType[];
  readonly predicates: ShownPredicates;
  readonly except: readonly ShownPredicates[];
  /** Labels that the rule sets on the session. */
  readonly labels?: readonly string[];
  readonly reason?: string;
  readonly enforce?: "best";
}

/** What a layer says where none of its rules matches. */
export interface ShownDefault {
  readonly action: ActionType;
  readonly verdict: DefaultVerdict;
}

/** One layer. */
export interface ShownLayer {
  readonly layer: number;
  readonly file: string;
  readonly policy: string;
  readonly digest: string;
  readonly mode: FileMode;
  readonly defaults: readonly ShownDefault[];
}

/** Everything. */
export interface ShownPolicy {
  readonly policy: PolicyRef;
  readonly mode: FileMode;
  readonly layers: readonly ShownLayer[];
  readonly rules: readonly ShownRule[];
  readonly guard: GuardSettings;
  readonly approval: ApprovalSettings;
  readonly agents: readonly AgentPattern[];
}

/** The policy in force as data for `policy show`. */
export function showPolicy(snapshot: PolicySnapshot): ShownPolicy {
  return {
    policy: snapshot.ref,
    mode: snapshot.mode,
    layers: snapshot.layers.map(({ file }, i) => ({
      layer: i + 1,
      file: file.file,
      policy: file.name,
      digest: file.digest,
      mode: file.mode,
      defaults: [...file.defaults].map(([action, verdict]) => ({ action, verdict })),
    })),
    rules: snapshot.layers.flatMap((layer, i) =>
      layer.rules.flatMap(({ index, node }) => {
        const info = snapshot.rules[index];
        if (info === undefined) return [];
        const { name, mode, verdict, actions, file, line, column, reason, enforce } = info;
        return [{
          rule: name,
          rule_index: index,
          policy: layer.file.name,
          layer: i + 1,
          file,
          line,
          column,
          verdict,
          mode,
          actions,
          predicates: shownPredicates(node.predicates),
          except: node.excepts.map((except) => shownPredicates(except)),
          ...(node.labels === undefined ? {} : { labels: node.labels }),
          ...(reason === undefined ? {} : { reason }),
          ...(enforce === undefined ? {} : { enforce }),
        }];
      })
    ),
    guard: snapshot.guard,
    approval: snapshot.approval,
    agents: snapshot.agents,
  };
}

/** The conditions as texts. */
export function shownPredicates(predicates: Predicates): ShownPredicates {
  const shown: Record<string, readonly string[]> = {};
  for (const name of namesOf(predicates)) shown[name] = predicateTexts(predicates, name);
  return shown;
}

/** The predicates that are there, the second name first: alone, `path` would speak of both names. */
export function namesOf(predicates: Predicates): readonly PredicateName[] {
  const names: PredicateName[] = [];
  let name: PredicateName;
  for (name in predicates) if (predicates[name] !== undefined) names.push(name);
  return names.sort((a, b) => Number(b === "new_path") - Number(a === "new_path"));
}

/** What one predicate asks for, as written. */
export function predicateTexts(predicates: Predicates, name: PredicateName): readonly string[] {
  const value: unknown = predicates[name];
  return Array.isArray(value) ? value.map((element: unknown) => textOf(element)) : [textOf(value)];
}

function textOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if ("text" in value && typeof value.text === "string") return value.text;
  if ("tokens" in value && Array.isArray(value.tokens)) {
    return JSON.stringify(value.tokens.map((token: unknown) => tokenText(token)));
  }
  if ("from" in value && "to" in value) {
    return value.from === value.to ? String(value.from) : `${String(value.from)}-${String(value.to)}`;
  }
  if ("uid" in value) return String(value.uid);
  return JSON.stringify(value, (key, part: unknown) => key === "position" || key === "globs" ? undefined : part);
}

function tokenText(token: unknown): string {
  return typeof token === "object" && token !== null && "kind" in token && token.kind === "rest"
    ? "..."
    : textOf(token);
}

/** Why a policy decides as it does: the decider and its place, why no other rule decided, and what to change. */
import { type Action, type Event, formatTime, type Ruling, type ToolCallAction, type Verdict } from "../core/mod.ts";
import type { DefaultVerdict, FileMode, PredicateName, Predicates, RuleNode } from "./ast.ts";
import { type Change, nearestChange } from "./explain_change.ts";
import { holdsIn, isAsked, type Past, type View, viewsOf } from "./explain_views.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import { hostHolds } from "./reference_hosts.ts";
import { namesOf, predicateTexts, type ShownPredicates, shownPredicates } from "./show.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { RiskEstimate } from "./risk.ts";
import { NO_PAST } from "./state.ts";
import { toolCommandLine } from "./tool_command.ts";

/** A rule with its place. */
export interface RulePlace {
  readonly rule: string;
  readonly rule_index: number;
  readonly file: string;
  readonly line: number;
}

/** What decided. */
export type DecidedBy =
  | ({ readonly kind: "rule"; readonly verdict: Verdict } & RulePlace)
  /** The `[default]` of a file; `file` is absent where no file has one for this action. */
  | { readonly kind: "default"; readonly verdict: DefaultVerdict; readonly file?: string };

/**
 * What became of a rule about this type of action. `decided`: its verdict is the answer. `holds`: it covers the action,
 * and a stricter one or an earlier one of the same verdict decided. `shadow`: it covers the action and only observes.
 * `excepted`: one of its exceptions holds. `fails`: the predicate that is named does not hold.
 */
export type CandidateOutcome = "decided" | "holds" | "shadow" | "excepted" | "fails" | "disabled";

/** A rule about this type of action. */
export interface Candidate extends RulePlace {
  readonly verdict: Verdict;
  readonly mode: FileMode;
  readonly outcome: CandidateOutcome;
  /** The first predicate that does not hold. */
  readonly predicate?: PredicateName;
  /** What that predicate asks for. */
  readonly wanted?: readonly string[];
  /** What the action has there; empty where it has nothing. */
  readonly got?: readonly string[];
  /** The exception that holds. */
  readonly except?: ShownPredicates;
  /** The command inside the command line that the rule covers. */
  readonly inside?: readonly string[];
}

/** The whole answer. */
export interface Explanation {
  readonly action: Action;
  readonly ruling: Ruling;
  /** What the policy says, whether it enforces or only observes. */
  readonly says: Verdict;
  readonly decided_by: DecidedBy;
  /** Rules about this type of action, the decider first, then in the order of the file. */
  readonly candidates: readonly Candidate[];
  /** Rules about other types of actions. */
  readonly other_rules: number;
  /** The smallest changes, all needed together, after which the action is let through. Absent where it already is. */
  readonly changes?: readonly Change[];
}

/** Explains one decision. Pure, and agrees with `snapshot.evaluate`. Without a past nothing has happened before. */
export function explain(
  snapshot: PolicySnapshot,
  event: Event,
  past: Past = { state: NO_PAST, now_us: event.time_us },
): Explanation {
  const ruling = snapshot.evaluate(event, past.state, past.now_us);
  const views = viewsOf(event, past);
  const candidates: Candidate[] = [];
  let other_rules = 0;
  for (const layer of snapshot.layers) {
    for (const rule of layer.rules) {
      const looks = views.filter((view) => isAsked(view, rule.node));
      if (looks.length > 0) candidates.push(candidateOf({ snapshot, layer, rule, views: looks, ruling }));
      else other_rules++;
    }
  }
  const decider = candidates.findIndex((candidate) => candidate.outcome === "decided");
  const [first] = decider < 0 ? [] : candidates.splice(decider, 1);
  const changes = nearestChange(snapshot.layers, event, past);
  return {
    action: event.action,
    ruling,
    says: ruling.would ?? ruling.verdict,
    decided_by: decidedBy(snapshot, event, ruling),
    candidates: first === undefined ? candidates : [first, ...candidates],
    other_rules,
    ...(changes === undefined ? {} : { changes }),
  };
}

function decidedBy(snapshot: PolicySnapshot, event: Event, ruling: Ruling): DecidedBy {
  const rule = snapshot.rules[ruling.rule_index];
  if (rule !== undefined) {
    const { name, index, file, line, verdict } = rule;
    return { kind: "rule", verdict, rule: name, rule_index: index, file, line };
  }
  const wanted = ruling.would ?? ruling.verdict;
  const { type } = event.action;
  const active = snapshot.layers.filter(({ file }) => file.mode !== "disabled");
  const source = active.find(({ file }) => file.defaults.get(type) === wanted) ??
    active.find(({ file }) => file.defaults.has(type));
  const verdict = source?.file.defaults.get(type) ?? "allow";
  return { kind: "default", verdict, ...(source === undefined ? {} : { file: source.file.file }) };
}

function candidateOf(
  { snapshot, layer, rule, views, ruling }: {
    readonly snapshot: PolicySnapshot;
    readonly layer: NumberedLayer;
    readonly rule: NumberedRule;
    readonly views: readonly View[];
    readonly ruling: Ruling;
  },
): Candidate {
  const { node, index, name } = rule;
  const mode = snapshot.rules[index]?.mode ?? node.mode;
  const { file, line } = node.position;
  const held = views.find((view) => holdsIn(view, layer, rule));
  const place = {
    ...{ rule: name, rule_index: index, file, line, verdict: node.verdict, mode },
    ...(held?.inside === undefined ? {} : { inside: held.inside }),
  };
  if (ruling.rule_index === index) return { ...place, outcome: "decided" };
  if (mode === "disabled") return { ...place, outcome: "disabled" };
  if (held !== undefined) return { ...place, outcome: mode === "observe" ? "shadow" : "holds" };
  const [view] = views;
  if (view === undefined) return { ...place, outcome: "fails" };
  const holds = (changed: RuleNode): boolean => holdsIn(view, layer, rule, changed);
  const predicate = firstFailing(node, holds);
  if (predicate !== undefined) {
    const wanted = predicateTexts(node.predicates, predicate);
    return { ...place, outcome: "fails", predicate, wanted, got: gotOf(view.event, predicate, node) };
  }
  const except = node.excepts.find((each) => !holds({ ...node, excepts: [each] }));
  return { ...place, outcome: "excepted", ...(except === undefined ? {} : { except: shownPredicates(except) }) };
}

/** The first predicate without which the ones before it would hold. `undefined` if all hold. */
function firstFailing(node: RuleNode, holds: (changed: RuleNode) => boolean): PredicateName | undefined {
  let predicates: Predicates = {};
  for (const name of namesOf(node.predicates)) {
    predicates = { ...predicates, [name]: node.predicates[name] };
    if (!holds({ ...node, predicates, excepts: [] })) return name;
  }
  return undefined;
}

/** What an action has where the predicate of a rule looks. */
function gotOf(event: Event, predicate: PredicateName, { verdict, predicates }: RuleNode): readonly string[] {
  const got = valuesOf(event, predicate);
  const { host, address } = predicates;
  if (predicate !== "host" || host === undefined || address !== undefined || verdict !== "allow") return got;
  const matches = hostHolds(host, event.action, { side: "any", placed: false });
  return matches ? got.map((name) => `${name}, at an address of special purpose`) : got;
}

/** What an action has where a predicate looks. */
export function valuesOf(event: Event, predicate: PredicateName): readonly string[] {
  const { action, process, session } = event;
  const given = (...values: readonly (string | number | undefined)[]): readonly string[] =>
    values.flatMap((value) => value === undefined ? [] : [String(value)]);
  switch (predicate) {
    case "action":
      return [action.type];
    case "path":
    case "exe":
      if (action.type === "tool.call" && predicate === "exe") return toolWords(action, (argv) => argv.slice(0, 1));
      return given(
        "path" in action ? action.path : undefined,
        "requested_path" in action ? action.requested_path : undefined,
        action.type === "exec" && predicate === "exe" ? action.interpreter : undefined,
      );
    case "new_path":
      return "new_path" in action ? given(action.new_path, action.requested_new_path) : [];
    case "argv":
      if (action.type === "tool.call") return toolWords(action, (argv) => argv.slice(1));
      return action.type === "exec" ? action.argv.slice(1) : [];
    case "by":
      return given(process?.exe);
    case "cwd":
      return given((action.type === "exec" ? action.cwd : undefined) ?? process?.cwd);
    case "user":
      return given(process?.uid);
    case "agent":
      return given(session?.agent);
    case "principal":
      return given(session?.principal);
    case "session":
      return given(session?.session_id);
    case "tool":
      return action.type === "tool.call" ? [action.tool] : [];
    case "server":
      return action.type === "tool.call" ? given(action.server) : [];
    case "ancestor":
      return event.ancestors ?? [];
    case "group":
      return session?.groups ?? [];
    case "tag":
      return session?.tags ?? [];
    case "declared":
      return given(event.declared === undefined ? undefined : String(event.declared));
    case "risk":
      return [String(new RiskEstimate().of(event))];
    case "model":
      return given(event.llm?.model);
    case "tokens":
      return given(event.llm?.input_tokens, event.llm?.output_tokens);
    case "args":
      return action.type === "tool.call" && action.args !== undefined ? [JSON.stringify(action.args)] : [];
    case "time":
      return [formatTime(event.time_us)];
    default:
      return netValues(action, predicate);
  }
}

/** Words of the commands in a tool call's command line. */
function toolWords(action: ToolCallAction, pick: (argv: readonly string[]) => readonly string[]): readonly string[] {
  return toolCommandLine(action)?.commands.flatMap(({ argv }) => pick(argv)) ?? [];
}

function netValues(action: Action, predicate: PredicateName): readonly string[] {
  if (action.type === "net.dns") return predicate === "host" ? [action.name] : [];
  if (!("address" in action)) return [];
  if (predicate === "address") return [action.address];
  if (predicate === "port") return [String(action.port)];
  if (predicate === "protocol") return [action.protocol];
  if (predicate !== "host" || action.host === undefined) return [];
  return action.hosts ?? [action.host];
}

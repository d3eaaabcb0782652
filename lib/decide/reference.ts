/**
 * The slow, obviously right interpreter. It walks the syntax tree for every event and shares nothing with the compiler
 * but that tree, the wording of reasons and the parsers of addresses and command lines. Tests hold the compiled
 * snapshot against it.
 */
import {
  type Action,
  type ActionType,
  type Event,
  type ExecAction,
  parseAddress,
  type Ruling,
  type Verdict,
} from "../core/mod.ts";
import type { PolicyFile, Predicates, RuleNode, TextPattern } from "./ast.ts";
import { hasStarted, innerEvent, insideOf } from "./inner_event.ts";
import { cidrHolds } from "./net.ts";
import { REASON_DISABLED, reasonInside, reasonOfDefault, reasonOfRule, reasonWithShadow } from "./reason.ts";
import { readingOf, withReading } from "./reading.ts";
import { factsHold, type RuleContext } from "./reference_facts.ts";
import { hostHolds } from "./reference_hosts.ts";
import { cwdOf, newNames, pathNames } from "./reference_names.ts";
import { argvHolds, pathsHold, programHolds, programsHold } from "./reference_objects.ts";
import { programsOf, toolProgramsHold } from "./reference_tools.ts";
import { normal, type Side, textGlobHolds } from "./reference_patterns.ts";
import { readCommandLine } from "./shell.ts";
import { NO_PAST, type StateView } from "./state.ts";

/** One rule with the index and the unique name that it has in the snapshot. */
export interface NumberedRule {
  readonly index: number;
  readonly name: string;
  readonly node: RuleNode;
}

/** One layer with its rules numbered. */
export interface NumberedLayer {
  readonly file: PolicyFile;
  readonly rules: readonly NumberedRule[];
}

interface Answer {
  readonly verdict: Verdict;
  readonly rule?: NumberedRule;
  /** The command inside the command line that it is about. */
  readonly inner?: ExecAction;
}

/** What an evaluation rests on besides the event. */
export interface ReferencePast {
  readonly state: StateView;
  readonly now_us: number;
}

/** Evaluates one event against the layers. */
export function evaluateReference(
  layers: readonly NumberedLayer[],
  event: Event,
  past: ReferencePast = { state: NO_PAST, now_us: event.time_us },
): Ruling {
  const ruling = evaluateOne(layers, event, past);
  const reading = readingOf(event);
  return reading === undefined ? ruling : withReading(ruling, evaluateOne(layers, reading, past));
}

function evaluateOne(layers: readonly NumberedLayer[], event: Event, past: ReferencePast): Ruling {
  const active = layers.filter((layer) => layer.file.mode !== "disabled");
  if (active.length === 0) return { verdict: "allow", rule_index: -1, reason: REASON_DISABLED, mode: "observe" };
  const { action } = event;
  const line = action.type === "exec" ? readCommandLine(action) : undefined;
  const { real, full } = answersOf(active, event, { ...past, opaque: line?.opaque === true });
  const commands = action.type === "exec" && line !== undefined ? insideOf(event, line, action) : [];
  for (const command of commands) {
    if (action.type !== "exec") break;
    const inner = innerEvent(event, action, command);
    const started = hasStarted(event);
    const found = answersOf(active, inner, {
      ...past,
      opaque: command.opaque,
      only_arguments: started,
      no_default: started || command.builtin,
    });
    // What is inside only tightens.
    const tightens = ({ verdict }: Answer): boolean => STRICTNESS[verdict] >= STRICTNESS.redact;
    const named = (answer: Answer): Answer =>
      inner.action.type === "exec" ? { ...answer, inner: inner.action } : answer;
    real.push(...found.real.filter(tightens).map(named));
    full.push(...found.full.filter(tightens).map(named));
  }
  return ruling(strictest(real), strictest(full), active.every((layer) => layer.file.mode === "observe"), action);
}

/** What each layer says: for real, and if everything were enforced. */
function answersOf(
  layers: readonly NumberedLayer[],
  event: Event,
  how: ReferencePast & {
    readonly opaque: boolean;
    readonly only_arguments?: boolean;
    readonly no_default?: boolean;
  },
): { readonly real: Answer[]; readonly full: Answer[] } {
  const real: Answer[] = [];
  const full: Answer[] = [];
  for (const { file, rules } of layers) {
    const holding = rules.filter(({ node, name }) => {
      if (how.only_arguments === true && node.predicates.argv === undefined) return false;
      const observes = file.mode !== "enforce" || node.mode === "observe";
      return ruleHolds(node, event, { ...how, rule: name, observes, file: file.file });
    });
    const fallback = how.no_default === true ? undefined : file.defaults.get(event.action.type);
    const lifts = ({ node, name }: NumberedRule): boolean => {
      const observes = file.mode !== "enforce" || node.mode === "observe";
      const permitting: RuleNode = { ...node, verdict: "allow" };
      return ruleHolds(permitting, event, { ...how, rule: name, observes, file: file.file });
    };
    const whole = answer(holding, fallback, lifts);
    if (whole !== undefined) full.push(whole);
    const enforced = answer(holding.filter((rule) => rule.node.mode === "enforce"), fallback, lifts);
    if (file.mode === "enforce" && enforced !== undefined) real.push(enforced);
  }
  return { real, full };
}

function ruling(real: Answer, full: Answer, all_observe: boolean, action: Action): Ruling {
  const passes = real.verdict === "allow" || real.verdict === "log";
  const full_passes = full.verdict === "allow" || full.verdict === "log";
  const differs = passes !== full_passes || (!passes && real.verdict !== full.verdict);
  if (differs && !passes) {
    const reason = reasonWithShadow(reasonOf(real, action), full.rule?.name, full.verdict);
    return { ...named(real), reason, mode: "enforce", would: full.verdict };
  }
  if (differs) {
    return {
      ...named(full),
      verdict: real.verdict,
      reason: reasonOf(full, action),
      mode: "observe",
      would: full.verdict,
    };
  }
  if (all_observe) return { ...named(full), verdict: "allow", reason: reasonOf(full, action), mode: "observe" };
  return { ...named(real), reason: reasonOf(real, action), mode: "enforce" };
}

function named(answer: Answer): { readonly verdict: Verdict; readonly rule?: string; readonly rule_index: number } {
  const { verdict, rule } = answer;
  return rule === undefined ? { verdict, rule_index: -1 } : { verdict, rule: rule.name, rule_index: rule.index };
}

function reasonOf({ verdict, rule, inner }: Answer, action: Action): string {
  const reason = rule === undefined
    ? reasonOfDefault(verdict, action.type)
    : reasonOfRule(rule.name, rule.node, inner ?? action);
  return inner === undefined ? reason : reasonInside(reason, inner);
}

/**
 * deny > ask > redact > allow > default; a log rule names itself where the action passes. A default that is stricter
 * than what the rules say is lifted only by a rule that would hold also if it permitted.
 */
function answer(
  holding: readonly NumberedRule[],
  fallback: Verdict | undefined,
  lifts: (rule: NumberedRule) => boolean,
): Answer | undefined {
  for (const verdict of ["deny", "ask", "redact"] as const) {
    const rule = holding.find((candidate) => candidate.node.verdict === verdict);
    if (rule === undefined) continue;
    const is_stricter = fallback !== undefined && STRICTNESS[fallback] > STRICTNESS[verdict];
    const lifting = holding.filter(({ node }) => node.verdict !== "deny" && node.verdict !== "log");
    return is_stricter && !lifting.some(lifts) ? { verdict: fallback } : { verdict, rule };
  }
  const log = holding.find((candidate) => candidate.node.verdict === "log");
  const allow = holding.find((candidate) => candidate.node.verdict === "allow");
  const passes = allow !== undefined || fallback === undefined || fallback === "allow" || fallback === "log";
  if (log !== undefined && passes) return { verdict: "log", rule: log };
  if (allow !== undefined) return { verdict: "allow", rule: allow };
  return fallback === undefined ? undefined : { verdict: fallback };
}

const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, log: 1, redact: 2, ask: 3, deny: 4 };

function strictest(answers: readonly Answer[]): Answer {
  const [first, ...rest] = answers;
  if (first === undefined) return { verdict: "allow" };
  return rest.reduce((best, next) => STRICTNESS[next.verdict] > STRICTNESS[best.verdict] ? next : best, first);
}

/**
 * True if the rule covers the event: type and predicates hold, and no exception does. Without a context nothing has
 * happened before.
 */
export function ruleHolds(rule: RuleNode, event: Event, context: Partial<RuleContext> = {}): boolean {
  if (!rule.actions.includes(event.action.type)) return false;
  const permits = rule.verdict === "allow";
  const known = fullContext(event, context);
  if (!predicatesHold(rule.predicates, event, { side: permits ? "all" : "any", context: known })) return false;
  // An exception takes the other side: what forbids is lifted only where every name says so, what permits by any.
  const other = { side: permits ? "any" as const : "all" as const, context: known };
  return !rule.excepts.some((except) => predicatesHold(except, event, other));
}

function fullContext(event: Event, context: Partial<RuleContext>): RuleContext {
  const { action } = event;
  const opaque = context.opaque ?? (action.type === "exec" && readCommandLine(action)?.opaque === true);
  return { state: NO_PAST, now_us: event.time_us, rule: "", observes: false, file: "", ...context, opaque };
}

function predicatesHold(
  predicates: Predicates,
  event: Event,
  { side, context }: { readonly side: Side; readonly context: RuleContext },
): boolean {
  const {
    action,
    path,
    new_path,
    exe,
    by,
    argv,
    cwd,
    user,
    agent,
    principal,
    session,
    host,
    address,
    port,
    protocol,
    tool,
    server,
    ancestor,
    ...facts
  } = predicates;
  const { process } = event;
  const net = isNet(event.action) ? event.action : undefined;
  const call = event.action.type === "tool.call" ? event.action : undefined;
  const programs = programsOf(predicates);
  if (call !== undefined && Object.keys(programs).length > 0) {
    // Of a tool call these three are asked together, about the commands of its line.
    const { exe: _exe, argv: _argv, opaque: _opaque, ...rest } = predicates;
    return predicatesHold(rest, event, { side, context }) &&
      toolProgramsHold(
        programs,
        { event, action: call, side },
        (command, opaque) => predicatesHold(programs, command, { side, context: { ...context, opaque } }),
      );
  }
  const checks: boolean[] = [
    action === undefined || action.includes(event.action.type),
    path === undefined || pathsHold(path, pathNames(event, new_path === undefined), event, side),
    new_path === undefined || pathsHold(new_path, newNames(event), event, side),
    exe === undefined || programsHold(exe, event, side),
    by === undefined || (process?.exe !== undefined && programHolds(by, normal(process.exe), event, side)),
    argv === undefined || argvHolds(argv.map((pattern) => pattern.tokens), event, side),
    // What permits by arguments does not rest on code that nobody could follow, unless it asks for it.
    argv === undefined || side === "any" || facts.opaque !== undefined || !context.opaque,
    ancestor === undefined ||
    (event.ancestors ?? []).some((program) => programHolds(ancestor, normal(program), event, side)),
    factsHold(facts, event, { context, side }),
    cwd === undefined || pathsHold(cwd, [cwdOf(event)].filter((name) => name !== undefined), event, side),
    user === undefined || user.some((pattern) => pattern.uid === process?.uid),
    textHolds(agent, event.session?.agent),
    textHolds(principal, event.session?.principal),
    textHolds(session, event.session?.session_id),
    host === undefined || hostHolds(host, event.action, { side, placed: address !== undefined }),
    address === undefined || (net !== undefined && address.some((cidr) => {
      const bytes = parseAddress(net.address);
      return bytes !== undefined && cidrHolds(cidr, bytes);
    })),
    port === undefined || (net !== undefined && port.some(({ from, to }) => net.port >= from && net.port <= to)),
    protocol === undefined || (net !== undefined && protocol.includes(net.protocol)),
    textHolds(tool, call?.tool),
    textHolds(server, call?.server),
  ];
  return checks.every((holds) => holds);
}

function isNet(action: Action): action is Extract<Action, { readonly address: string }> {
  const types: readonly ActionType[] = ["net.connect", "net.send", "net.bind", "net.listen"];
  return types.includes(action.type);
}

function textHolds(patterns: readonly TextPattern[] | undefined, text: string | undefined): boolean {
  if (patterns === undefined) return true;
  return text !== undefined && patterns.some(({ globs }) => globs.some((glob) => textGlobHolds(glob, text)));
}

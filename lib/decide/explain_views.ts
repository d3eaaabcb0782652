/**
 * The looks that an evaluation takes at one event: the event itself, each command inside its command line, and the
 * reading that comes with an open for writing.
 */
import type { Event, Verdict } from "../core/mod.ts";
import type { RuleNode } from "./ast.ts";
import { hasStarted, innerEvent, insideOf } from "./inner_event.ts";
import { readingOf } from "./reading.ts";
import { type NumberedLayer, type NumberedRule, ruleHolds } from "./reference.ts";
import { readCommandLine } from "./shell.ts";
import type { StateView } from "./state.ts";

/** What an evaluation rests on besides the event. */
export interface Past {
  readonly state: StateView;
  readonly now_us: number;
}

/** One look. */
export interface View {
  readonly event: Event;
  readonly past: Past;
  /** It runs code that nobody could follow. */
  readonly opaque: boolean;
  /** The command inside the command line; absent for the event itself. */
  readonly inside?: readonly string[];
  /** What is let through here lifts nothing that another look forbids. */
  readonly only_tightens: boolean;
  /** Only rules that ask for arguments look here. */
  readonly only_arguments: boolean;
  /** The default does not apply here. */
  readonly no_default: boolean;
}

/** Every look at an event, the event itself first. */
export function viewsOf(event: Event, past: Past): readonly View[] {
  const { action } = event;
  const line = action.type === "exec" ? readCommandLine(action) : undefined;
  const plain = { past, only_tightens: false, only_arguments: false, no_default: false };
  const outer: View = { ...plain, event, opaque: line?.opaque === true };
  const reading = readingOf(event);
  if (reading !== undefined) {
    return [outer, { ...plain, event: reading, opaque: false, only_tightens: true, no_default: true }];
  }
  if (action.type !== "exec" || line === undefined) return [outer];
  const started = hasStarted(event);
  return [
    outer,
    ...insideOf(event, line, action).map((command): View => ({
      event: innerEvent(event, action, command),
      past,
      opaque: command.opaque,
      inside: command.argv,
      only_tightens: true,
      only_arguments: started,
      no_default: started || command.builtin,
    })),
  ];
}

/** True if the verdict lets an action through. */
export function lets(verdict: Verdict): boolean {
  return verdict === "allow" || verdict === "log" || verdict === "redact";
}

/** True if rules like this one are asked in this look. */
export function isAsked({ event, only_tightens }: View, { actions, verdict }: RuleNode): boolean {
  return actions.includes(event.action.type) && !(only_tightens && (verdict === "allow" || verdict === "log"));
}

/** True if a rule of a layer has a say in this look and covers it. `node` may be a changed form of the rule. */
export function holdsIn(view: View, layer: NumberedLayer, rule: NumberedRule, node: RuleNode = rule.node): boolean {
  if (!isAsked(view, node)) return false;
  if (view.only_arguments && node.predicates.argv === undefined) return false;
  const observes = layer.file.mode !== "enforce" || node.mode === "observe";
  const { file } = layer.file;
  return ruleHolds(node, view.event, { ...view.past, rule: rule.name, observes, opaque: view.opaque, file });
}

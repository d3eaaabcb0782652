/** The reference interpreter's predicates about facts, time and the past. Written apart from the compiled ones. */
import type { Event } from "../core/mod.ts";
import type { ArgsStep, LabelPattern, Predicates, RateKey, RatePattern, TextPattern, TimePattern } from "./ast.ts";
import { formatted, zoneFormat } from "./local_time.ts";
import { hostNames } from "./reference_hosts.ts";
import { normal, type Side, textGlobHolds } from "./reference_patterns.ts";
import { RiskEstimate } from "./risk.ts";
import type { StateView } from "./state.ts";

/** What a rule is seen in besides the event. */
export interface RuleContext {
  readonly state: StateView;
  readonly now_us: number;
  /** The rule's unique name. */
  readonly rule: string;
  readonly observes: boolean;
  /** Name of the rule's file. */
  readonly file: string;
  /** Whether the command runs code that nobody could follow. */
  readonly opaque: boolean;
}

type Facts = Omit<
  Predicates,
  | "action"
  | "path"
  | "new_path"
  | "exe"
  | "by"
  | "argv"
  | "cwd"
  | "user"
  | "agent"
  | "principal"
  | "session"
  | "host"
  | "address"
  | "port"
  | "protocol"
  | "tool"
  | "server"
  | "ancestor"
>;

/** Refuses to compile when a predicate is added to the tree and not read. */
function restOf(_rest: Readonly<Record<never, never>> & { readonly [K in keyof Facts]?: never }): void {}

/** True if those of the predicates that this file is about hold. */
export function factsHold(predicates: Facts, event: Event, { context, side }: {
  readonly context: RuleContext;
  readonly side: Side;
}): boolean {
  const { session, llm, action } = event;
  const { group, tag, model, tokens, declared, opaque, time, rate, after, since, label, args, ...others } = predicates;
  const { risk: risks, ...rest } = others;
  restOf(rest);
  const forbids = side === "any";
  const is_declared = event.declared ?? (forbids ? false : undefined);
  const total = llm?.input_tokens === undefined && llm?.output_tokens === undefined
    ? undefined
    : (llm.input_tokens ?? 0) + (llm.output_tokens ?? 0);
  const counts = { total, input: llm?.input_tokens, output: llm?.output_tokens, cached: llm?.cached_tokens };
  const within = (value: number | undefined, from: number, to: number): boolean =>
    value !== undefined && from <= value && value <= to;
  const checks: boolean[] = [
    someText(group, session?.groups),
    someText(tag, session?.tags),
    someText(model, llm?.model === undefined ? [] : [llm.model]),
    tokens === undefined || tokens.some(({ of, from, to }) => within(counts[of], from, to)),
    risks === undefined || risks.some(({ from, to }) => within(new RiskEstimate().of(event), from, to)),
    declared === undefined || declared.some(({ value }) => value === is_declared),
    opaque === undefined || (action.type === "exec" && opaque.some(({ value }) => value === context.opaque)),
    time === undefined || time.some((pattern) => windowHolds(pattern, context.now_us)),
    marksHold(after, event, { context, side, which: "last" }),
    marksHold(since, event, { context, side, which: "first" }),
    marksHold(label, event, { context, side, which: "last" }),
    rate === undefined || exceeds(rate, event, context) === forbids,
    args === undefined || (action.type === "tool.call" && args.every(({ steps, patterns }) => {
      const values = placesOf(action.args, steps).flatMap((value) => scalarText(value) ?? []);
      const matches = (text: string): boolean => textMatches(patterns, text);
      return forbids ? values.some(matches) : values.length > 0 && values.every(matches);
    })),
  ];
  return checks.every((holds) => holds);
}

function textMatches(patterns: readonly TextPattern[], text: string): boolean {
  return patterns.some(({ globs }) => globs.some((glob) => textGlobHolds(glob, text)));
}

function someText(patterns: readonly TextPattern[] | undefined, texts: readonly string[] | undefined): boolean {
  return patterns === undefined || (texts ?? []).some((text) => textMatches(patterns, text));
}

function scalarText(value: unknown): string | undefined {
  if (value === null) return "null";
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}

function placesOf(root: unknown, [step, ...rest]: readonly ArgsStep[]): readonly unknown[] {
  if (step === undefined) return [root];
  if (typeof root !== "object" || root === null) return [];
  const members = Object.entries(root).filter(([key]) => step.kind === "each" || key === step.name);
  return members.flatMap(([, value]) => placesOf(value, rest));
}

function windowHolds({ from_minute, to_minute, days, zone }: TimePattern, now_us: number): boolean {
  const { minute, day } = formatted(zoneFormat(zone), Math.floor(now_us / 1_000));
  const yesterday = day === 0 ? 6 : day - 1;
  if (from_minute < to_minute) return days.includes(day) && from_minute <= minute && minute < to_minute;
  return (days.includes(day) && minute >= from_minute) || (days.includes(yesterday) && minute < to_minute);
}

function marksHold(
  patterns: readonly LabelPattern[] | undefined,
  event: Event,
  { context, side, which }: { readonly context: RuleContext; readonly side: Side; readonly which: "first" | "last" },
): boolean {
  if (patterns === undefined) return true;
  const who = context.observes ? "seen" : "real";
  const how = side === "all" ? `passed ${context.file}` : "tried";
  return patterns.some(({ kind, name, within_us }) => {
    const time = context.state.markTime(event.session?.session_id ?? "", `${who} ${how}\n${kind} ${name}`, which);
    return time >= 0 && (within_us === undefined || context.now_us - time <= within_us);
  });
}

function exceeds(rates: readonly RatePattern[], event: Event, { state, now_us, rule }: RuleContext): boolean {
  return rates.some(({ count, per_us, keys }, i) =>
    state.rateCount(`${rule}\n${i}`, keyOf(keys, event), { per_us, now_us }) >= count
  );
}

/** By what an action is counted apart. */
export function keyOf(keys: readonly RateKey[], { action, session, process }: Event): string {
  const path = "path" in action ? action.path : "";
  const parts: Readonly<Record<RateKey, string>> = {
    session: session?.session_id ?? "",
    principal: session?.principal ?? "",
    agent: session?.agent ?? "",
    user: String(process?.uid ?? ""),
    process: process === undefined ? "" : `${process.pid}:${process.start}`,
    exe: action.type === "exec" ? normal(action.path) : process?.exe ?? "",
    path: action.type === "file.symlink" && !path.startsWith("/")
      ? normal(`${action.new_path}/../${path}`)
      : normal(path),
    host: hostNames(action)[0] ?? "",
    address: "address" in action ? action.address : "",
    tool: action.type === "tool.call" ? action.tool : "",
    server: action.type === "tool.call" ? action.server ?? "" : "",
    all: "",
  };
  return keys.map((key) => parts[key]).join("\n");
}

/** Predicates about what is said of an action, about time, and about what happened before. */
import type { Event } from "../core/mod.ts";
import type {
  ArgsPattern,
  ArgsStep,
  FlagPattern,
  LabelPattern,
  NumberRange,
  Predicates,
  RateKey,
  RatePattern,
  TextPattern,
  TimePattern,
  TokenCount,
  TokenRange,
} from "./ast.ts";
import { ZoneClock } from "./local_time.ts";
import { type EventNames, normalName } from "./names.ts";
import { ProgramMatcher, TextMatcher } from "./path_matcher.ts";
import { RiskEstimate } from "./risk.ts";
import type { Check, CompiledPredicate } from "./selection.ts";
import { markKey, markName, type MarkView } from "./marks.ts";

/** Which rule a predicate belongs to. */
export interface RulePlace {
  /** Unique in the snapshot. */
  readonly rule: string;
  /** The rule only observes, or its file does. */
  readonly observes: boolean;
  readonly file: string;
}

type Facts = Pick<
  Predicates,
  | "ancestor"
  | "group"
  | "tag"
  | "args"
  | "model"
  | "tokens"
  | "declared"
  | "opaque"
  | "risk"
  | "time"
  | "rate"
  | "after"
  | "since"
  | "label"
>;

/** Compiles them; for `one_name` see `compilePredicates`. */
export function compileFacts(
  predicates: Facts,
  one_name: boolean,
  place: RulePlace,
): readonly CompiledPredicate[] {
  const {
    ancestor,
    group,
    tag,
    args,
    model,
    tokens,
    declared,
    opaque,
    risk,
    time,
    rate,
    after,
    since,
    label,
    ...rest
  } = predicates;
  restOf(rest);
  const checks: CompiledPredicate[] = [];
  const add = (name: CompiledPredicate["name"], check: Check | undefined): void => {
    if (check !== undefined) checks.push({ name, check });
  };
  add("model", model && someTextCheck(model, ({ llm }) => llm?.model === undefined ? undefined : [llm.model]));
  add("group", group && someTextCheck(group, ({ session }) => session?.groups));
  add("tag", tag && someTextCheck(tag, ({ session }) => session?.tags));
  add("ancestor", ancestor && ancestorCheck(new ProgramMatcher(ancestor, one_name)));
  add("tokens", tokens && tokensCheck(tokens));
  add("risk", risk && riskCheck(risk));
  add("declared", declared && declaredCheck(declared, one_name));
  add("args", args && argsCheck(args, one_name));
  add("time", time && timeCheck(time));
  add(
    "opaque",
    opaque && ((names): boolean => {
      const { type } = names.event.action;
      return type === "tool.call" || type === "exec" && opaque.some(({ value }) => value === names.opaque());
    }),
  );
  const { observes, file } = place;
  const view: MarkView = one_name ? { observes } : { observes, permits_in: file };
  add("after", after && markCheck(after, view, "last"));
  add("since", since && markCheck(since, view, "first"));
  add("label", label && markCheck(label, view, "last"));
  add("rate", rate && rateCheck(rate, one_name, place));
  return checks;
}

/** Refuses to compile when a predicate is added to the tree and not read. */
function restOf(_rest: Readonly<Record<never, never>> & { readonly [K in keyof Facts]?: never }): void {}

function someTextCheck(
  patterns: readonly TextPattern[],
  read: (event: Event) => readonly string[] | undefined,
): Check {
  const matcher = new TextMatcher(patterns);
  return ({ event }) => read(event)?.some((text) => matcher.matches(text)) === true;
}

function ancestorCheck(matcher: ProgramMatcher): Check {
  return (names) => names.event.ancestors?.some((program) => matcher.matches(normalName(program), names)) === true;
}

function riskCheck(ranges: readonly NumberRange[]): Check {
  const estimate = new RiskEstimate();
  return ({ event }) => inRanges(ranges, estimate.of(event));
}

function inRanges(ranges: readonly NumberRange[], value: number): boolean {
  return ranges.some(({ from, to }) => value >= from && value <= to);
}

function tokensCheck(ranges: readonly TokenRange[]): Check {
  return ({ event: { llm } }) => {
    if (llm === undefined) return false;
    const { input_tokens, output_tokens, cached_tokens } = llm;
    const counts: Readonly<Record<TokenCount, number | undefined>> = {
      input: input_tokens,
      output: output_tokens,
      cached: cached_tokens,
      total: input_tokens === undefined && output_tokens === undefined
        ? undefined
        : (input_tokens ?? 0) + (output_tokens ?? 0),
    };
    return ranges.some((range) => {
      const count = counts[range.of];
      return count !== undefined && count >= range.from && count <= range.to;
    });
  };
}

/** Where nobody compared with an intent: not declared for what forbids, neither for what permits. */
function declaredCheck(flags: readonly FlagPattern[], one_name: boolean): Check {
  return ({ event: { declared } }) => {
    const value = declared ?? (one_name ? false : undefined);
    return flags.some((flag) => flag.value === value);
  };
}

/** Values looked at in the arguments of one call. */
const ARGS_VALUES_MAX = 10_000;

function argsCheck(patterns: readonly ArgsPattern[], one_name: boolean): Check {
  const places = patterns.map(({ steps, patterns }) => ({ steps, matcher: new TextMatcher(patterns) }));
  return ({ event: { action } }) => {
    if (action.type !== "tool.call") return false;
    return places.every(({ steps, matcher }) => {
      const values = valuesAt(action.args, steps);
      // More than can be looked at: what forbids holds, what permits does not.
      if (values === undefined) return one_name;
      if (one_name) return values.some((text) => matcher.matches(text));
      return values.length > 0 && values.every((text) => matcher.matches(text));
    });
  };
}

/** The values at a place, as texts; `undefined` if they are too many. */
function valuesAt(root: unknown, steps: readonly ArgsStep[]): readonly string[] | undefined {
  let found: readonly unknown[] = [root];
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of found) {
      if (typeof value !== "object" || value === null) continue;
      if (step.kind === "each") {
        for (const each of Object.values(value)) next.push(each);
      } else if (Object.hasOwn(value, step.name)) next.push(Object.getOwnPropertyDescriptor(value, step.name)?.value);
      if (next.length > ARGS_VALUES_MAX) return undefined;
    }
    found = next;
  }
  return found.flatMap((value) => {
    if (typeof value === "string") return [value];
    return typeof value === "number" || typeof value === "boolean" || value === null ? [String(value)] : [];
  });
}

function timeCheck(patterns: readonly TimePattern[]): Check {
  const windows = patterns.map((pattern) => ({ ...pattern, clock: new ZoneClock(pattern.zone) }));
  return ({ now_us }) =>
    windows.some(({ from_minute, to_minute, days, clock }) => {
      const { minute, day } = clock.at(now_us);
      if (from_minute < to_minute) return minute >= from_minute && minute < to_minute && days.includes(day);
      if (minute >= from_minute) return days.includes(day);
      // After midnight the window is still that of the day before.
      return minute < to_minute && days.includes((day + 6) % 7);
    });
}

function markCheck(patterns: readonly LabelPattern[], view: MarkView, which: "first" | "last"): Check {
  const marks = patterns.map((pattern) => ({
    key: markKey(markName(pattern), view),
    within_us: pattern.within_us ?? Infinity,
  }));
  return ({ event, state, now_us }) => {
    const session = event.session?.session_id ?? "";
    for (let i = 0; i < marks.length; i++) {
      const each = marks[i];
      if (each === undefined) continue;
      const time = state.markTime(session, each.key, which);
      if (time >= 0 && now_us - time <= each.within_us) return true;
    }
    return false;
  };
}

/** The name of the counter of one rate of a rule. */
export function counterName(rule: string, index: number): string {
  return `${rule}\n${index}`;
}

/** What forbids holds beyond the rate, what permits up to it. */
function rateCheck(patterns: readonly RatePattern[], one_name: boolean, { rule }: RulePlace): Check {
  const exceeded = (names: EventNames): boolean =>
    patterns.some(({ count, per_us, keys }, i) => {
      const { state, now_us } = names;
      return state.rateCount(counterName(rule, i), rateKey(keys, names), { per_us, now_us }) >= count;
    });
  return one_name ? exceeded : (names) => !exceeded(names);
}

/** By what an action is counted apart. */
export function rateKey(keys: readonly RateKey[], names: EventNames): string {
  return keys.length === 1 && keys[0] !== undefined
    ? keyPart(keys[0], names)
    : keys.map((key) => keyPart(key, names)).join("\n");
}

function keyPart(key: RateKey, names: EventNames): string {
  const { event: { action, session, process } } = names;
  switch (key) {
    case "session":
      return session?.session_id ?? "";
    case "principal":
      return session?.principal ?? "";
    case "agent":
      return session?.agent ?? "";
    case "user":
      return process?.uid === undefined ? "" : String(process.uid);
    case "process":
      return process === undefined ? "" : `${process.pid}:${process.start}`;
    case "exe":
      return action.type === "exec" ? names.path ?? "" : process?.exe ?? "";
    case "path":
      return names.path ?? "";
    case "host":
      // Of several names the latest: which one decides is known only afterwards.
      return names.hosts[0] ?? "";
    case "address":
      return "address" in action ? action.address : "";
    case "tool":
      return action.type === "tool.call" ? action.tool : "";
    case "server":
      return action.type === "tool.call" ? action.server ?? "" : "";
    case "all":
      return "";
  }
}

/** What may be said of an action about facts, time and the past. */
import { type Event, parseTime, type SessionInfo } from "../core/mod.ts";
import { markName, markOfKey } from "./marks.ts";
import type { StateView } from "./state.ts";

/** Names of the values that this file reads, and those that `pastOf` gets. */
export const FACT_KEYS: readonly string[] = [
  "ancestor",
  "group",
  "tag",
  "args",
  "model",
  "tokens",
  "declared",
  "risk",
  "at",
  "label",
  "after",
  "earlier",
];

/** Typed access to the values. */
export interface FactValues {
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  list(key: string): readonly string[];
  value(key: string): unknown;
  fail(problem: string): void;
}

/** The moment of actions that name none: a Monday at noon, UTC. */
const SAID_TIME_US = Date.UTC(2024, 0, 1, 12) * 1_000;

/** The facts: everything of an event but its action and who acts. */
export function factsOf(
  values: FactValues,
): Pick<Event, "time_us" | "ancestors" | "declared" | "risk" | "llm"> & {
  readonly session: Pick<SessionInfo, "groups" | "tags">;
} {
  const at = values.text("at");
  const time_us = at === undefined ? SAID_TIME_US : parseTime(at);
  if (time_us === undefined) values.fail('at is not a time such as "2026-01-02T03:04:05Z"');
  const ancestors = values.list("ancestor");
  const declared = values.value("declared");
  if (declared !== undefined && typeof declared !== "boolean") values.fail("declared is not true or false");
  const risk = values.number("risk");
  const model = values.text("model");
  const input_tokens = values.number("tokens");
  const llm = { ...(model === undefined ? {} : { model }), ...(input_tokens === undefined ? {} : { input_tokens }) };
  return {
    time_us: time_us ?? SAID_TIME_US,
    ...(ancestors.length === 0 ? {} : { ancestors }),
    ...(typeof declared === "boolean" ? { declared } : {}),
    ...(risk === undefined ? {} : { risk }),
    ...(model === undefined && input_tokens === undefined ? {} : { llm }),
    session: { groups: values.list("group"), tags: values.list("tag") },
  };
}

/** The arguments of a tool call. */
export function argsOf(values: FactValues): { readonly args?: unknown } {
  const args = values.value("args");
  return args === undefined ? {} : { args };
}

/** What happened before: labels and rules that were set just now, and how many such actions there were. */
export function pastOf(
  said: { readonly labels: readonly string[]; readonly rules: readonly string[]; readonly earlier: number },
  event: Event,
): { readonly state: StateView; readonly now_us: number } {
  const marks = new Set([
    ...said.labels.map((name) => markName({ kind: "label", name })),
    ...said.rules.map((name) => markName({ kind: "rule", name })),
  ]);
  const state: StateView = {
    markTime: (_, key) => marks.has(markOfKey(key)) ? event.time_us : -1,
    rateCount: () => said.earlier,
  };
  return { state, now_us: event.time_us };
}

/** One past on top of another: marks of both, counts together. */
export function joinedState(one: StateView, other: StateView): StateView {
  return {
    markTime: (session, mark, which) => {
      const times = [one, other].map((state) => state.markTime(session, mark, which)).filter((time) => time >= 0);
      if (times.length === 0) return -1;
      return which === "first" ? Math.min(...times) : Math.max(...times);
    },
    rateCount: (counter, key, options) => one.rateCount(counter, key, options) + other.rateCount(counter, key, options),
  };
}

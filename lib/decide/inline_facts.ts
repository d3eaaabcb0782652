/** What an inline test may say about facts, time and the past. */
import { type Event, parseTime, type SessionInfo } from "../core/mod.ts";
import { markOfKey } from "./marks.ts";
import { NO_PAST, type StateView } from "./state.ts";
import type { Table } from "./toml.ts";

/** Keys of an inline test that this file reads. */
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

/** Typed access to the values of a test. */
export interface TestValues {
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  list(key: string): readonly string[];
  value(key: string): unknown;
  fail(problem: string): void;
}

/** The moment of tests that name none: a Monday at noon, UTC. */
const TEST_TIME_US = Date.UTC(2024, 0, 1, 12) * 1_000;

/** The facts of a test: everything of an event but its action and who acts. */
export function factsOf(
  values: TestValues,
): Pick<Event, "time_us" | "ancestors" | "declared" | "risk" | "llm"> & {
  readonly session: Pick<SessionInfo, "groups" | "tags">;
} {
  const at = values.text("at");
  const time_us = at === undefined ? TEST_TIME_US : parseTime(at);
  if (time_us === undefined) values.fail('at is not a time such as "2026-01-02T03:04:05Z"');
  const ancestors = values.list("ancestor");
  const declared = values.value("declared");
  if (declared !== undefined && typeof declared !== "boolean") values.fail("declared is not true or false");
  const risk = values.number("risk");
  const model = values.text("model");
  const input_tokens = values.number("tokens");
  const llm = { ...(model === undefined ? {} : { model }), ...(input_tokens === undefined ? {} : { input_tokens }) };
  return {
    time_us: time_us ?? TEST_TIME_US,
    ...(ancestors.length === 0 ? {} : { ancestors }),
    ...(typeof declared === "boolean" ? { declared } : {}),
    ...(risk === undefined ? {} : { risk }),
    ...(model === undefined && input_tokens === undefined ? {} : { llm }),
    session: { groups: values.list("group"), tags: values.list("tag") },
  };
}

/** The arguments of a tool call. */
export function argsOf(values: TestValues): { readonly args?: unknown } {
  const args = values.value("args");
  return args === undefined ? {} : { args };
}

/**
 * What happened before a test: `label` and `after` name labels and rules that were set just now, `earlier` is how many
 * such actions there were.
 */
export function pastOf(fields: Table, event: Event): { readonly state: StateView; readonly now_us: number } {
  const texts = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : [value];
  const marks = new Set([
    ...texts(fields["label"]).map((name) => `label ${String(name)}`),
    ...texts(fields["after"]).map((name) => `rule ${String(name)}`),
  ]);
  const earlier = typeof fields["earlier"] === "number" ? fields["earlier"] : 0;
  const state: StateView = {
    ...NO_PAST,
    markTime: (_, key) => marks.has(markOfKey(key)) ? event.time_us : -1,
    rateCount: () => earlier,
  };
  return { state, now_us: event.time_us };
}

/** What a session did before an action, said as a list of actions: they are decided in order and leave their marks. */
import { err, type Event, ok, type Result } from "../core/mod.ts";
import type { Past } from "./explain_views.ts";
import { type EventFieldOptions, eventOfFields, type SaidAction } from "./said_event.ts";
import { joinedState } from "./said_facts.ts";
import type { FieldProblem } from "./said_values.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { StatefulDecider } from "./stateful.ts";
import type { Table } from "./toml.ts";

/** One earlier action, done as often as it says. */
export interface GivenAction {
  readonly event: Event;
  readonly times: number;
}

/** More repetitions of one action than any rate of a sensible policy counts. */
const TIMES_MAX = 10_000;
/** The past of an action is what was given, not once more said. */
const PAST_KEYS: readonly string[] = ["label", "after", "earlier"];

/** Reads one earlier action: the values of an action, and `times` (1 where it is absent). */
export function givenActions(fields: Table, options: EventFieldOptions): Result<GivenAction, FieldProblem> {
  const { times = 1, ...values } = fields;
  if (typeof times !== "number" || !Number.isInteger(times) || times < 1 || times > TIMES_MAX) {
    return err({ key: "times", message: `times is not a whole number from 1 to ${TIMES_MAX}` });
  }
  const past = PAST_KEYS.find((key) => key in values);
  if (past !== undefined) return err({ key: past, message: `action has ${past}: give the action that led to it` });
  const said = eventOfFields(values, options);
  return said.ok ? ok({ event: said.value.event, times }) : said;
}

/** The past of an action after those that are given, on top of what it says itself. */
export function pastAfter(snapshot: PolicySnapshot, said: SaidAction, given: readonly GivenAction[]): Past {
  if (given.length === 0) return said.past;
  const decider = new StatefulDecider(snapshot);
  for (const { event, times } of given) for (let i = 0; i < times; i++) decider.evaluate(event);
  return { state: joinedState(decider.state, said.past.state), now_us: said.past.now_us };
}

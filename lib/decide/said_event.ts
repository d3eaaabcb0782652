/** An event from a few named values, for `policy explain`, suites and inline tests. */
import {
  ACTION_TYPES,
  err,
  type Event,
  formatTime,
  IdGenerator,
  ok,
  type ProcessInfo,
  type Result,
  type SessionId,
} from "../core/mod.ts";
import { quote } from "./diagnostic.ts";
import type { Past } from "./explain_views.ts";
import { ACTION_FIELDS, actionFrom, fieldsOfAction } from "./said_action.ts";
import { FACT_KEYS, factsOf, pastOf } from "./said_facts.ts";
import { defined, type FieldProblem, FieldValues } from "./said_values.ts";
import { didYouMean } from "./suggest.ts";
import type { Table } from "./toml.ts";

/** Values that say who acts; they belong to every action. */
const ACTOR_FIELDS = ["cwd", "by", "user", "agent", "principal"] as const;
/** Facts and the past. `args` belongs to tool calls only. */
const CONTEXT_FIELDS: readonly string[] = FACT_KEYS.filter((key) => key !== "args");

/** Every name of a value, `action` first. */
export const EVENT_FIELDS: readonly string[] = [
  ...new Set(["action", ...ACTION_FIELDS, ...ACTOR_FIELDS, ...CONTEXT_FIELDS]),
];

/** The home directory where none is given. */
export const DEFAULT_HOME = "/home/user";

/** Session ids are made when a session begins, so nobody can name one. This one is always the same. */
const SESSION: SessionId = new IdGenerator({ wallUs: () => 0, monotonicUs: () => 0 }, () => {}).session();

/** What is taken to have happened before an action. */
export interface AssumedPast {
  /** RFC 3339: when the action happens. */
  readonly at: string;
  /** Labels that the session has just got. */
  readonly labels: readonly string[];
  /** Rules that have just covered an action of the session. */
  readonly rules: readonly string[];
  /** Actions counted by every rate. */
  readonly earlier: number;
  /** Actions of the session that were decided before, in a recording or as given. */
  readonly actions: number;
}

/** An action with what happened before it. */
export interface SaidAction {
  readonly event: Event;
  readonly past: Past;
  readonly assumed: AssumedPast;
}

/** How the values are read. */
export interface EventFieldOptions {
  /** What `~` at the start of a path stands for; default `DEFAULT_HOME`. */
  readonly home?: string;
  /** See `actionFrom`. */
  readonly lenient?: boolean;
  /** The values are texts of a command line. */
  readonly texts?: boolean;
}

/**
 * Makes an event and its past. `action` is needed; a program may be a bare name (then it is taken for `/usr/bin/NAME`),
 * `argv` is without the program's name, as in rules. A value that the action cannot have is refused.
 */
export function eventOfFields(fields: Table, options: EventFieldOptions = {}): Result<SaidAction, FieldProblem> {
  const { home = DEFAULT_HOME, lenient = false, texts = false } = options;
  const unknown = Object.keys(fields).find((key) => !EVENT_FIELDS.includes(key));
  if (unknown !== undefined) {
    return err({ key: unknown, message: `unknown value ${quote(unknown)}${hint(unknown, EVENT_FIELDS)}` });
  }
  const values = new FieldValues(fields, { home, texts });
  const name = values.text("action");
  const type = ACTION_TYPES.find((candidate) => candidate === name);
  if (type === undefined) {
    if (name === undefined) return err(values.problem ?? { key: "action", message: "it needs an action" });
    return err({ key: "action", message: `unknown action ${quote(name)}${hint(name, ACTION_TYPES)}` });
  }
  const own: readonly string[] = ["action", ...fieldsOfAction(type), ...ACTOR_FIELDS, ...CONTEXT_FIELDS];
  const foreign = Object.keys(fields).find((key) => !own.includes(key));
  if (foreign !== undefined) {
    return err({ key: foreign, message: `${type} has no ${foreign}; it has ${own.slice(1).join(", ")}` });
  }
  const { time_us, session, ...facts } = factsOf(values);
  const event: Event = {
    time_us,
    ...facts,
    action: actionFrom(type, values, { lenient }),
    session: {
      ...session,
      session_id: SESSION,
      agent: values.text("agent") ?? "",
      principal: values.text("principal") ?? "",
      root: { pid: 1, start: "0" },
      home,
    },
    process: processOf(values),
  };
  const said = { labels: values.list("label"), rules: values.list("after"), earlier: values.number("earlier") ?? 0 };
  if (values.problem !== undefined) return err(values.problem);
  return ok({ event, past: pastOf(said, event), assumed: { at: formatTime(time_us), ...said, actions: 0 } });
}

function hint(word: string, known: readonly string[]): string {
  const found = didYouMean(word, known);
  return found === undefined ? "" : ` (${found})`;
}

function processOf(values: FieldValues): ProcessInfo {
  const uid = values.number("user", 4_294_967_295);
  const exe = values.program("by");
  const cwd = values.path("cwd");
  return { pid: 1, start: "0", ...defined({ uid, exe, cwd }) };
}

/** An event from a few named values, for `policy explain` and for suites: what a rule may ask, said by a person. */
import {
  type Action,
  ACTION_TYPES,
  type ActionType,
  err,
  type Event,
  IdGenerator,
  type NetAction,
  ok,
  type ProcessInfo,
  type Protocol,
  type Result,
  type SessionId,
} from "../core/mod.ts";
import { quote } from "./diagnostic.ts";
import type { Past } from "./explain_views.ts";
import { argsOf, FACT_KEYS, factsOf, pastOf } from "./inline_facts.ts";
import { didYouMean } from "./suggest.ts";
import { defined, type FieldProblem, FieldValues } from "./suite_values.ts";
import type { Table } from "./toml.ts";

/** Values that say who acts; they belong to every action. */
const ACTOR_FIELDS = ["cwd", "by", "user", "agent", "principal"] as const;
const EXEC_FIELDS = ["exe", "path", "requested_path", "interpreter", "argv"] as const;
const FILE_FIELDS = ["path", "requested_path", "result"] as const;
const MOVE_FIELDS = [...FILE_FIELDS, "new_path", "requested_new_path"] as const;
const NET_FIELDS = ["address", "port", "protocol", "host"] as const;
const TOOL_FIELDS = ["tool", "server", "args"] as const;
/** Facts and the past, as in the inline tests of rules. `args` belongs to tool calls only. */
const CONTEXT_FIELDS: readonly string[] = FACT_KEYS.filter((key) => key !== "args");

/** Every name of a value, `action` first. */
export const EVENT_FIELDS: readonly string[] = [
  ...new Set([
    "action",
    ...EXEC_FIELDS,
    ...MOVE_FIELDS,
    ...NET_FIELDS,
    ...TOOL_FIELDS,
    ...ACTOR_FIELDS,
    ...CONTEXT_FIELDS,
  ]),
];

const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "icmp", "sctp", "raw", "other"];

/** The home directory where none is given. */
export const DEFAULT_HOME = "/home/user";

/** Session ids are made when a session begins, so nobody can name one. This one is always the same. */
const SESSION: SessionId = new IdGenerator({ wallUs: () => 0, monotonicUs: () => 0 }, () => {}).session();

/** An action with what happened before it. */
export interface SaidAction {
  readonly event: Event;
  readonly past: Past;
}

/** How the values are read. */
export interface EventFieldOptions {
  /** What `~` at the start of a path stands for; default `DEFAULT_HOME`. */
  readonly home?: string;
}

/**
 * Makes an event and its past. `action` is needed; a program may be a bare name (then it is taken for `/usr/bin/NAME`),
 * `argv` is without the program's name, as in rules. A value that the action cannot have is refused.
 */
export function eventOfFields(fields: Table, options: EventFieldOptions = {}): Result<SaidAction, FieldProblem> {
  const home = options.home ?? DEFAULT_HOME;
  const unknown = Object.keys(fields).find((key) => !EVENT_FIELDS.includes(key));
  if (unknown !== undefined) {
    return err({ key: unknown, message: `unknown value ${quote(unknown)}${hint(unknown, EVENT_FIELDS)}` });
  }
  const values = new FieldValues(fields, home);
  const name = values.text("action");
  const type = ACTION_TYPES.find((candidate) => candidate === name);
  if (type === undefined) {
    if (name === undefined) return err(values.problem ?? { key: "action", message: "it needs an action" });
    return err({ key: "action", message: `unknown action ${quote(name)}${hint(name, ACTION_TYPES)}` });
  }
  const own: readonly string[] = ["action", ...fieldsOf(type), ...ACTOR_FIELDS, ...CONTEXT_FIELDS];
  const foreign = Object.keys(fields).find((key) => !own.includes(key));
  if (foreign !== undefined) {
    return err({ key: foreign, message: `${type} has no ${foreign}; it has ${own.slice(1).join(", ")}` });
  }
  const { time_us, session, ...facts } = factsOf(values);
  const event: Event = {
    time_us,
    ...facts,
    action: actionOf(type, values),
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
  const earlier = values.number("earlier");
  const past = pastOf({ ...fields, ...(earlier === undefined ? {} : { earlier }) }, event);
  return values.problem === undefined ? ok({ event, past }) : err(values.problem);
}

function hint(word: string, known: readonly string[]): string {
  const found = didYouMean(word, known);
  return found === undefined ? "" : ` (${found})`;
}

function fieldsOf(type: ActionType): readonly string[] {
  if (type === "exec") return EXEC_FIELDS;
  if (type === "exec.failed") return ["requested_path"];
  if (type === "file.rename" || type === "file.link" || type === "file.symlink") return MOVE_FIELDS;
  if (type.startsWith("file.")) return FILE_FIELDS;
  if (type.startsWith("net.")) return NET_FIELDS;
  if (type === "unix.connect") return ["path", "result"];
  return type === "tool.call" ? TOOL_FIELDS : [];
}

function processOf(values: FieldValues): ProcessInfo {
  const uid = values.number("user", 4_294_967_295);
  const exe = values.program("by");
  const cwd = values.path("cwd");
  return { pid: 1, start: "0", ...defined({ uid, exe, cwd }) };
}

function actionOf(type: ActionType, values: FieldValues): Action {
  switch (type) {
    case "exec":
      return execAction(values);
    case "exec.failed":
      return { type, errno: "ENOENT", ...requestedOf(values) };
    case "file.read":
    case "file.write":
    case "file.create":
    case "file.truncate":
    case "file.delete":
    case "file.mkdir":
    case "file.rmdir":
    case "file.chmod":
    case "file.chown":
    case "file.mknod":
      return { type, path: values.needPath("path"), result: values.text("result") ?? "0", ...requestedOf(values) };
    case "file.rename":
    case "file.link":
    case "file.symlink":
      return {
        type,
        path: values.needPath("path"),
        new_path: values.needPath("new_path"),
        result: values.text("result") ?? "0",
        ...requestedOf(values),
        ...defined({ requested_new_path: values.path("requested_new_path") }),
      };
    case "net.connect":
    case "net.send":
    case "net.bind":
    case "net.listen":
      return netAction(type, values);
    case "unix.connect":
      return { type, path: values.needPath("path"), result: values.text("result") ?? "0" };
    case "tool.call":
      return {
        type,
        tool: values.text("tool") ?? values.need("tool"),
        source: "hook",
        ...defined({ server: values.text("server") }),
        ...argsOf(values),
      };
    case "process.fork":
      return { type, child: { pid: 1, start: "0" } };
    case "process.exit":
      return { type, exit_code: 0 };
    case "session.start":
    case "session.end":
      return { type, agent: values.text("agent") ?? "" };
    case "operator.kill":
    case "operator.pause":
    case "operator.resume":
    case "operator.policy.reload":
    case "operator.shutdown":
    case "operator.approve":
    case "operator.deny":
    case "operator.revoke":
      return { type, target: "", by: "" };
    case "approval.asked":
    case "approval.vote":
    case "approval.answered":
    case "approval.granted":
    case "approval.revoked":
    case "approval.undelivered":
      return { type };
    default:
      return { type, detail: "" };
  }
}

function execAction(values: FieldValues): Action {
  const path = values.program("exe") ?? values.path("path") ?? values.need("exe");
  return {
    type: "exec",
    path,
    argv: [path, ...values.list("argv")],
    ...requestedOf(values),
    ...defined({ cwd: values.path("cwd"), interpreter: values.program("interpreter") }),
  };
}

function netAction(type: NetAction["type"], values: FieldValues): Action {
  const text = values.text("protocol") ?? "tcp";
  const protocol = PROTOCOLS.find((known) => known === text);
  if (protocol === undefined) {
    values.refuse("protocol", `unknown protocol ${quote(text)}, not one of ${PROTOCOLS.join(", ")}`);
  }
  const host = values.text("host");
  return {
    type,
    protocol: protocol ?? "other",
    address: values.text("address") ?? (host === undefined ? values.need("address") : "0.0.0.0"),
    port: values.number("port", 65_535) ?? 0,
    ...defined({ host }),
  };
}

function requestedOf(values: FieldValues): { readonly requested_path?: string } {
  return defined({ requested_path: values.path("requested_path") });
}

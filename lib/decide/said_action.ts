/** An action from a few named values: what inline tests, suites and `policy explain` say of one. */
import type { Action, ActionType, NetAction, Protocol } from "../core/mod.ts";
import { quote } from "./diagnostic.ts";
import { hostName } from "./names.ts";
import { argsOf } from "./said_facts.ts";
import { defined, type FieldValues } from "./said_values.ts";

const EXEC_FIELDS = ["exe", "path", "requested_path", "interpreter", "argv"] as const;
const FILE_FIELDS = ["path", "requested_path", "result"] as const;
const MOVE_FIELDS = [...FILE_FIELDS, "new_path", "requested_new_path"] as const;
const BOUND_FIELDS = ["address", "port", "protocol"] as const;
const NET_FIELDS = [...BOUND_FIELDS, "host"] as const;
const TOOL_FIELDS = ["tool", "server", "args"] as const;
/** Where a name leads to of which no address is given: a documentation address, so what the name permits holds. */
const ANY_PUBLIC = "203.0.113.0";
const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "icmp", "sctp", "raw", "other"];

/** Every value that some action has. */
export const ACTION_FIELDS: readonly string[] = [
  ...new Set([...EXEC_FIELDS, ...MOVE_FIELDS, ...NET_FIELDS, ...TOOL_FIELDS]),
];

/** The values that an action of a type has. */
export function fieldsOfAction(type: ActionType): readonly string[] {
  if (type === "exec") return EXEC_FIELDS;
  if (type === "exec.failed") return ["exe", "requested_path"];
  if (type === "file.rename" || type === "file.link" || type === "file.symlink") return MOVE_FIELDS;
  if (type.startsWith("file.")) return FILE_FIELDS;
  if (type === "net.connect" || type === "net.send") return NET_FIELDS;
  if (type === "net.bind" || type === "net.listen") return BOUND_FIELDS;
  if (type === "net.dns") return ["host"];
  if (type === "unix.connect") return ["path", "result"];
  return type === "tool.call" ? TOOL_FIELDS : [];
}

/**
 * The action. What is needed and not said is a problem of the values; with `lenient`, where only a part of the action
 * matters (in an inline test of one rule), a program or an address that nobody names is one that no rule names.
 */
export function actionFrom(
  type: ActionType,
  values: FieldValues,
  { lenient }: { readonly lenient: boolean },
): Action {
  switch (type) {
    case "exec":
      return execAction(values, lenient);
    case "exec.failed":
      return {
        type,
        errno: "ENOENT",
        ...defined({ requested_path: values.path("requested_path") ?? values.program("exe") }),
      };
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
      return netAction(type, values, { lenient });
    case "net.dns":
      return {
        type,
        name: hostName(values.text("host") ?? (lenient ? "" : values.need("host"))),
        answers: [],
        ttl_s: 0,
      };
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
    default:
      return factFrom(type, values);
  }
}

/** Types that say more of themselves than their name. */
type RequestType = Extract<
  ActionType,
  "exec" | "exec.failed" | `file.${string}` | `net.${string}` | "unix.connect" | "tool.call"
>;

/** Facts, and what the guard and its operators say of themselves: nothing of them can be said but the type. */
function factFrom(type: Exclude<ActionType, RequestType>, values: FieldValues): Action {
  switch (type) {
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

function execAction(values: FieldValues, lenient: boolean): Action {
  const path = values.program("exe") ?? values.path("path") ?? (lenient ? "/bin/true" : values.need("exe"));
  return {
    type: "exec",
    path,
    argv: [path, ...values.list("argv")],
    ...requestedOf(values),
    ...defined({ cwd: values.path("cwd"), interpreter: values.program("interpreter") }),
  };
}

function netAction(
  type: NetAction["type"],
  values: FieldValues,
  { lenient }: { readonly lenient: boolean },
): Action {
  const text = values.text("protocol") ?? "tcp";
  const protocol = PROTOCOLS.find((known) => known === text);
  if (protocol === undefined) {
    values.refuse("protocol", `unknown protocol ${quote(text)}, not one of ${PROTOCOLS.join(", ")}`);
  }
  const hosts = values.list("host");
  const [host] = hosts;
  return {
    type,
    protocol: protocol ?? "other",
    address: values.text("address") ?? (host !== undefined ? ANY_PUBLIC : lenient ? "0.0.0.0" : values.need("address")),
    port: values.number("port", 65_535) ?? 0,
    ...(host === undefined ? {} : { host, host_source: "dns" }),
    ...(hosts.length > 1 ? { hosts } : {}),
  };
}

function requestedOf(values: FieldValues): { readonly requested_path?: string } {
  return defined({ requested_path: values.path("requested_path") });
}

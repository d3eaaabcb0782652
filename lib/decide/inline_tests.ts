/**
 * Inline tests of a rule (`match`, `not_match`): a small table becomes an event, and the rule must or must not cover
 * it.
 */
import {
  type Action,
  ACTION_TYPES,
  type ActionType,
  type Event,
  IdGenerator,
  type NetAction,
  type Protocol,
  type SessionId,
} from "../core/mod.ts";
import type { InlineTest } from "./ast.ts";
import type { Diagnostics } from "./diagnostic.ts";
import { quote } from "./diagnostic.ts";
import { argsOf, FACT_KEYS, factsOf, pastOf, type TestValues } from "./inline_facts.ts";
import { type NumberedRule, ruleHolds } from "./reference.ts";
import { didYouMean } from "./suggest.ts";
import type { Table } from "./toml.ts";

/** A home directory for tests with `~`. */
const TEST_HOME = "/home/user";
const TEST_KEYS: readonly string[] = [
  "action",
  "path",
  "requested_path",
  "new_path",
  "exe",
  "argv",
  "cwd",
  "by",
  "address",
  "port",
  "protocol",
  "host",
  "tool",
  "server",
  "user",
  "agent",
  "principal",
  ...FACT_KEYS,
];

/** Session ids are made when a session begins, so a test cannot name one. This one is always the same. */
const TEST_SESSION: SessionId = new IdGenerator({ wallUs: () => 0, monotonicUs: () => 0 }, () => {}).session();

/**
 * Runs every inline test of a rule; a test that fails, or that makes no event, is an error at its place.
 * It asks the reference interpreter: that is the meaning of the rule, and the compiled form is held to it elsewhere.
 */
export function runInlineTests(rule: NumberedRule, diagnostics: Diagnostics): void {
  for (const test of rule.node.tests) {
    const event = eventOf(test, rule);
    if (typeof event === "string") {
      diagnostics.error(test.position, `inline test of rule "${rule.name}": ${event}`);
      continue;
    }
    const holds = ruleHolds(rule.node, event, pastOf(test.fields, event));
    if (holds === (test.expect === "match")) continue;
    const what = holds ? "covers an action that it must not cover" : "does not cover an action that it must cover";
    diagnostics.error(test.position, `inline test failed: rule "${rule.name}" ${what}: ${describe(test.fields)}`);
  }
}

function describe(fields: Table): string {
  const text = JSON.stringify(fields);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** The event of a test, or what is wrong with the test. */
function eventOf({ fields }: InlineTest, rule: NumberedRule): Event | string {
  const unknown = Object.keys(fields).find((key) => !TEST_KEYS.includes(key));
  if (unknown !== undefined) return `unknown key ${quote(unknown)}${hint(unknown)}`;
  const values = new TestFields(fields);
  const type = values.text("action") ?? soleAction(rule);
  const known = ACTION_TYPES.find((candidate) => candidate === type);
  if (known === undefined) {
    return type === undefined ? "it needs an action" : `unknown action ${quote(type)}${hintOf(type, ACTION_TYPES)}`;
  }
  const action = actionOf(known, values);
  const uid = values.number("user");
  const exe = values.path("by");
  const cwd = values.path("cwd");
  const { time_us, session, ...facts } = factsOf(values);
  const event: Event = {
    time_us,
    ...facts,
    action,
    session: {
      ...session,
      session_id: TEST_SESSION,
      agent: values.text("agent") ?? "",
      principal: values.text("principal") ?? "",
      root: { pid: 1, start: "0" },
      home: TEST_HOME,
    },
    process: {
      pid: 1,
      start: "0",
      ...(uid === undefined ? {} : { uid }),
      ...(exe === undefined ? {} : { exe }),
      ...(cwd === undefined ? {} : { cwd }),
    },
  };
  return values.problem ?? event;
}

function hint(key: string): string {
  return hintOf(key, TEST_KEYS);
}

function hintOf(word: string, known: readonly string[]): string {
  const found = didYouMean(word, known);
  return found === undefined ? "" : ` (${found})`;
}

/** A rule about one action type needs not repeat it in its tests. */
function soleAction(rule: NumberedRule): ActionType | undefined {
  return rule.node.actions.length === 1 ? rule.node.actions[0] : undefined;
}

function actionOf(type: ActionType, values: TestFields): Action {
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
      return { type, path: values.path("path") ?? values.need("path"), result: "0", ...requestedOf(values) };
    case "file.rename":
    case "file.link":
    case "file.symlink": {
      const new_path = values.path("new_path") ?? values.need("new_path");
      return { type, path: values.path("path") ?? values.need("path"), new_path, result: "0", ...requestedOf(values) };
    }
    case "net.connect":
    case "net.send":
    case "net.bind":
    case "net.listen":
      return netAction(type, values);
    case "unix.connect":
      return { type, path: values.path("path") ?? values.need("path"), result: "0" };
    case "tool.call": {
      const tool = values.text("tool") ?? values.need("tool");
      const server = values.text("server");
      return { type, tool, source: "test", ...(server === undefined ? {} : { server }), ...argsOf(values) };
    }
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

function execAction(values: TestFields): Action {
  const exe = values.path("exe") ?? values.path("path") ?? "/bin/true";
  const path = exe.startsWith("/") ? exe : `/usr/bin/${exe}`;
  const cwd = values.path("cwd");
  return {
    type: "exec",
    path,
    argv: [path, ...values.list("argv")],
    ...requestedOf(values),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

function netAction(type: NetAction["type"], values: TestFields): Action {
  const host = values.text("host");
  return {
    type,
    address: values.text("address") ?? "0.0.0.0",
    port: values.number("port") ?? 0,
    protocol: protocolOf(values),
    ...(host === undefined ? {} : { host }),
  };
}

function requestedOf(values: TestFields): { readonly requested_path?: string } {
  const requested_path = values.path("requested_path");
  return requested_path === undefined ? {} : { requested_path };
}

function protocolOf(values: TestFields): Protocol {
  const text = values.text("protocol") ?? "tcp";
  const found = (["tcp", "udp", "icmp", "sctp", "raw", "other"] as const).find((protocol) => protocol === text);
  return found ?? "other";
}

/** Typed access to the fields of a test; the first problem is kept. */
class TestFields implements TestValues {
  readonly #fields: Table;
  problem: string | undefined;

  constructor(fields: Table) {
    this.#fields = fields;
  }

  text(key: string): string | undefined {
    const value = this.#fields[key];
    if (value === undefined || typeof value === "string") return value;
    this.problem ??= `${key} is not a string`;
    return undefined;
  }

  number(key: string): number | undefined {
    const value = this.#fields[key];
    if (value === undefined || typeof value === "number") return value;
    this.problem ??= `${key} is not a number`;
    return undefined;
  }

  value(key: string): unknown {
    return this.#fields[key];
  }

  fail(problem: string): void {
    this.problem ??= problem;
  }

  list(key: string): readonly string[] {
    const value = this.#fields[key];
    if (value === undefined) return [];
    if (typeof value === "string") return [value];
    if (Array.isArray(value) && value.every((element) => typeof element === "string")) return value;
    this.problem ??= `${key} is not a list of strings`;
    return [];
  }

  /** A path, with `~` as the home directory of tests. */
  path(key: string): string | undefined {
    const text = this.text(key);
    return text !== undefined && /^~(?:\/|$)/.test(text) ? TEST_HOME + text.slice(1) : text;
  }

  need(key: string): string {
    this.problem ??= `it needs ${key}`;
    return "";
  }
}

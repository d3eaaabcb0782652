/** The sentences of rulings: what an agent or an operator is told. */
import type { Action, ActionType, ExecAction, Verdict } from "../core/mod.ts";
import type { RuleNode } from "./ast.ts";
import { quote } from "./diagnostic.ts";

/** Where every layer is disabled. */
export const REASON_DISABLED = "the policy is disabled";

const VERBS: Readonly<Record<Verdict, string>> = {
  allow: "allows",
  deny: "denies",
  ask: "asks a human about",
  redact: "redacts",
  log: "logs",
};

/** The rule's own reason, or a sentence that names the rule and what it covers. */
export function reasonOfRule(name: string, node: RuleNode, action: Action): string {
  return node.reason ?? `rule "${name}" ${VERBS[node.verdict]} ${describeAction(action)}`;
}

/** Where no rule decided. */
export function reasonOfDefault(verdict: Verdict, type: ActionType): string {
  return `no rule decides; the default for ${type} is ${verdict}`;
}

/** Adds what a rule or layer in observe mode would have done. `name` is absent where a default would have decided. */
export function reasonWithShadow(reason: string, name: string | undefined, verdict: Verdict): string {
  const who = name === undefined ? "a default" : `rule "${name}"`;
  return `${reason} [${who} in observe mode: ${verdict}]`;
}

/** Adds which command of a command line is meant. */
export function reasonInside(reason: string, { argv }: ExecAction): string {
  return `${reason} [inside the command line: ${quote(argv.join(" "))}]`;
}

/** Type and object of an action: `net.connect to 192.0.2.1 port 9`. */
function describeAction(action: Action): string {
  switch (action.type) {
    case "exec":
      return `exec of ${action.path}`;
    case "exec.failed":
      return `exec.failed of ${action.requested_path ?? "an unknown program"}`;
    case "file.rename":
    case "file.link":
      return `${action.type} of ${action.path} to ${action.new_path}`;
    case "file.symlink":
      return `file.symlink at ${action.new_path} to ${action.path}`;
    case "net.connect":
    case "net.send":
    case "net.bind":
    case "net.listen":
      return `${action.type} ${preposition(action.type)} ${action.address} port ${action.port}`;
    case "net.dns":
      return `net.dns of ${action.name}`;
    case "unix.connect":
      return `unix.connect to ${action.path}`;
    case "tool.call":
      return `tool.call of ${action.tool}`;
    default:
      return "path" in action ? `${action.type} of ${action.path}` : action.type;
  }
}

function preposition(type: "net.connect" | "net.send" | "net.bind" | "net.listen"): string {
  return type === "net.bind" || type === "net.listen" ? "on" : "to";
}

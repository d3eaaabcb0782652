/** Options of the commands on policies and recordings. */
import { Option } from "commander";
import { LEARN_CLASSES } from "../decide/mod.ts";

/** Values of an action that `policy explain` takes, each an option. */
export const FIELD_OPTIONS = [
  "action",
  "exe",
  "path",
  "requested_path",
  "interpreter",
  "new_path",
  "requested_new_path",
  "address",
  "port",
  "protocol",
  "host",
  "tool",
  "server",
  "args",
  "result",
  "cwd",
  "by",
  "user",
  "agent",
  "principal",
  "model",
  "tokens",
  "declared",
  "risk",
  "at",
  "earlier",
] as const;

/** Those that may be repeated. */
export const LIST_OPTIONS = ["argv", "ancestor", "group", "tag", "label", "after"] as const;

/** Name of an option. */
export type PolicyOptionName =
  | typeof FIELD_OPTIONS[number]
  | typeof LIST_OPTIONS[number]
  | "given"
  | "home"
  | "recording"
  | "name"
  | "default"
  | "class";

function collect(value: string, before: unknown): string[] {
  const texts = Array.isArray(before) ? before.filter((each): each is string => typeof each === "string") : [];
  return [...texts, value];
}

/** Makes each option; each call makes a new object, as commander changes them. */
export const POLICY_OPTIONS: Readonly<Record<PolicyOptionName, () => Option>> = {
  action: () => new Option("--action <type>", "what is done: exec, file.read, net.connect, tool.call, ..."),
  exe: () => new Option("--exe <program>", "exec: the program, a path or a name in /usr/bin"),
  argv: () =>
    new Option("--argv <token>", "exec: one argument; give it again for more, write --argv=-- for two dashes")
      .argParser(collect),
  path: () => new Option("--path <path>", "the file or socket, as the kernel resolves it"),
  requested_path: () => new Option("--requested-path <path>", "the name that was asked for, before links are followed"),
  interpreter: () => new Option("--interpreter <program>", "exec: what runs a script"),
  new_path: () => new Option("--new-path <path>", "rename, link, symlink: the second name"),
  requested_new_path: () => new Option("--requested-new-path <path>", "the second name as it was asked for"),
  address: () => new Option("--address <ip>", "net: the address"),
  port: () => new Option("--port <port>", "net: the port"),
  protocol: () => new Option("--protocol <name>", "net: tcp (where it is not given), udp, icmp, sctp, raw or other"),
  host: () =>
    new Option("--host <name>", "net: a name that the address was looked up by; give it again for more").argParser(
      collect,
    ),
  tool: () => new Option("--tool <name>", "tool.call: the tool"),
  server: () => new Option("--server <name>", "tool.call: the server that has the tool"),
  args: () => new Option("--args <json>", "tool.call: the arguments"),
  result: () => new Option("--result <errno>", "how the call ended: 0 (where it is not given) or for example ENOENT"),
  cwd: () => new Option("--cwd <path>", "working directory of the process"),
  by: () => new Option("--by <program>", "the program that acts"),
  user: () => new Option("--user <uid>", "user id of the process"),
  agent: () => new Option("--agent <name>", "agent of the session"),
  principal: () => new Option("--principal <name>", "principal of the session"),
  model: () => new Option("--model <name>", "model whose answer asked for the action"),
  tokens: () => new Option("--tokens <count>", "input tokens of that call"),
  declared: () => new Option("--declared <yes>", "whether a declared intent covers it").choices(["true", "false"]),
  risk: () => new Option("--risk <number>", "how dangerous it is taken to be, 0 to 100"),
  at: () => new Option("--at <time>", "when: 2026-01-31T12:00:00Z"),
  earlier: () => new Option("--earlier <count>", "how many such actions there were in the period of a rate"),
  ancestor: () =>
    new Option("--ancestor <program>", "a program above the process, its parent's first").argParser(collect),
  group: () => new Option("--group <name>", "a group of the principal").argParser(collect),
  tag: () => new Option("--tag <name>", "a tag of the session").argParser(collect),
  label: () => new Option("--label <name>", "a label that the session has").argParser(collect),
  after: () => new Option("--after <rule>", "a rule that covered an action of this session before").argParser(collect),
  given: () =>
    new Option(
      "--given <json>",
      "an action of this session before, its values as JSON; give it again for more, in order",
    )
      .argParser(collect),
  home: () => new Option("--home <dir>", "home directory that ~ stands for (HOME)"),
  recording: () => new Option("--recording <file>", "a state directory, or lines of audit query --json; - for stdin"),
  name: () => new Option("--name <name>", "name of the policy"),
  default: () =>
    new Option("--default <verdict>", "what happens to everything that was not recorded").choices(["ask", "deny"]),
  class: () =>
    new Option(
      "--class <name>",
      `only these actions, the rest is allowed; give it again for more: ${LEARN_CLASSES.join(", ")}`,
    ).argParser(collect),
};

/** `agentguard policy show` and `policy lower` */
import {
  addressText,
  type ApprovalSocket,
  type BaselineSettings,
  type HostGlob,
  type LoweredExecRule,
  type LoweredNetRule,
  type LoweredPolicy,
  type NetMatch,
  type SecretSource,
} from "../core/mod.ts";
import {
  BASE_MECHANISMS,
  lower,
  type PolicySnapshot,
  type ShownPolicy,
  type ShownRule,
  showPolicy,
} from "../decide/mod.ts";
import { EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { homeOption, loadForCommand } from "./command_policy_load.ts";
import type { PolicyShowCommand } from "./command_policy_types.ts";
import { escapeText, formatDuration, formatTable, formatWord } from "./format_text.ts";

/** Prints the policy in force, or the kernel's part of it. Exit 2 if it cannot be used. */
export function commandPolicyShow(command: PolicyShowCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const snapshot = await loadForCommand(io, command.policies);
    if (snapshot === undefined) return EXIT.usage;
    const out = new LineWriter(io.stdout);
    if (command.kind === "policy.show") {
      const shown = showPolicy(snapshot);
      if (json) await out.line(JSON.stringify(shown));
      else for (const line of formatShown(shown)) await out.line(line);
    } else {
      const host = { available: BASE_MECHANISMS, names: true };
      const { policy, report } = lower(snapshot, { ...homeOption(io, command.home), host });
      if (json) {
        await out.line(JSON.stringify({ policy: snapshot.ref, lowered: loweredDocument(policy, snapshot), report }));
      } else for (const line of formatLowered(policy, snapshot)) await out.line(line);
    }
    await out.flush();
    return EXIT.ok;
  });
}

function formatShown({ policy, mode, layers, rules, guard, approval, agents }: ShownPolicy): readonly string[] {
  const rows = rules.map((rule) => [
    `${formatWord(rule.file)}:${rule.line}`,
    formatWord(rule.rule),
    rule.mode === "enforce" ? rule.verdict : `${rule.verdict} (${rule.mode})`,
    conditions(rule),
  ]);
  return [
    `policy ${formatWord(policy.name)}: mode ${mode}, digest ${policy.digest.slice(0, 12)}`,
    ...layers.map(({ layer, file, mode, defaults }) =>
      `layer ${layer} ${formatWord(file)}: mode ${mode}, default ${defaultsText(defaults)}`
    ),
    ...(rows.length === 0 ? [] : formatTable([["PLACE", "RULE", "VERDICT", "CONDITIONS"], ...rows])),
    `guard: on_failure ${guard.on_failure}, on_loss ${guard.on_loss}`,
    ...(guard.resolvers === undefined ? [] : [`resolvers: ${guard.resolvers.join(", ") || "none"}`]),
    ...formatBaseline(guard.baseline),
    ...(approval.timeout_ms === undefined ? [] : [`approval: timeout ${approval.timeout_ms} ms`]),
    ...(approval.approvers === undefined
      ? []
      : [`approvers: ${approval.approvers.map((each) => formatWord(each)).join(", ") || "nobody"}`]),
    ...(approval.quorum === undefined ? [] : [`approval: quorum ${approval.quorum}`]),
    ...(approval.unattended_ms === undefined ? [] : [
      `approval: where nobody watches ${
        approval.unattended_ms === 0 ? "denied at once" : `timeout ${formatDuration(approval.unattended_ms)}`
      }`,
    ]),
    ...(approval.allow_same_uid === undefined ? [] : [`approval: same uid ${approval.allow_same_uid}`]),
    ...(approval.totp === undefined ? [] : [`approval: one-time codes, secret from ${formatSecret(approval.totp)}`]),
    ...(approval.listen === undefined
      ? []
      : [`approval: port ${approval.listen.port} of ${approval.listen.address}, as token:${approval.listen.name}`]),
    ...(approval.socket === undefined ? [] : [`approval: socket for ${formatAccess(approval.socket)}`]),
    ...(approval.webhook === undefined
      ? []
      : [`approval: webhook ${formatWord(approval.webhook.url)}, as webhook:${approval.webhook.name}`]),
    ...(approval.slack === undefined ? [] : [`approval: chat, address from ${formatSecret(approval.slack.url)}`]),
    ...(agents.length === 0 ? [] : [`agents: ${agents.map(({ name }) => formatWord(name)).join(", ")}`]),
  ];
}

function formatAccess(socket: ApprovalSocket): string {
  return "group" in socket ? `group ${socket.group}` : `user ${socket.user}`;
}

function formatSecret(source: SecretSource): string {
  return "file" in source ? formatWord(source.file) : `variable ${source.env}`;
}

/** Types with the same verdict together. */
function defaultsText(defaults: readonly { readonly action: string; readonly verdict: string }[]): string {
  if (defaults.length === 0) return "none";
  const groups = new Map<string, string[]>();
  for (const { action, verdict } of defaults) groups.set(verdict, [...(groups.get(verdict) ?? []), action]);
  return [...groups].map(([verdict, actions]) => `${verdict} for ${familyText(actions)}`).join("; ");
}

/** `file.* (12)` where many types of one family are named. */
function familyText(actions: readonly string[]): string {
  const families = new Map<string, string[]>();
  for (const action of actions) {
    const family = action.split(".")[0] ?? action;
    families.set(family, [...(families.get(family) ?? []), action]);
  }
  return [...families].map(([family, members]) =>
    members.length > 3 ? `${family}.* (${members.length} types)` : members.join(", ")
  ).join(", ");
}

function conditions({ actions, predicates, except }: ShownRule): string {
  const parts = Object.entries(predicates).map(([name, values]) => `${name} ${valuesText(values)}`);
  const excepts = except.map((each) =>
    `except ${Object.entries(each).map(([name, values]) => `${name} ${valuesText(values)}`).join(" and ")}`
  );
  return [familyText(actions), ...parts, ...excepts].join(", ");
}

function valuesText(values: readonly string[]): string {
  const shown = values.slice(0, 3).map((value) => escapeText(value, 60)).join(" | ");
  return values.length > 3 ? `${shown} (+${values.length - 3} more)` : shown;
}

function placeOf(snapshot: PolicySnapshot, index: number): readonly [string, string] {
  const rule = snapshot.rules[index];
  return rule === undefined ? ["-", "-"] : [`${formatWord(rule.file)}:${rule.line}`, formatWord(rule.name)];
}

function formatLowered(policy: LoweredPolicy, snapshot: PolicySnapshot): readonly string[] {
  const net = policy.net.map((rule) => [...placeOf(snapshot, rule.rule_index), rule.verdict, netText(rule)]);
  const exec = policy.exec.map((rule) => [...placeOf(snapshot, rule.rule_index), rule.verdict, execText(rule)]);
  const head = ["PLACE", "RULE", "VERDICT", "KERNEL FORM"];
  const defaults = Object.entries({ exec: policy.exec_default, ...policy.net_default });
  return [
    `kernel default: ${defaults.map(([action, verdict]) => `${action} ${verdict}`).join(", ")}`,
    `programs: ${exec.length} ${exec.length === 1 ? "rule" : "rules"}, killed before their first instruction`,
    ...(exec.length === 0 ? [] : formatTable([head, ...exec])),
    `network: ${net.length} ${net.length === 1 ? "rule" : "rules"}, the call is refused`,
    ...(net.length === 0 ? [] : formatTable([head, ...net])),
    "everything else is decided in user space: agentguard policy check says how for each rule",
  ];
}

function execText({ paths, names, trees }: LoweredExecRule): string {
  return [
    ...paths.map((path) => `path ${escapeText(path)}`),
    ...names.map((name) => `name ${escapeText(name)}`),
    ...trees.map((tree) => `below ${escapeText(tree)}`),
  ].join(", ");
}

function netText({ actions, match, except }: LoweredNetRule): string {
  const exception = except === undefined ? "" : `, except ${matchText(except)}`;
  return `${actions.join(" ")}: ${matchText(match)}${exception}`;
}

function matchText({ cidrs, ports, protocols, hosts }: NetMatch): string {
  const parts = [
    (hosts ?? []).map((host) => formatWord(hostText(host))).join(" "),
    cidrs.map((cidr) => cidrText(cidr)).join(" "),
    ports.map(({ from, to }) => from === to ? `port ${from}` : `ports ${from}-${to}`).join(" "),
    protocols.join(" "),
  ].filter((part) => part !== "");
  return parts.length === 0 ? "any" : parts.join(", ");
}

function cidrText({ bytes, prefix_bits }: NetMatch["cidrs"][number]): string {
  return `${addressText(bytes)}/${prefix_bits}`;
}

function hostText({ suffix, text }: HostGlob): string {
  return suffix ? `*${text}` : text;
}

/** The same as JSON: networks as texts, rules with their names. */
function loweredDocument(policy: LoweredPolicy, snapshot: PolicySnapshot): object {
  const named = (index: number): object => {
    const rule = snapshot.rules[index];
    return rule === undefined ? {} : { rule: rule.name, file: rule.file, line: rule.line };
  };
  const match = ({ cidrs, ports, protocols, hosts }: NetMatch): object => ({
    addresses: cidrs.map((cidr) => cidrText(cidr)),
    ports,
    protocols,
    ...(hosts === undefined ? {} : { hosts: hosts.map((host) => hostText(host)) }),
  });
  return {
    generation: policy.generation,
    exec_default: policy.exec_default,
    net_default: policy.net_default,
    exec: policy.exec.map((rule) => ({ ...named(rule.rule_index), ...rule })),
    net: policy.net.map(({ except, ...rule }) => ({
      ...named(rule.rule_index),
      ...rule,
      match: match(rule.match),
      ...(except === undefined ? {} : { except: match(except) }),
    })),
  };
}

function formatBaseline(baseline: BaselineSettings): readonly string[] {
  const { parts, services, capabilities, write_trees, connect_ports, bind_ports } = baseline;
  return [
    `baseline: ${parts.join(", ") || "none"}`,
    ...(parts.includes("mounts") ? [`services left reachable: ${services.join(", ") || "none"}`] : []),
    ...(write_trees === undefined
      ? []
      : [`files change only below: ${write_trees.map((each) => formatWord(each)).join(", ") || "nothing"}`]),
    ...(connect_ports === undefined ? [] : [`TCP connections only to ports: ${connect_ports.join(", ") || "none"}`]),
    ...(bind_ports === undefined ? [] : [`TCP servers only at ports: ${bind_ports.join(", ") || "none"}`]),
    ...(capabilities.length === 0 ? [] : [`capabilities kept beside the usual: ${capabilities.join(", ")}`]),
  ];
}

/** The network rules and defaults of all layers for the kernel. */
import { LIMITS, type LoweredNetRule, type LoweredPolicy, type NetActionName } from "../core/mod.ts";
import type { KernelForm } from "./candidates.ts";
import { forbids, lifter } from "./lifters.ts";
import { hostPatternsOf } from "./lower_hosts.ts";
import {
  KERNEL_NET_ACTIONS,
  lowerNetRule,
  netActionsOf,
  type NetLowering,
  type NetLoweringOptions,
} from "./lower_net.ts";
import type { EnforcementReport } from "./report.ts";
import type { TypedLayer, TypedRule } from "./typed_rules.ts";

/** The kernel's rules about the network. */
export type NetPart = Pick<LoweredPolicy, "net" | "net_default">;

/** For what it is lowered. */
export interface LowerNetOptions extends NetLoweringOptions {
  readonly report: EnforcementReport;
}

/** Lowers the rules of the layers that enforce. */
export function lowerNet(layers: readonly TypedLayer[], options: LowerNetOptions): NetPart {
  const { report } = options;
  const rules: LoweredNetRule[] = [];
  const by_name: { readonly rule: TypedRule; readonly form: KernelForm }[] = [];
  for (const rule of layers.flatMap((layer) => layer.rules)) {
    const actions = forbids(rule) ? netActionsOf(rule.types) : [];
    if (actions.length === 0) continue;
    const lowered = withRoom(lowerNetRule(rule, actions, options), rules);
    if (typeof lowered === "string") report.form(rule, "net", lowered);
    else {
      rules.push(...lowered.rules);
      if (lowered.by_name === true) by_name.push({ rule, form: lowered });
      else report.form(rule, "net", lowered);
    }
  }
  const net_default: Record<NetActionName, "allow" | "deny"> = {
    "net.connect": "allow",
    "net.send": "allow",
    "net.bind": "allow",
  };
  for (const action of KERNEL_NET_ACTIONS) {
    const lifting = lowerNetDefault(layers, action, { ...options, before: rules });
    if (lifting === undefined) continue;
    net_default[action] = "deny";
    rules.push(...lifting);
  }
  for (const { rule, form } of by_name) {
    const named = netActionsOf(rule.types).every((action) =>
      net_default[action] === "deny" && liftedByNameAlone(layers, action)
    );
    report.form(rule, "net", named ? { complete: true, note: "" } : form);
  }
  return { net: rules, net_default };
}

/** Whatever has no name is refused by default: then nobody passes by not asking for one. */
function liftedByNameAlone(layers: readonly TypedLayer[], action: NetActionName): boolean {
  const found = lifter(layers, action);
  return found.kind === "nobody" ||
    (found.kind === "rules" && found.rules.every(({ node }) => node.predicates.host !== undefined));
}

/** What was lowered, unless the kernel's tables have no room for it beside what is there. */
function withRoom(lowered: NetLowering | string, before: readonly LoweredNetRule[]): NetLowering | string {
  if (typeof lowered === "string") return lowered;
  if (before.length + lowered.rules.length > LIMITS.kernel_net_rules_max) {
    return `the kernel holds ${LIMITS.kernel_net_rules_max} network rules (kernel_net_rules_max)`;
  }
  return hostPatternsOf(before) + hostPatternsOf(lowered.rules) > LIMITS.kernel_host_patterns_max
    ? `the kernel holds ${LIMITS.kernel_host_patterns_max} host patterns (kernel_host_patterns_max)`
    : lowered;
}

/** The rules that lift the default of one action where the kernel can refuse by default; else `undefined`. */
function lowerNetDefault(
  layers: readonly TypedLayer[],
  action: NetActionName,
  { before, ...options }: LowerNetOptions & { readonly before: readonly LoweredNetRule[] },
): readonly LoweredNetRule[] | undefined {
  const { report } = options;
  const found = lifter(layers, action);
  if (found.kind === "none") return undefined;
  if (found.kind === "nobody") return [];
  if (found.kind === "undecidable") {
    report.defaultLeft(layers, action, `several layers refuse ${action} by default, so user space decides it`);
    return undefined;
  }
  const rules: LoweredNetRule[] = [];
  for (const rule of found.rules) {
    const lowered = withRoom(lowerNetRule(rule, [action], options), [...before, ...rules]);
    if (typeof lowered === "string") {
      report.blocksDefault(rule, action, lowered);
      return undefined;
    }
    rules.push(...lowered.rules);
  }
  for (const rule of found.rules) report.form(rule, "net", { complete: true, note: "" });
  return rules;
}

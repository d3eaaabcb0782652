/** Network rules as bit vectors and prefixes. */
import { AgNetAction, AgNetPolicy, AgProtocol, AgRuleBits } from "../../probes/abi.gen.ts";
import type { LoweredNetRule, NetActionName, NetMatch } from "../core/mod.ts";
import { addRule, noRules, portPrefixes, type PrefixRule } from "./prefix_bits.ts";

/** The prefix maps. */
export type TrieName = "v4_rules" | "v6_rules" | "port_rules" | "v4_except" | "v6_except" | "port_except";

/** Their names. */
export const TRIES: readonly TrieName[] = [
  "v4_rules",
  "v6_rules",
  "port_rules",
  "v4_except",
  "v6_except",
  "port_except",
];

/** Kernel numbers of the actions that cgroup programs decide. */
export const NET_ACTIONS: Readonly<Record<NetActionName, number>> = {
  "net.connect": AgNetAction.CONNECT,
  "net.send": AgNetAction.SEND,
  "net.bind": AgNetAction.BIND,
};

/** Collects the prefixes of all rules. */
export class TrieRules {
  /** By map. */
  readonly rules: Record<TrieName, PrefixRule[]> = {
    v4_rules: [],
    v6_rules: [],
    port_rules: [],
    v4_except: [],
    v6_except: [],
    port_except: [],
  };

  /** Adds rule number `bit`. */
  add(rule: LoweredNetRule, bit: number): void {
    this.#match(rule.match, bit, "rules");
    if (rule.except !== undefined) this.#match(rule.except, bit, "except");
  }

  #match(match: NetMatch, bit: number, kind: "rules" | "except"): void {
    const v4 = this.rules[`v4_${kind}` as const];
    const v6 = this.rules[`v6_${kind}` as const];
    const ports = this.rules[`port_${kind}` as const];
    const any = { bytes: new Uint8Array(16), bits: 0, rule: bit };
    if (match.cidrs.length === 0) {
      v4.push(any);
      v6.push(any);
    }
    for (const cidr of match.cidrs) {
      (cidr.bytes.length === 4 ? v4 : v6).push({ bytes: cidr.bytes, bits: cidr.prefix_bits, rule: bit });
    }
    if (match.ports.length === 0) ports.push(any);
    for (const range of match.ports) {
      for (const prefix of portPrefixes(range.from, range.to)) ports.push({ ...prefix, rule: bit });
    }
  }
}

/** Sets rule number `bit` in every bit vector of `view` (an `ag_net_policy`) that it belongs to. */
export function writeNetRule(view: DataView, rule: LoweredNetRule, bit: number): void {
  const set = (offset: number): void => {
    const words = noRules();
    addRule(words, bit);
    words.forEach((word, i) => {
      const at = offset + i * 8;
      view.setBigUint64(at, view.getBigUint64(at, true) | word, true);
    });
  };
  for (const action of rule.actions) set(AgNetPolicy.action + NET_ACTIONS[action] * AgRuleBits.SIZE);
  protocols(rule.match, (protocol) => set(AgNetPolicy.protocol + protocol * AgRuleBits.SIZE));
  if ((rule.match.hosts ?? []).length === 0) set(AgNetPolicy.any_host);
  else if (rule.verdict === "allow" && rule.match.cidrs.length === 0) set(AgNetPolicy.public_host);
  if (rule.except !== undefined) {
    set(AgNetPolicy.except);
    if ((rule.except.hosts ?? []).length === 0) set(AgNetPolicy.any_host_except);
    else if (rule.verdict !== "allow" && rule.except.cidrs.length === 0) set(AgNetPolicy.public_host_except);
    protocols(rule.except, (protocol) => set(AgNetPolicy.except_protocol + protocol * AgRuleBits.SIZE));
  }
  set(rule.verdict === "allow" ? AgNetPolicy.allow : AgNetPolicy.deny);
  view.setInt32(AgNetPolicy.rule_index + bit * 4, rule.rule_index, true);
}

/** Calls `set` for each class of protocols that the match holds for. */
function protocols(match: NetMatch, set: (protocol: number) => void): void {
  const any = match.protocols.length === 0;
  if (any || match.protocols.includes("tcp")) set(AgProtocol.TCP);
  if (any || match.protocols.includes("udp")) set(AgProtocol.UDP);
  if (any) set(AgProtocol.OTHER);
}

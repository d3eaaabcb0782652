/** Network rules to what a cgroup program can ask: action, network, port, protocol. */
import type { ActionType, HostGlob, LoweredNetRule, NetActionName, NetMatch } from "../core/mod.ts";
import type { Predicates } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { KernelForm } from "./candidates.ts";
import { lowerHosts } from "./lower_hosts.ts";
import type { NumberedRule } from "./reference.ts";

/** Network actions that the kernel decides. `net.listen` is only seen. */
export const KERNEL_NET_ACTIONS: readonly NetActionName[] = ["net.connect", "net.send", "net.bind"];

/** What became of a rule: the kernel's rules, whether they say all of it, and what is left. */
export interface NetLowering extends KernelForm {
  readonly rules: readonly LoweredNetRule[];
}

/** What the kernel of a host can ask. */
export interface NetLoweringOptions {
  /** Names of addresses. */
  readonly names: boolean;
}

/** Of what is forbidden by name. */
const KNOWN_OTHERWISE = "an address that no trusted resolver gave for the name is not known by it";

/** The kernel's network actions among some types. */
export function netActionsOf(types: readonly ActionType[]): readonly NetActionName[] {
  return KERNEL_NET_ACTIONS.filter((action) => types.includes(action));
}

/**
 * The kernel's rules for one rule, for the given actions. A rule that forbids may be lowered in part (it then forbids
 * less in the kernel than in user space); one that permits is lowered whole or not at all.
 */
export function lowerNetRule(
  rule: NumberedRule,
  actions: readonly NetActionName[],
  options: NetLoweringOptions,
): NetLowering | string {
  const { node, index } = rule;
  const { verdict } = node;
  if (verdict !== "deny" && verdict !== "ask" && verdict !== "allow") return `verdict ${verdict} has no kernel form`;
  const foreign = foreignPredicates(node.predicates, options);
  if (foreign !== undefined) return `predicate ${foreign} is decided in user space`;
  const protocols = node.predicates.protocol?.filter((protocol) => protocol === "tcp" || protocol === "udp");
  const lost_protocols = protocols !== undefined && protocols.length < (node.predicates.protocol?.length ?? 0);
  if (lost_protocols && (protocols.length === 0 || verdict === "allow")) {
    return "the kernel tells only tcp and udp apart";
  }
  const parts = splitByExcept(node.excepts, actions, options);
  if (typeof parts === "string") return parts;
  const asked = netMatch(node.predicates);
  if (typeof asked === "string") return asked;
  const match: NetMatch = { ...asked, protocols: protocols ?? [] };
  const rules = parts.map((part): LoweredNetRule => ({
    rule_index: index,
    verdict,
    actions: part.actions,
    match,
    ...(part.except === undefined ? {} : { except: part.except }),
  }));
  const by_name = node.predicates.host !== undefined && verdict !== "allow";
  if (!lost_protocols && by_name) return { rules, complete: false, by_name, note: KNOWN_OTHERWISE };
  return {
    rules,
    complete: !lost_protocols,
    note: lost_protocols ? "other protocols than tcp and udp are decided in user space" : "",
  };
}

const KERNEL_PREDICATES: readonly string[] = ["action", "address", "port", "protocol"];

function foreignPredicates(predicates: Predicates, { names }: NetLoweringOptions): string | undefined {
  return predicateNames(predicates).find((name) => !KERNEL_PREDICATES.includes(name) && !(names && name === "host"));
}

function netMatch({ address, port, protocol, host }: Predicates): NetMatch | string {
  const hosts: readonly HostGlob[] | string = host === undefined ? [] : lowerHosts(host);
  if (typeof hosts === "string") return hosts;
  return {
    cidrs: (address ?? []).map(({ bytes, prefix_bits }) => ({ bytes, prefix_bits })),
    ports: (port ?? []).map(({ from, to }) => ({ from, to })),
    protocols: (protocol ?? []).filter((name) => name === "tcp" || name === "udp"),
    ...(hosts.length === 0 ? {} : { hosts }),
  };
}

interface Part {
  readonly actions: readonly NetActionName[];
  readonly except: NetMatch | undefined;
}

/** A kernel rule has one exception: actions that have none, and actions that have one, become rules of their own. */
function splitByExcept(
  excepts: readonly Predicates[],
  actions: readonly NetActionName[],
  options: NetLoweringOptions,
): readonly Part[] | string {
  if (excepts.length === 0) return [{ actions, except: undefined }];
  const parts: Part[] = [];
  for (const action of actions) {
    // What is bound has no name: an exception by name does not apply to it.
    const relevant = excepts.filter((except) =>
      (except.action === undefined || except.action.includes(action)) &&
      (except.host === undefined || action !== "net.bind")
    );
    if (relevant.some((except) => predicateNames(except).every((name) => name === "action"))) continue;
    const except = relevant.length === 0 ? undefined : mergeExcepts(relevant, options);
    if (typeof except === "string") return except;
    const known = parts.findIndex((part) => JSON.stringify(part.except) === JSON.stringify(except));
    const same = parts[known];
    if (same === undefined) parts.push({ actions: [action], except });
    else parts[known] = { actions: [...same.actions, action], except };
  }
  return parts;
}

/** Several exceptions are one only where each asks for the same single thing. */
function mergeExcepts(excepts: readonly Predicates[], options: NetLoweringOptions): NetMatch | string {
  const matches: NetMatch[] = [];
  for (const except of excepts) {
    const foreign = foreignPredicates(except, options);
    if (foreign !== undefined) return `predicate ${foreign} of the exception is decided in user space`;
    if (except.protocol?.some((name) => name !== "tcp" && name !== "udp") === true) {
      return "the kernel tells only tcp and udp apart";
    }
    const match = netMatch(except);
    if (typeof match === "string") return match;
    matches.push(match);
  }
  const [first] = matches;
  if (first !== undefined && matches.length === 1) return first;
  const kinds = new Set(excepts.map((except) => predicateNames(except).filter((name) => name !== "action").join(" ")));
  if (kinds.size !== 1 || [...kinds].some((kind) => kind.includes(" "))) {
    return "a kernel rule has one exception, these cannot be joined";
  }
  const hosts = matches.flatMap((match) => match.hosts ?? []);
  return {
    cidrs: matches.flatMap(({ cidrs }) => cidrs),
    ports: matches.flatMap(({ ports }) => ports),
    protocols: matches.flatMap(({ protocols }) => protocols),
    ...(hosts.length === 0 ? {} : { hosts }),
  };
}

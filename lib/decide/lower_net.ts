/** Network rules to what a cgroup program can ask: action, network, port, protocol. */
import type { ActionType, LoweredNetRule, NetActionName, NetMatch } from "../core/mod.ts";
import type { Predicates } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { NumberedRule } from "./reference.ts";

/** Network actions that the kernel decides. `net.listen` is only seen. */
export const KERNEL_NET_ACTIONS: readonly NetActionName[] = ["net.connect", "net.send", "net.bind"];

/** What became of a rule: the kernel's rules, whether they say all of it, and what is left. */
export interface NetLowering {
  readonly rules: readonly LoweredNetRule[];
  readonly complete: boolean;
  readonly note: string;
}

/** The kernel's network actions among some types. */
export function netActionsOf(types: readonly ActionType[]): readonly NetActionName[] {
  return KERNEL_NET_ACTIONS.filter((action) => types.includes(action));
}

/**
 * The kernel's rules for one rule, for the given actions. A rule that forbids may be lowered in part (it then forbids
 * less in the kernel than in user space); one that permits is lowered whole or not at all.
 */
export function lowerNetRule(rule: NumberedRule, actions: readonly NetActionName[]): NetLowering | string {
  const { node, index } = rule;
  const { verdict } = node;
  if (verdict !== "deny" && verdict !== "ask" && verdict !== "allow") return `verdict ${verdict} has no kernel form`;
  const foreign = foreignPredicates(node.predicates);
  if (foreign !== undefined) return `predicate ${foreign} is decided in user space`;
  const protocols = node.predicates.protocol?.filter((protocol) => protocol === "tcp" || protocol === "udp");
  const lost_protocols = protocols !== undefined && protocols.length < (node.predicates.protocol?.length ?? 0);
  if (lost_protocols && (protocols.length === 0 || verdict === "allow")) {
    return "the kernel tells only tcp and udp apart";
  }
  const parts = splitByExcept(node.excepts, actions);
  if (typeof parts === "string") return parts;
  const match: NetMatch = { ...netMatch(node.predicates), protocols: protocols ?? [] };
  const rules = parts.map((part): LoweredNetRule => ({
    rule_index: index,
    verdict,
    actions: part.actions,
    match,
    ...(part.except === undefined ? {} : { except: part.except }),
  }));
  return {
    rules,
    complete: !lost_protocols,
    note: lost_protocols ? "other protocols than tcp and udp are decided in user space" : "",
  };
}

const KERNEL_PREDICATES: readonly string[] = ["action", "address", "port", "protocol"];

function foreignPredicates(predicates: Predicates): string | undefined {
  return predicateNames(predicates).find((name) => !KERNEL_PREDICATES.includes(name));
}

function netMatch({ address, port, protocol }: Predicates): NetMatch {
  return {
    cidrs: (address ?? []).map(({ bytes, prefix_bits }) => ({ bytes, prefix_bits })),
    ports: (port ?? []).map(({ from, to }) => ({ from, to })),
    protocols: (protocol ?? []).filter((name) => name === "tcp" || name === "udp"),
  };
}

interface Part {
  readonly actions: readonly NetActionName[];
  readonly except: NetMatch | undefined;
}

/** A kernel rule has one exception: actions that have none, and actions that have one, become rules of their own. */
function splitByExcept(excepts: readonly Predicates[], actions: readonly NetActionName[]): readonly Part[] | string {
  if (excepts.length === 0) return [{ actions, except: undefined }];
  const parts: Part[] = [];
  for (const action of actions) {
    const relevant = excepts.filter((except) => except.action === undefined || except.action.includes(action));
    if (relevant.some((except) => predicateNames(except).every((name) => name === "action"))) continue;
    const except = relevant.length === 0 ? undefined : mergeExcepts(relevant);
    if (typeof except === "string") return except;
    const known = parts.findIndex((part) => JSON.stringify(part.except) === JSON.stringify(except));
    const same = parts[known];
    if (same === undefined) parts.push({ actions: [action], except });
    else parts[known] = { actions: [...same.actions, action], except };
  }
  return parts;
}

/** Several exceptions are one only where each asks for the same single thing. */
function mergeExcepts(excepts: readonly Predicates[]): NetMatch | string {
  for (const except of excepts) {
    const foreign = foreignPredicates(except);
    if (foreign !== undefined) return `predicate ${foreign} of the exception is decided in user space`;
    if (except.protocol?.some((name) => name !== "tcp" && name !== "udp") === true) {
      return "the kernel tells only tcp and udp apart";
    }
  }
  const matches = excepts.map((except) => netMatch(except));
  const [first] = matches;
  if (first !== undefined && matches.length === 1) return first;
  const kinds = new Set(excepts.map((except) => predicateNames(except).filter((name) => name !== "action").join(" ")));
  if (kinds.size !== 1 || [...kinds].some((kind) => kind.includes(" "))) {
    return "a kernel rule has one exception, these cannot be joined";
  }
  return {
    cidrs: matches.flatMap(({ cidrs }) => cidrs),
    ports: matches.flatMap(({ ports }) => ports),
    protocols: matches.flatMap(({ protocols }) => protocols),
  };
}

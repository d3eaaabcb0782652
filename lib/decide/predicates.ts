/** Predicates to closures over `EventNames`. */
import type { Action, NetAction } from "../core/mod.ts";
import { compileArgv } from "./argv.ts";
import type { CidrPattern, PredicateName, Predicates, TextPattern } from "./ast.ts";
import { type EventNames, hostName, normalName } from "./names.ts";
import { byteMask, cidrHolds } from "./net.ts";
import { PathMatcher, ProgramMatcher, TextMatcher } from "./path_matcher.ts";
import type { Check } from "./selection.ts";

/** One predicate, compiled. */
export interface CompiledPredicate {
  readonly name: PredicateName;
  readonly check: Check;
}

/**
 * Compiles a set of predicates, cheap ones first. With `one_name` one of an action's names is enough and an unknown home is
 * every home: for what forbids. Without, every name must match: for what permits.
 */
export function compilePredicates(predicates: Predicates, one_name: boolean): readonly CompiledPredicate[] {
  const { action, path, new_path, exe, by, argv, cwd, user, agent, principal, session, host, address, port, protocol, tool,
    server, ...rest } = predicates;
  restOf(rest);
  const checks: CompiledPredicate[] = [];
  const add = (name: PredicateName, check: Check | undefined): void => {
    if (check !== undefined) checks.push({ name, check });
  };
  if (action !== undefined) {
    const types = new Set(action);
    add("action", (names) => types.has(names.event.action.type));
  }
  if (port !== undefined) add("port", netCheck((net) => port.some(({ from, to }) => net.port >= from && net.port <= to)));
  if (protocol !== undefined) {
    const known = new Set(protocol);
    add("protocol", netCheck((net) => known.has(net.protocol)));
  }
  if (address !== undefined) add("address", compileAddresses(address));
  if (user !== undefined) {
    const uids = new Set(user.map((pattern) => pattern.uid));
    add("user", ({ event }) => event.process?.uid !== undefined && uids.has(event.process.uid));
  }
  add("agent", textCheck(agent, ({ event }) => event.session?.agent));
  add("principal", textCheck(principal, ({ event }) => event.session?.principal));
  add("session", textCheck(session, ({ event }) => event.session?.session_id));
  add("tool", textCheck(tool, ({ event }) => event.action.type === "tool.call" ? event.action.tool : undefined));
  add("server", textCheck(server, ({ event }) => event.action.type === "tool.call" ? event.action.server : undefined));
  add("host", textCheck(host, ({ event }) => hostOf(event.action)));
  if (path !== undefined) {
    add("path", pathCheck(new PathMatcher(path, one_name), one_name, { both: new_path === undefined }));
  }
  if (new_path !== undefined) add("new_path", newPathCheck(new PathMatcher(new_path, one_name), one_name));
  if (exe !== undefined) add("exe", programCheck(new ProgramMatcher(exe, one_name), one_name));
  if (by !== undefined) {
    const matcher = new ProgramMatcher(by, one_name);
    add("by", (names) => {
      const program = names.event.process?.exe;
      return program !== undefined && matcher.matches(normalName(program), names);
    });
  }
  if (cwd !== undefined) {
    const matcher = new PathMatcher(cwd, one_name);
    add("cwd", (names) => {
      const directory = names.cwd();
      return directory !== undefined && matcher.matches(directory, names);
    });
  }
  if (argv !== undefined) add("argv", compileArgv(argv, one_name));
  return checks;
}

/** Refuses to compile when a predicate is added to the tree and not read above. */
function restOf(_rest: Readonly<Record<never, never>> & { readonly [K in keyof Predicates]?: never }): void {}

/** A check that holds where all hold; `undefined` for none. */
export function allOf(checks: readonly Check[]): Check | undefined {
  const [first, second, third] = checks;
  if (first === undefined) return undefined;
  if (second === undefined) return first;
  if (third === undefined) return (names) => first(names) && second(names);
  return (names) => {
    for (let i = 0; i < checks.length; i++) if (checks[i]?.(names) === false) return false;
    return true;
  };
}

function textCheck(
  patterns: readonly TextPattern[] | undefined,
  text: (names: EventNames) => string | undefined,
): Check | undefined {
  if (patterns === undefined) return undefined;
  const matcher = new TextMatcher(patterns);
  return (names) => {
    const found = text(names);
    return found !== undefined && matcher.matches(found);
  };
}

function hostOf(action: Action): string | undefined {
  return isNet(action) && action.host !== undefined ? hostName(action.host) : undefined;
}

/** Narrows to the four network actions. */
export function isNet(action: Action): action is NetAction {
  return action.type === "net.connect" || action.type === "net.send" || action.type === "net.bind" ||
    action.type === "net.listen";
}

function netCheck(holds: (net: NetAction) => boolean): Check {
  return ({ event: { action } }) => isNet(action) && holds(action);
}

function compileAddresses(cidrs: readonly CidrPattern[]): Check {
  const v6 = cidrs.filter((cidr) => cidr.bytes.length === 16);
  const v4 = cidrs.filter((cidr) => cidr.bytes.length === 4).map((cidr) => ({
    value: v4Number(cidr.bytes),
    mask: v4Mask(cidr.prefix_bits),
  }));
  return (names) => {
    if (!isNet(names.event.action)) return false;
    const { v4: value, address } = names;
    if (value >= 0) return v4.some((cidr) => ((value & cidr.mask) >>> 0) === cidr.value);
    return address !== undefined && v6.some((cidr) => cidrHolds(cidr, address));
  };
}

/** Four bytes as an unsigned number. */
export function v4Number(bytes: Uint8Array): number {
  return (((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)) >>> 0;
}

/** The mask of an IPv4 prefix, to be used with `&`. */
export function v4Mask(prefix_bits: number): number {
  return [0, 8, 16, 24].reduce((mask, shift, i) => mask | (byteMask(prefix_bits, i) << (24 - shift)), 0);
}

function pathCheck(matcher: PathMatcher, one_name: boolean, options: { readonly both: boolean }): Check {
  const { both } = options;
  if (one_name) {
    return (names) => {
      const { path, requested } = names;
      if (path !== undefined && matcher.matches(path, names)) return true;
      if (requested !== undefined && matcher.matches(requested, names)) return true;
      return both && anyNewName(matcher, names);
    };
  }
  return (names) => {
    const { path, requested } = names;
    if (names.requested_unknown || (path === undefined && requested === undefined)) return false;
    if (path !== undefined && !matcher.matches(path, names)) return false;
    if (requested !== undefined && !matcher.matches(requested, names)) return false;
    return !both || names.new_path === undefined || allNewNames(matcher, names);
  };
}

function newPathCheck(matcher: PathMatcher, one_name: boolean): Check {
  return one_name ? (names) => anyNewName(matcher, names) : (names) => allNewNames(matcher, names);
}

function anyNewName(matcher: PathMatcher, names: EventNames): boolean {
  const { new_path, requested_new } = names;
  if (new_path !== undefined && matcher.matches(new_path, names)) return true;
  return requested_new !== undefined && matcher.matches(requested_new, names);
}

function allNewNames(matcher: PathMatcher, names: EventNames): boolean {
  const { new_path, requested_new } = names;
  if (new_path === undefined || names.requested_new_unknown || !matcher.matches(new_path, names)) return false;
  return requested_new === undefined || matcher.matches(requested_new, names);
}

function programCheck(matcher: ProgramMatcher, one_name: boolean): Check {
  const is_program = (action: Action): boolean => action.type === "exec" || action.type === "exec.failed";
  if (one_name) {
    return (names) => {
      if (!is_program(names.event.action)) return false;
      const { path, requested, interpreter } = names;
      if (path !== undefined && matcher.matches(path, names)) return true;
      if (requested !== undefined && matcher.matches(requested, names)) return true;
      return interpreter !== undefined && matcher.matches(interpreter, names);
    };
  }
  return (names) => {
    if (!is_program(names.event.action) || names.requested_unknown) return false;
    const { path, requested } = names;
    if (path === undefined && requested === undefined) return false;
    if (path !== undefined && !matcher.matches(path, names)) return false;
    return requested === undefined || matcher.matches(requested, names);
  };
}

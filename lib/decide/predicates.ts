/** Predicates to closures over `EventNames`. */
import type { Action, Event, NetAction } from "../core/mod.ts";
import { compileArgv } from "./argv.ts";
import type { CidrPattern, PredicateName, Predicates, TextPattern } from "./ast.ts";
import { type EventNames, normalName } from "./names.ts";
import { compileFacts, type RulePlace } from "./predicates_facts.ts";
import { type ProgramChecks, toolProgramCheck, unlessTool } from "./predicates_tool.ts";
import { byteMask, cidrHolds } from "./net.ts";
import { PathMatcher, ProgramMatcher, TextMatcher } from "./path_matcher.ts";
import type { Check, CompiledPredicate } from "./selection.ts";

/**
 * Compiles a set of predicates, cheap ones first. With `one_name` one of an action's names is enough and an unknown
 * home is every home: for what forbids. Without, every name must match: for what permits.
 */
export function compilePredicates(
  predicates: Predicates,
  one_name: boolean,
  place: RulePlace,
): readonly CompiledPredicate[] {
  const {
    action,
    path,
    new_path,
    exe,
    by,
    argv,
    cwd,
    user,
    agent,
    principal,
    session,
    host,
    address,
    port,
    protocol,
    tool,
    server,
    ...others
  } = predicates;
  const checks: CompiledPredicate[] = [];
  const add = (name: PredicateName, check: Check | undefined): void => {
    if (check !== undefined) checks.push({ name, check });
  };
  add("action", action && memberCheck(action, ({ action }) => action.type));
  add("port", port && netCheck((net) => port.some(({ from, to }) => net.port >= from && net.port <= to)));
  add("protocol", protocol && memberCheck(protocol, ({ action }) => isNet(action) ? action.protocol : undefined));
  add("address", address && addressCheck(address));
  add("user", user && memberCheck(user.map(({ uid }) => uid), ({ process }) => process?.uid));
  add("agent", agent && textCheck(agent, ({ session }) => session?.agent));
  add("principal", principal && textCheck(principal, ({ session }) => session?.principal));
  add("session", session && textCheck(session, ({ session }) => session?.session_id));
  add("tool", tool && textCheck(tool, ({ action }) => action.type === "tool.call" ? action.tool : undefined));
  add("server", server && textCheck(server, ({ action }) => action.type === "tool.call" ? action.server : undefined));
  add("host", host && hostCheck(host, one_name || address !== undefined));
  add("path", path && pathCheck(new PathMatcher(path, one_name), one_name, { both: new_path === undefined }));
  add("new_path", new_path && newPathCheck(new PathMatcher(new_path, one_name), one_name));
  add("exe", exe && unlessTool(programCheck(new ProgramMatcher(exe, one_name), one_name)));
  add("by", by && actorCheck(new ProgramMatcher(by, one_name)));
  add("cwd", cwd && directoryCheck(new PathMatcher(cwd, one_name)));
  const any_code = predicates.opaque !== undefined;
  add("argv", argv && unlessTool(compileArgv(argv, one_name, { any_code })));
  checks.push(...compileFacts(others, one_name, place));
  const programs: ProgramChecks = {
    ...(exe === undefined ? {} : { exe: programCheck(new ProgramMatcher(exe, one_name), one_name) }),
    ...(argv === undefined ? {} : { argv: compileArgv(argv, one_name, { any_code }) }),
    ...(predicates.opaque === undefined ? {} : { opaque: predicates.opaque }),
  };
  // Under a name that no index answers: whatever it has found, this is asked.
  add("argv", toolProgramCheck(programs, one_name));
  return checks;
}

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

function memberCheck<T>(values: readonly T[], read: (event: Event) => T | undefined): Check {
  const known = new Set(values);
  return ({ event }) => {
    const value = read(event);
    return value !== undefined && known.has(value);
  };
}

function textCheck(patterns: readonly TextPattern[], read: (event: Event) => string | undefined): Check {
  const matcher = new TextMatcher(patterns);
  return ({ event }) => {
    const text = read(event);
    return text !== undefined && matcher.matches(text);
  };
}

function actorCheck(matcher: ProgramMatcher): Check {
  return (names) => {
    const program = names.event.process?.exe;
    return program !== undefined && matcher.matches(normalName(program), names);
  };
}

function directoryCheck(matcher: PathMatcher): Check {
  return (names) => {
    const directory = names.cwd();
    return directory !== undefined && matcher.matches(directory, names);
  };
}

/** Any name of the address is enough; what permits by it alone leads nowhere special. */
function hostCheck(patterns: readonly TextPattern[], anywhere: boolean): Check {
  const matcher = new TextMatcher(patterns);
  return (names) => {
    const { hosts } = names;
    for (let i = 0; i < hosts.length; i++) {
      if (matcher.matches(hosts[i] ?? "")) return anywhere || !names.specialPurpose();
    }
    return false;
  };
}

/** Narrows to the four network actions. */
export function isNet(action: Action): action is NetAction {
  return action.type === "net.connect" || action.type === "net.send" || action.type === "net.bind" ||
    action.type === "net.listen";
}

function netCheck(holds: (net: NetAction) => boolean): Check {
  return ({ event: { action } }) => isNet(action) && holds(action);
}

function addressCheck(cidrs: readonly CidrPattern[]): Check {
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

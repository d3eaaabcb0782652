/** Predicates: from the keys of a rule or an `except` to the syntax tree. */
import { type ActionType, type Cidr, LIMITS, type PortRange, type Protocol } from "../core/mod.ts";
import { expandAction, suggestAction } from "./actions.ts";
import type {
  ArgvPattern,
  ArgvToken,
  CidrPattern,
  PathPattern,
  PredicateName,
  Predicates,
  ProgramPattern,
  TextPattern,
  UserPattern,
} from "./ast.ts";
import { type Position, quote } from "./diagnostic.ts";
import { parsePathGlob, parseTextGlob } from "./glob.ts";
import { hostName } from "./names.ts";
import { parseCidr, parsePorts } from "./net.ts";
import { parseArgs, parseFlag, parseRanges, parseTokens } from "./parse_facts.ts";
import { parseLabels, parseRates, parseTimes } from "./parse_past.ts";
import { fitsPattern, type Located, type ParsedActions, type TableReader, typeName } from "./reader.ts";
import { didYouMean } from "./suggest.ts";

/** Every predicate but `action`. */
export const PREDICATE_KEYS: readonly Exclude<PredicateName, "action">[] = [
  "path",
  "new_path",
  "exe",
  "by",
  "argv",
  "cwd",
  "user",
  "agent",
  "principal",
  "session",
  "host",
  "address",
  "port",
  "protocol",
  "tool",
  "server",
  "ancestor",
  "group",
  "tag",
  "args",
  "model",
  "tokens",
  "declared",
  "opaque",
  "risk",
  "time",
  "rate",
  "after",
  "since",
  "label",
];

const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "icmp", "sctp", "raw", "other"];
/** Elements of one argument pattern. */
const ARGV_TOKENS_MAX = 256;
const UID_MAX = 4_294_967_295;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads every predicate that the table has. */
export function parsePredicates(reader: TableReader): Predicates {
  const parsed: Mutable<Predicates> = {};
  if (reader.has("path")) parsed.path = parsePathPatterns(reader, "path");
  if (reader.has("new_path")) parsed.new_path = parsePathPatterns(reader, "new_path");
  if (reader.has("cwd")) parsed.cwd = parsePathPatterns(reader, "cwd");
  if (reader.has("exe")) parsed.exe = parseProgramPatterns(reader, "exe");
  if (reader.has("by")) parsed.by = parseProgramPatterns(reader, "by");
  if (reader.has("argv")) parsed.argv = parseArgv(reader, "argv");
  if (reader.has("user")) parsed.user = parseUsers(reader);
  if (reader.has("agent")) parsed.agent = parseTextPatterns(reader, "agent");
  if (reader.has("principal")) parsed.principal = parseTextPatterns(reader, "principal");
  if (reader.has("session")) parsed.session = parseTextPatterns(reader, "session");
  if (reader.has("host")) parsed.host = parseHosts(reader);
  if (reader.has("tool")) parsed.tool = parseTextPatterns(reader, "tool");
  if (reader.has("server")) parsed.server = parseTextPatterns(reader, "server");
  if (reader.has("address")) parsed.address = parseAddresses(reader);
  if (reader.has("port")) parsed.port = parsePortRanges(reader);
  if (reader.has("protocol")) parsed.protocol = parseProtocols(reader);
  if (reader.has("ancestor")) parsed.ancestor = parseProgramPatterns(reader, "ancestor");
  if (reader.has("group")) parsed.group = parseTextPatterns(reader, "group");
  if (reader.has("tag")) parsed.tag = parseTextPatterns(reader, "tag");
  if (reader.has("args")) parsed.args = parseArgs(reader, parseTextPatterns);
  if (reader.has("model")) parsed.model = parseTextPatterns(reader, "model");
  if (reader.has("tokens")) parsed.tokens = parseTokens(reader);
  if (reader.has("declared")) parsed.declared = parseFlag(reader, "declared");
  if (reader.has("opaque")) parsed.opaque = parseFlag(reader, "opaque");
  if (reader.has("risk")) parsed.risk = parseRanges(reader, "risk");
  if (reader.has("time")) parsed.time = parseTimes(reader);
  if (reader.has("rate")) parsed.rate = parseRates(reader);
  if (reader.has("after")) parsed.after = parseLabels(reader, "after");
  if (reader.has("since")) parsed.since = parseLabels(reader, "since");
  if (reader.has("label")) parsed.label = parseLabels(reader, "label");
  return parsed;
}

/** Action types and globs on them, without duplicates; `named` are those written out. */
export function parseActions(reader: TableReader): ParsedActions {
  const { actions } = reader.context;
  const single = reader.table["action"];
  // Many rules share a few texts, and with them the lists.
  const known = typeof single === "string" ? actions.get(single) : undefined;
  if (known !== undefined) return known;
  const all = new Set<ActionType>();
  const named = new Set<ActionType>();
  for (const { value, position } of reader.strings("action") ?? []) {
    if (!fitsPattern(value, position, reader.context.diagnostics)) continue;
    const types = actions.get(value)?.all ?? expandAction(value);
    if (types.length === 0) {
      reader.context.diagnostics.error(
        position,
        /[*?[{]/.test(value) ? `${quote(value)} matches no action type` : `unknown action ${quote(value)}`,
        suggestAction(value),
      );
    }
    for (const type of types) {
      all.add(type);
      if (type === value) named.add(type);
    }
  }
  const parsed = { all: [...all], named: [...named] };
  if (typeof single === "string" && parsed.all.length > 0) actions.set(single, parsed);
  return parsed;
}

/** Path patterns under a key. */
export function parsePathPatterns(reader: TableReader, key: string): readonly PathPattern[] {
  return (reader.strings(key) ?? []).flatMap((located) => parsePathPattern(located, reader) ?? []);
}

function parsePathPattern({ value, position }: Located<string>, reader: TableReader): PathPattern | undefined {
  if (!canTake(value, position, reader)) return undefined;
  const globs = parsePathGlob(value);
  if (globs.ok && !reader.context.budget.take(globs.value.length)) return undefined;
  if (globs.ok) return { text: value, position, globs: globs.value };
  reader.context.diagnostics.error(position, globs.error.message, globs.error.suggestion);
  return undefined;
}

/**
 * False for a pattern that is too long, or where the file has too many already (said once, by the caller of the rules).
 */
function canTake(value: string, position: Position, reader: TableReader): boolean {
  return !reader.context.budget.exceeded && fitsPattern(value, position, reader.context.diagnostics);
}

/** Program patterns under a key: base names, or paths where there is a slash. */
export function parseProgramPatterns(reader: TableReader, key: string): readonly ProgramPattern[] {
  return (reader.strings(key) ?? []).flatMap((located): readonly ProgramPattern[] => {
    if (located.value.includes("/") || located.value === "~" || located.value === "**") {
      const pattern = parsePathPattern(located, reader);
      return pattern === undefined ? [] : [{ kind: "path", ...pattern }];
    }
    const pattern = parseTextPattern(located, reader);
    return pattern === undefined ? [] : [{ kind: "name", ...pattern }];
  });
}

function parseTextPatterns(
  reader: TableReader,
  key: string,
  form: (text: string) => string = (text) => text,
): readonly TextPattern[] {
  return (reader.strings(key) ?? []).flatMap(({ value, position }) =>
    parseTextPattern({ value: form(value), position }, reader) ?? []
  );
}

/** Host names; `.example.com` is `example.com` and everything below it. */
function parseHosts(reader: TableReader): readonly TextPattern[] {
  return parseTextPatterns(reader, "host", hostName).map((pattern) => {
    if (!pattern.text.startsWith(".")) return pattern;
    const globs = [`*${pattern.text}`, pattern.text.slice(1)].map((text) => parseTextGlob(text));
    return { ...pattern, globs: globs.flatMap((each) => each.ok ? each.value : []) };
  });
}

function parseTextPattern({ value, position }: Located<string>, reader: TableReader): TextPattern | undefined {
  if (!canTake(value, position, reader)) return undefined;
  const globs = parseTextGlob(value);
  if (globs.ok && !reader.context.budget.take(globs.value.length)) return undefined;
  if (globs.ok) return { text: value, position, globs: globs.value };
  reader.context.diagnostics.error(position, globs.error.message, globs.error.suggestion);
  return undefined;
}

/** `["push", "..."]`, or a list of such lists. */
export function parseArgv(reader: TableReader, key: string): readonly ArgvPattern[] {
  const value = reader.table[key];
  if (!Array.isArray(value)) {
    reader.error(key, `${key} is ${typeName(value)}, not a list of tokens`, `write ["push", "..."]`);
    return [];
  }
  const elements = reader.elements(key) ?? [];
  if (elements.every((element) => !Array.isArray(element.value))) {
    return elements.length === 0 ? [] : parseSequence(elements, reader.at(key), reader);
  }
  return elements.flatMap(({ value, position }) => {
    if (Array.isArray(value)) {
      // Places of the inner elements: the list itself is near enough for a message.
      return parseSequence(value.map((token: unknown) => ({ value: token, position })), position, reader);
    }
    reader.context.diagnostics.error(position, `${key} mixes lists and ${typeName(value)}`, "use lists only");
    return [];
  });
}

function parseSequence(
  elements: readonly Located<unknown>[],
  position: Position,
  reader: TableReader,
): readonly ArgvPattern[] {
  const { diagnostics } = reader.context;
  if (elements.length > ARGV_TOKENS_MAX) {
    diagnostics.error(position, `argv has ${elements.length} tokens, the limit is ${ARGV_TOKENS_MAX}`);
    return [];
  }
  const tokens: ArgvToken[] = [];
  for (const { value, position } of elements) {
    if (typeof value !== "string") {
      diagnostics.error(position, `argv has ${typeName(value)} where a string belongs`);
    } else if (value === "...") tokens.push({ kind: "rest" });
    else if (value === "") {
      tokens.push({ kind: "text", text: "", position, globs: [{ kind: "literal", text: "" }] });
    } else {
      const pattern = parseTextPattern({ value, position }, reader);
      if (pattern !== undefined) tokens.push({ kind: "text", ...pattern });
    }
  }
  return [{ position, tokens }];
}

function parseUsers(reader: TableReader): readonly UserPattern[] {
  return (reader.elements("user") ?? []).flatMap(({ value, position }) => {
    if (value === "root") return [{ uid: 0, position }];
    const uid = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
    if (typeof uid === "number" && Number.isInteger(uid) && uid >= 0 && uid <= UID_MAX) return [{ uid, position }];
    const found = typeof value === "string" ? quote(value) : typeName(value);
    reader.context.diagnostics.error(position, `user ${found} is not a numeric user id`, 'write the uid, or "root"');
    return [];
  });
}

function parseAddresses(reader: TableReader): readonly CidrPattern[] {
  return (reader.strings("address") ?? []).flatMap(({ value, position }) => {
    if (!fitsPattern(value, position, reader.context.diagnostics)) return [];
    const cidr: Cidr | string = parseCidr(value);
    if (typeof cidr !== "string") return [{ ...cidr, text: value, position }];
    reader.context.diagnostics.error(position, `bad address ${quote(value)}: ${cidr}`);
    return [];
  });
}

function parsePortRanges(reader: TableReader): readonly PortRange[] {
  return (reader.elements("port") ?? []).flatMap(({ value, position }) => {
    const is_scalar = typeof value === "number" || (typeof value === "string" && value.length <= LIMITS.name_bytes_max);
    const range = is_scalar
      ? parsePorts(value)
      : `port is ${typeName(value)}, not a number or a range such as "8000-8999"`;
    if (typeof range !== "string") return [range];
    reader.context.diagnostics.error(position, range);
    return [];
  });
}

function parseProtocols(reader: TableReader): readonly Protocol[] {
  return (reader.strings("protocol") ?? []).flatMap(({ value, position }) => {
    const found = PROTOCOLS.find((protocol) => protocol === value);
    if (found !== undefined) return [found];
    reader.context.diagnostics.error(
      position,
      `unknown protocol ${quote(value)}, not one of ${PROTOCOLS.join(", ")}`,
      didYouMean(value, PROTOCOLS),
    );
    return [];
  });
}

/** TOML for one action: the conditions that name it and nothing else. */
import { type Action, type Event, isSpecialPurpose, type NetAction, parseAddress } from "../core/mod.ts";
import type { RuleNode } from "./ast.ts";
import { Diagnostics } from "./diagnostic.ts";
import { hostName, normalName } from "./names.ts";
import { parsePolicy } from "./parse.ts";

/** A condition in TOML: key and value. */
export type SnippetLine = readonly [key: string, value: string];

/** A TOML basic string. */
export function tomlString(text: string): string {
  // JSON escapes all that TOML forbids, but for DEL.
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

/** A glob that matches this text and no other. */
export function globLiteral(text: string): string {
  const escaped = text.replace(/[\\*?[\]{},]/g, (special) => `\\${special}`);
  return escaped === "..." || escaped.startsWith("~") ? `\\${escaped}` : escaped;
}

/** A name stays true where addresses change; where a name permits nothing, the address. */
function placeLines(action: NetAction): readonly SnippetLine[] {
  const host = permittingHost(action);
  return [host === undefined ? ["address", list([action.address])] : ["host", list([globLiteral(host)])]];
}

/** The name by which a rule could permit this; `undefined` where it has none, or goes to an address near by. */
export function permittingHost({ type, address, host }: NetAction): string | undefined {
  if (host === undefined || (type !== "net.connect" && type !== "net.send")) return undefined;
  const bytes = parseAddress(address);
  return bytes === undefined || isSpecialPurpose(bytes) ? undefined : hostName(host);
}

/** The conditions that name this action, narrowest first; empty for actions that only have a type. */
export function snippetLines(event: Event): readonly SnippetLine[] {
  const { action } = event;
  switch (action.type) {
    case "exec":
      return [["exe", list(namesOfPath(action.path, action.requested_path, event))], ...argvLines(action.argv)];
    case "net.connect":
    case "net.send":
    case "net.bind":
    case "net.listen":
      return [...placeLines(action), ["port", String(action.port)], ["protocol", tomlString(action.protocol)]];
    case "net.dns":
      return [["host", list([globLiteral(action.name)])]];
    case "tool.call":
      return [
        ["tool", list([globLiteral(action.tool)])],
        ...(action.server === undefined ? [] : [["server", list([globLiteral(action.server)])] as const]),
        ...argsLines(action.args),
      ];
    case "file.rename":
    case "file.link":
      return [
        ["path", list(namesOfPath(action.path, action.requested_path, event))],
        ["new_path", list(namesOfPath(action.new_path, action.requested_new_path, event))],
      ];
    case "file.symlink":
      return [
        ["path", list([globLiteral(linkTarget(action))])],
        ["new_path", list(namesOfPath(action.new_path, action.requested_new_path, event))],
      ];
    default:
      if (!("path" in action)) return [];
      return [[
        "path",
        list(namesOfPath(action.path, "requested_path" in action ? action.requested_path : undefined, event)),
      ]];
  }
}

/** What a symbolic link points to, absolute. */
export function linkTarget(action: Extract<Action, { readonly new_path: string }>): string {
  return action.path.startsWith("/") ? normalName(action.path) : normalName(`${action.new_path}/../${action.path}`);
}

/** Resolved and requested name as patterns; a relative name is taken from where the process was. */
function namesOfPath(path: string, requested: string | undefined, event: Event): readonly string[] {
  const names = new Set([normalName(path)]);
  const absolute = absoluteName(requested, event);
  if (absolute !== undefined) names.add(absolute);
  return [...names].map((name) => globLiteral(name));
}

/** A requested name made absolute; `undefined` where there is none, or nobody knows to what it is relative. */
export function absoluteName(requested: string | undefined, event: Event): string | undefined {
  if (requested === undefined || requested === "") return undefined;
  if (requested.startsWith("/") || requested.startsWith("@")) return normalName(requested);
  const { action, base, process } = event;
  const from = base ?? (action.type === "exec" ? action.cwd : undefined) ?? process?.cwd;
  return from === undefined || !from.startsWith("/") ? undefined : normalName(`${normalName(from)}/${requested}`);
}

/** Arguments as a pattern: an empty list cannot be written, and a very long one helps nobody. */
function argvLines(argv: readonly string[]): readonly SnippetLine[] {
  const tokens = argv.slice(1);
  if (tokens.length === 0 || tokens.length > 64 || tokens.join("").length > 2_000) return [];
  return [["argv", list(tokens.map((token) => token === "" ? "" : globLiteral(token)))]];
}

/** The plain values of a call's arguments, as far as they are few and short: a change is about this call alone. */
function argsLines(args: unknown): readonly SnippetLine[] {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return [];
  const values = Object.entries(args).flatMap(([name, value]: readonly [string, unknown]) => {
    const is_plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    const text = is_plain ? String(value) : "";
    return text === "" || !/^[A-Za-z_]\w{0,63}$/.test(name) ? [] : [[name, text] as const];
  });
  if (values.length === 0 || values.length > 16 || values.map(([, text]) => text).join("").length > 2_000) return [];
  const pairs = values.map(([name, text]) => `${tomlString(`$.${name}`)} = ${tomlString(globLiteral(text))}`);
  return [["args", `{ ${pairs.join(", ")} }`]];
}

function list(patterns: readonly string[]): string {
  return patterns.length === 1 ? tomlString(patterns[0] ?? "") : `[${patterns.map(tomlString).join(", ")}]`;
}

/** An allow rule for this action. */
export function ruleSnippet(event: Event, lines: readonly SnippetLine[]): string {
  const head = [["action", tomlString(event.action.type)] as const, ...lines, ["verdict", '"allow"'] as const];
  return ["[[rules]]", ...head.map(([key, value]) => `${key} = ${listed(key, value)}`)].join("\n");
}

/** One argument list is a list even with one token. */
function listed(key: string, value: string): string {
  return key === "argv" && !value.startsWith("[") ? `[${value}]` : value;
}

/** An exception for this action. */
export function exceptSnippet(event: Event, lines: readonly SnippetLine[]): string {
  const all = lines.length === 0 ? [["action", tomlString(event.action.type)] as const] : lines;
  return `except = { ${all.map(([key, value]) => `${key} = ${listed(key, value)}`).join(", ")} }`;
}

/** The rule that a snippet writes; `undefined` where it cannot be written (a name over the limits, say). */
export function parseSnippet(rule: string): RuleNode | undefined {
  const diagnostics = new Diagnostics();
  const bytes = new TextEncoder().encode(`version = 1\n${rule}\n`);
  const file = parsePolicy({ file: "<change>", bytes }, diagnostics);
  return diagnostics.failed ? undefined : file?.rules[0];
}

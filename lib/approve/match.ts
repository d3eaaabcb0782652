/**
 * What a standing grant covers. Wider than one exact action only where an approver says so, and never by anything that
 * a program chooses freely: a command pattern is bound to the resolved program, not to the name that it was called by.
 */
import { type Action, actionDigest, type ActionType, err, ok, type Result } from "../core/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";

/** What a grant covers. */
export type GrantSubject =
  | { readonly kind: "exact"; readonly digest: string; readonly shown: string }
  /** Arguments word by word; `*` is any run of characters in a word, and as the last word any number of words. */
  | {
    readonly kind: "command";
    readonly path: string;
    readonly name: string;
    readonly interpreter?: string;
    readonly words: readonly string[];
  }
  /** A glob: `**` crosses directories, `*` does not. */
  | { readonly kind: "file"; readonly types: readonly ActionType[]; readonly glob: string }
  /** No ports: any. */
  | {
    readonly kind: "network";
    readonly type: ActionType;
    readonly protocol: string;
    readonly host: string;
    readonly ports?: readonly number[];
  }
  /** No tool: any tool of the server. */
  | { readonly kind: "tool"; readonly source: string; readonly server?: string; readonly tool?: string };

/**
 * Characters with which one command line becomes several, or writes where it does not say: with one of them in any
 * argument nothing is answered by a standing grant.
 */
const SHELL = /[;&|`\n<>]|\$\(/;

/** Kinds of file actions that one pattern covers together. */
const FILE_PERMISSIONS: readonly (readonly ActionType[])[] = [
  ["file.read"],
  ["file.write", "file.create", "file.truncate"],
  ["file.delete", "file.rmdir"],
  ["file.mkdir"],
  ["file.chmod"],
  ["file.chown"],
];

/** Stands for bytes that are no UTF-8: many different names look the same with it. */
const UNREADABLE = "\u{FFFD}";

/** Why no standing grant may answer this action; `undefined` if one may. */
export function whyNotStanding(action: Action): string | undefined {
  if (JSON.stringify(action).includes(UNREADABLE)) return "it holds bytes that are no text";
  if (action.type === "exec") {
    if ([action.path, ...action.argv].some((word) => SHELL.test(word))) {
      return "its arguments hold characters of a shell (; & | ` $( < > or a line break)";
    }
    const odd = action.flags?.find((flag) => ["memfd", "deleted", "args_truncated", "path_truncated"].includes(flag));
    if (odd !== undefined) return `the program or its arguments are not known for sure (${odd})`;
  }
  if ("path" in action && hasParent(action.path)) return "its path holds ..";
  if ("flags" in action && action.flags?.some((flag) => flag === "path_truncated" || flag === "requested_only")) {
    return "its path is not known for sure";
  }
  return undefined;
}

/** What a pattern may look like for this action, as an example; `undefined` where only the exact action can match. */
export function matchHint(action: Action): string | undefined {
  if (whyNotStanding(action) !== undefined) return undefined;
  switch (action.type) {
    case "exec": {
      const first = action.argv[1];
      return first === undefined || /[\s*]/.test(first) ? "*" : `${first} *`;
    }
    case "net.connect":
    case "net.send":
      return `${action.host ?? action.address}:${action.port}`;
    case "tool.call":
      return action.tool;
    default: {
      if (permissionOf(action.type) === undefined || !("path" in action)) return undefined;
      return `${action.path.slice(0, action.path.lastIndexOf("/"))}/**`;
    }
  }
}

/**
 * What a grant for this action covers: the exact action, or what `match` says, which must cover this action too. The
 * error says what to write instead.
 */
export function grantSubject(action: Action, match: string | undefined): Result<GrantSubject, string> {
  const why = whyNotStanding(action);
  if (why !== undefined) return err(`approve this one only once: ${why}`);
  if (match === undefined) return ok({ kind: "exact", digest: actionDigest(action), shown: action.type });
  if (match.length === 0 || match.length > APPROVAL_LIMITS.match_chars_max || /\p{Cc}/u.test(match)) {
    return err(`use a pattern of 1 to ${APPROVAL_LIMITS.match_chars_max} characters without control characters`);
  }
  const subject = parseSubject(action, match);
  if (!subject.ok || covers(subject.value, action)) return subject;
  return err("use a pattern that covers the action that is asked about");
}

/** True if the grant answers this action. */
export function covers(subject: GrantSubject, action: Action): boolean {
  if (whyNotStanding(action) !== undefined) return false;
  switch (subject.kind) {
    case "exact":
      return subject.digest === actionDigest(action);
    case "command":
      return action.type === "exec" && action.path === subject.path && (action.argv[0] ?? "") === subject.name &&
        action.interpreter === subject.interpreter && wordsMatch(subject.words, action.argv.slice(1));
    case "file":
      return subject.types.includes(action.type) && "path" in action && globMatches(subject.glob, action.path);
    case "network":
      return (action.type === "net.connect" || action.type === "net.send") && action.type === subject.type &&
        action.protocol === subject.protocol && (action.host === subject.host || action.address === subject.host) &&
        (subject.ports === undefined || subject.ports.includes(action.port));
    case "tool":
      return action.type === "tool.call" && action.source === subject.source && action.server === subject.server &&
        (subject.tool === undefined || subject.tool === action.tool);
  }
}

/** In words, for people. */
export function describeSubject(subject: GrantSubject): string {
  switch (subject.kind) {
    case "exact":
      return `exactly this ${subject.shown}`;
    case "command":
      return [subject.path, ...subject.words].join(" ");
    case "file":
      return `${subject.types.join(", ")} ${subject.glob}`;
    case "network":
      return `${subject.type} ${subject.protocol} ${subject.host}:${subject.ports?.join(",") ?? "*"}`;
    case "tool":
      return `tool ${subject.tool ?? "*"}${
        subject.server === undefined ? "" : ` of ${subject.server}`
      } (${subject.source})`;
  }
}

function parseSubject(action: Action, match: string): Result<GrantSubject, string> {
  switch (action.type) {
    case "exec":
      return ok({
        kind: "command",
        path: action.path,
        name: action.argv[0] ?? "",
        ...(action.interpreter === undefined ? {} : { interpreter: action.interpreter }),
        words: match.trim().split(/ +/),
      });
    case "net.connect":
    case "net.send":
      return networkSubject(action, match);
    case "tool.call":
      return ok({
        kind: "tool",
        source: action.source,
        ...(action.server === undefined ? {} : { server: action.server }),
        ...(match === "*" ? {} : { tool: match }),
      });
    default: {
      const types = permissionOf(action.type);
      if (types === undefined) return err(`approve this ${action.type} without a pattern: it has none`);
      if (!match.startsWith("/") || hasParent(match)) return err("use an absolute path without .. as the pattern");
      return ok({ kind: "file", types, glob: match });
    }
  }
}

function networkSubject(
  action: Extract<Action, { readonly protocol: string }>,
  match: string,
): Result<GrantSubject, string> {
  const parts = /^(.+):(\*|\d{1,5}(?:,\d{1,5})*)$/.exec(match);
  const host = (parts?.[1] ?? match).replace(/^\[(.*)\]$/, "$1");
  const ports = parts?.[2] ?? String(action.port);
  if (host.includes("*")) return err("use a whole host or address in the pattern: HOST:PORT, HOST:80,443 or HOST:*");
  return ok({
    kind: "network",
    type: action.type,
    protocol: action.protocol,
    host,
    ...(ports === "*" ? {} : { ports: ports.split(",").map(Number) }),
  });
}

function permissionOf(type: ActionType): readonly ActionType[] | undefined {
  return FILE_PERMISSIONS.find((types) => types.includes(type));
}

function hasParent(path: string): boolean {
  return path.split("/").includes("..");
}

function wordsMatch(pattern: readonly string[], words: readonly string[]): boolean {
  const open = pattern.at(-1) === "*";
  const fixed = open ? pattern.slice(0, -1) : pattern;
  if (words.length < fixed.length || (!open && words.length !== fixed.length)) return false;
  return fixed.every((word, at) => globMatches(word.replaceAll("*", "**"), words[at] ?? ""));
}

/**
 * `**` is any run of characters, `*` any run without a slash. Time is bounded by the product of both lengths: it keeps
 * the set of places in the pattern that the text so far can have reached.
 */
function globMatches(glob: string, text: string): boolean {
  const tokens = glob.match(/\*\*+|[^]/gu) ?? [];
  const runs = tokens.map((token) => token.startsWith("*"));
  /** Runs may be empty: a place before one is also a place behind it. */
  const close = (places: Uint8Array): void => runs.forEach((run, at) => places[at + 1] ||= run ? places[at] ?? 0 : 0);
  let places = new Uint8Array(tokens.length + 1);
  places[0] = 1;
  close(places);
  for (const character of text) {
    const next = new Uint8Array(tokens.length + 1);
    tokens.forEach((token, at) => {
      if (places[at] !== 1) return;
      if (runs[at] !== true) next[at + 1] ||= token === character ? 1 : 0;
      else if (token !== "*" || character !== "/") next[at] = 1;
    });
    close(next);
    if (!next.includes(1)) return false;
    places = next;
  }
  return places[tokens.length] === 1;
}

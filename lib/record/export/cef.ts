/** ArcSight Common Event Format, version 0. Source: Micro Focus, "ArcSight Common Event Format", revision 26. */
import { type Entry, parseTime } from "../../core/mod.ts";
import {
  baseName,
  commandLine,
  integerAt,
  messageOf,
  type Place,
  type Severity,
  severityOf,
  textAt,
  textsAt,
  typeOf,
} from "./fields.ts";
import { escapeActive } from "./safe_text.ts";

/** What every line names. */
export interface CefOptions {
  /** Version of the product. */
  readonly product_version: string;
  /** The host whose record it is. */
  readonly host: string;
}

/** Severity from 0 to 10. */
const SEVERITIES: Readonly<Record<Severity, number>> = { info: 2, low: 3, medium: 5, high: 8, critical: 10 };

/** Names for people, by type; other types are their own names. */
const NAMES: Readonly<Record<string, string>> = {
  "exec": "Program started",
  "exec.failed": "Program start failed",
  "process.fork": "Process created",
  "process.exit": "Process ended",
  "file.read": "File opened for reading",
  "file.write": "File opened for writing",
  "file.create": "File created",
  "file.truncate": "File truncated",
  "file.delete": "File deleted",
  "file.mkdir": "Directory created",
  "file.rmdir": "Directory removed",
  "file.chmod": "File mode changed",
  "file.chown": "File owner changed",
  "file.mknod": "Device file created",
  "file.rename": "File renamed",
  "file.link": "Hard link created",
  "file.symlink": "Symbolic link created",
  "net.connect": "Network connection",
  "net.send": "Datagram sent",
  "net.bind": "Network address bound",
  "net.listen": "Network port listened on",
  "net.dns": "Name resolved",
  "unix.connect": "Unix socket connection",
  "tool.call": "Tool called",
  "approval.asked": "Approval asked for",
  "approval.vote": "Vote on an approval",
  "approval.answered": "Approval answered",
  "approval.granted": "Standing grant given",
  "approval.revoked": "Standing grant revoked",
  "approval.undelivered": "Approval notice not delivered",
  "session.start": "Session started",
  "session.end": "Session ended",
  "gap": "Records lost",
  "outcome": "Outcome of a decision",
};

/** Longest value of a key, characters; those that are not named take 1023. Source: the extension dictionary. */
const CHARS_MAX: Readonly<Record<string, number>> = {
  act: 63,
  outcome: 63,
  proto: 31,
  app: 31,
  externalId: 40,
  dvchost: 100,
  ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`cs${n}`, 4_000])),
};
const CHARS_MAX_DEFAULT = 1_023;
/** Longest field of the header. */
const HEADER_CHARS_MAX = 512;

/** A key of the extension: where its value is read, and as what. */
type Row = readonly [key: string, from: Place | ((entry: Entry) => string | number | undefined)];

/** The extension, in the order in which it is written. */
const EXTENSION: readonly Row[] = [
  ["rt", (entry) => millisecondsOf(entry.time)],
  ["externalId", ["entry", "entry_id"]],
  ["cat", ["entry", "kind"]],
  ["act", ["decision", "verdict"]],
  ["outcome", (entry) => textAt(entry, "outcome", "label") ?? resultOf(entry)],
  ["reason", (entry) => textAt(entry, "decision", "reason") ?? textAt(entry, "outcome", "error")],
  ["spid", ["process", "pid"]],
  ["sproc", ["process", "exe"]],
  ["suid", ["process", "uid"]],
  ["suser", ["entry", "principal"]],
  ["dst", (entry) => addressOf(entry, 4)],
  ["dhost", ["action", "host"]],
  ["dpt", ["action", "port"]],
  ["proto", (entry) => textAt(entry, "action", "protocol")?.toUpperCase()],
  ["c6a3", (entry) => addressOf(entry, 6)],
  ["dpid", ["action", "child", "pid"]],
  ["dproc", (entry) => typeOf(entry) === "exec" ? textAt(entry, "action", "path") : undefined],
  ["fname", (entry) => fileOf(entry, baseName)],
  ["filePath", (entry) => fileOf(entry, (path) => path)],
  ["filePermission", ["action", "mode"]],
  [
    "oldFilePath",
    (entry) => textAt(entry, "action", "new_path") === undefined ? undefined : textAt(entry, "action", "path"),
  ],
  ["in", ["outcome", "bytes_read"]],
  ["out", ["outcome", "bytes_written"]],
  ["cnt", (entry) => integerAt(entry, "gap", "count") ?? integerAt(entry, "action", "count")],
  ["cs1", ["entry", "session_id"]],
  ["cs2", ["decision", "rule"]],
  ["cs3", policyOf],
  ["cs4", (entry) => argvOf(entry)],
  ["cs5", (entry) => textAt(entry, "decision", "decision_id") ?? textAt(entry, "outcome", "decision_id")],
  ["cs6", otherOf],
  ["cn1", ["entry", "seq"]],
  ["cn2", (entry) => integerAt(entry, "action", "exit_code")],
  ["cn3", (entry) => integerAt(entry, "action", "signal")],
  ["msg", messageOf],
];

/** What the custom keys mean. */
const LABELS: Readonly<Record<string, string>> = {
  c6a3: "Destination IPv6 Address",
  cs1: "session_id",
  cs2: "rule",
  cs3: "policy",
  cs4: "command_line",
  cs5: "decision_id",
  cs6: "details",
  cn1: "seq",
  cn2: "exit_code",
  cn3: "signal",
};

/** Members of an action that have a key of their own, or none because `msg` says them. */
const MAPPED: ReadonlySet<string> = new Set([
  ...["type", "path", "new_path", "argv", "host", "port", "address", "protocol", "result", "errno"],
  ...["mode", "child", "count", "exit_code", "signal"],
]);

const ONLY_TYPE: ReadonlySet<string> = new Set(["type"]);

/**
 * One entry as one line without its end. Nothing in it can end the line, the header or a value, or act on a terminal.
 */
export function cefLine(entry: Entry, options: CefOptions): string {
  const type = typeOf(entry);
  const name = Object.hasOwn(NAMES, type) ? NAMES[type] ?? type : type;
  const header = ["agentguard", "agentguard", options.product_version, type, name].map(headerText);
  const extension = [`dvchost=${valueText("dvchost", options.host)}`];
  for (const [key, from] of EXTENSION) {
    const value = typeof from === "function" ? from(entry) : textAt(entry, ...from) ?? integerAt(entry, ...from);
    if (value === undefined || value === "") continue;
    extension.push(`${key}=${valueText(key, `${value}`)}`);
    const label = LABELS[key];
    if (label !== undefined) extension.push(`${key}Label=${label}`);
  }
  return `CEF:0|${header.join("|")}|${SEVERITIES[severityOf(entry)]}|${extension.join(" ")}`;
}

/** Header fields escape the backslash and the pipe; line ends are not allowed in them. */
function headerText(text: string): string {
  const escaped = cut(text, HEADER_CHARS_MAX).replaceAll("\\", "\\\\").replaceAll("|", "\\|");
  return escapeActive(escaped, true);
}

/** Values escape the backslash, the equals sign and line ends. */
function valueText(key: string, text: string): string {
  const escaped = cut(text, CHARS_MAX[key] ?? CHARS_MAX_DEFAULT).replaceAll("\\", "\\\\").replaceAll("=", "\\=")
    .replaceAll("\r", "\\r").replaceAll("\n", "\\n");
  return escapeActive(escaped, true);
}

/** At most `max` characters, the last three of them dots where something was cut. */
function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 3)}...`;
}

function millisecondsOf(time: string): number | undefined {
  const time_us = parseTime(time);
  return time_us === undefined ? undefined : Math.floor(time_us / 1_000);
}

function addressOf(entry: Entry, version: 4 | 6): string | undefined {
  const address = textAt(entry, "action", "address");
  return address?.includes(":") === (version === 6) ? address : undefined;
}

function resultOf(entry: Entry): string | undefined {
  const result = textAt(entry, "action", "result") ?? textAt(entry, "action", "errno");
  return result === "0" ? "success" : result;
}

/** The file that an action leaves behind or was about. */
function fileOf(entry: Entry, part: (path: string) => string): string | undefined {
  const path = textAt(entry, "action", "new_path") ?? textAt(entry, "action", "path") ??
    textAt(entry, "action", "requested_path");
  return path === undefined ? undefined : part(path);
}

function policyOf(entry: Entry): string | undefined {
  const name = textAt(entry, "decision", "policy", "name");
  return name === undefined ? undefined : `${name}#${integerAt(entry, "decision", "policy", "generation") ?? 0}`;
}

function argvOf(entry: Entry): string | undefined {
  const argv = textsAt(entry, "action", "argv") ?? textsAt(entry, "process", "argv");
  return argv === undefined ? undefined : commandLine(argv);
}

/** What has no key, as JSON: nothing of an action is left out silently. */
function otherOf(entry: Entry): string | undefined {
  // Of a type that is not known here nothing is taken to mean what it means elsewhere.
  const mapped = Object.hasOwn(NAMES, typeOf(entry)) ? MAPPED : ONLY_TYPE;
  const action = Object.entries(entry.action ?? {}).filter(([member]) => !mapped.has(member));
  const mode = textAt(entry, "decision", "mode");
  const would = textAt(entry, "decision", "would");
  const mechanism = textAt(entry, "outcome", "mechanism");
  const other = {
    ...Object.fromEntries(action),
    ...(mode === undefined ? {} : { mode }),
    ...(would === undefined ? {} : { would }),
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(entry.gap === undefined ? {} : { gap: entry.gap }),
  };
  return Object.keys(other).length === 0 ? undefined : JSON.stringify(other);
}

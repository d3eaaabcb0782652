/** Two multisets of actions against each other: what must be in the record, and what is. */
import { posix } from "node:path";
import type { Action, Entry } from "../../../lib/core/mod.ts";
import type { Expected } from "./expected.ts";

/** An entry with an action and a process. */
export interface Seen {
  readonly entry: Entry;
  readonly action: Action;
  readonly pid: number;
}

/** The entries that say that something happened; outcomes repeat the action that they belong to. */
export function seenActions(entries: readonly Entry[]): readonly Seen[] {
  const seen: Seen[] = [];
  for (const entry of entries) {
    if (entry.kind !== "observation" && entry.kind !== "decision") continue;
    if (entry.action === undefined || entry.process === undefined) continue;
    seen.push({ entry, action: entry.action, pid: entry.process.pid });
  }
  return seen;
}

/** How strictly actions are compared. */
export interface CompareOptions {
  /** Process ids are those of the log; else both runs numbered their processes, ports and unnamed files themselves. */
  readonly same_run: boolean;
}

/** What differs; both lists empty where the record is exactly right. */
export interface Differences {
  /** Expected and not recorded, each with the nearest recorded action that nothing else explains. */
  readonly missing: readonly string[];
  /** Recorded and not expected. */
  readonly invented: readonly string[];
}

/** Compares; every expected action takes exactly one recorded one, or one unit of a coalesced one. */
export function compare(expected: readonly Expected[], seen: readonly Seen[], options: CompareOptions): Differences {
  const single = new Map<string, Seen[]>();
  const merged: { readonly seen: Seen; left: number }[] = [];
  for (const item of seen) {
    const count = "count" in item.action ? item.action.count ?? 1 : 1;
    if (count > 1) merged.push({ seen: item, left: count });
    else bucket(single, keyOf(item.pid, item.action.type, options)).push(item);
  }
  const unmatched: Expected[] = [];
  for (const one of expected) {
    const candidates = bucket(single, keyOf(one.pid, one.type, options));
    const at = candidates.findIndex((item) => firstDifference(one, item, options) === undefined);
    if (at >= 0) candidates.splice(at, 1);
    else unmatched.push(one);
  }
  const missing: string[] = [];
  for (const one of unmatched) {
    const group = merged.find((item) => item.left > 0 && coversMerged(one, item.seen, options));
    if (group !== undefined) group.left--;
    else missing.push(describeMissing(one, bucket(single, keyOf(one.pid, one.type, options)), options));
  }
  const invented = [...single.values()].flat().map((item) => describe(item));
  for (const group of merged) if (group.left > 0) invented.push(`${group.left} of ${describe(group.seen)}`);
  return { missing, invented };
}

function bucket(map: Map<string, Seen[]>, key: string): Seen[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made: Seen[] = [];
  map.set(key, made);
  return made;
}

function keyOf(pid: number, type: string, options: CompareOptions): string {
  return options.same_run ? `${pid} ${type}` : type;
}

/** Under pressure opens of one process in one directory are merged: the path is the directory or a file in it. */
function coversMerged(one: Expected, item: Seen, options: CompareOptions): boolean {
  if (item.action.type !== one.type || (options.same_run && item.pid !== one.pid)) return false;
  if (!("path" in item.action) || !("result" in item.action) || item.action.result !== one.result) return false;
  const path = item.action.path;
  return (one.paths ?? []).some((accepted) => {
    const directory = posix.dirname(accepted);
    return directory === path || directory === posix.dirname(path);
  });
}

/** The first field in which the recorded action is not the expected one, with both values. */
function firstDifference(one: Expected, item: Seen, options: CompareOptions): string | undefined {
  const differs = (field: string, wanted: unknown, got: unknown): string =>
    `${field}: expected ${JSON.stringify(wanted)}, recorded ${JSON.stringify(got)}`;
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(item.action));
  const loose = (value: unknown): unknown => typeof value === "string" ? comparable(value, options) : value;
  const oneOf = (field: string, accepted: readonly unknown[]): string | undefined =>
    accepted.map(loose).includes(loose(fields.get(field))) ? undefined : differs(field, accepted, fields.get(field));
  const flags = flagsOf(item.action);
  const requested_only = flags.includes("requested_only");
  const checks: (string | undefined)[] = [];
  const check = (field: string, accepted: readonly unknown[] | undefined): void => {
    if (accepted !== undefined) checks.push(oneOf(field, accepted));
  };
  check("path", requested_only ? one.absolutes : one.paths);
  check("new_path", requested_only ? one.new_absolutes : one.new_paths);
  // A long name may be cut, and then says so.
  if (!flags.includes("path_truncated")) {
    checks.push(requestedDifference(item.action, { name: "requested_path", of: "path", accepted: one.requested }));
    const accepted = one.requested_new === undefined ? undefined : [one.requested_new];
    checks.push(requestedDifference(item.action, { name: "requested_new_path", of: "new_path", accepted }));
  }
  check("cwd", one.cwd === undefined ? undefined : [one.cwd]);
  check("interpreter", one.interpreter === undefined ? undefined : [one.interpreter]);
  check(one.type === "exec.failed" ? "errno" : "result", resultsOf(one));
  check("protocol", one.protocol === undefined ? undefined : [one.protocol]);
  check("address", one.address === undefined ? undefined : [one.address]);
  if (one.port !== undefined && (options.same_run || one.port < 1024)) check("port", [one.port]);
  check("owner", one.owner === undefined ? undefined : [one.owner]);
  if (one.type === "process.exit") {
    check("exit_code", [one.exit_code]);
    check("signal", [one.signal]);
  }
  checks.push(modeDifference(one, fields.get("mode")), argvDifference(one, item.action, options));
  for (const flag of one.flags ?? []) if (!flags.includes(flag)) checks.push(differs("flags", flag, flags));
  if (one.child !== undefined && options.same_run) {
    const child = item.action.type === "process.fork" ? item.action.child.pid : undefined;
    if (child !== one.child) checks.push(differs("child", one.child, child));
  }
  // At its exec a process is between two images.
  if (one.exe !== undefined && one.type !== "exec" && loose(one.exe) !== loose(item.entry.process?.exe)) {
    checks.push(differs("process.exe", one.exe, item.entry.process?.exe));
  }
  return checks.find((difference) => difference !== undefined);
}

/** The requested name may be left out only where the path says the same, or where it is empty. */
function requestedDifference(
  action: Action,
  field: { readonly name: string; readonly of: string; readonly accepted: readonly string[] | undefined },
): string | undefined {
  if (field.accepted === undefined) return undefined;
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(action));
  const recorded = fields.get(field.name) ?? fields.get(field.of);
  const left_out = fields.get(field.name) === undefined && field.accepted.includes("");
  return left_out || field.accepted.some((accepted) => accepted === recorded)
    ? undefined
    : `${field.name}: expected ${JSON.stringify(field.accepted)}, recorded ${JSON.stringify(fields.get(field.name))}`;
}

/** A hook that runs before the result is known leaves it out. */
function resultsOf(one: Expected): readonly unknown[] | undefined {
  if (one.result === undefined) return undefined;
  return one.type.startsWith("net.") ? [one.result, undefined] : [one.result];
}

function modeDifference(one: Expected, recorded: unknown): string | undefined {
  if (one.mode === undefined) return undefined;
  const got = typeof recorded === "string" ? Number.parseInt(recorded, 8) & 0o7777 : undefined;
  return got === one.mode ? undefined : `mode: expected 0${one.mode.toString(8)}, recorded ${JSON.stringify(recorded)}`;
}

function argvDifference(one: Expected, action: Action, options: CompareOptions): string | undefined {
  if (one.argv === undefined) return undefined;
  if (action.type !== "exec") return "argv: recorded nothing";
  const wanted = one.argv.map((argument) => comparable(argument, options)).join("\0");
  const got = action.argv.map((argument) => comparable(argument, options)).join("\0");
  if (one.flags?.includes("args_truncated") === true) {
    // What is kept of too many arguments is their beginning, and nearly all that fits.
    if (wanted.startsWith(got) && got.length > 60_000) return undefined;
    return `argv: expected the beginning of ${wanted.length} characters, ` +
      `recorded ${got.length} of other ones or too few`;
  }
  return wanted === got && one.argv.length === action.argv.length
    ? undefined
    : `argv: expected ${JSON.stringify(one.argv).slice(0, 300)}, recorded ${JSON.stringify(action.argv).slice(0, 300)}`;
}

function flagsOf(action: Action): readonly string[] {
  return "flags" in action ? action.flags ?? [] : [];
}

/** The text without what the kernel adds to a name that is gone; of another run also without numbers of its own. */
function comparable(text: string, options: CompareOptions): string {
  const name = text.replace(/ \(deleted\)$/, "");
  if (options.same_run) return name;
  return name.replace(/\/#\d+$/, "/#N").replace(/^\/proc\/\d+/, "/proc/N").replace(/^(\/dev\/fd\/)\d+/, "$1N");
}

function describe(item: Seen): string {
  const { prev: _prev, entry_id: _entry_id, boot_id: _boot_id, decision: _decision, ...rest } = item.entry;
  return JSON.stringify(rest).slice(0, 600);
}

function describeMissing(one: Expected, candidates: readonly Seen[], options: CompareOptions): string {
  const text = JSON.stringify(one).slice(0, 600);
  const nearest = candidates.find((item) => similar(one, item.action)) ?? candidates[0];
  if (nearest === undefined) return `${text}; no such action of that process`;
  return `${text}; nearest has ${firstDifference(one, nearest, options) ?? "no difference"}`;
}

function similar(one: Expected, action: Action): boolean {
  if ("requested_path" in action && one.requested?.includes(action.requested_path ?? "") === true) return true;
  if ("path" in action && one.paths?.includes(action.path) === true) return true;
  return "address" in action && action.address === one.address && action.port === one.port;
}

/** Whether what commands read can wait by fanotify: under a policy, and on this host. */
import { type Dirent, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import type { BaselinePart } from "../core/mod.ts";
import { type PolicySnapshot, refusableActions, speaksOfProc } from "../decide/mod.ts";
import { landlockVersion, tryWatching } from "../../ffi/mod.ts";

/**
 * Parts of the baseline that keep a command from mounts that are not watched: its own, later ones, and those of other
 * processes (`/proc/PID/root`), which Landlock closes.
 */
const NEEDED: readonly BaselinePart[] = ["mounts", "namespaces"];
/** One of these, by the version of Landlock that brought it. */
const LANDLOCK: Readonly<Partial<Record<BaselinePart, number>>> = { trees: 3, ports: 4, scope: 6 };
/** Names that one look at /proc collects. */
const PROC_NAMES_MAX = 20_000;

/** Why reads under a policy cannot wait by fanotify on any host; `undefined` where they can. */
export function unwatchable(snapshot: PolicySnapshot): string | undefined {
  const { parts } = snapshot.guard.baseline;
  const lacking = NEEDED.filter((part) => !parts.includes(part));
  if (lacking.length > 0) return `[guard] baseline leaves out ${lacking.join(", ")}`;
  if (!parts.some((part) => part in LANDLOCK)) return "[guard] baseline leaves out scope";
  const rule = speaksOfProc(snapshot, procNames);
  return rule === undefined ? undefined : `${rule} may be about files in /proc, whose opens fanotify does not show`;
}

/** True where a command under this policy is to be started with its reads watched. */
export function watchesReads(snapshot: PolicySnapshot): boolean {
  return refusableActions(snapshot).has("file.read") && unwatchable(snapshot) === undefined &&
    cannotWatch(snapshot.guard.baseline.parts) === undefined;
}

/** Why this host cannot hold opens by fanotify; tried, without changing anything. `undefined` where it can. */
export function cannotWatch(parts: readonly BaselinePart[]): string | undefined {
  const version = landlockVersion();
  if (!parts.some((part) => version >= (LANDLOCK[part] ?? Infinity))) {
    return `Landlock ${version === 0 ? "is not there" : `has version ${version}`}: /proc/PID/root would lead around it`;
  }
  const errno = tryWatching(tmpdir());
  if (errno === "EOPNOTSUPP") return "this kernel would have the guard open FIFOs and devices to see what they are";
  return errno === undefined ? undefined : `tried, ${errno}`;
}

/** True where the baseline that was put in place keeps a command to watched mounts. */
export function staysWatched(baseline: ReadonlyMap<BaselinePart, number>): boolean {
  const has = (part: BaselinePart): boolean => baseline.get(part) === 0;
  return NEEDED.every(has) && (["trees", "ports", "scope"] as const).some(has);
}

/** Every name in /proc, `undefined` where they are too many; of processes, those of this one, as all have the same. */
function procNames(): ReadonlySet<string> | undefined {
  const names = new Set<string>(["self", "thread-self"]);
  const waiting = ["/proc"];
  let looked = 0;
  const pid = String(process.pid);
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of entriesOf(directory)) {
      if (++looked > PROC_NAMES_MAX) return undefined;
      const number = /^\d+$/.test(entry.name);
      if (!number) names.add(entry.name);
      if (entry.isDirectory() && (!number || entry.name === pid)) waiting.push(`${directory}/${entry.name}`);
    }
  }
  return names;
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // gone meanwhile, or nobody's to list
  }
}

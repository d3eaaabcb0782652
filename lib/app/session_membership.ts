/**
 * Whether a process belongs to a guarded session. Three ways, each enough: the mark that the kernel programs keep on
 * each task of a session and its descendants, its cgroup, and its ancestors.
 */
import type { SessionInfo } from "../core/mod.ts";
import { hasTaskStorage, type SystemCalls } from "../../ffi/mod.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";

/** What the guard knows of its sessions. */
export interface MembershipParts {
  readonly system: SystemCalls;
  /** The guard itself: whatever descends from it is its command. */
  readonly self_pid: number;
  /** Descriptor of the map of task storage that marks the tasks of sessions. */
  readonly scopes_fd: () => number;
  /** Sessions that have not ended. */
  readonly sessions: () => readonly SessionInfo[];
}

/** Ancestors that are looked at; a longer line is taken for one of a session. */
const ANCESTORS_MAX = 256;

/**
 * Why the process counts as one of a session; `undefined` where it is proven to be of none. `pidfd` names the process
 * that `pid` was when the facts were read.
 */
export function whyInside(
  parts: MembershipParts,
  process: { readonly pid: number; readonly pidfd: number; readonly facts: ProcessFacts | undefined },
): string | undefined {
  const { pid, pidfd, facts } = process;
  const ended = `process ${pid} has ended: nobody can tell who it was`;
  if (facts === undefined || pidfd < 0) return ended;
  const of_session = `process ${pid} belongs to a guarded session: what it asks for is answered from outside`;
  try {
    if (hasTaskStorage(parts.system, parts.scopes_fd(), pidfd)) return of_session;
  } catch {
    return parts.system.pidfdSignal(pidfd, 0) === 0
      ? `nobody can tell whether process ${pid} is outside of every session`
      : ended;
  }
  const { cgroup } = facts;
  const leaves = parts.sessions().flatMap((session) => session.cgroup ?? []);
  if (cgroup === undefined) return `the cgroup of process ${pid} cannot be read`;
  if (leaves.some((leaf) => cgroup === leaf || cgroup.startsWith(`${leaf}/`))) return of_session;
  if (descends(parts, facts)) return of_session;
  // All of this was about the process that is meant only if it is still there: its pid was not used again.
  return parts.system.pidfdSignal(pidfd, 0) === 0 ? undefined : ended;
}

/** True if an ancestor is the guard itself or the root of a session. */
function descends(parts: MembershipParts, facts: ProcessFacts): boolean {
  const roots = new Set([parts.self_pid, ...parts.sessions().map(({ root }) => root.pid)]);
  let at: ProcessFacts | undefined = facts;
  for (let count = 0; at !== undefined && at.ppid !== 0; count++) {
    if (roots.has(at.ppid) || count > ANCESTORS_MAX) return true;
    at = processFacts(at.ppid);
  }
  return false;
}

/** Agents that ran before the guard: which processes match, and which belong to them by descent. */
import type { ProcessInfo } from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { RunningProcess } from "../source/mod.ts";

/** An agent with everything that descends from it. */
export interface RunningAgent {
  readonly name: string;
  readonly root: ProcessInfo;
  /** The root first, parents before children. */
  readonly members: readonly ProcessInfo[];
}

/** Details of a process from /proc; `undefined` where it has ended. */
export type ReadProcess = (
  pid: number,
) =>
  | { readonly exe: string; readonly argv: readonly string[]; readonly cwd: string; readonly cgroup: string }
  | undefined;

/** Finds agents among processes that belong to no session yet. A match below another agent belongs to that agent. */
export function runningAgents(
  processes: readonly RunningProcess[],
  snapshot: PolicySnapshot,
  read: ReadProcess,
): RunningAgent[] {
  const infos = new Map<number, ProcessInfo & { readonly cgroup: string }>();
  for (const process of processes) {
    if (process.scope !== 0) continue;
    const details = read(process.pid);
    if (details === undefined) continue;
    const { pid, ppid, uid, start } = process;
    infos.set(pid, { pid, start, ppid, uid, ...details });
  }
  const children = new Map<number, number[]>();
  for (const info of infos.values()) {
    const ppid = info.ppid ?? 0;
    children.set(ppid, [...(children.get(ppid) ?? []), info.pid]);
  }
  const taken = new Set<number>();
  const agents: RunningAgent[] = [];
  // Oldest first: an agent is found before the agents that it started.
  const by_age = [...infos.values()].sort((a, b) => (BigInt(a.start) < BigInt(b.start) ? -1 : 1));
  for (const info of by_age) {
    if (taken.has(info.pid)) continue;
    const pattern = snapshot.matchAgent(info);
    if (pattern === undefined) continue;
    const members: ProcessInfo[] = [];
    const queue = [info.pid];
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      const member = infos.get(pid);
      if (member === undefined || taken.has(pid)) continue;
      taken.add(pid);
      const { cgroup: _cgroup, ...shown } = member;
      members.push(shown);
      queue.push(...(children.get(pid) ?? []));
    }
    const root = members[0];
    if (root !== undefined) agents.push({ name: pattern.name, root, members });
  }
  return agents;
}

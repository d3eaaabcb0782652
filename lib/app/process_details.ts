/** What /proc and the kernel tell of one process, for the kernel reader. */
import { readFileSync, readlinkSync } from "node:fs";
import { groupNames } from "./account_names.ts";
import type { SessionInfo } from "../core/mod.ts";
import type { KernelProbes } from "../source/mod.ts";

/**
 * The session with its root's start time as the kernel's records have it; /proc tells it to the hundredth of a second
 * only.
 */
export function withExactStart(session: SessionInfo, probes: KernelProbes): SessionInfo {
  const { pid } = session.root;
  const found = probes.has("iterator") ? probes.listProcesses().find((each) => each.pid === pid) : undefined;
  return found === undefined ? session : { ...session, root: { pid, start: found.start } };
}

/** What /proc tells of a process; `undefined` where it has ended. */
export function readProcess(pid: number): { exe: string; argv: string[]; cwd: string; cgroup: string } | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    argv.pop();
    const cgroup = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "/";
    return { exe: readlinkSync(`/proc/${pid}/exe`), argv, cwd: readlinkSync(`/proc/${pid}/cwd`), cgroup };
  } catch {
    return undefined;
  }
}

/** Names of the groups that a process is in, by the host's group(5); none where it has ended. */
export function processGroups(pid: number): readonly string[] {
  try {
    return groupNames(groupIds(readFileSync(`/proc/${pid}/status`, "utf8")));
  } catch {
    return [];
  }
}

/** The effective and the supplementary group ids of a status file of proc(5). */
export function groupIds(status: string): readonly number[] {
  const effective = /^Gid:\t\d+\t(\d+)/m.exec(status)?.[1];
  const supplementary = /^Groups:\t([\d ]*)$/m.exec(status)?.[1]?.trim() ?? "";
  const ids = [...(effective === undefined ? [] : [effective]), ...supplementary.split(" ").filter((id) => id !== "")];
  return [...new Set(ids.map(Number))];
}

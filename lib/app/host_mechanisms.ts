/** What of a host's mechanisms can be told without privileges and without trying. `doctor` tries. */
import { existsSync, readFileSync } from "node:fs";
import { findCgroup2 } from "../act/mod.ts";
import type { EnforcementMechanism } from "../decide/mod.ts";
import { triedGroups } from "../source/mod.ts";

/** What is read; for tests. */
export interface HostFiles {
  /** Mount point of the cgroup v2 hierarchy. */
  readonly cgroup2: string | undefined;
  /** The kernel describes its types, without which no program is loaded. */
  readonly btf: boolean;
  /** seccomp(2): the actions that filters may take, space-separated; empty where there is no seccomp. */
  readonly seccomp_actions: string;
}

/** Mechanisms that this host surely lacks; others may still fail when they are tried. */
export function lackingHere(files: HostFiles = readHost()): ReadonlySet<EnforcementMechanism> {
  const lacking = new Set<EnforcementMechanism>();
  if (files.cgroup2 === undefined) lacking.add("cgroup");
  if (!files.seccomp_actions.split(/\s+/).includes("user_notif")) lacking.add("seccomp");
  // Everything is seen, and what is let go is compared, by programs.
  if (!files.btf) {
    for (const each of ["cgroup", "fanotify", "seccomp", "exec_kill", "kill_after"] as const) lacking.add(each);
  }
  return lacking;
}

/** Programs of session cgroups can see the addresses of unix sockets here. */
export function seesUnixNames(): boolean {
  return triedGroups().includes("unix");
}

function readHost(): HostFiles {
  return { cgroup2: findCgroup2(), btf: existsSync("/sys/kernel/btf/vmlinux"), seccomp_actions: seccompActions() };
}

/** The kernel's list; empty where there is none. */
export function seccompActions(): string {
  try {
    return readFileSync("/proc/sys/kernel/seccomp/actions_avail", "utf8").trim();
  } catch {
    return "";
  }
}

/** The programs of the probes' object, in groups that stand or fall together. */
import { release } from "node:os";
import type { ProbeGroup, ProbeSupport } from "./port.ts";
import type { HeldClasses } from "./scope_value.ts";

/** Groups of the object that every host needs; `lsm` is an object of its own. */
export type BaseGroup = Exclude<ProbeGroup, "lsm">;

/** Programs by group. A group is loaded whole or not at all. */
export const GROUPS: Readonly<Record<BaseGroup, readonly string[]>> = {
  process: ["ag_exec", "ag_fork", "ag_exit"],
  syscall: ["ag_sys_exit"],
  scope: ["ag_cgroup_attach"],
  network: [
    "ag_connect4",
    "ag_connect6",
    "ag_sendmsg4",
    "ag_sendmsg6",
    "ag_bind4",
    "ag_bind6",
    "ag_egress",
    "ag_connect4_held",
    "ag_connect6_held",
    "ag_sendmsg4_held",
    "ag_sendmsg6_held",
  ],
  unix: ["ag_connect_unix", "ag_sendmsg_unix"],
  names: ["ag_dns_in", "ag_dns_out", "ag_teach"],
  iterator: ["ag_tasks"],
  look: ["ag_look"],
};

/** The programs of `names` that are attached; the third one is run by user space. */
export const NAME_HOOKS: readonly string[] = ["ag_dns_in", "ag_dns_out"];

/** Where the programs of `unix` attach (include/uapi/linux/bpf.h): BPF_CGROUP_UNIX_CONNECT, BPF_CGROUP_UNIX_SENDMSG. */
export const UNIX_ATTACH_TYPES: Readonly<Record<string, number>> = { ag_connect_unix: 49, ag_sendmsg_unix: 50 };

/** Where what is connected or sent waits, by a program of the same name with this behind it. */
const HELD = "_held";

/** The programs of a session's cgroup: what of `held` waits for the guard goes nowhere without a grant. */
export function cgroupPrograms(
  { unix, held }: { readonly unix: boolean; readonly held: Pick<HeldClasses, "connect" | "send"> },
): readonly string[] {
  const waits = (name: string): boolean =>
    (held.connect && name.startsWith("ag_connect")) || (held.send && name.startsWith("ag_sendmsg"));
  const chosen = GROUPS.network.filter((name) => !name.endsWith(HELD)).map((name) => waits(name) ? name + HELD : name);
  return [...chosen, ...(unix ? GROUPS.unix : [])];
}

const NAMES: readonly BaseGroup[] = ["process", "syscall", "scope", "network", "unix", "names", "iterator", "look"];

/** The first releases that take a group; what is not here every kernel is asked for. */
const SINCE: Readonly<Partial<Record<BaseGroup, readonly [number, number]>>> = { unix: [6, 7], look: [6, 10] };

/** The groups that are worth trying on this kernel: what it surely lacks would cost a load of everything else. */
export function triedGroups(kernel: string = release()): readonly BaseGroup[] {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  return NAMES.filter((group) => {
    const [since_major, since_minor] = SINCE[group] ?? [0, 0];
    return major > since_major || (major === since_major && minor >= since_minor);
  });
}

/** What is said of the groups that were not tried. */
export function untried(tried: readonly BaseGroup[]): readonly ProbeSupport[] {
  return NAMES.filter((group) => !tried.includes(group)).map((group) => ({
    group,
    available: false,
    detail: `needs Linux ${SINCE[group]?.join(".") ?? "of another release"}`,
  }));
}

/** The names of what a guarded command gives up, and of what it may still reach outside of its tree. */

/** The parts of the baseline that a policy can leave out, in the order in which they are told. */
export const BASELINE_PARTS = ["privileges", "namespaces", "syscalls", "trace", "mounts", "scope"] as const;

/** Parts that a policy has by naming what is allowed; what is not named is refused, without a decision. */
export const LISTED_PARTS = ["trees", "ports"] as const;

/** Every part. */
export const ALL_PARTS: readonly BaselinePart[] = [...BASELINE_PARTS, ...LISTED_PARTS];

/**
 * A part of the baseline:
 *
 * - `privileges`: no_new_privs, and no capability but a few harmless ones;
 * - `namespaces`: no new namespaces, no mounts;
 * - `syscalls`: no foreign ABI, no io_uring, no calls that change the host or the guard's limits;
 * - `trace`: no access to memory and descriptors of other processes;
 * - `mounts`: the guard's files and services outside of the tree are hidden or read-only;
 * - `scope`: no signals, abstract sockets and tracing to the outside of the tree (Landlock, Linux 6.12);
 * - `trees`: files are changed below `write_trees` only (Landlock, Linux 6.2);
 * - `ports`: TCP by `connect_ports` and `bind_ports` only (Landlock, Linux 6.7).
 */
export type BaselinePart = typeof BASELINE_PARTS[number] | typeof LISTED_PARTS[number];

/** Services of the host by which a command could act outside of its tree. */
export const SERVICES = [
  "at",
  "buildkit",
  "containerd",
  "crio",
  "cron",
  "dbus",
  "docker",
  "gpg-agent",
  "libvirt",
  "lxd",
  "names",
  "podman",
  "screen",
  "snapd",
  "ssh-agent",
  "systemd",
  "tmux",
] as const;

/** One of `SERVICES`. */
export type ServiceName = typeof SERVICES[number];

/** What a policy without `[guard] services` leaves reachable: agents that sign without giving their keys away. */
export const SERVICES_DEFAULT: readonly ServiceName[] = ["gpg-agent", "ssh-agent"];

/** Capability numbers (include/uapi/linux/capability.h) by their names without `CAP_`. */
export const CAPABILITIES = {
  chown: 0,
  dac_override: 1,
  dac_read_search: 2,
  fowner: 3,
  fsetid: 4,
  kill: 5,
  setgid: 6,
  setuid: 7,
  setpcap: 8,
  linux_immutable: 9,
  net_bind_service: 10,
  net_broadcast: 11,
  net_admin: 12,
  net_raw: 13,
  ipc_lock: 14,
  ipc_owner: 15,
  sys_module: 16,
  sys_rawio: 17,
  sys_chroot: 18,
  sys_ptrace: 19,
  sys_pacct: 20,
  sys_admin: 21,
  sys_boot: 22,
  sys_nice: 23,
  sys_resource: 24,
  sys_time: 25,
  sys_tty_config: 26,
  mknod: 27,
  lease: 28,
  audit_write: 29,
  audit_control: 30,
  setfcap: 31,
  mac_override: 32,
  mac_admin: 33,
  syslog: 34,
  wake_alarm: 35,
  block_suspend: 36,
  audit_read: 37,
  perfmon: 38,
  bpf: 39,
  checkpoint_restore: 40,
} as const;

/** A capability by its name. */
export type CapabilityName = keyof typeof CAPABILITIES;

/**
 * What a root command keeps: changing owners, modes and users of its own files and children, low ports. A container's
 * usual set without those that make devices (mknod), capabilities (setpcap, setfcap), packets (net_raw) or another root
 * directory (sys_chroot: names would no longer mean what the rules mean) of one's own.
 */
export const CAPABILITIES_KEPT: readonly CapabilityName[] = [
  "chown",
  "dac_override",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "net_bind_service",
  "audit_write",
];

/** Capabilities that undo the baseline; a policy cannot leave them beside it. */
export const CAPABILITIES_NEVER: readonly CapabilityName[] = [
  "bpf",
  "dac_read_search",
  "mac_admin",
  "mac_override",
  "perfmon",
  "setpcap",
  "sys_admin",
  "sys_boot",
  "sys_module",
  "sys_ptrace",
  "sys_rawio",
];

/** Something that a rule closes whatever happens, hidden in the command's mount namespace from its start. */
export interface Mask {
  /** Absolute and resolved. */
  readonly path: string;
  /** A directory with all that is below. */
  readonly tree: boolean;
  readonly rule: string;
  /** Of the policy that the session began with. */
  readonly rule_index: number;
}

/** What a session's command gave up. */
export interface StartedBaseline {
  /** In force, and without the guard too. */
  readonly parts: readonly BaselinePart[];
  /** Paths that rules close and that are hidden from it; absent: none. */
  readonly masked?: readonly string[];
  /** Wanted, but not had on this host, with the reason: `scope: EOPNOTSUPP`. */
  readonly lacking?: readonly string[];
}

/** What a session's command gives up, as the policy says. */
export interface BaselineSettings {
  readonly parts: readonly BaselinePart[];
  /** Services that stay reachable. */
  readonly services: readonly ServiceName[];
  /** Capabilities kept beside `CAPABILITIES_KEPT`. */
  readonly capabilities: readonly CapabilityName[];
  /** Directories and files that may be changed, absolute or `~/...`; absent: every one. */
  readonly write_trees?: readonly string[];
  /** TCP ports; absent: every one. */
  readonly connect_ports?: readonly number[];
  readonly bind_ports?: readonly number[];
}

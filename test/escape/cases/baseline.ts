/** What no command may do, whatever its policy says: the guard is attacked, or the tree is left. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { BaselinePart, Mechanism } from "../../../lib/core/mod.ts";
import { cgroupMount } from "../../support/mod.ts";
import { type EscapeCase, type Expectation, refusedBy, saidOk, type Seen } from "../harness/mod.ts";

/** A host without the part promises nothing. */
const OTHERWISE: Expectation = { label: "none", mechanism: "none", effect: "may" };

const SEGMENTATION_FAULT = 128 + 11;
/** Where a host with cgroup v1 has it. */
const FREEZER = "/sys/fs/cgroup/freezer";

interface Attempt {
  readonly escape: string;
  readonly part: BaselinePart;
  readonly mechanism: Mechanism;
  /** `@OUT@` stands for the directory that state, runtime and policy are in. */
  readonly argument?: string;
}

function attempt(way: string, { escape, part, mechanism, argument = "" }: Attempt): EscapeCase {
  const suffix = argument === "launcher" ? "-launcher" : argument.startsWith("guard:") ? "-guard" : "";
  return {
    id: `base-${way}${suffix}`,
    escape,
    rules: [],
    command: ({ program, dir }) => [program("baseline"), way, argument.replace("@OUT@", dirname(dirname(dir)))],
    happened: succeeded,
    expected: [refusedBy(part, mechanism), OTHERWISE],
  };
}

/** Whether it worked. An attempt that was never made says nothing: only a kernel without the i386 ABI ends it so. */
function succeeded(seen: Seen): boolean {
  if (seen.stdout.trim() === "" && seen.status !== SEGMENTATION_FAULT) {
    throw new Error(`attempt without a word: status ${seen.status}, ${seen.stderr}`);
  }
  return saidOk(seen);
}

/** A call that the filter knows by its number and registers. */
function call(part: BaselinePart, ways: Readonly<Record<string, string>>): readonly EscapeCase[] {
  return Object.entries(ways).map(([way, escape]) => attempt(way, { escape, part, mechanism: "seccomp" }));
}

/** Attacks on guard and launcher. */
function onGuard(way: string, escape: string, part: BaselinePart, mechanism: Mechanism): readonly EscapeCase[] {
  return ["launcher", "guard:@OUT@/state"].map((argument) => attempt(way, { escape, part, mechanism, argument }));
}

function place(id: string, way: string, escape: string, argument: string): EscapeCase {
  return { ...attempt(way, { escape, part: "mounts", mechanism: "mounts", argument }), id: `base-${id}` };
}

/** Attempts. */
export const BASELINE: readonly EscapeCase[] = [
  ...call("namespaces", {
    "unshare-mount": "unshare: a mount namespace",
    "unshare-user": "unshare: a user namespace, with every capability in it",
    "unshare-pid": "unshare: a pid namespace",
    "unshare-net": "unshare: a network namespace",
    "unshare-cgroup": "unshare: a cgroup namespace",
    "clone-namespaces": "clone with CLONE_NEWNS and CLONE_NEWUSER",
    clone3: "clone3, whose flags are in memory",
    setns: "setns",
    "pivot-root": "pivot_root",
    fsopen: "fsopen",
    "mount-setattr": "mount_setattr",
  }),
  ...call("syscalls", {
    i386: "a 32-bit system call (int 0x80)",
    x32: "an x32 system call",
    bpf: "bpf()",
    perf: "perf_event_open",
    userfaultfd: "userfaultfd",
    "add-key": "add_key",
    keyctl: "keyctl",
    "finit-module": "finit_module",
    kexec: "kexec_load",
    listener: "a second seccomp listener, which would answer held calls",
    "type-into-terminal": "TIOCSTI",
    vsock: "a socket to the hypervisor",
    "other-family": "a socket of a family that no rule is about",
  }),
  attempt("packet-socket", { escape: "packet socket", part: "privileges", mechanism: "privileges" }),
  ...onGuard("kill", "kill -9", "scope", "landlock"),
  ...onGuard("pidfd-kill", "pidfd_send_signal", "scope", "landlock"),
  ...onGuard("ptrace", "ptrace", "trace", "seccomp"),
  ...onGuard("vm-write", "process_vm_writev", "trace", "seccomp"),
  ...onGuard("take-descriptor", "pidfd_getfd", "trace", "seccomp"),
  ...onGuard("prlimit", "prlimit: no more processor time", "syscalls", "seccomp"),
  ...onGuard("proc-mem", "/proc/PID/mem", "scope", "landlock"),
  ...onGuard("proc-root", "/proc/PID/root", "scope", "landlock"),
  ...onGuard("proc-environ", "/proc/PID/environ", "scope", "landlock"),
  ...onGuard("proc-oom", "/proc/PID/oom_score_adj: first to be killed when memory is short", "mounts", "mounts"),
  place("policy-write", "write", "writes its own policy", "@OUT@/policy.toml"),
  place("policy-replace", "rename", "renames its own policy away", "@OUT@/policy.toml"),
  place("policy-remove", "remove", "removes its own policy", "@OUT@/policy.toml"),
  place("state-list", "list", "lists the guard's state", "@OUT@/state"),
  place("state-write", "create", "writes into the guard's state", "@OUT@/state/record.db"),
  place("runtime-connect", "connect", "connects to the guard's control socket", "@OUT@/runtime/control.sock"),
  place("cgroup", "leave-cgroup", "moves itself out of its cgroup", cgroupMount()),
  ...(existsSync(FREEZER)
    ? [place("freezer", "leave-cgroup", "moves into the freezer of cgroup v1, which could stop the guard", FREEZER)]
    : []),
  place("core-pattern", "write", "core_pattern: the kernel starts it as root", "/proc/sys/kernel/core_pattern"),
  place("sysfs", "write", "settings of the kernel in /sys", "/sys/kernel/rcu_expedited"),
  place("kernel-log", "read", "/dev/kmsg", "/dev/kmsg"),
  place("loop-control", "write", "/dev/loop-control", "/dev/loop-control"),
  ...([
    ["tun", "/dev/net/tun: packets that no rule sees"],
    ["userfaultfd-device", "/dev/userfaultfd: what the call would give"],
  ] as const).flatMap(([id, escape]) => {
    const path = escape.split(":")[0] ?? "";
    return existsSync(path) ? [place(id, "write", escape, path)] : [];
  }),
];

/** Attacks on a guard that nothing but its own programs at security hooks protects: the commands gave nothing up. */
import { dirname } from "node:path";
import { cgroupMount } from "../../support/mod.ts";
import { type EscapeCase, saidOk } from "../harness/mod.ts";

/** `@OUT@` stands for the directory that state, runtime and policy are in. */
const GUARD = "guard:@OUT@/state";

interface Attack {
  readonly program: "baseline" | "takeover";
  readonly escape: string;
  readonly argument?: string;
  readonly id?: string;
}

function attack(way: string, { program, escape, argument = GUARD, id = way }: Attack): EscapeCase {
  return {
    id: `guard-${id}`,
    escape,
    rules: [],
    bare: true,
    command: (place) => [place.program(program), way, argument.replace("@OUT@", dirname(dirname(place.dir)))],
    happened: (seen) => {
      if (seen.stdout.trim() === "") throw new Error(`attack without a word: status ${seen.status}, ${seen.stderr}`);
      return saidOk(seen);
    },
    expected: [{ label: "prevented", mechanism: "lsm" }],
  };
}

/** On the guard, and on the launcher that ends the tree when the guard dies. */
function onBoth(program: Attack["program"], ways: Readonly<Record<string, string>>): readonly EscapeCase[] {
  return Object.entries(ways).flatMap(([way, escape]) => [
    attack(way, { program, escape }),
    attack(way, { program, escape: `${escape}: the launcher`, argument: "launcher", id: `${way}-launcher` }),
  ]);
}

/** The guard carries the change out in place of the command, and no hook refuses what the guard does. */
function byTheGuard(way: string, escape: string): EscapeCase {
  return {
    ...attack(way, { program: "baseline", escape, argument: "@OUT@/state/record.db", id: `held-${way}` }),
    bare: false,
    alone: "changes by the guard",
    head: '[guard]\nprivileges = "sudo"\nbaseline = "none"\n\n[default]\n"*" = "allow"\n',
    rules: ['action = ["file.delete", "file.rename"]\npath = "/nowhere/**"\nverdict = "deny"'],
    expected: [{ label: "none", mechanism: "seccomp" }],
  };
}

/** Attempts. */
export const GUARD_ATTACKS: readonly EscapeCase[] = [
  ...onBoth("baseline", {
    kill: "kill -9",
    tgkill: "tgkill of a thread",
    "pidfd-kill": "pidfd_send_signal",
    sigqueue: "rt_sigqueueinfo",
    ptrace: "ptrace",
    "vm-write": "process_vm_writev",
    "vm-read": "process_vm_readv",
    "take-descriptor": "pidfd_getfd",
    "proc-mem": "/proc/PID/mem",
    "proc-environ": "/proc/PID/environ",
    "proc-root": "/proc/PID/root",
    "proc-oom": "/proc/PID/oom_score_adj",
    prlimit: "prlimit: no more processor time",
    starve: "sched_setscheduler: SCHED_IDLE",
  }),
  ...onBoth("takeover", {
    sigio: "SIGKILL by the owner of a pipe (F_SETOWN, F_SETSIG)",
    affinity: "sched_setaffinity: one processor",
    nice: "setpriority",
    ioprio: "ioprio_set",
    "cgroup-freeze": "frozen in another cgroup",
    "cgroup-kill": "killed by cgroup.kill of another cgroup",
  }),
  byTheGuard("remove", "removes the record, by a call that waits for the guard"),
  byTheGuard("rename", "renames the record, by a call that waits for the guard"),
  attack("migrate", { program: "takeover", escape: "migrate_pages" }),
  attack("detach", { program: "takeover", escape: "bpf(): the guard's links detached" }),
  attack("born", { program: "takeover", escape: "clone3(CLONE_INTO_CGROUP): a child outside of the session's cgroup" }),
  attack("leave-cgroup", { program: "baseline", escape: "moves itself out of its cgroup", argument: cgroupMount() }),
  ...([
    ["list", "state-list", "lists the guard's state", "state"],
    ["read", "state-read", "reads the record", "state/record.db"],
    ["write", "state-write", "writes to the record", "state/record.db"],
    ["create", "state-create", "makes a file in the guard's state", "state/new"],
    ["remove", "state-remove", "removes the record", "state/record.db"],
    ["rename", "state-rename", "renames the record", "state/record.db"],
    ["rename", "state-directory", "renames the guard's state directory", "state"],
    ["connect", "control-socket", "connects to the guard's control socket", "runtime/control.sock"],
    ["write", "policy-write", "writes its own policy", "policy.toml"],
    ["rename", "policy-rename", "renames its own policy", "policy.toml"],
    ["remove", "policy-remove", "removes its own policy", "policy.toml"],
  ] as const).map(([way, id, escape, file]) =>
    attack(way, { program: "baseline", escape, argument: `@OUT@/${file}`, id })
  ),
];

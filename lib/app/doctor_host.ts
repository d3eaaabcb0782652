/** Tries what this host can do, without changing it: loads programs, looks for the hierarchy, asks for descriptors. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { findCgroup2, SessionCgroup } from "../act/mod.ts";
import type { GuardSettings } from "../decide/mod.ts";
import { ALL_PARTS, errorMessage, IdGenerator, systemClock } from "../core/mod.ts";
import { lsmImage, openLibbpf, openShim, probeImage, type StartState, SystemCalls } from "../../ffi/mod.ts";
import { KernelProbes, type ProbeGroup, type ProbeSupport } from "../source/mod.ts";
import type { Check, DoctorPort, DoctorSubject } from "./command_doctor.ts";
import { anchorChecks } from "./doctor_anchor.ts";
import { baselineChecks } from "./doctor_baseline.ts";
import { seccompActions } from "./host_mechanisms.ts";
import { readNameservers, trustedResolvers } from "./resolvers.ts";
import { cannotWatch } from "./watched_policy.ts";

/** What a group of programs is for, and which rules need it. */
const GROUPS: Readonly<Record<ProbeGroup, { readonly name: string; readonly needed_for?: Check["needed_for"] }>> = {
  process: { name: "see programs start, fork and exit; end forbidden ones before they run", needed_for: ["exec_kill"] },
  syscall: { name: "see files opened, changed, removed", needed_for: ["kill_after"] },
  scope: { name: "see processes leave their session's cgroup" },
  network: { name: "refuse connections, sends and binds", needed_for: ["cgroup"] },
  unix: { name: "refuse connections to unix sockets by name" },
  names: { name: "learn host names from DNS answers, before the program that asked" },
  iterator: { name: "find agents that run already" },
  look: { name: "answer held calls in fewer steps" },
  lsm: { name: "refuse files, programs and sockets before anything happens; protect the guard", needed_for: ["lsm"] },
};

const FIX = "run as root on Linux 5.17 or later, outside of containers without CAP_BPF";
const FIXES: Readonly<Partial<Record<ProbeGroup, string>>> = {
  look: "use Linux 6.10 or later; without it a held call takes about 15 us longer, and nothing else changes",
  unix: "use Linux 6.7 or later; without it such connections are ended afterwards, or prevented by masks",
  lsm: "use a kernel with CONFIG_BPF_LSM=y, started with bpf in its lsm= list; without it other mechanisms are used",
};

/** The running host. */
export class DoctorHost implements DoctorPort {
  readonly #state: StartState;

  /** `state` as this process was started: commands that are tried get it. */
  constructor(state: StartState) {
    this.#state = state;
  }

  async run({ record, guard, state_dir }: DoctorSubject): Promise<readonly Check[]> {
    return [
      userCheck(),
      btfCheck(),
      ...probeChecks(),
      cgroupCheck(),
      resolversCheck(guard),
      pidfdCheck(),
      ...await baselineChecks(this.#state),
      seccompCheck(),
      fanotifyCheck(),
      ...await anchorChecks(record, state_dir),
    ];
  }
}

function userCheck(): Check {
  const root = process.geteuid?.() === 0;
  return {
    id: "user",
    name: "run as root",
    state: root ? "ok" : "missing",
    detail: root
      ? "effective uid 0"
      : `effective uid ${process.geteuid?.() ?? "unknown"}: no BPF programs can be loaded`,
    ...(root ? undefined : { fix: "run agentguard as root; policy check, audit and help work without" }),
  };
}

function btfCheck(): Check {
  const found = existsSync("/sys/kernel/btf/vmlinux");
  return {
    id: "kernel.btf",
    name: "kernel type information",
    state: found ? "ok" : "missing",
    detail: found ? `/sys/kernel/btf/vmlinux, Linux ${kernelRelease()}` : "no /sys/kernel/btf/vmlinux",
    ...(found ? undefined : { fix: "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian 11 and later have it)" }),
  };
}

function probeChecks(): readonly Check[] {
  let support: readonly ProbeSupport[];
  try {
    const shim = openShim();
    const loaded = KernelProbes.load({
      bpf: openLibbpf(shim),
      shim,
      system: new SystemCalls(shim),
      image: probeImage(),
      lsm_image: lsmImage(),
      self_pid: process.pid,
      ring_bytes: { decisions: 4096, telemetry: 4096 },
    });
    support = loaded.ok ? loaded.value.support : loaded.error;
    if (loaded.ok) loaded.value[Symbol.dispose]();
  } catch (error) {
    return [{ id: "probes", name: "load probes", state: "missing", detail: errorMessage(error) }];
  }
  return support.map(({ group, available, detail }) => {
    const { name, needed_for } = GROUPS[group];
    return {
      id: `probes.${group}`,
      name,
      state: available ? "ok" : "missing",
      detail: available ? `loaded: ${detail}` : detail,
      ...(available ? undefined : { fix: FIXES[group] ?? FIX }),
      ...(needed_for === undefined ? undefined : { needed_for }),
    } satisfies Check;
  });
}

function cgroupCheck(): Check {
  const id = "cgroup";
  const name = "session cgroups: refuse network, pause, kill as a whole";
  const mount_point = findCgroup2();
  if (mount_point === undefined) {
    const fix = "mount it: mount -t cgroup2 none /sys/fs/cgroup/unified";
    return { id, name, state: "missing", detail: "no cgroup2 file system is mounted", fix, needed_for: ["cgroup"] };
  }
  const made = SessionCgroup.create(`doctor-${new IdGenerator(systemClock).next()}`);
  if (!made.ok) {
    const fix = "give agentguard a writable cgroup2 mount (in a container: a private cgroup namespace, mounted rw)";
    return { id, name, state: "missing", detail: made.error, fix, needed_for: ["cgroup"] };
  }
  using leaf = made.value;
  try {
    accessSync(`${leaf.directory}/cgroup.kill`, constants.W_OK);
    return { id, name, state: "ok", detail: `made and removed a leaf below ${mount_point}`, needed_for: ["cgroup"] };
  } catch {
    const detail = `${mount_point} has no cgroup.kill (Linux 5.14)`;
    return { id, name, state: "degraded", detail, fix: "use Linux 5.14 or later", needed_for: ["cgroup"] };
  }
}

function resolversCheck(guard: GuardSettings | undefined): Check {
  const own = guard?.resolvers !== undefined;
  const resolvers = guard === undefined ? readNameservers() : trustedResolvers(guard, readNameservers());
  const from = own ? "[guard] resolvers" : "/etc/resolv.conf";
  const found = resolvers.length > 0;
  return {
    id: "resolvers",
    name: "know hosts by name, for rules that ask for them",
    state: found ? "ok" : "missing",
    detail: found ? `answers of ${resolvers.join(", ")} are believed (${from})` : `no resolver in ${from}`,
    ...(found ? undefined : { fix: "name resolvers in [guard] of the policy, by their addresses" }),
  };
}

function pidfdCheck(): Check {
  const system = new SystemCalls(openShim());
  const fd = system.pidfdOpen(process.pid);
  if (fd >= 0) system.close(fd);
  return {
    id: "pidfd",
    name: "signal processes without the danger of a reused pid",
    state: fd >= 0 ? "ok" : "missing",
    detail: fd >= 0 ? "opened a pidfd" : `pidfd_open failed with errno ${-fd}`,
    needed_for: ["kill_after"],
  };
}

function fanotifyCheck(): Check {
  const why = cannotWatch(ALL_PARTS);
  return {
    id: "fanotify.open",
    name: "hold what is read by the object that is opened",
    state: why === undefined ? "ok" : "missing",
    detail: why ?? "opens can wait, and FIFOs and devices stay untouched",
    ...(why === undefined
      ? undefined
      : { fix: "use Linux 6.12 or later with landlock in lsm=; until then the call is held (seccomp)" }),
    needed_for: ["fanotify"],
  };
}

function seccompCheck(): Check {
  const actions = seccompActions();
  const found = actions.split(/\s+/).includes("user_notif");
  return {
    id: "seccomp.notify",
    name: "hold system calls while a verdict or a person is asked",
    state: found ? "ok" : "missing",
    detail: found
      ? "filters may ask user space (user_notif)"
      : `filters here can: ${actions === "" ? "nothing" : actions}`,
    ...(found ? undefined : { fix: "use Linux 5.5 or later with CONFIG_SECCOMP_FILTER=y" }),
    needed_for: ["seccomp"],
  };
}

function kernelRelease(): string {
  try {
    return readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  } catch {
    return "of unknown release";
  }
}

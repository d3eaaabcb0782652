/** The loaded probes: which programs this kernel takes, attaching and detaching, who is in scope. */
import { closeSync } from "node:fs";
import { AgConfig, AgControl, AgTask } from "../../../probes/abi.gen.ts";
import { type BpfLink, type BpfMap, BpfObject, type Libbpf, type Shim, type SystemCalls } from "../../../ffi/mod.ts";
import { AgentguardError, err, LIMITS, ok, type Result } from "../../core/mod.ts";
import { LossCounters } from "./counters.ts";
import { type BaseGroup, GROUPS, triedGroups, UNIX_ATTACH_TYPES, untried } from "./groups.ts";
import { LsmPrograms, lsmSupport } from "./lsm.ts";
import { NOTHING_HELD, scopeValue, type StoppedProcess } from "./scope_value.ts";
import { type OwnNumber, ownNumber } from "./own_number.ts";
import type { ProbeGroup, ProbeSupport, RunningProcess } from "./port.ts";

/** What loading needs. */
export interface ProbeParts {
  readonly bpf: Libbpf;
  readonly shim: Shim;
  readonly system: SystemCalls;
  readonly image: Uint8Array;
  /** The programs at security hooks; without it they are not tried. */
  readonly lsm_image?: Uint8Array;
  /** The guard's own process in its own pid namespace; the programs leave it alone. */
  readonly self_pid: number;
  readonly ring_bytes?: { readonly decisions: number; readonly telemetry: number };
}

/** Loaded programs and their maps. */
export class KernelProbes implements Disposable {
  readonly support: readonly ProbeSupport[];
  readonly counters: LossCounters;
  readonly ring_bytes: { readonly decisions: number; readonly telemetry: number };
  /** Key of the hashes in grants, 16 random bytes. */
  readonly hash_key: Uint8Array;
  /** Depth of the guard's pid namespace; 0: the initial one. */
  readonly pid_level: number;
  readonly #object: BpfObject;
  readonly #parts: ProbeParts;
  #next_scope = 1;
  readonly #links: Map<BaseGroup, BpfLink[]> = new Map();
  readonly #lsm: LsmPrograms | undefined;

  private constructor(parts: ProbeParts, loaded: LoadedGroups, support: readonly ProbeSupport[]) {
    const { object, hash_key, self } = loaded;
    this.#parts = parts;
    this.#object = object;
    this.hash_key = hash_key;
    this.pid_level = self.level;
    const lsm = parts.lsm_image === undefined
      ? undefined
      : LsmPrograms.load({ ...parts, image: parts.lsm_image, self, probes: object });
    this.#lsm = lsm?.ok === true ? lsm.value : undefined;
    this.support = lsm === undefined ? support : [...support, lsmSupport(lsm)];
    this.ring_bytes = ringBytes(parts);
    const first = new Uint8Array(4);
    new DataView(first.buffer).setUint32(0, FIRST_KERNEL_SCOPE, true);
    object.map("next_scope").update(new Uint8Array(4), first);
    this.counters = new LossCounters(object.map("cpus"), parts.bpf.libbpf_num_possible_cpus());
  }

  /**
   * Loads what this kernel takes. First everything at once; where that fails, group by group, so that one missing
   * program type does not cost the others. Fails where not even process events can be had.
   */
  static load(parts: ProbeParts): Result<KernelProbes, readonly ProbeSupport[]> {
    const self = ownNumber(parts);
    const groups = triedGroups();
    if (!self.ok) return err(groups.map((group) => ({ group, available: false, detail: self.error })));
    const all = loadGroups(parts, self.value, groups);
    const others = untried(groups);
    if (all.ok) return ok(new KernelProbes(parts, all.value, [...groups.map((group) => available(group)), ...others]));
    const support = [...tryGroups(parts, self.value, groups), ...others];
    const usable = groups.filter((group) => support.some((each) => each.group === group && each.available));
    if (!usable.includes("process")) return err(support);
    const some = loadGroups(parts, self.value, usable);
    if (!some.ok) return err(support);
    return ok(new KernelProbes(parts, some.value, support));
  }

  /** True if the group was loaded. */
  has(group: ProbeGroup): boolean {
    return this.support.some((each) => each.group === group && each.available);
  }

  /** A map of the object, for whoever writes policy into it. */
  map(name: string): BpfMap {
    return this.#lsm?.maps.has(name) === true ? this.#lsm.map(name) : this.#object.map(name);
  }

  /** Attaches the programs that see guarded processes; false where all of them were attached before. Throws `io`. */
  attach(): boolean {
    const before = this.#links.size;
    for (const group of ["process", "scope", "syscall"] as const) this.#attachGroup(group);
    this.#lsm?.attach();
    return this.#links.size > before;
  }

  /** Attaches only what sees agents start: a program at exec, fork and exit each, nothing at system calls. */
  attachSearch(): void {
    this.#attachGroup("process");
  }

  /** Detaches all but what finds agents, which is never away: no agent starts unseen meanwhile. */
  detachToSearch(): void {
    this.attachSearch();
    for (const [group, links] of this.#links) {
      if (group === "process") continue;
      for (const link of links) link[Symbol.dispose]();
      this.#links.delete(group);
    }
    this.#lsm?.detach();
  }

  /** Detaches all: from now on nothing costs anything. */
  detach(): void {
    for (const links of this.#links.values()) for (const link of links) link[Symbol.dispose]();
    this.#links.clear();
    this.#lsm?.detach();
  }

  /** Attaches the network programs to a cgroup; disposing detaches them. */
  attachCgroup(cgroup_fd: number): Disposable {
    const links: BpfLink[] = [];
    const release = (): void => {
      for (const link of links) link[Symbol.dispose]();
      links.length = 0;
    };
    for (const program of [...GROUPS.network, ...(this.has("unix") ? GROUPS.unix : [])]) {
      const link = this.#object.attachCgroup(program, cgroup_fd);
      if (!link.ok) {
        release();
        throw new AgentguardError("io", link.error);
      }
      links.push(link.value);
    }
    return { [Symbol.dispose]: release };
  }

  /** The next telemetry record wakes the reader; the program that sends it takes the request back. */
  requestWake(): void {
    this.map("asleep").update(new Uint8Array(4), new Uint8Array([1, 0, 0, 0]));
  }

  /** Tells the exec program whether to look for `[[agent]]` programs, and where its scope numbers begin. */
  setAgentSearch(enabled: boolean): void {
    const map = this.map("control");
    const value = new Uint8Array(AgControl.SIZE);
    const view = new DataView(value.buffer);
    map.lookup(new Uint8Array(4), value);
    view.setUint32(AgControl.agents, enabled ? 1 : 0, true);
    map.update(new Uint8Array(4), value);
  }

  /** A scope number that nobody else has: below those that the kernel gives to agents that it finds. */
  takeScope(): number {
    return this.#next_scope++;
  }

  /** Puts one single-threaded process into a scope; it must not have run yet. */
  adoptStopped(process: StoppedProcess): void {
    const { pid } = process;
    const pidfd = this.#parts.system.pidfdOpen(pid);
    if (pidfd < 0) throw new AgentguardError("not_found", `take process ${pid} into its session: it has ended`);
    try {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setInt32(0, pidfd, true);
      this.map("scopes").update(key, scopeValue(process));
    } finally {
      closeSync(pidfd);
    }
  }

  /** Lists the processes that run, and takes those of `adopt` (with all their threads) into a scope on the way. */
  listProcesses(
    adopt: readonly { readonly pid: number; readonly scope: number; readonly cgroup_id: bigint }[] = [],
  ): RunningProcess[] {
    const wanted = this.map("adopt");
    const keys: Uint8Array[] = [];
    for (const each of adopt) {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, each.pid, true);
      wanted.update(key, scopeValue({ ...each, start: 0n, held: NOTHING_HELD }));
      keys.push(key);
    }
    try {
      return this.#iterate();
    } finally {
      for (const key of keys) wanted.remove(key);
    }
  }

  [Symbol.dispose](): void {
    this.detach();
    this.#lsm?.[Symbol.dispose]();
    this.#object[Symbol.dispose]();
  }

  #attachGroup(group: BaseGroup): void {
    if (this.#links.has(group) || !this.has(group)) return;
    const links: BpfLink[] = [];
    for (const program of GROUPS[group]) {
      const link = this.#object.attach(program);
      if (!link.ok) {
        for (const made of links) made[Symbol.dispose]();
        throw new AgentguardError("io", link.error);
      }
      links.push(link.value);
    }
    this.#links.set(group, links);
  }

  #iterate(): RunningProcess[] {
    const opened = this.#object.openIterator("ag_tasks");
    if (!opened.ok) throw new AgentguardError("io", opened.error);
    const found: RunningProcess[] = [];
    const buffer = new Uint8Array(AgTask.SIZE * 512);
    const view = new DataView(buffer.buffer);
    try {
      let length = this.#parts.system.read(opened.value, buffer);
      while (length > 0) {
        for (let at = 0; at + AgTask.SIZE <= length; at += AgTask.SIZE) found.push(readTask(view, at));
        length = this.#parts.system.read(opened.value, buffer);
      }
      if (length < 0) throw new AgentguardError("io", `read the task iterator: errno ${-length}`);
    } finally {
      closeSync(opened.value);
    }
    return found;
  }
}

/** Scope numbers from here on are given by the kernel (agents that start by themselves); below, by user space. */
export const FIRST_KERNEL_SCOPE = 0x4000_0000;

function ringBytes(parts: ProbeParts): { readonly decisions: number; readonly telemetry: number } {
  return parts.ring_bytes ?? { decisions: LIMITS.decision_ring_bytes, telemetry: LIMITS.telemetry_ring_bytes };
}

function available(group: BaseGroup): ProbeSupport {
  return { group, available: true, detail: GROUPS[group].join(", ") };
}

/** An object whose programs were loaded. */
interface LoadedGroups {
  readonly object: BpfObject;
  readonly hash_key: Uint8Array;
  /** What it was loaded with. */
  readonly self: OwnNumber;
}

function loadGroups(parts: ProbeParts, self: OwnNumber, groups: readonly BaseGroup[]): Result<LoadedGroups, string> {
  let reason = "";
  const hash_key = crypto.getRandomValues(new Uint8Array(16));
  // bpf_rdonly_cast came with Linux 6.2; without it paths are read by copying, a little slower.
  for (const has_cast of [1, 0]) {
    const config = new Uint8Array(AgConfig.SIZE);
    const view = new DataView(config.buffer);
    view.setUint32(AgConfig.self, self.tgid, true);
    view.setUint32(AgConfig.pid_level, self.level, true);
    view.setUint32(AgConfig.has_cast, has_cast, true);
    config.set(hash_key, AgConfig.key);
    const loaded = BpfObject.load(parts.bpf, parts.shim, parts.image, {
      programs: groups.flatMap((group) => GROUPS[group]),
      attach_types: UNIX_ATTACH_TYPES,
      sizes: ringBytes(parts),
      data: { ".rodata.config": config },
    });
    if (loaded.ok) return ok({ object: loaded.value, hash_key, self });
    reason = `${loaded.error.errno}: ${lastLine(loaded.error.log)}`;
    if (loaded.error.errno === "EPERM") break;
  }
  return err(reason);
}

function lastLine(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => line.includes("failed to load") || line.includes("unknown func")) ?? lines.at(-1) ??
    "no message";
}

function tryGroups(parts: ProbeParts, self: OwnNumber, groups: readonly BaseGroup[]): ProbeSupport[] {
  return groups.map((group) => {
    const loaded = loadGroups({ ...parts, ring_bytes: { decisions: 4096, telemetry: 4096 } }, self, [group]);
    if (!loaded.ok) return { group, available: false, detail: loaded.error };
    loaded.value.object[Symbol.dispose]();
    return available(group);
  });
}

function readTask(view: DataView, at: number): RunningProcess {
  return {
    pid: view.getUint32(at + AgTask.pid, true),
    ppid: view.getUint32(at + AgTask.ppid, true),
    uid: view.getUint32(at + AgTask.uid, true),
    start: view.getBigUint64(at + AgTask.start_ns, true).toString(),
    parent_start: view.getBigUint64(at + AgTask.parent_start_ns, true).toString(),
    cgroup_id: view.getBigUint64(at + AgTask.cgroup_id, true).toString(),
    scope: view.getUint32(at + AgTask.scope, true),
  };
}

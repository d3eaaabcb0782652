/** The loaded probes: which programs this kernel takes, attaching and detaching, who is in scope. */
import { closeSync } from "node:fs";
import { AgControl, AgLimit, AgTask } from "../../../probes/abi.gen.ts";
import type { BpfLink, BpfMap, BpfObject } from "../../../ffi/mod.ts";
import { AgentguardError, err, ok, type Result } from "../../core/mod.ts";
import { LossCounters } from "./counters.ts";
import { type Lesson, lessonPacket } from "./lesson.ts";
import { type BaseGroup, cgroupPrograms, GROUPS, NAME_HOOKS, triedGroups, untried } from "./groups.ts";
import { available, type LoadedGroups, loadGroups, type ProbeParts, ringBytes, tryGroups } from "./load.ts";
import { LsmPrograms, lsmSupport } from "./lsm.ts";
import { type HeldClasses, NOTHING_HELD, scopeValue, type StoppedProcess } from "./scope_value.ts";
import { ownNumber } from "./own_number.ts";
import type { ProbeGroup, ProbeSupport, RunningProcess } from "./port.ts";

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

  /**
   * What looks at callers of held calls, as descriptors; `undefined` where this kernel takes no such program, or where
   * the guard's own pid namespace numbers processes otherwise than the kernel does.
   */
  looker(): { readonly program_fd: number; readonly map_fd: number } | undefined {
    if (!this.has("look") || this.pid_level > 0) return undefined;
    return { program_fd: this.#object.programFd("ag_look"), map_fd: this.map("looks").fd };
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

  /**
   * Attaches the network programs to a cgroup; disposing detaches them. What of `held` waits goes nowhere without a
   * grant there.
   */
  attachCgroup(cgroup_fd: number, held: Pick<HeldClasses, "connect" | "send">): Disposable {
    return this.#attachAll(cgroupPrograms({ unix: this.has("unix"), held }), cgroup_fd);
  }

  #attachAll(programs: readonly string[], cgroup_fd: number): Disposable {
    const links: BpfLink[] = [];
    const release = (): void => {
      for (const link of links) link[Symbol.dispose]();
      links.length = 0;
    };
    for (const program of programs) {
      const link = this.#object.attachCgroup(program, cgroup_fd);
      if (!link.ok) {
        release();
        throw new AgentguardError("io", link.error);
      }
      links.push(link.value);
    }
    return { [Symbol.dispose]: release };
  }

  /**
   * Attaches the programs that learn names from DNS answers, and drop what a guarded process makes up as one, to a
   * cgroup; disposing detaches them.
   */
  attachNames(cgroup_fd: number): Disposable {
    return this.#attachAll(NAME_HOOKS, cgroup_fd);
  }

  /** Teaches the programs a name, or without one whose answers to believe: those in the guard's own network. */
  teach(lesson?: Lesson): void {
    // No rule that the kernel holds asks for a longer one, and no answer teaches it.
    if (lesson !== undefined && Buffer.byteLength(lesson.name) > AgLimit.DNS_NAME_MAX) return;
    const ran = this.#object.runPacket("ag_teach", lessonPacket(lesson));
    if (!ran.ok) throw new AgentguardError("io", ran.error);
    if (ran.value !== 0) throw new AgentguardError("overflow", "teach a name: the kernel's table of addresses is full");
  }

  /** What a packet program says to one packet behind 14 bytes; for tests of the parser. */
  runPacket(program: string, packet: Uint8Array): Result<number, string> {
    return this.#object.runPacket(program, packet);
  }

  /** The next record of either ring wakes the reader; the program that sends it takes the request back. */
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

/** Puts the kernel's stages together: source, decode, enrich, decide, act, record, each behind its port. */
import {
  HELD_ACTIONS,
  HostObjects,
  KernelActor,
  KernelPolicy,
  type NameLesson,
  type OwnPlaces,
  PidfdKiller,
} from "../act/mod.ts";
import {
  type ActionType,
  AgentguardError,
  type Clock,
  type Enriched,
  type Event,
  type Gap,
  IdGenerator,
  type Observed,
  type ProcessInfo,
  type RecordSink,
  type SessionId,
  type SessionInfo,
} from "../core/mod.ts";
import { lower, type PolicySnapshot, StatefulDecider } from "../decide/mod.ts";
import { Decoder } from "../decode/mod.ts";
import { AddressNames, Enricher, NameResolver, ProcessTable, SessionTable, withKnownNames } from "../enrich/mod.ts";
import { Epoll, RingMemory, type SystemCalls } from "../../ffi/mod.ts";
import { type ActivePolicy, Pipeline } from "../pipeline/mod.ts";
import { type FrameSink, type KernelProbes, RingReader } from "../source/mod.ts";
import { agentPrograms } from "./agent_programs.ts";
import type { LoadedKernel } from "./loaded_kernel.ts";
import { DecidedCalls } from "./decided_calls.ts";
import { readHosts } from "./hosts_names.ts";
import { loadFailure } from "./load_failure.ts";
import { differenceEntry, HeldDecider } from "./held_decider.ts";
import { HeldRulings } from "./held_rulings.ts";
import { BaselineRefusals, type SessionLimits } from "./baseline_refusals.ts";
import { compilePolicy } from "./policy_compile.ts";
import type { HeldRuling } from "./held_work.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import { realDirectory } from "./real_directory.ts";
import { readNameservers, trustedResolvers } from "./resolvers.ts";
import { BUILT_MECHANISMS } from "./rule_report.ts";

/** What the stages need from outside. */
export interface KernelStagesParts {
  readonly clock: Clock;
  readonly sink: RecordSink;
  readonly kernel: LoadedKernel;
  readonly policy: PolicyLoad;
  readonly onAgent: (scope: number, process: ProcessInfo) => void;
  readonly onLoss: (gap: Gap, session: SessionInfo | undefined) => void;
  /** The last process of a scope ended. */
  readonly onEmpty: (scope: number) => void;
}

/** All stages of one kernel source, on one thread. Disposing detaches and unloads. */
export class KernelStages implements Disposable {
  readonly system: SystemCalls;
  readonly probes: KernelProbes;
  readonly reader: RingReader;
  readonly epoll: Epoll;
  readonly processes: ProcessTable = new ProcessTable();
  readonly sessions: SessionTable = new SessionTable();
  readonly enricher: Enricher;
  /** Names of addresses; those of `/etc/hosts` as it was before anybody was guarded. */
  readonly hosts: AddressNames = new AddressNames(readHosts());
  readonly pipeline: Pipeline;
  readonly ids: IdGenerator;
  readonly rings: { readonly decisions: RingMemory; readonly telemetry: RingMemory };
  readonly #parts: KernelStagesParts;
  readonly #decoder = new Decoder();
  readonly #kernel_policy: KernelPolicy;
  wants_names = false; // some rule in force asks for names
  #snapshot: PolicySnapshot;
  #own: OwnPlaces;
  #decider: StatefulDecider | undefined;
  /** Those of the host as they were before anybody was guarded. */
  readonly #nameservers = readNameservers();
  #decode_errors = 0;
  readonly #calls = new DecidedCalls();
  readonly #held_actions: Map<SessionId, ReadonlySet<ActionType>> = new Map();
  readonly #limits: Map<SessionId, BaselineRefusals> = new Map();
  readonly #rulings = new HeldRulings();

  /** Takes the loaded probes over; nothing is attached yet. Throws `unsupported` where this kernel takes none. */
  constructor(parts: KernelStagesParts) {
    this.#parts = parts;
    const { shim, system, probes } = parts.kernel;
    if (!probes.ok) throw new AgentguardError("unsupported", loadFailure(probes.error));
    this.system = system;
    this.probes = probes.value;
    const ring = (name: "decisions" | "telemetry"): RingMemory =>
      new RingMemory(this.system, shim, { fd: this.probes.map(name).fd, size: this.probes.ring_bytes[name] });
    this.rings = { decisions: ring("decisions"), telemetry: ring("telemetry") };
    this.epoll = new Epoll(this.system);
    this.epoll.add(this.probes.map("decisions").fd);
    this.epoll.add(this.probes.map("telemetry").fd);
    this.reader = new RingReader({
      ...this.rings,
      epoll: this.epoll,
      sleep: () => this.probes.requestWake(),
      nextSequence: (number) => this.probes.counters.nextSequence(number),
    });
    const objects = this.probes.has("lsm") ? new HostObjects() : undefined;
    const teach = this.probes.has("names") ? (lesson?: NameLesson): void => this.probes.teach(lesson) : undefined;
    this.#kernel_policy = new KernelPolicy((name) => this.probes.map(name), objects, { teach });
    this.ids = new IdGenerator(parts.clock);
    this.enricher = new Enricher({
      processes: this.processes,
      sessions: this.sessions,
      names: new NameResolver(realDirectory, parts.clock),
      hosts: this.hosts,
      clock: parts.clock,
      bootUs: () => this.system.bootUs(),
      onAgent: parts.onAgent,
    });
    this.#snapshot = compilePolicy(parts.policy);
    this.#own = parts.policy.own;
    this.pipeline = new Pipeline({
      actor: new KernelActor(new PidfdKiller(this.system)),
      sink: parts.sink,
      ids: this.ids,
      policy: this.#install(this.#snapshot, parts.policy),
      onLoss: parts.onLoss,
      takeRuling: (id) => this.#rulings.take(id),
      heldBy: ({ action, session }) => this.#waitsByCall(session?.session_id, action.type) ? "seccomp" : "fanotify",
    });
  }

  /** The policy in force. */
  get snapshot(): PolicySnapshot {
    return this.#snapshot;
  }

  /** Frames that could not be decoded. */
  get decode_errors(): number {
    return this.#decode_errors;
  }

  /** Decides by another policy from the next record on; the kernel's copy is swapped as a whole. */
  setPolicy(load: PolicyLoad): void {
    const snapshot = compilePolicy(load);
    this.pipeline.setPolicy(this.#install(snapshot, load));
    this.#snapshot = snapshot;
    this.#own = load.own;
    this.protect();
  }

  /** Keeps guarded processes from the guard's own files, as they are now. */
  protect(): void {
    this.#kernel_policy.protect(this.#own, this.#snapshot.mode === "enforce");
  }

  /**
   * Decides a held call by everything that came before it. What is let go is remembered until its record comes: it was
   * counted here, and is not decided again.
   */
  decideHeld(event: Event): HeldRuling {
    while (this.drain() > 0);
    const process = event.process === undefined ? undefined : this.processes.byPid(event.process.pid);
    const same = process !== undefined && process.info.start === event.process?.start;
    const full = withKnownNames(
      same ? { ...event, ancestors: process.lineage } : event,
      this.hosts,
      this.system.bootUs(),
    );
    const seen = full.action === event.action ? undefined : { action: full.action };
    const ruling = (this.#decider ?? this.#snapshot).evaluate(full);
    if (ruling.verdict === "deny" || ruling.verdict === "ask") return { ruling, ...seen };
    const decided = this.ids.decision();
    this.#rulings.put(decided, ruling);
    return { ruling, decided, ...seen };
  }

  /** The calls that do these actions wait for the guard, from the session's start. */
  holdSession(session: SessionId, actions: readonly ActionType[]): void {
    this.#held_actions.set(session, new Set(actions));
  }

  /** Reads that do not wait by their calls wait by fanotify. */
  #waitsByCall(session: SessionId | undefined, type: ActionType): boolean {
    return type !== "file.read" || session === undefined || this.#held_actions.get(session)?.has(type) === true;
  }

  /** What the session's command was begun with, by the policy in force now. */
  limitSession(session: SessionId, limits: SessionLimits): void {
    const refusals = new BaselineRefusals(limits, this.#snapshot.ref.generation, realDirectory);
    if (!refusals.empty) this.#limits.set(session, refusals);
  }

  /** Forgets a session that ended: its name, its labels and rates. */
  endSession(scope: number): void {
    const session = this.sessions.get(scope);
    if (session !== undefined) {
      this.#decider?.state.forget(session.session_id);
      this.#held_actions.delete(session.session_id);
      this.#limits.delete(session.session_id);
    }
    this.sessions.remove(scope);
  }

  /** Takes what the rings hold through all stages; returns the number of records. */
  drain(): number {
    const count = this.reader.drain(this.#sink);
    this.#decoder.endBatch((observed) => this.#take(observed));
    this.pipeline.endBatch();
    return count;
  }

  /** After detaching: the rest, and what is missing at the end. */
  finish(): void {
    this.reader.finish(this.#sink);
    this.#decoder.finish((observed) => this.#take(observed));
    this.countLosses();
    this.pipeline.flush();
  }

  /** Records the losses that the programs counted themselves. */
  countLosses(): void {
    this.probes.counters.take((gap) => this.#sink.gap(gap));
  }

  [Symbol.dispose](): void {
    this.probes.detach();
    this.rings.decisions[Symbol.dispose]();
    this.rings.telemetry[Symbol.dispose]();
    this.epoll[Symbol.dispose]();
    this.probes[Symbol.dispose]();
  }

  readonly #sink: FrameSink = {
    frame: (view, bytes, at, size) => {
      const decoded = this.#decoder.decode(view, bytes, at, size);
      if (!decoded.ok) {
        this.#decode_errors++;
        const gap: Gap = { source: "decode", type: decoded.error.reason, count: 1 };
        this.pipeline.gap(gap, this.#parts.clock.wallUs());
        return;
      }
      if (decoded.value !== undefined) this.#take(decoded.value);
    },
    gap: (gap) => this.pipeline.gap(gap, this.#parts.clock.wallUs()),
  };

  #take(record: Observed): void {
    const observed = this.#calls.join(record);
    if (observed === undefined) return;
    const { facts, scope, pid } = observed;
    // A stranger may have many threads; the program saw one of them enter.
    if (facts.kind === "scope" && facts.entered) this.probes.listProcesses([{ pid, scope, cgroup_id: 0n }]);
    const enriched = this.enricher.enrich(observed);
    this.#relearn(observed);
    if (enriched !== undefined) this.pipeline.handle(this.#explain(enriched));
    if (facts.kind === "exit" && this.processes.countOf(scope) === 0) this.#parts.onEmpty(scope);
  }

  /** An answer that the kernel took in by a policy that is not in force any more counts for this one, too. */
  #relearn({ action, facts }: Observed): void {
    if (facts.kind !== "dns" || facts.generation === this.#snapshot.ref.generation) return;
    if (action?.type !== "net.dns") return;
    const { name, answers } = action;
    this.#kernel_policy.teach(answers.map((address) => ({ address, name, expires_us: facts.expires_us })));
  }

  #explain(enriched: Enriched): Enriched {
    if (enriched.kind !== "event" || this.#limits.size === 0) return enriched;
    const { event } = enriched;
    const limits = event.session === undefined ? undefined : this.#limits.get(event.session.session_id);
    return limits === undefined ? enriched : { kind: "event", event: limits.explain(event) };
  }

  #install(snapshot: PolicySnapshot, load: PolicyLoad): ActivePolicy {
    const available = new Set(BUILT_MECHANISMS);
    if (!this.probes.has("lsm")) available.delete("lsm");
    const home = load.home === undefined ? {} : { home: load.home };
    const { policy, in_kernel } = lower(snapshot, {
      host: { available, held: HELD_ACTIONS, unix_names: this.probes.has("unix"), names: this.probes.has("names") },
      ...home,
    });
    this.#kernel_policy.setResolvers(trustedResolvers(snapshot.guard, this.#nameservers));
    this.#kernel_policy.install(policy, this.hosts.live(this.system.bootUs()));
    this.wants_names = policy.names === true;
    this.#kernel_policy.setAgents(agentPrograms(snapshot));
    // Labels and rates outlive a reload.
    this.#decider = new StatefulDecider(snapshot, this.#decider?.state);
    return {
      decider: new HeldDecider({
        decider: this.#decider,
        heldActions: (session) => this.#held_actions.get(session),
        onDifference: (event, ruling) => this.#parts.sink.append(differenceEntry(event, ruling)),
      }),
      ref: snapshot.ref,
      ruleName: (index) => snapshot.rules[index]?.name,
      hostOf: (index, hosts) => snapshot.hostOf(index, hosts),
      in_kernel,
    };
  }
}

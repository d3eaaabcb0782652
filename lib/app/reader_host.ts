/**
 * The kernel reader as an object: answers main's requests and runs the loop. Lives in its own thread, or in process for
 * tests.
 */
import {
  AgentguardError,
  assertNever,
  type Clock,
  errorMessage,
  type ProcessInfo,
  type SessionAction,
  type SessionInfo,
} from "../core/mod.ts";
import { SessionCgroupAttachments } from "./cgroup_attachments.ts";
import { KernelStages } from "./kernel_stages.ts";
import type { LoadedKernel } from "./loaded_kernel.ts";
import { NOTHING_HELD } from "../source/mod.ts";
import { servePast } from "./past_port.ts";
import { processGroups, readProcess, withExactStart } from "./process_details.ts";
import { inheritedEvents, sessionEntry, sessionStart, snapshotEvent } from "./reader_entries.ts";
import {
  type BeginSession,
  type ReaderEvent,
  type ReaderOpened,
  type ReaderRequest,
  type SessionEnd,
  STAT_NAMES,
} from "./reader_protocol.ts";
import { publishStats } from "./reader_stats.ts";
import { runningAgents } from "./running_agents.ts";
import { ReaderTurns } from "./reader_turns.ts";
import type { TallySink } from "./tally_sink.ts";

/** What the host needs. */
export interface ReaderHostParts {
  readonly clock: Clock;
  /** Where entries go. */
  readonly sink: TallySink;
  readonly kernel: LoadedKernel;
  readonly emit: (event: ReaderEvent) => void;
  /** Gives other work of the thread its turn. */
  readonly yieldTurn: () => Promise<void>;
}

/** Owner of the stages and of the loop. */
export class ReaderHost {
  readonly #parts: ReaderHostParts;
  #stages: KernelStages | undefined;
  #stats: Float64Array = new Float64Array(STAT_NAMES.length);
  #attachments: SessionCgroupAttachments | undefined;
  readonly #scopes: Set<number> = new Set();
  #searching = false;
  #looping = false;
  #closed = false;
  readonly #turns: ReaderTurns;

  constructor(parts: ReaderHostParts) {
    this.#parts = parts;
    const { clock } = parts;
    this.#turns = new ReaderTurns({ clock, publish: () => this.#publish(), report: () => this.#report() });
  }

  /** Carries one request out; the result goes back to main. Throws `AgentguardError`. */
  async handle(request: ReaderRequest): Promise<unknown> {
    switch (request.op) {
      case "open":
        return this.#open(request);
      case "policy":
        // What happened before is judged by the policy that was in force then.
        while (this.#use().drain() > 0);
        this.#use().setPolicy(request.policy);
        this.#attachments?.learnNames(this.#use().wants_names);
        return undefined;
      case "begin":
        return this.#begin(request.begin);
      case "past":
        return servePast(request.port, () => this.#use());
      case "end":
        return await this.#end(request.scope, request.exit);
      case "search":
        return this.#search();
      case "flush":
        return await this.#flush();
      case "close":
        return await this.#close();
      default:
        return assertNever(request);
    }
  }

  #open(request: Extract<ReaderRequest, { op: "open" }>): ReaderOpened {
    this.#stats = new Float64Array(request.stats);
    const stages = new KernelStages({
      clock: this.#parts.clock,
      sink: this.#parts.sink,
      kernel: this.#parts.kernel,
      policy: request.policy,
      onAgent: (scope, process) => this.#agent(scope, process),
      onLoss: (gap, session) => {
        this.#parts.emit({
          event: "loss",
          gap,
          ...(session === undefined ? undefined : { session_id: session.session_id }),
        });
      },
      onEmpty: (scope) => {
        if (this.#scopes.has(scope)) this.#parts.emit({ event: "empty", scope });
      },
    });
    this.#stages = stages;
    this.#attachments = new SessionCgroupAttachments(stages.probes);
    this.#attachments.learnNames(stages.wants_names);
    const { probes, epoll } = stages;
    const [grants_fd, scopes_fd] = [probes.map("grants").fd, probes.map("scopes").fd];
    const [hash_key, by_process, looker] = [probes.hash_key, probes.pid_level > 0, probes.looker()];
    const maps = { grants_fd, scopes_fd, hash_key, by_process, ...looker === undefined ? undefined : { looker } };
    return { support: probes.support, wake_fd: epoll.wake_fd, maps };
  }

  #begin(begin: BeginSession): void {
    const stages = this.#use();
    const known = stages.sessions.get(begin.scope) !== undefined;
    const session = begin.stopped_pid === undefined ? begin.session : withExactStart(begin.session, stages.probes);
    stages.sessions.put(begin.scope, session);
    this.#scopes.add(begin.scope);
    stages.protect();
    stages.probes.attach();
    if (!known) this.#recordSession(session, sessionStart(session, begin.baseline));
    if (begin.cgroup !== undefined) {
      this.#attachments?.attach(begin.scope, begin.cgroup, begin.held ?? NOTHING_HELD);
    }
    const cgroup_id = BigInt(begin.cgroup?.id ?? "0");
    if (begin.stopped_pid !== undefined) {
      const start = BigInt(session.root.start);
      const held = begin.held ?? NOTHING_HELD;
      stages.holdSession(session.session_id, begin.held_actions ?? []);
      if (begin.limits !== undefined) stages.limitSession(session.session_id, begin.limits);
      stages.probes.adoptStopped({ pid: begin.stopped_pid, scope: begin.scope, cgroup_id, start, held });
      for (const event of inheritedEvents(this.#parts.clock, session, begin.stopped_pid)) {
        stages.pipeline.note(event, "open before the session began");
      }
    } else this.#adoptMembers(begin.scope, cgroup_id);
    this.#startLoop();
  }

  /** An agent that runs already now has a cgroup: its members must be told which one is theirs. */
  #adoptMembers(scope: number, cgroup_id: bigint): void {
    const stages = this.#use();
    const members = stages.probes.listProcesses().filter((each) => each.scope === scope);
    stages.probes.listProcesses(members.map(({ pid }) => ({ pid, scope, cgroup_id })));
  }

  async #end(scope: number, exit: SessionEnd): Promise<void> {
    this.#attachments?.detach(scope);
    this.#scopes.delete(scope);
    const stages = this.#use();
    const is_last = this.#scopes.size === 0;
    if (is_last && !this.#searching) {
      stages.probes.detach();
      stages.finish();
    } else {
      if (is_last) stages.probes.detachToSearch();
      while (stages.drain() > 0);
      // What is on its way is not lost: programs are still there that send it.
      if (is_last) stages.reader.expect();
      stages.countLosses();
      stages.pipeline.flush();
    }
    const session = stages.sessions.get(scope);
    if (session !== undefined) this.#recordSession(session, { type: "session.end", agent: session.agent, ...exit });
    stages.endSession(scope);
    this.#report();
    this.#publish();
    await this.#parts.sink.flush();
  }

  #recordSession(session: SessionInfo, action: SessionAction): void {
    this.#parts.sink.append(sessionEntry(this.#parts.clock.wallUs(), session, action));
  }

  /** Attach first, then list, so that no agent starts unseen between the two. */
  #search(): void {
    const stages = this.#use();
    if (stages.snapshot.agents.length === 0) return;
    this.#searching = true;
    stages.protect();
    stages.probes.setAgentSearch(true);
    stages.probes.attachSearch();
    for (const agent of runningAgents(stages.probes.listProcesses(), stages.snapshot, readProcess)) {
      const scope = stages.probes.takeScope();
      const session = this.#session(agent.name, agent.root);
      stages.sessions.put(scope, session);
      this.#scopes.add(scope);
      stages.probes.attach();
      this.#recordSession(session, { type: "session.start", agent: session.agent });
      stages.probes.listProcesses(agent.members.map(({ pid }) => ({ pid, scope, cgroup_id: 0n })));
      for (const member of agent.members) {
        stages.enricher.adopt(scope, member);
        const event = snapshotEvent(this.#parts.clock.wallUs(), session, member);
        stages.pipeline.handle({ kind: "event", event });
      }
      const pids = agent.members.map(({ pid }) => pid);
      this.#parts.emit({ event: "agent", scope, session, process: agent.root, running: true, pids });
    }
    this.#startLoop();
  }

  /**
   * Called while the exec record of an `[[agent]]` program is enriched: its session must exist before it is recorded.
   */
  #agent(scope: number, process: ProcessInfo): void {
    const stages = this.#use();
    const pattern = stages.snapshot.matchAgent(process);
    if (pattern === undefined) return; // the program matches an entry, its arguments do not
    const session = this.#session(pattern.name, process);
    stages.sessions.put(scope, session);
    this.#scopes.add(scope);
    this.#recordSession(session, { type: "session.start", agent: session.agent });
    const exec_us = this.#parts.clock.wallUs();
    if (stages.probes.attach()) {
      // System calls between the exec and this moment were not seen: a loss, located by its two times.
      const until_us = this.#parts.clock.wallUs();
      const gap = { source: "coverage", type: "attach", count: 1, from: String(exec_us), to: String(until_us) };
      stages.pipeline.gap(gap, exec_us, { session, shown: process });
    }
    this.#parts.emit({ event: "agent", scope, session, process, running: false, pids: [process.pid] });
  }

  #session(agent: string, root: ProcessInfo): SessionInfo {
    return {
      session_id: this.#use().ids.session(),
      agent,
      root: { pid: root.pid, start: root.start },
      principal: `uid-${root.uid ?? 0}`,
      groups: processGroups(root.pid),
    };
  }

  async #flush(): Promise<void> {
    const stages = this.#use();
    while (stages.drain() > 0);
    stages.countLosses();
    stages.pipeline.flush();
    this.#report();
    this.#publish();
    await this.#parts.sink.flush();
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const stages = this.#stages;
    if (stages === undefined) return;
    this.#attachments?.[Symbol.dispose]();
    stages.probes.detach();
    stages.finish();
    this.#publish();
    await this.#parts.sink.flush();
    stages[Symbol.dispose]();
    this.#stages = undefined;
  }

  #startLoop(): void {
    if (this.#looping) return;
    this.#looping = true;
    void this.#loop();
  }

  /** Runs while something is attached. */
  async #loop(): Promise<void> {
    try {
      while (!this.#closed && (this.#scopes.size > 0 || this.#searching)) {
        this.#turns.turn(this.#use());
        await this.#parts.yieldTurn();
      }
    } catch (error) {
      // A reader that cannot go on is a loss of everything: main decides by `[guard] on_failure`.
      this.#parts.emit({ event: "loss", gap: { source: "reader", type: errorMessage(error), count: 1 } });
    } finally {
      this.#looping = false;
    }
  }

  /** Tells what was counted for each session. */
  #report(): void {
    const reports = this.#parts.sink.take();
    if (reports.length > 0) this.#parts.emit({ event: "tally", reports });
  }

  #publish(): void {
    if (this.#stages !== undefined) publishStats(this.#stats, this.#stages, this.#parts.sink);
  }

  #use(): KernelStages {
    if (this.#stages === undefined) throw new AgentguardError("closed", "use the kernel reader: it is not open");
    return this.#stages;
  }
}

/** One running guard: record, kernel reader, sessions, control API. Both `run` and the daemon are made of it. */
import { findCgroup2, SessionCgroup } from "../act/mod.ts";
import type { Config } from "../config/mod.ts";
import {
  AgentguardError,
  type Approver,
  type Clock,
  err,
  errorMessage,
  formatTime,
  type GuardAction,
  IdGenerator,
  type Log,
  ok,
  type Result,
} from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { GuardStatus, LossStatus, PolicyStatus, ReloadPort, StatusPort } from "../publish/mod.ts";
import { ControlPlane } from "./control_plane.ts";
import { requireEnforceable } from "./enforceable.ts";
import { EventHub } from "./event_hub.ts";
import { answerLoss } from "./answer_loss.ts";
import { GuardHolder } from "./guard_holder.ts";
import type { HolderThread } from "./holder_thread.ts";
import type { LoadedPolicy } from "./policy_files.ts";
import type { ReaderEvent, SessionEvent } from "./reader_protocol.ts";
import { recordSettings, reloadedSettings } from "./record_settings.ts";
import type { ReaderThread } from "./reader_thread.ts";
import { RecorderThread } from "./recorder_thread.ts";
import { Sessions } from "./sessions.ts";
import {
  countLoss,
  loadAgain,
  makePrivate,
  policyEntry,
  policyLoad,
  policyStatus,
  reloadEntry,
} from "./guard_parts.ts";
import { guardStatus } from "./guard_status.ts";
import { recordLost } from "./lost_sessions.ts";

/** What a guard is made from. */
export interface GuardParts {
  readonly config: Config;
  readonly policies: readonly string[];
  readonly policy: LoadedPolicy;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Spawned, not open yet; the guard takes it over. */
  readonly reader: ReaderThread;
  /** What `~` stands for in rules that the kernel holds. */
  readonly home: string | undefined;
  /** Its sessions are found running; without this it starts them. */
  readonly found_running?: boolean;
  /** Agents that the reader found, and scopes that became empty. */
  readonly onReader?: (event: SessionEvent) => void;
}

/** A guard that is ready. Close it. */
export class Guard implements StatusPort, ReloadPort {
  readonly sessions: Sessions;
  readonly recorder: RecorderThread;
  readonly reader: ReaderThread;
  readonly holder: GuardHolder;
  readonly ids: IdGenerator;
  /** What of a later policy its command can no longer have; set by whoever starts one. */
  keeps: ((later: PolicySnapshot) => readonly string[]) | undefined;
  /** Questions to humans, and what operators command. */
  readonly control: ControlPlane;
  readonly #parts: GuardParts;
  readonly #events: EventHub;
  readonly #started_us: number;
  readonly #losses: Map<string, LossStatus>;
  #policy: LoadedPolicy;
  /** What running commands keep in another way than one that starts now would. */
  #weaker: readonly string[] = [];
  #ready = false;

  private constructor(
    parts: GuardParts,
    recorder: RecorderThread,
    losses: Map<string, LossStatus>,
  ) {
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#losses = losses;
    this.recorder = recorder;
    this.reader = parts.reader;
    this.ids = new IdGenerator(parts.clock);
    this.#started_us = parts.clock.wallUs();
    const { clock, log, config, env } = parts;
    const [state_dir, runtime_dir] = [config.state_dir.value, config.runtime_dir.value];
    this.sessions = new Sessions({
      clock,
      log,
      sink: recorder.sink,
      onEnded: (id) => this.control.approvals.endSession(id),
    });
    this.#events = new EventHub(recorder, state_dir);
    const ports = { status: this, sessions: this.sessions, events: this.#events, policy: this };
    this.control = new ControlPlane({
      state_dir,
      runtime_dir,
      runtime_given: config.runtime_dir.origin !== "default",
      policy: parts.policy.snapshot,
      env,
      clock,
      ids: this.ids,
      log,
      recorder,
      scopes_fd: () => this.reader.scopes_fd,
      sessions: () => this.sessions.running().map(({ info }) => info),
    }, ports);
    this.holder = new GuardHolder({
      reader: parts.reader,
      recorder,
      approvals: this.control.approvals.port,
      onTally: (reports) => this.sessions.tally(reports),
      onFailure: (reason) => this.#onFailure(`the thread that answers held calls failed: ${reason}`),
    });
  }

  /**
   * Opens the record while the probes load, then serves the control API. Whatever fails, nothing of it
   * stays: `busy` (another guard has the record), `tamper`, `io`, `unsupported` (no BPF here).
   */
  static async start(parts: GuardParts): Promise<Guard> {
    const directory = parts.config.state_dir.value;
    makePrivate(directory);
    const losses = new Map<string, LossStatus>();
    const held: { guard?: Guard } = {};
    const recorder = RecorderThread.create(parts.log);
    const starting = parts.reader.open({
      policy: policyLoad(parts.policy, parts),
      recorder: recorder.connect(),
      onEvent: (event) => {
        if (event.event === "loss") countLoss(losses, event.gap.source, event.gap.type, event.gap.count);
        if (event.event === "loss" && held.guard !== undefined) held.guard.#onLoss(event);
        if (event.event === "tally") held.guard?.sessions.tally(event.reports);
        if (event.event === "agent" || event.event === "empty") parts.onReader?.(event);
      },
    });
    const [opened, loaded] = await Promise.allSettled([
      recorder.open(directory, recordSettings(parts.policy.snapshot)),
      starting,
    ]);
    try {
      if (opened.status === "rejected") throw opened.reason;
      if (loaded.status === "rejected") throw loaded.reason;
      const guard = new Guard(parts, recorder, losses);
      held.guard = guard;
      guard.note({ type: "guard.start", detail: `agentguard ${parts.version}, pid ${process.pid}` });
      guard.#recordPolicy();
      await recordLost(directory, recorder.sink, parts.clock.wallUs());
      await guard.control.start();
      guard.#ready = true;
      return guard;
    } catch (error) {
      // The first failure is the one to tell; a reader whose recorder is gone cannot flush.
      parts.reader.terminate();
      if (opened.status === "fulfilled") await recorder.close().catch(() => {});
      throw error;
    }
  }

  /** The policy in force. */
  get snapshot(): PolicySnapshot {
    return this.#policy.snapshot;
  }

  /** The thread that answers held calls. */
  useHolder(): Promise<HolderThread> {
    return this.holder.use(policyLoad(this.#policy, this.#parts));
  }

  /** Makes a cgroup for a session; without one, what that means is recorded and logged. */
  makeCgroup(session_id: string): SessionCgroup | undefined {
    const made = SessionCgroup.create(session_id);
    if (made.ok) return made.value;
    const detail = `no session cgroup (${made.error}): the tree is followed by descent alone, ` +
      "the network is not refused, and unconnected sends are not seen";
    this.#degrade(detail);
    return undefined;
  }

  status(): GuardStatus {
    return guardStatus({
      version: this.#parts.version,
      ready: this.#ready,
      started: formatTime(this.#started_us),
      uptime_ms: Math.round((this.#parts.clock.wallUs() - this.#started_us) / 1000),
      snapshot: this.snapshot,
      policy: this.#policyStatus(),
      sessions: this.sessions.list(),
      support: this.reader.support,
      stats: this.reader.stats(),
      losses: [...this.#losses.values()],
      recorder: this.recorder,
      config: this.#parts.config,
      approvals_pending: this.control.approvals.pending,
    });
  }

  /** Reads the policy files again. A bad file changes nothing. Absent `who`: the files changed, or a signal came. */
  async reload(who?: Approver): Promise<Result<PolicyStatus, AgentguardError>> {
    const { clock, log } = this.#parts;
    if (who !== undefined) this.recorder.sink.append(reloadEntry(who, clock));
    if (who?.inside !== undefined) return err(new AgentguardError("permission", who.inside));
    const loaded = loadAgain(this.#parts, this.snapshot.ref.generation + 1);
    if (!loaded.ok) {
      log.error(`the policy was not reloaded, the old one stays: ${loaded.error}`);
      this.note({ type: "guard.degraded", detail: `policy reload refused: ${loaded.error}` });
      return err(new AgentguardError("policy", loaded.error));
    }
    // A watch and a signal may both tell of one change.
    if (loaded.value.snapshot.ref.digest === this.snapshot.ref.digest) return ok(this.#policyStatus());
    try {
      const { home, found_running = false } = this.#parts;
      const { reader: { support }, holder: { watches: watched } } = this;
      const host = { support, cgroup: findCgroup2() !== undefined, watched, home, found_running };
      requireEnforceable(loaded.value.snapshot, host);
      const kept = this.keeps?.(loaded.value.snapshot) ?? [];
      const weaker = [...this.holder.check(loaded.value.snapshot, host), ...kept];
      await this.recorder.configure(reloadedSettings(loaded.value.snapshot, found_running));
      const arrange = this.control.prepare(loaded.value.snapshot.approval);
      const load = policyLoad(loaded.value, this.#parts);
      await this.reader.setPolicy(load);
      await this.holder.setPolicy(load);
      await arrange();
      this.#weaker = weaker;
      for (const text of weaker) this.#degrade(`in what runs already: ${text}`);
    } catch (error) {
      this.note({ type: "guard.degraded", detail: `policy reload refused: ${errorMessage(error)}` });
      await this.recorder.restore(recordSettings(this.snapshot));
      return err(error instanceof AgentguardError ? error : new AgentguardError("policy", errorMessage(error)));
    }
    this.#policy = loaded.value;
    this.#recordPolicy();
    return ok(this.#policyStatus());
  }

  /** Stops in order: intake, rings, record, sockets. Throws the first failure after trying all. */
  async close(): Promise<void> {
    this.#ready = false;
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void> | void): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failures.push(error);
      }
    };
    await attempt(() => this.control.stop());
    await attempt(() => this.holder.close());
    await attempt(() => this.reader.close());
    await attempt(() => this.note({ type: "guard.stop", detail: `pid ${process.pid}` }));
    await attempt(() => this.#events[Symbol.dispose]());
    await attempt(() => this.recorder.close());
    if (failures.length > 0) throw failures[0];
  }

  /** Records something that the guard says of itself. */
  note(action: GuardAction): void {
    this.recorder.sink.append({ time_us: this.#parts.clock.wallUs(), kind: "guard", action });
  }

  #onLoss(event: Extract<ReaderEvent, { event: "loss" }>): void {
    if (event.gap.source === "reader") return this.#onFailure(`the kernel reader failed: ${event.gap.type}`);
    if (event.gap.source === "coverage") return;
    answerLoss(this.sessions, this.snapshot.guard.on_loss, { session_id: event.session_id, log: this.#parts.log });
  }

  /** A thread is gone: nobody sees or decides any more. `[guard] on_failure` says what becomes of the sessions. */
  #onFailure(reason: string): void {
    const open = this.snapshot.guard.on_failure === "open";
    this.#parts.log.error(`${reason}; sessions ${open ? "go on unguarded" : "are ended"}`);
    this.note({ type: "guard.degraded", detail: reason });
    if (open) return;
    for (const held of this.sessions.running()) held.cgroup?.kill();
  }

  #degrade(detail: string): void {
    this.#parts.log.warn(detail);
    this.note({ type: "guard.degraded", detail });
  }

  #recordPolicy(): void {
    this.recorder.sink.append(policyEntry(this.#policyStatus(), this.snapshot.mode, this.#parts.clock));
  }

  #policyStatus(): PolicyStatus {
    return policyStatus(this.#parts, this.snapshot, this.#weaker);
  }
}

/** The sessions of one guard: begun, paused, killed, ended. */
import { SessionCgroup } from "../act/mod.ts";
import {
  AgentguardError,
  type Approver,
  type Clock,
  err,
  errorMessage,
  formatTime,
  type Log,
  ok,
  type ProcessRef,
  type RecordSink,
  type Result,
  type SessionId,
  type SessionInfo,
} from "../core/mod.ts";
import type { SessionPort, SessionView } from "../publish/mod.ts";
import type { SessionEnd } from "./reader_protocol.ts";
import { emptyTally, type SessionTally, TALLY_NAMES, type TallyReport } from "./tally_sink.ts";

/** One session with what it holds. */
interface Held {
  readonly info: SessionInfo;
  readonly scope: number;
  readonly cgroup?: SessionCgroup;
  readonly started_us: number;
  state: "running" | "paused" | "ended";
  ended_us?: number;
  end?: SessionEnd;
}

/** What the sessions need. */
export interface SessionsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sink: RecordSink;
  /** Told of each session that has ended. */
  readonly onEnded?: (id: SessionId) => void;
}

/** Sessions that something was counted for; beyond it those that nobody knows any more are dropped. */
const TALLIES_MAX = 4096;
/** Ended sessions that are still shown. */
const ENDED_MAX = 256;

/** Keeps sessions and carries out what operators ask of them. Each command is an entry. */
export class Sessions implements SessionPort {
  readonly #parts: SessionsParts;
  readonly #by_id: Map<SessionId, Held> = new Map();
  /** By session, also of one that main has not taken in yet. */
  readonly #tallies: Map<SessionId, SessionTally> = new Map();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  /** Remembers a session that began; the reader records it, so that it stands before what it does. */
  add(scope: number, info: SessionInfo, cgroup: SessionCgroup | undefined): void {
    this.#by_id.set(info.session_id, {
      info,
      scope,
      ...(cgroup === undefined ? undefined : { cgroup }),
      started_us: this.#parts.clock.wallUs(),
      state: "running",
    });
  }

  /** Notes the end of a session and lets its cgroup go. */
  ended(id: SessionId, end: SessionEnd): void {
    const held = this.#by_id.get(id);
    if (held === undefined || held.state === "ended") return;
    held.state = "ended";
    held.end = end;
    held.ended_us = this.#parts.clock.wallUs();
    held.cgroup?.remove();
    this.#forgetOld();
    this.#parts.onEnded?.(id);
  }

  /** Adds what a thread counted. */
  tally(reports: readonly TallyReport[]): void {
    for (const { session_id, tally } of reports) {
      const sum = this.#tallies.get(session_id) ?? emptyTally();
      this.#tallies.set(session_id, sum);
      for (const name of TALLY_NAMES) sum[name] += tally[name];
    }
    for (const id of this.#tallies.keys()) {
      if (this.#tallies.size <= TALLIES_MAX) return;
      if (!this.#by_id.has(id)) this.#tallies.delete(id);
    }
  }

  /** The session of a scope that has not ended. */
  ofScope(scope: number): SessionInfo | undefined {
    for (const held of this.#by_id.values()) if (held.scope === scope && held.state !== "ended") return held.info;
    return undefined;
  }

  /** Scopes that have not ended. */
  running(): readonly { readonly scope: number; readonly info: SessionInfo; readonly cgroup?: SessionCgroup }[] {
    return [...this.#by_id.values()].filter((held) => held.state !== "ended");
  }

  list(): readonly SessionView[] {
    return [...this.#by_id.values()].map((held) => this.#view(held));
  }

  show(id: SessionId): SessionView | undefined {
    const held = this.#by_id.get(id);
    return held === undefined ? undefined : this.#view(held);
  }

  kill(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>> {
    return this.#command(id, { type: "operator.kill", who }, (held, cgroup) => {
      cgroup.kill();
      held.state = "running";
    });
  }

  pause(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>> {
    return this.#command(id, { type: "operator.pause", who }, (held, cgroup) => {
      cgroup.freeze();
      held.state = "paused";
    });
  }

  resume(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>> {
    return this.#command(id, { type: "operator.resume", who }, (held, cgroup) => {
      cgroup.thaw();
      held.state = "running";
    });
  }

  /**
   * Stops a session for as long as a person looks at something: what is returned lets it go on, unless somebody paused
   * it meanwhile. `undefined` where it cannot be stopped, or stands still already.
   */
  hush(id: SessionId): (() => void) | undefined {
    const held = this.#by_id.get(id);
    const cgroup = held?.state === "running" ? held.cgroup : undefined;
    if (held === undefined || cgroup === undefined) return undefined;
    cgroup.freeze();
    return () => {
      if (held.state === "running") cgroup.thaw();
    };
  }

  /** The command is recorded before its effect, whoever gave it. */
  async #command(
    id: SessionId,
    command: { readonly type: "operator.kill" | "operator.pause" | "operator.resume"; readonly who: Approver },
    act: (held: Held, cgroup: SessionCgroup) => void,
  ): Promise<Result<SessionView, AgentguardError>> {
    const held = this.#by_id.get(id);
    if (held === undefined) return err(new AgentguardError("not_found", `find session ${id}: there is none`));
    if (held.state === "ended") return err(new AgentguardError("not_found", `change session ${id}: it has ended`));
    if (held.cgroup === undefined) {
      return err(new AgentguardError("unsupported", `change session ${id}: it has no cgroup of version 2`));
    }
    const { type, who } = command;
    this.#parts.sink.append({
      time_us: this.#parts.clock.wallUs(),
      kind: "operator",
      session_id: id,
      principal: held.info.principal,
      action: {
        type,
        target: id,
        by: who.id,
        verified: who.verified,
        ...(who.inside === undefined ? undefined : { refused: who.inside }),
      },
    });
    if (who.inside !== undefined) return err(new AgentguardError("permission", who.inside));
    await this.#parts.sink.flush().catch((error: unknown) => {
      // The command still holds: an operator must be able to stop a session when the disk is full.
      this.#parts.log.error(`record the command first: ${errorMessage(error)}`);
    });
    try {
      act(held, held.cgroup);
    } catch (error) {
      return err(error instanceof AgentguardError ? error : new AgentguardError("io", errorMessage(error)));
    }
    return ok(this.#view(held));
  }

  #forgetOld(): void {
    const ended = [...this.#by_id.values()].filter((held) => held.state === "ended");
    for (const held of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) this.#forget(held.info.session_id);
  }

  #forget(id: SessionId): void {
    this.#by_id.delete(id);
    this.#tallies.delete(id);
  }

  #view(held: Held): SessionView {
    return view(held, this.#tallies.get(held.info.session_id) ?? emptyTally());
  }
}

function view(held: Held, tally: SessionTally): SessionView {
  const { info } = held;
  const root: ProcessRef = { pid: info.root.pid, start: info.root.start };
  return {
    session_id: info.session_id,
    agent: info.agent,
    principal: info.principal,
    state: held.state,
    root,
    ...(info.cgroup === undefined ? undefined : { cgroup: info.cgroup }),
    started: formatTime(held.started_us),
    ...(held.ended_us === undefined ? undefined : { ended: formatTime(held.ended_us) }),
    ...held.end,
    processes: held.cgroup?.processes() ?? 0,
    counters: { ...tally },
  };
}

/** A guard's ports with real data structures behind them, for tests of the control API. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  AgentguardError,
  type ApprovalEvent,
  type Approver,
  type DecisionId,
  type Entry,
  type EntryId,
  err,
  type Log,
  type LogFields,
  ok,
  type Result,
  type SessionId,
} from "../../../lib/core/mod.ts";
import type {
  ApprovalDesk,
  ControlPorts,
  EventFilter,
  GuardStatus,
  Lag,
  Peer,
  PeerPort,
  PolicyStatus,
  SessionView,
} from "../../../lib/publish/mod.ts";
import { Broadcast } from "../../../lib/task/mod.ts";

export const SESSION_A = "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId;
export const SESSION_B = "01JABCDEFGHJKMNPQRSTVWXYZ1" as SessionId;

/** A temporary directory that removes itself. */
export class TempDir implements Disposable {
  readonly path: string = mkdtempSync(`${tmpdir()}/agentguard-test-`);
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export class MemoryLog implements Log {
  readonly lines: string[] = [];
  debug(_message: string, _fields?: LogFields): void {}
  info(message: string, _fields?: LogFields): void {
    this.lines.push(message);
  }
  warn(message: string, _fields?: LogFields): void {
    this.lines.push(message);
  }
  error(message: string, fields?: LogFields): void {
    this.lines.push(`${message} ${JSON.stringify(fields)}`);
  }
}

export const POLICY: PolicyStatus = {
  ref: { name: "test", digest: "ab".repeat(32), generation: 1 },
  files: ["/etc/p.toml"],
  rules: 3,
};

export const STATUS: GuardStatus = {
  version: "0.1.0",
  pid: 42,
  mode: "enforce",
  ready: true,
  started: "2026-01-02T03:04:05.000006Z",
  uptime_ms: 61_000,
  sessions: { running: 1, paused: 0, ended: 2 },
  layers: [{ name: "exec", state: "on", detail: "tp_btf/sched_process_exec" }],
  policy: POLICY,
  queues: [{ name: "recorder", length: 3, unit: "entries" }],
  losses: [{ source: "telemetry", type: "record", count: 7 }],
  counters: { frames: 10 },
  config: { state_dir: { value: "/s", origin: "flag", from: "--state" } },
};

export function session(id: SessionId): SessionView {
  return {
    session_id: id,
    agent: "claude",
    principal: "anonymous",
    state: "running",
    root: { pid: 7, start: "123" },
    started: "2026-01-02T03:04:05.000006Z",
    processes: 2,
    counters: { denied: 1 },
  };
}

export function entry(seq: number, more: Partial<Entry> = {}): Entry {
  return {
    seq,
    entry_id: "01JABCDEFGHJKMNPQRSTVWXYZ2" as EntryId,
    boot_id: "b",
    time: "2026-01-02T03:04:05.000006Z",
    kind: "observation",
    session_id: SESSION_A,
    prev: "0".repeat(64),
    ...more,
  };
}

export const DECISION = "01JABCDEFGHJKMNPQRSTVWXYZ3" as DecisionId;

/** Somebody outside of every session; a test may make it another one. */
export class MemoryPeers implements PeerPort {
  who: Approver = { id: `uid:${process.getuid?.() ?? 0}`, verified: "test", uid: 0, terminal: true };
  opened: number[] = [];
  closed = 0;

  open(fd: number): Peer {
    this.opened.push(fd);
    return {
      identify: () => Promise.resolve(this.who),
      [Symbol.dispose]: () => {
        this.closed++;
      },
    };
  }
}

/** No questions. */
const NO_APPROVALS: ApprovalDesk = {
  list: () => [],
  show: () => undefined,
  vote: () => Promise.resolve(err(new AgentguardError("not_found", "no question"))),
  callback: () => Promise.resolve(err(new AgentguardError("not_found", "no question"))),
  watch: () => new Broadcast<ApprovalEvent>("approvals", { capacity: 1 }).subscribe(),
  grants: () => [],
  revoke: () => err(new AgentguardError("not_found", "no grant")),
};

/** Ports over arrays; `events` is replaced by tests that stream. */
export class MemoryPorts implements ControlPorts {
  readonly sessionViews: SessionView[] = [session(SESSION_A)];
  readonly commands: string[] = [];
  ready = true;
  failure: AgentguardError | undefined;
  source: (filter: EventFilter, signal: AbortSignal) => AsyncIterable<Entry | Lag> = async function* () {};
  readonly status: ControlPorts["status"] = { status: () => ({ ...STATUS, ready: this.ready }) };
  readonly sessions: ControlPorts["sessions"] = {
    list: () => this.sessionViews,
    show: (id) => this.sessionViews.find((view) => view.session_id === id),
    kill: (id) => this.#command("kill", id),
    pause: (id) => this.#command("pause", id),
    resume: (id) => this.#command("resume", id),
  };
  readonly events: ControlPorts["events"] = { subscribe: (filter, signal) => this.source(filter, signal) };
  readonly policy: ControlPorts["policy"] = {
    reload: () => {
      this.commands.push("reload");
      return Promise.resolve(this.failure === undefined ? ok(POLICY) : err(this.failure));
    },
  };

  approvals: ApprovalDesk = NO_APPROVALS;
  record: ControlPorts["record"] = {
    keep: (request, who) => {
      this.commands.push(`keep ${JSON.stringify(request)} ${who.id}`);
      const report = { entries: 1, bytes: 2, held_back: 0, statements: [3], traces: false };
      return Promise.resolve(this.failure === undefined ? ok(report) : err(this.failure));
    },
    addCheckpoint: (body) => ({ status: 409, type: "text/x.tlog.size", body: `${body.length}\n` }),
  };

  #command(verb: string, id: SessionId): Promise<Result<SessionView, AgentguardError>> {
    this.commands.push(`${verb} ${id}`);
    if (this.failure !== undefined) return Promise.resolve(err(this.failure));
    const found = this.sessionViews.find((view) => view.session_id === id);
    return Promise.resolve(
      found === undefined ? err(new AgentguardError("not_found", `use a known session: ${id}`)) : ok(found),
    );
  }
}

/** Waits until the condition holds, at most five seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`wait for ${what} timed out`);
    await Bun.sleep(2);
  }
}

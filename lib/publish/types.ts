/** Wire types of the control API and the ports that it reads from. Field names are those of the JSON form. */
import type {
  AgentguardError,
  ApprovalEvent,
  ApprovalView,
  Approver,
  Ballot,
  Entry,
  GrantView,
  Mode,
  PolicyRef,
  ProcessRef,
  Result,
  SessionId,
} from "../core/mod.ts";
import type { KeepReport, WitnessAnswer } from "../record/mod.ts";
import type { Subscription } from "../task/mod.ts";

/** A part of the guard that can observe or enforce something. */
export interface LayerStatus {
  /** For example `exec`, `net.connect`, `cgroup`. */
  readonly name: string;
  readonly state: "on" | "degraded" | "off";
  /** Which mechanism is used, or why none is. */
  readonly detail: string;
}

/** The policy in force. */
export interface PolicyStatus {
  readonly ref: PolicyRef;
  /** Policy files in the order of their layers; empty for the built-in policy. */
  readonly files: readonly string[];
  readonly rules: number;
  /** Rules that what runs already keeps in another way than what starts now would; absent where there are none. */
  readonly weaker?: readonly string[];
  /** Settings that count from the guard's next start, a sentence for each; absent where there are none. */
  readonly pending?: readonly string[];
}

/** How full a queue is. */
export interface QueueStatus {
  /** For example `recorder`, `ring.telemetry`. */
  readonly name: string;
  readonly length: number;
  /** Absent for a queue whose bound is soft. */
  readonly capacity?: number;
  readonly unit: "entries" | "bytes";
}

/** Losses since the start, by source and type as in `gap` entries. */
export interface LossStatus {
  readonly source: string;
  readonly type: string;
  readonly count: number;
}

/** A configuration value with its origin. */
export interface ConfigValue {
  readonly value: string | number | boolean | null;
  readonly origin: string;
  readonly from: string;
}

/** What `GET /v1/status` answers. */
export interface GuardStatus {
  readonly version: string;
  readonly pid: number;
  readonly mode: Mode | "disabled";
  /** True once every stage has reported. */
  readonly ready: boolean;
  /** RFC 3339 UTC. */
  readonly started: string;
  readonly uptime_ms: number;
  readonly sessions: { readonly running: number; readonly paused: number; readonly ended: number };
  readonly layers: readonly LayerStatus[];
  readonly policy: PolicyStatus;
  readonly queues: readonly QueueStatus[];
  readonly losses: readonly LossStatus[];
  readonly counters: Readonly<Record<string, number>>;
  readonly config: Readonly<Record<string, ConfigValue>>;
}

/** Where a session is in its life. */
export type SessionState = "running" | "paused" | "ended";

/** One session as the API shows it. */
export interface SessionView {
  readonly session_id: SessionId;
  readonly agent: string;
  readonly principal: string;
  readonly state: SessionState;
  readonly root: ProcessRef;
  /** Path of the cgroup v2 leaf below the mount point; absent without one. */
  readonly cgroup?: string;
  /** RFC 3339 UTC. */
  readonly started: string;
  /** RFC 3339 UTC; absent while it lives. */
  readonly ended?: string;
  readonly exit_code?: number;
  readonly signal?: number;
  /** Living processes. */
  readonly processes: number;
  /** Actions seen, denied, lost, ... */
  readonly counters: Readonly<Record<string, number>>;
}

/** Tells how the guard is. Must be cheap: it runs on the main thread. */
export interface StatusPort {
  status(): GuardStatus;
}

/**
 * Sessions and what an operator may do to them. The three commands resolve with the session after the command, or with
 * `not_found`, `unsupported` (no cgroup to freeze, for example), `busy`, `permission` (a process of a session) or
 * another error.
 */
export interface SessionPort {
  list(): readonly SessionView[];
  show(id: SessionId): SessionView | undefined;
  kill(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>>;
  pause(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>>;
  resume(id: SessionId, who: Approver): Promise<Result<SessionView, AgentguardError>>;
}

/** Which entries a client wants. */
export interface EventFilter {
  readonly session_id?: SessionId;
  /** Action type, with `*` for any number of characters: `file.*`. */
  readonly type?: string;
  /** False: what the port still holds, then the end. True: from now on, without an end. */
  readonly follow: boolean;
}

/** Entries that a reader missed because it was slow. */
export interface Lag {
  readonly lagged: number;
}

/**
 * The stream of entries. The iterable must end when the signal is aborted. The API applies the filter itself; a port
 * may use it to skip early.
 */
export interface EventPort {
  subscribe(filter: EventFilter, signal: AbortSignal): AsyncIterable<Entry | Lag>;
}

/** Loads the policy again; the old one stays in force after an error. */
export interface ReloadPort {
  reload(who: Approver): Promise<Result<PolicyStatus, AgentguardError>>;
}

/** A message that only whoever has the secret of a webhook can have signed. */
export interface SignedMessage {
  /** A header's value by its lower-case name. */
  readonly header: (name: string) => string | null;
  readonly body: string;
}

/** Questions that wait for humans, and standing grants. Every command that is refused is recorded too. */
export interface ApprovalDesk {
  list(): readonly ApprovalView[];
  show(approval_id: string): ApprovalView | undefined;
  vote(approval_id: string, ballot: Ballot, who: Approver): Promise<Result<ApprovalView, AgentguardError>>;
  /** An answer by webhook. Errors as `vote`; `permission` for one that is not signed. */
  callback(approval_id: string, message: SignedMessage): Promise<Result<ApprovalView, AgentguardError>>;
  watch(): Subscription<ApprovalEvent>;
  grants(): readonly GrantView[];
  revoke(grant_id: string, who: Approver): Result<GrantView, AgentguardError>;
}

/** The other end of one connection. Disposed when the connection is closed. */
export interface Peer extends Disposable {
  /** Finds out who it is; never rejects: what cannot be found out is said in `inside`. */
  identify(): Promise<Approver>;
}

/** The other end of a TCP connection. */
export interface RemoteAddress {
  readonly address: string;
  readonly port: number;
}

/** Asks the kernel who is at the other end of a connection, while the connection is open. */
export interface PeerPort {
  /**
   * The peer of a connected socket, in the turn in which it was accepted; -1 where there is no descriptor. `remote` is
   * the other end of a TCP connection.
   */
  open(fd: number, remote?: RemoteAddress): Peer;
}

/** The record, as operators and other logs reach it. */
export interface RecordPort {
  /** Prunes, erases, holds, as `KeepRequest` says. Errors: `usage`, `not_found`, `busy`, `io`, `closed`. */
  keep(request: unknown, who: Approver): Promise<Result<KeepReport, AgentguardError>>;
  /** C2SP tlog-witness `add-checkpoint`; 404 where this guard is no witness. */
  addCheckpoint(body: string): WitnessAnswer;
}

/** Everything that the API needs from the guard. */
export interface ControlPorts {
  readonly status: StatusPort;
  readonly sessions: SessionPort;
  readonly events: EventPort;
  readonly policy: ReloadPort;
  readonly approvals: ApprovalDesk;
  readonly record: RecordPort;
}

/** Every error that a client gets. */
export interface ApiErrorBody {
  readonly error: { readonly code: string; readonly message: string };
}

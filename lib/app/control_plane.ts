/** What operators reach of a guard: the control socket, the port of approvers, and the approvals themselves. */
import {
  AgentguardError,
  type ApprovalEvent,
  type ApprovalSettings,
  type Clock,
  type Entry,
  errorMessage,
  type IdGenerator,
  type Log,
  type SessionInfo,
} from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import { readSecret } from "../approve/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { ApproverServer, type ControlPorts, ControlServer } from "../publish/mod.ts";
import { ApprovalNotices } from "./approval_notices.ts";
import { ApprovalOffice } from "./approval_office.ts";
import { findUnanswered, recordUnanswered } from "./approval_recovery.ts";
import { PeerIdentity } from "./peer_identity.ts";
import type { MembershipParts } from "./session_membership.ts";
import { TcpPeerIdentity } from "./tcp_peer.ts";
import { RecordDesk } from "./record_desk.ts";
import type { RecorderThread } from "./recorder_thread.ts";

/** Shortest token, characters. */
const TOKEN_CHARS_MIN = 16;

/** What it is made of. */
export interface ControlPlaneParts {
  readonly state_dir: string;
  readonly runtime_dir: string;
  /** Commands find its socket only where they are told it too. */
  readonly runtime_given: boolean;
  /** The policy at the start. */
  readonly policy: PolicySnapshot;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly log: Log;
  readonly recorder: RecorderThread;
  /** Descriptor of the kernel's map of marked tasks. */
  readonly scopes_fd: () => number;
  /** Sessions that have not ended. */
  readonly sessions: () => readonly SessionInfo[];
}

/** Start it; stop it; close its approvals while the record still takes entries. */
export class ControlPlane {
  readonly approvals: ApprovalOffice;
  /** What the log says of questions. */
  readonly notices: ApprovalNotices;
  readonly #parts: ControlPlaneParts;
  readonly #control: ControlServer;
  readonly #unanswered: readonly Entry[];
  readonly #membership: MembershipParts;
  readonly #listen: () => void;
  #approver: ApproverServer | undefined;
  readonly #record: RecordDesk;

  /** Opens the approvals; serves nothing yet. Throws `config` for a secret that cannot be used, `io`, `tamper`. */
  constructor(parts: ControlPlaneParts, ports: Omit<ControlPorts, "approvals" | "record">) {
    this.#parts = parts;
    const { log, policy: { approval, record: { witness_for } }, recorder: { sink }, scopes_fd, sessions } = parts;
    this.#record = new RecordDesk({ ...parts, witness_for });
    this.#unanswered = findUnanswered(parts.state_dir, log);
    const { runtime_dir, runtime_given } = parts;
    this.notices = new ApprovalNotices({ log, timers: systemTimers, ...(runtime_given ? { runtime_dir } : {}) });
    const onEvent = (event: ApprovalEvent): void => this.notices.event(event);
    this.approvals = new ApprovalOffice({ ...parts, settings: approval, sink, onEvent });
    this.#membership = { system: new SystemCalls(openShim()), self_pid: process.pid, scopes_fd, sessions };
    const peers = new PeerIdentity(this.#membership);
    this.#listen = this.#prepareListen(approval);
    const uid = process.geteuid?.() ?? 0;
    const options = { runtime_dir, uid, log, peers };
    this.#control = new ControlServer({ ...ports, approvals: this.approvals, record: this.#record }, options);
  }

  /** Says what became of questions of an earlier guard, then serves. */
  async start(): Promise<void> {
    const { recorder: { sink }, clock, log } = this.#parts;
    recordUnanswered(this.#unanswered, { sink, clock });
    this.#listen();
    try {
      await this.#control.start();
    } catch (error) {
      // Several guards may run on different records; only one can own the runtime directory.
      if (!(error instanceof AgentguardError) || error.code !== "busy") throw error;
      const detail = `no control socket: ${error.message}`;
      log.warn(detail);
      sink.append({ time_us: clock.wallUs(), kind: "guard", action: { type: "guard.degraded", detail } });
    }
  }

  /** Reads the secrets of other settings; the result puts them in force. Throws `config`, and then nothing changed. */
  prepare(settings: ApprovalSettings): () => Promise<void> {
    const arrange = this.approvals.prepare(settings);
    const listen = this.#prepareListen(settings);
    return async () => {
      await arrange();
      try {
        listen();
      } catch (error) {
        // The policy is in force already; what is missing is a way to answer, not a rule.
        const { log, recorder: { sink }, clock } = this.#parts;
        const detail = errorMessage(error);
        log.error(detail);
        sink.append({ time_us: clock.wallUs(), kind: "guard", action: { type: "guard.degraded", detail } });
      }
    };
  }

  /** Serves nothing any more; what waits is denied. */
  async stop(): Promise<void> {
    try {
      await this.approvals.close();
    } finally {
      this.#approver?.[Symbol.dispose]();
      await this.#control.stop();
      this.#record[Symbol.dispose]();
    }
  }

  /** Reads the token; the result opens the port, or closes the one that is open. */
  #prepareListen({ listen }: ApprovalSettings): () => void {
    const { env, log } = this.#parts;
    const bounds = { what: "token", chars_min: TOKEN_CHARS_MIN };
    const token = listen === undefined ? "" : readSecret(listen.token, env, bounds);
    return () => {
      this.#approver?.[Symbol.dispose]();
      this.#approver = undefined;
      if (listen === undefined) return;
      const peers = new TcpPeerIdentity(this.#membership, `token:${listen.name}`);
      const { address: hostname, port } = listen;
      const approver = new ApproverServer(this.approvals, { hostname, port, token, log, peers });
      approver.start();
      this.#approver = approver;
    };
  }
}

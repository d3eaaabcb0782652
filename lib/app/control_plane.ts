/** What operators reach of a guard: the control socket, the port of approvers, and the approvals themselves. */
import {
  AgentguardError,
  type ApprovalSettings,
  type Clock,
  type Entry,
  type IdGenerator,
  type Log,
  type RecordSink,
  type SessionInfo,
} from "../core/mod.ts";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import { type ControlPorts, ControlServer } from "../publish/mod.ts";
import { ApprovalOffice } from "./approval_office.ts";
import { findUnanswered, recordUnanswered } from "./approval_recovery.ts";
import { PeerIdentity } from "./peer_identity.ts";

/** What it is made of. */
export interface ControlPlaneParts {
  readonly state_dir: string;
  readonly runtime_dir: string;
  readonly settings: ApprovalSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly log: Log;
  readonly sink: RecordSink;
  /** Descriptor of the kernel's map of marked tasks. */
  readonly scopes_fd: () => number;
  /** Sessions that have not ended. */
  readonly sessions: () => readonly SessionInfo[];
}

/** Start it; stop it; close its approvals while the record still takes entries. */
export class ControlPlane {
  readonly approvals: ApprovalOffice;
  readonly #parts: ControlPlaneParts;
  readonly #control: ControlServer;
  readonly #unanswered: readonly Entry[];

  /** Opens the approvals; serves nothing yet. Throws `config` for a secret that cannot be used, `io`, `tamper`. */
  constructor(parts: ControlPlaneParts, ports: Omit<ControlPorts, "approvals">) {
    this.#parts = parts;
    const { log, scopes_fd, sessions } = parts;
    this.#unanswered = findUnanswered(parts.state_dir, log);
    this.approvals = new ApprovalOffice(parts);
    const system = new SystemCalls(openShim());
    const peers = new PeerIdentity({ system, self_pid: process.pid, scopes_fd, sessions });
    const uid = process.geteuid?.() ?? 0;
    const options = { runtime_dir: parts.runtime_dir, uid, log, peers };
    this.#control = new ControlServer({ ...ports, approvals: this.approvals }, options);
  }

  /** Says what became of questions of an earlier guard, then serves. */
  async start(): Promise<void> {
    const { sink, clock, log } = this.#parts;
    recordUnanswered(this.#unanswered, { sink, clock });
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

  /** Serves nothing any more; what waits is denied. */
  async stop(): Promise<void> {
    try {
      await this.approvals.close();
    } finally {
      await this.#control.stop();
    }
  }
}

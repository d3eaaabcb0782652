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
import { systemTimers } from "../task/mod.ts";
import { type ControlPorts, ControlServer } from "../publish/mod.ts";
import { ApprovalNotices } from "./approval_notices.ts";
import { ApprovalOffice } from "./approval_office.ts";
import { findUnanswered, recordUnanswered } from "./approval_recovery.ts";
import { ApproverWays } from "./approver_ways.ts";
import { PeerIdentity } from "./peer_identity.ts";
import { RecordDesk } from "./record_desk.ts";
import type { RecorderThread } from "./recorder_thread.ts";

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
  readonly #ways: ApproverWays;
  readonly #open: ReturnType<ApproverWays["prepare"]>;
  #owns_runtime = false;
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
    const membership = { system: new SystemCalls(openShim()), self_pid: process.pid, scopes_fd, sessions };
    const peers = new PeerIdentity(membership);
    this.#ways = new ApproverWays({ ...parts, desk: this.approvals, membership });
    this.#open = this.#ways.prepare(approval);
    const uid = process.geteuid?.() ?? 0;
    const options = { runtime_dir, uid, log, peers };
    this.#control = new ControlServer({ ...ports, approvals: this.approvals, record: this.#record }, options);
  }

  /** Says what became of questions of an earlier guard, then serves. */
  async start(): Promise<void> {
    const { recorder: { sink }, clock, log } = this.#parts;
    recordUnanswered(this.#unanswered, { sink, clock });
    try {
      await this.#control.start();
      this.#owns_runtime = true;
    } catch (error) {
      // Several guards may run on different records; only one can own the runtime directory.
      if (!(error instanceof AgentguardError) || error.code !== "busy") throw error;
      const detail = `no control socket: ${error.message}`;
      log.warn(detail);
      this.#degraded(detail);
    }
    await this.#open({ sockets: this.#owns_runtime });
  }

  /** Reads the secrets of other settings; the result puts them in force. Throws `config`, and then nothing changed. */
  prepare(settings: ApprovalSettings): () => Promise<void> {
    const arrange = this.approvals.prepare(settings);
    const open = this.#ways.prepare(settings);
    return async () => {
      await arrange();
      try {
        await open({ sockets: this.#owns_runtime });
      } catch (error) {
        // The policy is in force already; what is missing is a way to answer, not a rule.
        this.#parts.log.error(errorMessage(error));
        this.#degraded(errorMessage(error));
      }
    };
  }

  /** Serves nothing any more; what waits is denied. */
  async stop(): Promise<void> {
    try {
      await this.approvals.close();
    } finally {
      this.#ways[Symbol.dispose]();
      await this.#control.stop();
      this.#record[Symbol.dispose]();
    }
  }

  #degraded(detail: string): void {
    const { recorder: { sink }, clock } = this.#parts;
    sink.append({ time_us: clock.wallUs(), kind: "guard", action: { type: "guard.degraded", detail } });
  }
}

/** Approvals behind a real control socket, with the real marks of the kernel programs, but with questions of a test. */
import {
  type Action,
  type ApprovalAnswer,
  approvalDigest,
  type ApprovalId,
  type ApprovalSettings,
  type DecisionId,
  IdGenerator,
  type SessionId,
  type SessionInfo,
  systemClock,
} from "../../lib/core/mod.ts";
import { ApprovalOffice } from "../../lib/app/approval_office.ts";
import { PeerIdentity } from "../../lib/app/peer_identity.ts";
import type { MembershipParts } from "../../lib/app/session_membership.ts";
import { ControlServer } from "../../lib/publish/mod.ts";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import { Probed } from "../kernel/probes_support.ts";
import { EXECUTABLE, type Finished, PLAIN_ENVIRONMENT, run, TempDir } from "../support/mod.ts";
import { HandSink } from "../unit/approve/support.ts";
import { MemoryLog, MemoryPorts } from "../unit/publish/support.ts";

/** The session that asks. */
export const SESSION: SessionInfo = {
  session_id: "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId,
  agent: "claude",
  principal: "alice",
  root: { pid: 2 ** 22, start: "1" },
};

/** What is asked about. */
export const PUSH: Action = { type: "exec", path: "/usr/bin/git", argv: ["git", "push", "origin", "main"], cwd: "/w" };

/** A question that was asked. */
export interface Asked {
  readonly id: ApprovalId;
  readonly answer: Promise<ApprovalAnswer>;
}

/** Close it. */
export class ApprovalHost implements AsyncDisposable {
  readonly dir: TempDir;
  readonly probed: Probed;
  readonly sink: HandSink = new HandSink();
  readonly log: MemoryLog = new MemoryLog();
  readonly office: ApprovalOffice;
  /** Cgroups of sessions, below the mount point. */
  readonly leaves: string[] = [];
  readonly membership: MembershipParts;
  readonly #server: ControlServer;
  readonly #ids = new IdGenerator(systemClock);

  private constructor(dir: TempDir, settings: ApprovalSettings, env: Readonly<Record<string, string>>) {
    this.dir = dir;
    this.probed = Probed.load();
    this.probed.probes.attach();
    const { sink, log } = this;
    const state_dir = dir.join("state");
    this.office = new ApprovalOffice({ state_dir, settings, env, clock: systemClock, ids: this.#ids, log, sink });
    this.membership = {
      system: new SystemCalls(openShim()),
      // Whatever a test starts descends from the test: here the guard is somebody else.
      self_pid: -1,
      scopes_fd: () => this.probed.probes.map("scopes").fd,
      sessions: () => this.leaves.map((cgroup) => ({ ...SESSION, cgroup })),
    };
    const peers = new PeerIdentity(this.membership);
    const ports = new MemoryPorts();
    ports.approvals = this.office;
    this.#server = new ControlServer(ports, { runtime_dir: this.runtime, uid: process.getuid?.() ?? 0, log, peers });
  }

  /** Serves. */
  static async start(
    settings: ApprovalSettings = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<ApprovalHost> {
    const dir = await TempDir.create();
    await run(["mkdir", "-m", "700", dir.join("state")]);
    const host = new ApprovalHost(dir, settings, env);
    await host.#server.start();
    return host;
  }

  /** Directory of the control socket. */
  get runtime(): string {
    return this.dir.join("runtime");
  }

  /** The control socket. */
  get socket(): string {
    return `${this.runtime}/control.sock`;
  }

  /** Asks about the action, as uid 0 unless told otherwise. */
  ask(fields: { readonly action?: Action; readonly uid?: number; readonly timeout_ms?: number } = {}): Asked {
    const action = fields.action ?? PUSH;
    const id = this.#ids.approval();
    const asked_us = systemClock.wallUs();
    const answer = this.office.port.ask({
      approval_id: id,
      decision_id: this.#ids.next() as DecisionId,
      action,
      session: SESSION,
      process: { pid: 42, start: "1", uid: fields.uid ?? 0, exe: "/usr/bin/bash" },
      digest: approvalDigest({ action, session: SESSION }),
      policy: { name: "p", digest: "ab".repeat(32), generation: 1 },
      rule: "push-needs-a-human",
      reason: "a push needs a human",
      held_by: "seccomp",
      asked_us,
      expires_us: asked_us + (fields.timeout_ms ?? 60_000) * 1_000,
    });
    return { id, answer };
  }

  /** The words of a command on this host's socket. */
  argv(words: readonly string[]): readonly string[] {
    return [EXECUTABLE, ...words, "--runtime", this.runtime];
  }

  /** Runs a command without a terminal. */
  command(...words: readonly string[]): Promise<Finished> {
    return run(this.argv(words), { env: PLAIN_ENVIRONMENT });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.office.close();
    await this.#server.stop();
    this.probed[Symbol.dispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

/** Questions, approvers and the parts of approvals, with time and the record moved by hand. */
import {
  type Action,
  type ApprovalAction,
  approvalDigest,
  type ApprovalEvent,
  type ApprovalId,
  type ApprovalRequest,
  type Approver,
  type Clock,
  type DecisionId,
  type EntryDraft,
  IdGenerator,
  type RecordSink,
  type SessionId,
  type SessionInfo,
  silentLog,
} from "../../../lib/core/mod.ts";
import { type ApprovalRules, Approvals, type CodeMemory, Grants } from "../../../lib/approve/mod.ts";
import { TempDir } from "../publish/support.ts";
import { FakeTimers } from "../task/fake_timers.ts";

export const SESSION: SessionInfo = {
  session_id: "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId,
  agent: "claude",
  principal: "alice",
  root: { pid: 7, start: "70" },
};

export const OTHER_SESSION: SessionInfo = { ...SESSION, session_id: "01JABCDEFGHJKMNPQRSTVWXYZ1" as SessionId };

export const PUSH: Action = {
  type: "exec",
  path: "/usr/bin/git",
  argv: ["git", "push", "origin", "main"],
  cwd: "/work",
};

/** Wall time that goes with fake timers. */
export const START_US = 1_800_000_000_000_000;

/** Somebody at a terminal, outside of every session, who is not the user that asks. */
export function approver(fields: Partial<Approver> = {}): Approver {
  return {
    id: "uid:0",
    verified: "test",
    uid: 0,
    gids: [0],
    groups: ["root"],
    user: "root",
    terminal: true,
    ...fields,
  };
}

/** A record that keeps what it is given, and becomes durable or fails when the test says so. */
export class HandSink implements RecordSink {
  readonly drafts: EntryDraft[] = [];
  /** `auto` makes every flush succeed at once. */
  mode: "auto" | "hand" = "auto";
  readonly flushes: {
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
    readonly covers: number;
  }[] = [];

  append(draft: EntryDraft): void {
    this.drafts.push(draft);
  }

  pending(): number {
    return this.flushes.length;
  }

  flush(): Promise<void> {
    if (this.mode === "auto") return Promise.resolve();
    return new Promise((resolve, reject) => this.flushes.push({ resolve, reject, covers: this.drafts.length }));
  }

  durable(): Promise<void> {
    return this.flush();
  }

  /** The actions of approval entries, of one type or of all. */
  approvals(type?: ApprovalAction["type"]): readonly ApprovalAction[] {
    return this.drafts.flatMap(({ action }) =>
      action !== undefined && isApproval(action) && (type === undefined || action.type === type) ? [action] : []
    );
  }

  /** Entry types in order. */
  types(): readonly string[] {
    return this.drafts.map(({ action }) => action?.type ?? "");
  }
}

function isApproval(action: Action): action is ApprovalAction {
  return action.type.startsWith("approval.");
}

/** Approvals with everything that they need, in a directory that goes with them. */
export class ApprovalsFixture implements AsyncDisposable {
  readonly timers: FakeTimers = new FakeTimers();
  readonly clock: Clock;
  readonly sink: HandSink = new HandSink();
  readonly tampered: string[] = [];
  readonly dir: TempDir = new TempDir();
  readonly ids: IdGenerator;
  readonly grants: Grants;
  readonly approvals: Approvals;
  readonly #owns_grants: boolean;
  #next = 0;

  constructor(
    rules: ApprovalRules = { settings: {} },
    shared: { readonly grants?: Grants; readonly onEvent?: (event: ApprovalEvent) => void } = {},
  ) {
    const { timers } = this;
    this.clock = { wallUs: () => START_US + timers.nowMs() * 1_000, monotonicUs: () => timers.nowMs() * 1_000 };
    this.ids = new IdGenerator(this.clock);
    this.grants = shared.grants ?? this.openGrants();
    this.#owns_grants = shared.grants === undefined;
    this.approvals = new Approvals({
      clock: this.clock,
      timers,
      ids: this.ids,
      log: silentLog,
      sink: this.sink,
      grants: this.grants,
      rules,
      ...(shared.onEvent === undefined ? {} : { onEvent: shared.onEvent }),
    });
  }

  openGrants(key: Uint8Array = new Uint8Array(32).fill(7)): Grants {
    return new Grants({
      path: `${this.dir.path}/grants.db`,
      key,
      now_us: this.clock.wallUs(),
      onTampered: (detail) => this.tampered.push(detail),
    });
  }

  /** A question of five minutes about a push. */
  request(fields: Partial<ApprovalRequest> = {}): ApprovalRequest {
    const action = fields.action ?? PUSH;
    const session = "session" in fields ? fields.session : SESSION;
    const base = {
      approval_id: this.ids.approval(),
      decision_id: `01JDEC${String(this.#next++).padStart(20, "0")}` as DecisionId,
      action,
      process: { pid: 42, start: "420", uid: 1000, exe: "/usr/bin/bash" },
      policy: { name: "p", digest: "ab".repeat(32), generation: 1 },
      rule: "push-needs-a-human",
      reason: "a push needs a human",
      held_by: "seccomp",
      asked_us: this.clock.wallUs(),
      expires_us: this.clock.wallUs() + 300_000_000,
    } as const;
    const digest = approvalDigest(session === undefined ? { action } : { action, session });
    return { ...base, ...(session === undefined ? {} : { session }), digest, ...fields };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sink.mode = "auto";
    for (const { resolve } of this.sink.flushes.splice(0)) resolve();
    await this.approvals.close();
    if (this.#owns_grants) this.grants[Symbol.dispose]();
    this.dir[Symbol.dispose]();
  }
}

/** A memory of codes that lives as long as the test. */
export function codeMemory(): CodeMemory {
  let last = -1;
  return { last: () => last, use: (_secret, step) => void (last = step) };
}

/** An id that no question has. */
export const UNKNOWN = "01JABCDEFGHJKMNPQRSTVWXYZ9" as ApprovalId;

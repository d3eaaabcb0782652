/** Approvals of one guard, put together: questions, grants, secrets, notices, and what operators see of them. */
import { join } from "node:path";
import {
  AgentguardError,
  type ApprovalEvent,
  type ApprovalPort,
  type ApprovalSettings,
  type ApprovalView,
  type Approver,
  type Ballot,
  type Clock,
  err,
  errorMessage,
  type GrantView,
  type IdGenerator,
  type Log,
  type RecordSink,
  type Result,
} from "../core/mod.ts";
import {
  type ApprovalRules,
  Approvals,
  Chat,
  CODES_FILE,
  decodeTotpSecret,
  Grants,
  GRANTS_FILE,
  type NoticeTarget,
  Notifier,
  readSecret,
  type SignedText,
  TotpChecker,
  UsedCodes,
  Webhook,
} from "../approve/mod.ts";
import type { ApprovalDesk, SignedMessage } from "../publish/mod.ts";
import { createRedactor, openGrantKey, openRedactKey, type Redactor } from "../record/mod.ts";
import { type Subscription, systemTimers } from "../task/mod.ts";
import { formatAction } from "./format_entry.ts";
import { signalWaits } from "./process_facts.ts";

/** What it needs. */
export interface ApprovalOfficeParts {
  readonly state_dir: string;
  readonly settings: ApprovalSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly log: Log;
  readonly sink: RecordSink;
  /** Told of every question and answer. */
  readonly onEvent?: (event: ApprovalEvent) => void;
}

/** The policy's settings with their secrets, and whom they tell. */
interface Arrangement {
  readonly rules: ApprovalRules;
  readonly webhook?: Webhook;
  readonly targets: readonly NoticeTarget[];
}

/** Longest command line in a chat message, characters. */
const CHAT_CHARS_MAX = 2_000;
/** Bytes of secrets, as characters: what RFC 2104 section 3 wants at least of a key for SHA-256, and of a token. */
const SECRET_CHARS_MIN = 16;

/** Close it; before that it asks, answers and tells. */
export class ApprovalOffice implements ApprovalDesk {
  readonly #parts: ApprovalOfficeParts;
  readonly #grants: Grants;
  readonly #approvals: Approvals;
  readonly #redact: Redactor;
  #codes: UsedCodes | undefined;
  #totp: TotpChecker | undefined;
  #arrangement: Arrangement;
  #notifier: Notifier | undefined;

  /** Reads the secrets and opens the grants. Throws `config` for a secret that cannot be used, and `io`, `tamper`. */
  constructor(parts: ApprovalOfficeParts) {
    this.#parts = parts;
    const { state_dir, clock, ids, log, sink } = parts;
    this.#redact = createRedactor({ key: openRedactKey(state_dir) });
    this.#arrangement = this.#arrange(parts.settings);
    this.#grants = new Grants({
      path: join(state_dir, GRANTS_FILE),
      key: openGrantKey(state_dir),
      now_us: clock.wallUs(),
      onTampered: (detail) => this.#tampered(detail),
    });
    const { rules } = this.#arrangement;
    const told = parts.onEvent === undefined ? {} : { onEvent: parts.onEvent };
    const common = { clock, ids, log, sink, timers: systemTimers, grants: this.#grants };
    this.#approvals = new Approvals({ ...common, rules, ...told });
    this.#tell();
  }

  /** Where questions are asked. */
  get port(): ApprovalPort {
    return this.#approvals;
  }

  /** Questions that wait. */
  get pending(): number {
    return this.#approvals.pending;
  }

  /** Reads the secrets of other settings; the result puts them in force. Throws `config`, and then nothing changed. */
  prepare(settings: ApprovalSettings): () => Promise<void> {
    const arrangement = this.#arrange(settings);
    return async () => {
      this.#arrangement = arrangement;
      this.#approvals.configure(arrangement.rules);
      await this.#notifier?.close();
      this.#tell();
    };
  }

  list(): readonly ApprovalView[] {
    return this.#approvals.list();
  }

  show(approval_id: string): ApprovalView | undefined {
    return this.#approvals.show(approval_id);
  }

  vote(approval_id: string, ballot: Ballot, who: Approver): Promise<Result<ApprovalView, AgentguardError>> {
    return this.#approvals.vote(approval_id, ballot, who);
  }

  async callback(approval_id: string, message: SignedMessage): Promise<Result<ApprovalView, AgentguardError>> {
    const { webhook } = this.#arrangement;
    const view = this.#approvals.show(approval_id);
    if (webhook === undefined) return err(new AgentguardError("permission", "the policy has no webhook that decides"));
    // What is asked about is looked up only for those who may know: the signature is checked against any question.
    const question = view ?? { approval_id, digest: "" };
    const checked = webhook.check(message, question);
    if (!checked.ok) {
      this.#parts.log.warn(`answer of ${webhook.name} refused: ${checked.error}`);
      return err(new AgentguardError("permission", checked.error));
    }
    return await this.#approvals.vote(approval_id, checked.value.ballot, checked.value.approver);
  }

  watch(): Subscription<ApprovalEvent> {
    return this.#approvals.watch();
  }

  grants(): readonly GrantView[] {
    return this.#approvals.standing.list();
  }

  revoke(grant_id: string, who: Approver): Result<GrantView, AgentguardError> {
    return this.#approvals.standing.revoke(grant_id, who);
  }

  /** Ends the questions of processes for which this signal waits. */
  interrupt(signo: number): void {
    this.#approvals.interrupt(({ process }) => process !== undefined && signalWaits(process.pid, signo));
  }

  /** The session has ended: its questions end without effect. */
  endSession(session_id: string): void {
    this.#approvals.endSession(session_id);
  }

  /** Denies what waits. Call it while the record still takes entries. Doing it twice is harmless. */
  async close(): Promise<void> {
    await this.#approvals.close();
    await this.#notifier?.close();
    this.#grants[Symbol.dispose]();
    this.#codes?.[Symbol.dispose]();
    this.#codes = undefined;
  }

  #tampered(detail: string): void {
    const { log, sink, clock } = this.#parts;
    log.error(detail);
    sink.append({ time_us: clock.wallUs(), kind: "guard", action: { type: "guard.tamper", detail } });
  }

  /** The same checker as before for the same secret: what was used, and how many were wrong, outlives a reload. */
  #totpOf(secret: Uint8Array): TotpChecker {
    if (this.#totp?.isFor(secret) === true) return this.#totp;
    const { state_dir } = this.#parts;
    this.#codes ??= new UsedCodes({
      path: join(state_dir, CODES_FILE),
      key: openGrantKey(state_dir),
      onTampered: (detail) => this.#tampered(detail),
    });
    this.#totp = new TotpChecker(secret, this.#codes);
    return this.#totp;
  }

  #tell(): void {
    const { targets, webhook } = this.#arrangement;
    if (targets.length === 0) return;
    const { clock, sink, log } = this.#parts;
    this.#notifier = new Notifier({
      targets,
      events: this.#approvals.watch(),
      log,
      onReply: (event, reply) =>
        void this.#replied(event, reply).catch((thrown: unknown) => {
          log.error(`take the answer of ${webhook?.name ?? "a webhook"}: ${errorMessage(thrown)}`);
        }),
      onUndelivered: ({ approval: { approval_id, decision_id, session } }, target, reason) => {
        sink.append({
          time_us: clock.wallUs(),
          kind: "approval",
          ...(session === undefined ? {} : { session_id: session.session_id, principal: session.principal }),
          action: { type: "approval.undelivered", approval_id, decision_id, by: target, reason },
        });
      },
    });
    this.#notifier.start();
  }

  async #replied(event: ApprovalEvent, reply: SignedText): Promise<void> {
    const voted = await this.callback(event.approval.approval_id, reply);
    if (!voted.ok) {
      this.#parts.log.warn(`answer to ${event.approval.approval_id} did not count: ${voted.error.message}`);
    }
  }

  #arrange(settings: ApprovalSettings): Arrangement {
    const { env, clock } = this.#parts;
    const secretOf = (source: Parameters<typeof readSecret>[0], what: string): string =>
      readSecret(source, env, { what, chars_min: SECRET_CHARS_MIN });
    const { totp, webhook, slack, listen } = settings;
    const rules: ApprovalRules = {
      settings,
      ...(totp === undefined ? {} : { totp: this.#totpOf(decodeTotpSecret(secretOf(totp, "one-time code secret"))) }),
    };
    const hook = webhook === undefined ? undefined : new Webhook({
      settings: webhook,
      secret: new TextEncoder().encode(secretOf(webhook.secret, "webhook secret")),
      clock,
      ...(listen === undefined ? {} : { reply_base: `http://${hostOf(listen.address)}:${listen.port}` }),
      fetch,
    });
    const chat = slack === undefined ? undefined : new Chat({
      url: secretOf(slack.url, "chat address"),
      fetch,
      describe: ({ action }) => formatAction(action, CHAT_CHARS_MAX),
    });
    const targets = [hook, chat].flatMap((target) => target === undefined ? [] : [this.#withoutSecrets(target)]);
    return { rules, ...(hook === undefined ? {} : { webhook: hook }), targets };
  }

  /** What leaves the host has no secrets in it. */
  #withoutSecrets(target: NoticeTarget): NoticeTarget {
    return {
      name: target.name,
      send: (event, signal) => {
        const { action, process } = event.approval;
        const draft = this.#redact({
          time_us: 0,
          kind: "approval",
          action,
          ...(process === undefined ? {} : { process }),
        });
        const shown = {
          ...event.approval,
          action: draft.action ?? action,
          ...(draft.process === undefined ? {} : { process: draft.process }),
        };
        return target.send({ event: event.event, approval: shown }, signal);
      },
    };
  }
}

function hostOf(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/**
 * A server that is told of questions, and may answer them. What is sent and what comes back is signed with the shared
 * secret; an answer names the question and its digest, and counts once.
 */
import {
  AgentguardError,
  type ApprovalEvent,
  type ApprovalWebhook,
  type Approver,
  type Ballot,
  type Clock,
  err,
  ok,
  type Result,
} from "../core/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import { SignatureChecker, signMessage } from "./signature.ts";

/** A message with what signs it. */
export interface SignedText {
  /** A header's value by its lower-case name. */
  readonly header: (name: string) => string | null;
  readonly body: string;
}

/** What a webhook needs. */
export interface WebhookParts {
  readonly settings: ApprovalWebhook;
  readonly secret: Uint8Array;
  readonly clock: Clock;
  /** Where an answer may be sent, without a slash at the end; absent where no port is open for it. */
  readonly reply_base?: string;
  /** Sends; `fetch` outside tests. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** One voice, with who has it. */
export interface WebhookVote {
  readonly ballot: Ballot;
  readonly approver: Approver;
}

/** Longest name that an answer gives of whoever decided, characters. */
const BY_CHARS_MAX = 128;

/** The policy's webhook. */
export class Webhook {
  readonly name: string;
  readonly #parts: WebhookParts;
  readonly #checker: SignatureChecker;

  constructor(parts: WebhookParts) {
    this.name = `webhook:${parts.settings.name}`;
    this.#parts = parts;
    this.#checker = new SignatureChecker(parts.secret);
  }

  /**
   * Tells of an event, once. Gives what the server answered if it answered something and its answers count. Throws `io`
   * for any status but 2xx and for no answer at all.
   */
  async send(event: ApprovalEvent, signal: AbortSignal): Promise<SignedText | undefined> {
    const { settings, secret, clock, reply_base } = this.#parts;
    const { approval_id } = event.approval;
    const reply = settings.decides && reply_base !== undefined && event.event === "asked"
      ? { reply: `${reply_base}/v1/approvals/${approval_id}/callback` }
      : {};
    const body = JSON.stringify({ ...event, ...reply });
    const response = await this.#parts.fetch(settings.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...signMessage(secret, body, clock.wallUs()) },
      body,
      redirect: "error",
      signal,
    });
    const answer = await readBounded(response);
    if (!response.ok) throw new AgentguardError("io", `${this.name} answered with status ${response.status}`);
    if (!settings.decides || answer.trim() === "" || event.event !== "asked") return undefined;
    return { header: (name) => response.headers.get(name), body: answer };
  }

  /** The vote that a signed answer to this question is; the error says why it is none. */
  check(
    answer: SignedText,
    question: { readonly approval_id: string; readonly digest: string },
  ): Result<WebhookVote, string> {
    const { settings, clock } = this.#parts;
    if (!settings.decides) return err(`${this.name} is only told, it does not decide`);
    const signed = this.#checker.check(answer.header, answer.body, clock.wallUs());
    if (!signed.ok) return signed;
    const vote = parseAnswer(answer.body);
    if (vote === undefined) return err("the answer is not of the form that docs/approvals.md says");
    if (vote.approval_id !== question.approval_id || vote.digest !== question.digest) {
      return err("the answer is about another question");
    }
    const said = vote.by === undefined
      ? ""
      : `, which says that ${JSON.stringify(vote.by.slice(0, BY_CHARS_MAX))} decided`;
    const verified = `HMAC-SHA256 of ${this.name}${said}`;
    return ok({ ballot: vote.ballot, approver: { id: this.name, verified, terminal: false } });
  }
}

/** The body of at most `webhook_answer_bytes_max` bytes. */
async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > APPROVAL_LIMITS.webhook_answer_bytes_max) {
      throw new AgentguardError("overflow", "read the answer of a webhook: it is too long");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

interface ParsedAnswer {
  readonly approval_id: string;
  readonly digest: string;
  readonly by?: string;
  readonly ballot: Ballot;
}

function parseAnswer(body: string): ParsedAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("approval_id" in value && "digest" in value && "verdict" in value)) return undefined;
  const { approval_id, digest, verdict } = value;
  if (typeof approval_id !== "string" || typeof digest !== "string") return undefined;
  if (verdict !== "allow" && verdict !== "deny") return undefined;
  const text = (name: "reason" | "code" | "by"): string | undefined => {
    const found: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
    return typeof found === "string" ? found : undefined;
  };
  const [reason, code, by] = [text("reason"), text("code"), text("by")];
  return {
    approval_id,
    digest,
    ...(by === undefined ? {} : { by }),
    ballot: {
      verdict,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
    },
  };
}

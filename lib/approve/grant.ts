/** A standing grant: what a human allowed beyond one question, signed so that nobody can write one by hand. */
import { createHmac, timingSafeEqual } from "node:crypto";
import {
  type Action,
  type ApprovalRequest,
  canonicalJson,
  formatTime,
  type GrantTerm,
  type GrantView,
  isUlid,
  type SessionId,
  type WallUs,
} from "../core/mod.ts";
import { covers, describeSubject, type GrantSubject } from "./match.ts";

/** What was allowed, for whom, how long. */
export interface Grant {
  readonly grant_id: string;
  /** The question that it was given with. */
  readonly approval_id: string;
  readonly principal: string;
  /** Holds for this session only. */
  readonly session_id?: SessionId;
  /** The rule that asked; a grant that is wider than one exact action answers no other rule. */
  readonly rule?: string;
  readonly subject: GrantSubject;
  /** Who voted for it. */
  readonly by: readonly string[];
  readonly created_us: WallUs;
  /** Absent: it holds until it is revoked. */
  readonly expires_us?: WallUs;
}

/** A question as far as a grant may answer it. */
export interface GrantQuestion {
  readonly action: Action;
  readonly principal: string;
  readonly session_id: SessionId;
  readonly rule?: string;
}

/** The question as a grant sees it; `undefined` for one of no session, which no grant answers. */
export function grantQuestion({ action, session, rule }: ApprovalRequest): GrantQuestion | undefined {
  if (session === undefined) return undefined;
  const { principal, session_id } = session;
  return { action, principal, session_id, ...(rule === undefined ? {} : { rule }) };
}

/** The grant that a question's approvers agreed on. */
export function grantOf(
  request: ApprovalRequest,
  agreed: { readonly term: GrantTerm; readonly subject?: GrantSubject },
  from: Pick<Grant, "grant_id" | "by" | "created_us">,
): Grant | undefined {
  const question = grantQuestion(request);
  const { term, subject } = agreed;
  if (question === undefined || subject === undefined) return undefined;
  const { principal, session_id, rule } = question;
  return {
    ...from,
    approval_id: request.approval_id,
    principal,
    ...(term.term === "session" ? { session_id } : {}),
    ...(rule === undefined ? {} : { rule }),
    subject,
    ...(term.term === "duration" ? { expires_us: from.created_us + term.duration_ms * 1_000 } : {}),
  };
}

/** What signatures of this form begin with: a signature of another kind of text is none of a grant. */
const SIGNED_PREFIX = "agentguard grant 1\n";

/** The signature of a grant's canonical text: HMAC-SHA256, 32 bytes. */
export function grantMac(key: Uint8Array, body: string): Uint8Array {
  return Uint8Array.from(createHmac("sha256", key).update(SIGNED_PREFIX + body).digest());
}

/** The text of a grant as it is stored and signed. */
export function grantBody(grant: Grant): string {
  return canonicalJson(grant);
}

/** The grant of a stored text, if its signature and its form are right. */
export function openGrant(key: Uint8Array, body: string, mac: Uint8Array): Grant | undefined {
  const expected = grantMac(key, body);
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return undefined;
  const value: unknown = JSON.parse(body);
  return isGrant(value) ? value : undefined;
}

/** True if the grant answers the question at this time. */
export function answers(grant: Grant, question: GrantQuestion, wall_us: WallUs): boolean {
  if (grant.expires_us !== undefined && wall_us >= grant.expires_us) return false;
  if (grant.principal !== question.principal) return false;
  if (grant.session_id !== undefined && grant.session_id !== question.session_id) return false;
  if (grant.subject.kind !== "exact" && grant.rule !== question.rule) return false;
  return covers(grant.subject, question.action);
}

/** For people. */
export function grantView(grant: Grant, uses: number): GrantView {
  const { grant_id, approval_id, principal, session_id, subject, by, created_us, expires_us } = grant;
  return {
    grant_id,
    approval_id,
    principal,
    ...(session_id === undefined ? {} : { session_id }),
    covers: describeSubject(subject),
    by,
    created: formatTime(created_us),
    ...(expires_us === undefined ? {} : { expires: formatTime(expires_us) }),
    uses,
  };
}

/** The writer's signature is right, so only its version can differ: the form is checked as far as it is relied on. */
function isGrant(value: unknown): value is Grant {
  if (typeof value !== "object" || value === null) return false;
  if (!("grant_id" in value && "principal" in value && "subject" in value && "created_us" in value)) return false;
  if (typeof value.grant_id !== "string" || !isUlid(value.grant_id) || typeof value.principal !== "string") {
    return false;
  }
  if (!("by" in value) || !Array.isArray(value.by) || typeof value.created_us !== "number") return false;
  const { subject } = value;
  if (typeof subject !== "object" || subject === null || !("kind" in subject)) return false;
  return ["exact", "command", "file", "network", "tool"].includes(String(subject.kind));
}

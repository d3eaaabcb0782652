/** What exactly is approved, as one number: a question, its answer and a standing grant are bound to it. */
import type { Action } from "./action.ts";
import { canonicalJson } from "./canonical.ts";
import type { SessionInfo } from "./process.ts";

/** What of a question its digest covers. */
export interface DigestedRequest {
  readonly action: Action;
  readonly session?: Pick<SessionInfo, "session_id" | "principal"> | undefined;
}

/** Members that say how the guard came to know the action or what became of it, not what is done. */
const VOLATILE: readonly string[] = ["missing", "result", "count"];

/**
 * SHA-256 over the canonical JSON of the action, its principal and its session, 64 hex digits. One byte of an argument
 * more, another directory or another session gives another digest.
 */
export function approvalDigest({ action, session }: DigestedRequest): string {
  const { session_id, principal } = session ?? {};
  return sha256(canonicalJson({ action: stable(action), principal, session_id }));
}

/** The same over the action alone: what a standing grant for one exact action is bound to. */
export function actionDigest(action: Action): string {
  return sha256(canonicalJson({ action: stable(action) }));
}

/** The action without what changes between two equal ones. */
function stable(action: Action): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(action).filter(([name]) => !VOLATILE.includes(name)));
}

function sha256(text: string): string {
  // Not node:crypto: importing that takes every thread that knows an action 25 ms.
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/**
 * Denials of the last moments. Shells and libraries that are refused a program try the next directory of PATH, which
 * often leads to the same one: whoever said no is not asked the same by the same process at once.
 */
import { actionDigest, type ApprovalRequest } from "../core/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import type { Settlement } from "./question.ts";

/** `by` of a no that no person and no time said. */
const NOBODY: readonly string[] = ["requester-gone", "unattended", "interrupted"];

interface Denial {
  readonly settlement: Settlement;
  /** Monotonic milliseconds. */
  readonly until_ms: number;
}

/** Bounded in time and number; the oldest go first. */
export class RecentDenials {
  readonly #by_key: Map<string, Denial> = new Map();

  /**
   * Remembers a no that somebody said, or that time did, from its first moment on. One by the end of somebody, or
   * because nobody was there, is about nothing that comes.
   */
  note(request: ApprovalRequest, settlement: Settlement, now_ms: number): void {
    if (settlement.verdict === "allow" || settlement.by.startsWith("guard") || NOBODY.includes(settlement.by)) return;
    const key = keyOf(request);
    if (key === undefined || (this.#by_key.get(key)?.until_ms ?? 0) > now_ms) return;
    this.#by_key.delete(key);
    this.#by_key.set(key, { settlement, until_ms: now_ms + APPROVAL_LIMITS.denied_again_ms });
    for (const [old, { until_ms }] of this.#by_key) {
      if (until_ms > now_ms && this.#by_key.size <= APPROVAL_LIMITS.denied_again_max) return;
      this.#by_key.delete(old);
    }
  }

  /** The no that holds for this question too. */
  find(request: ApprovalRequest, now_ms: number): Settlement | undefined {
    if (this.#by_key.size === 0) return undefined;
    const key = keyOf(request);
    const denial = key === undefined ? undefined : this.#by_key.get(key);
    if (denial === undefined || denial.until_ms <= now_ms) return undefined;
    const { by, reason } = denial.settlement;
    return { verdict: "deny", by, reason: `denied a moment ago${reason === "" ? "" : `: ${reason}`}` };
  }
}

/** The same process, session and action, by whatever name it was called; absent where nobody can tell who asks. */
function keyOf({ action, process, session }: ApprovalRequest): string | undefined {
  if (process === undefined) return undefined;
  const named = "requested_path" in action ? { ...action, requested_path: "" } : action;
  return [process.pid, process.start, session?.session_id, actionDigest(named)].join(" ");
}

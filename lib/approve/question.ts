/** One question: votes come in, and exactly one answer comes out, whoever is first. No clock and no effects in here. */
import type { ApprovalRequest, ApprovalVote } from "../core/mod.ts";

/** How a question ended. */
export interface Settlement {
  readonly verdict: "allow" | "deny";
  readonly by: string;
  readonly reason: string;
}

/** What a vote did. */
export type VoteResult =
  /** It counts and the question goes on. */
  | { readonly kind: "counted" }
  /** It counts and decided. */
  | { readonly kind: "settled"; readonly settlement: Settlement }
  /** The time was over: this very call has denied it by expiry. */
  | { readonly kind: "expired"; readonly settlement: Settlement }
  /** Somebody or something else was first. */
  | { readonly kind: "late"; readonly settlement: Settlement }
  /** The same voter has voted already. */
  | { readonly kind: "twice" };

/** Why the time was over. */
const EXPIRED = "nobody answered in time";

/**
 * The state of one question. Every method may be called in any order and any number of times; only the first that
 * settles gives the settlement.
 */
export class Question {
  readonly request: ApprovalRequest;
  /** Monotonic milliseconds from which on the answer is deny. */
  readonly deadline_ms: number;
  /** How many must say yes. */
  readonly quorum: number;
  readonly #votes: ApprovalVote[] = [];
  #settlement: Settlement | undefined;

  constructor(request: ApprovalRequest, options: { readonly deadline_ms: number; readonly quorum: number }) {
    this.request = request;
    this.deadline_ms = options.deadline_ms;
    this.quorum = options.quorum;
  }

  /** What was said so far. */
  get votes(): readonly ApprovalVote[] {
    return this.#votes;
  }

  /** The answer; absent while it waits. */
  get settlement(): Settlement | undefined {
    return this.#settlement;
  }

  /** Counts a vote at a monotonic time. One no settles; the last yes of the quorum settles. */
  vote(vote: ApprovalVote, at: { readonly now_ms: number; readonly reason: string }): VoteResult {
    if (this.#settlement !== undefined) return { kind: "late", settlement: this.#settlement };
    const expired = this.expire(at.now_ms);
    if (expired !== undefined) return { kind: "expired", settlement: expired };
    if (this.#votes.some(({ by }) => by === vote.by)) return { kind: "twice" };
    this.#votes.push(vote);
    const yes = this.#votes.length;
    if (vote.verdict === "allow" && yes < this.quorum) return { kind: "counted" };
    const by = vote.verdict === "deny" ? vote.by : this.#votes.map((each) => each.by).join(", ");
    return { kind: "settled", settlement: this.#settle({ verdict: vote.verdict, by, reason: at.reason }) };
  }

  /** Denies if the time is over and nothing was first. */
  expire(now_ms: number): Settlement | undefined {
    if (this.#settlement !== undefined || now_ms < this.deadline_ms) return undefined;
    return this.#settle({ verdict: "deny", by: "expiry", reason: EXPIRED });
  }

  /** Gives an answer that is nobody's vote (a grant, the guard's own reason), if nothing was first. */
  settle(settlement: Settlement): Settlement | undefined {
    return this.#settlement === undefined ? this.#settle(settlement) : undefined;
  }

  #settle(settlement: Settlement): Settlement {
    this.#settlement = settlement;
    return settlement;
  }
}

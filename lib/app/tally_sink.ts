/** Counts what happens in each session on its way to the record: one place sees every decision, whoever made it. */
import { type Counters, counters, type EntryDraft, type RecordSink, type SessionId } from "../core/mod.ts";

/** What is counted. `would_deny`: let go only because a rule or the policy observes; `lost`: records. */
export const TALLY_NAMES = ["actions", "denied", "asked", "would_deny", "lost"] as const;

/** Counts of one session. */
export type SessionTally = Counters<(typeof TALLY_NAMES)[number]>;

/** What was counted since the last time, for one session. */
export interface TallyReport {
  readonly session_id: SessionId;
  readonly tally: Readonly<SessionTally>;
}

/** A sink that counts and passes on. */
export class TallySink implements RecordSink {
  readonly #sink: RecordSink & { dropped?(): number };
  #tallies: Map<SessionId, SessionTally> = new Map();

  constructor(sink: RecordSink & { dropped?(): number }) {
    this.#sink = sink;
  }

  append(draft: EntryDraft): void {
    this.#sink.append(draft);
    if (draft.session_id !== undefined) this.#count(draft.session_id, draft);
  }

  pending(): number {
    return this.#sink.pending();
  }

  flush(): Promise<void> {
    return this.#sink.flush();
  }

  durable(signal?: AbortSignal): Promise<void> {
    return this.#sink.durable(signal);
  }

  /** What the sink behind it had to drop. */
  dropped(): number {
    return this.#sink.dropped?.() ?? 0;
  }

  /** What was counted since the last call. */
  take(): readonly TallyReport[] {
    if (this.#tallies.size === 0) return [];
    const taken = this.#tallies;
    this.#tallies = new Map();
    return [...taken].map(([session_id, tally]) => ({ session_id, tally }));
  }

  #count(session_id: SessionId, draft: EntryDraft): void {
    const { kind, decision, gap, action } = draft;
    if (kind !== "observation" && kind !== "decision" && kind !== "gap") return;
    let tally = this.#tallies.get(session_id);
    if (tally === undefined) {
      tally = emptyTally();
      this.#tallies.set(session_id, tally);
    }
    if (kind === "gap") {
      tally.lost += gap?.count ?? 0;
      return;
    }
    tally.actions += action !== undefined && "count" in action ? action.count ?? 1 : 1;
    if (decision === undefined || kind === "observation") return;
    if (decision.verdict === "ask") tally.asked++;
    else if (decision.verdict === "deny") tally.denied++;
    else if (decision.would !== undefined) tally.would_deny++;
  }
}

/** Nothing counted yet. */
export function emptyTally(): SessionTally {
  return counters(TALLY_NAMES);
}

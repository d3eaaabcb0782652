/** Running a recording against another policy: what would have been decided differently. */
import type { Action, Decision, Entry, ProcessInfo, Ruling, Verdict } from "../core/mod.ts";
import { EventRebuilder, type RebuildOptions, type RecordedAction } from "./replay_events.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { StatefulDecider } from "./stateful.ts";

/** What was or would be decided. */
export interface Answer {
  /** What happens. */
  readonly verdict: Verdict;
  /** What enforce mode would have done, where that differs. */
  readonly would?: Verdict;
  readonly rule?: string;
  readonly reason?: string;
}

/** An action on which two policies differ. */
export interface Difference {
  readonly seq: number;
  readonly entry_id: string;
  readonly time: string;
  readonly session_id?: string;
  readonly process?: ProcessInfo;
  readonly action: Action;
  readonly before: Answer;
  readonly after: Answer;
}

/** The sums of a comparison. */
export interface ComparisonSummary {
  /** Entries read. */
  readonly entries: number;
  /** Actions among them. */
  readonly actions: number;
  readonly differences: number;
  /** Differences by kind: `allow -> deny`. */
  readonly changes: Readonly<Record<string, number>>;
  /** Actions with the same answer from another rule. */
  readonly other_rule: number;
  /** What the second policy makes of all actions: by verdict, and `would VERDICT` where it only observes. */
  readonly after: Readonly<Record<string, number>>;
  /** Actions whose entry stands for several merged ones: their paths are directories, so the comparison is rough. */
  readonly merged: number;
}

/** How the decision of an ask is recorded that nobody could answer; see `lib/pipeline`. */
const UNANSWERED = "nobody can approve yet, so denied: ";

/** Compares two answers for each action of a recording. Feed it every entry in order, then ask for the summary. */
export class Comparison {
  readonly #rebuilder: EventRebuilder;
  readonly #before: (recorded: RecordedAction) => Answer;
  readonly #after: StatefulDecider;
  readonly #changes: Map<string, number> = new Map();
  readonly #answers: Map<string, number> = new Map();
  #entries = 0;
  #actions = 0;
  #differences = 0;
  #other_rule = 0;
  #merged = 0;

  /** `before` gives the first answer: what the record says, or another policy. */
  constructor(
    before: (recorded: RecordedAction) => Answer,
    after: PolicySnapshot,
    options: RebuildOptions = {},
  ) {
    this.#rebuilder = new EventRebuilder(options);
    this.#before = before;
    this.#after = new StatefulDecider(after);
  }

  /** The difference that an entry makes, if it does. */
  next(entry: Entry): Difference | undefined {
    this.#entries++;
    const recorded = this.#rebuilder.next(entry);
    if (recorded === undefined) return undefined;
    this.#actions++;
    const { action } = recorded.event;
    if ("count" in action && action.count !== undefined) this.#merged++;
    const before = this.#before(recorded);
    const after = answerOfRuling(this.#after.evaluate(recorded.event));
    count(this.#answers, after.would === undefined ? after.verdict : `would ${after.would}`);
    if (wordsOf(before) === wordsOf(after)) {
      if (before.rule !== after.rule) this.#other_rule++;
      return undefined;
    }
    this.#differences++;
    count(this.#changes, `${wordsOf(before)} -> ${wordsOf(after)}`);
    const { seq, entry_id, time, session_id, process } = entry;
    return {
      seq,
      entry_id,
      time,
      ...(session_id === undefined ? {} : { session_id }),
      ...(process === undefined ? {} : { process }),
      action,
      before,
      after,
    };
  }

  /** The sums so far. */
  summary(): ComparisonSummary {
    return {
      entries: this.#entries,
      actions: this.#actions,
      differences: this.#differences,
      changes: Object.fromEntries(this.#changes),
      other_rule: this.#other_rule,
      after: Object.fromEntries(this.#answers),
      merged: this.#merged,
    };
  }
}

/** Compares what the record says with what the policy says. */
export function compareReplay(policy: PolicySnapshot, options: RebuildOptions = {}): Comparison {
  return new Comparison(({ entry }) => recordedAnswer(entry.decision), policy, options);
}

/** What an entry says was decided; an action that was only seen was let through. */
export function recordedAnswer(decision: Decision | undefined): Answer {
  if (decision === undefined) return { verdict: "allow" };
  const { rule, would, reason } = decision;
  const asked = decision.verdict === "deny" && reason.startsWith(UNANSWERED);
  return {
    verdict: asked ? "ask" : decision.verdict,
    ...(would === undefined ? {} : { would }),
    ...(rule === undefined ? {} : { rule }),
    reason,
  };
}

/** The answer of a policy. */
export function answerOfRuling({ verdict, would, rule, reason }: Ruling): Answer {
  return { verdict, ...(would === undefined ? {} : { would }), ...(rule === undefined ? {} : { rule }), reason };
}

/** `deny`, or `allow (would deny)`. */
export function wordsOf({ verdict, would }: Answer): string {
  return would === undefined || would === verdict ? verdict : `${verdict} (would ${would})`;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** What became of questions that a guard left open when it was killed: the record is told by the next one. */
import {
  AgentguardError,
  type ApprovalAction,
  type Clock,
  type Entry,
  errorMessage,
  type Log,
  type RecordSink,
} from "../core/mod.ts";
import { entryOf, openRecordReader, type RecordReader } from "../record/mod.ts";

/** Where answers of the guard's own go. */
export interface RecoveryParts {
  readonly sink: RecordSink;
  readonly clock: Clock;
}

/** Questions of one guard that are looked at, the newest first: more cannot have waited at once. */
const QUESTIONS_MAX = 8_192;

/** Questions of the guard that wrote last which have no answer. Look before this guard writes. */
export function findUnanswered(state_dir: string, log: Log): readonly Entry[] {
  try {
    using reader = openRecordReader(state_dir);
    return unanswered(reader);
  } catch (thrown) {
    // The writer has opened this record a moment ago; what cannot be read now is its finding to tell.
    if (!(thrown instanceof AgentguardError)) throw thrown;
    log.warn(`look for questions of an earlier guard: ${errorMessage(thrown)}`);
    return [];
  }
}

/** Appends an answer for each of them. The calls themselves were refused when their guard ended. */
export function recordUnanswered(open: readonly Entry[], { sink, clock }: RecoveryParts): void {
  for (const { action, session_id, principal, process } of open) {
    if (action === undefined || !isAsked(action)) continue;
    const { approval_id, decision_id, digest, rule } = action;
    sink.append({
      time_us: clock.wallUs(),
      kind: "approval",
      ...(session_id === undefined ? {} : { session_id }),
      ...(principal === undefined ? {} : { principal }),
      ...(process === undefined ? {} : { process }),
      action: {
        type: "approval.answered",
        ...(approval_id === undefined ? {} : { approval_id }),
        ...(decision_id === undefined ? {} : { decision_id }),
        ...(digest === undefined ? {} : { digest }),
        ...(rule === undefined ? {} : { rule }),
        verdict: "deny",
        by: "guard-restart",
        reason: "the guard that asked ended without an answer: what it held was refused",
      },
    });
  }
}

/** The newest guard of the record is the one before this: only its questions can be open. */
function unanswered(reader: RecordReader): readonly Entry[] {
  const [start] = [...reader.query({ type: "guard.start", newest: true, limit: 1 })];
  const after_seq = start?.seq ?? 0;
  const newest = { newest: true, limit: QUESTIONS_MAX, after_seq };
  const asked = [...reader.query({ ...newest, type: "approval.asked" })].map(entryOf);
  if (asked.length === 0) return [];
  const answered = new Set(
    [...reader.query({ ...newest, type: "approval.answered" })].map((stored) => idOf(entryOf(stored))),
  );
  return asked.filter((entry) => !answered.has(idOf(entry))).reverse();
}

function idOf({ action }: Entry): string | undefined {
  return action !== undefined && "approval_id" in action ? action.approval_id : undefined;
}

function isAsked(action: NonNullable<Entry["action"]>): action is ApprovalAction {
  return action.type === "approval.asked";
}

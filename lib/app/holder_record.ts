/** The entries of held calls: a decision before its answer, an outcome after it. */
import type {
  Action,
  Decision,
  DecisionId,
  EntryDraft,
  Event,
  FileChangeAction,
  FileMoveAction,
  FileOpenAction,
  Outcome,
  PolicyRef,
  Ruling,
  SessionInfo,
  WallUs,
  Writable,
} from "../core/mod.ts";

/** A ruling with its identity. */
export function decisionOf(decision_id: DecisionId, ruling: Ruling, policy: PolicyRef): Decision {
  return {
    decision_id,
    verdict: ruling.verdict,
    reason: ruling.reason,
    mode: ruling.mode,
    policy,
    ...(ruling.rule === undefined ? undefined : { rule: ruling.rule }),
    ...(ruling.would === undefined ? undefined : { would: ruling.would }),
  };
}

/** The entry of a decision. */
export function decisionEntry(event: Event, decision: Decision): EntryDraft {
  return { ...entry(event, "decision", event.time_us), decision };
}

/** The entry of what came of it. A call that was refused has its result; one that was let go has its own record. */
export function outcomeEntry(event: Event, outcome: Outcome, time_us: WallUs): EntryDraft {
  const { action } = event;
  const refused = outcome.label === "prevented" && isFileAction(action) ? { ...action, result: "EPERM" } : action;
  return { ...entry(event, "outcome", time_us), action: refused, outcome };
}

/** The entry of a change that was let go and done, and of which its caller's own record does not tell. */
export function doneEntry(event: Event): EntryDraft {
  const { action } = event;
  return {
    ...entry(event, "observation", event.time_us),
    action: isFileAction(action) ? { ...action, result: "0" } : action,
  };
}

/** The entry of somebody who waited, was refused, and of whom nothing else is known. */
export function gapEntry({ session_id, principal }: SessionInfo, errno: string, time_us: WallUs): EntryDraft {
  return { time_us, kind: "gap", session_id, principal, gap: { source: "hold", type: errno, count: 1 } };
}

function isFileAction(action: Action): action is FileOpenAction | FileChangeAction | FileMoveAction {
  return action.type.startsWith("file.");
}

function entry(event: Event, kind: "decision" | "observation" | "outcome", time_us: WallUs): EntryDraft {
  const draft: Writable<EntryDraft> = { time_us, kind, action: event.action };
  if (event.session !== undefined) {
    draft.session_id = event.session.session_id;
    draft.principal = event.session.principal;
  }
  if (event.process !== undefined) draft.process = event.process;
  return draft;
}

/** Who may answer which question. */
import type { ApprovalRequest, ApprovalSettings, Approver } from "../core/mod.ts";

/**
 * Why this approver may not answer the question; `undefined` if they may. Three things must hold: they are outside of
 * every guarded session; they are not the user that asks, or a terminal of theirs or the policy makes up for it (which
 * says so, or names this very user as an approver; over the socket of approvers nothing does); and they are among the
 * policy's approvers, where it names some.
 * An unknown uid of the one who asks counts as the approver's own.
 */
export function whyNotEligible(
  approver: Approver,
  request: Pick<ApprovalRequest, "process" | "session">,
  settings: ApprovalSettings,
): string | undefined {
  if (approver.inside !== undefined) return approver.inside;
  const requester_uid = request.process?.uid;
  if (approver.apart === true && (requester_uid === undefined || requester_uid === approver.uid)) {
    return `uid ${approver.uid} asks itself: over the socket of approvers somebody else answers`;
  }
  if (approver.apart === true && request.session?.principal === `uid-${approver.uid}`) {
    return `the session is one of uid ${approver.uid}: over the socket of approvers somebody else answers`;
  }
  if (approver.uid !== undefined && (requester_uid === undefined || requester_uid === approver.uid)) {
    if (settings.allow_same_uid === false) {
      return `uid ${approver.uid} asks itself, and [approval] allow_same_uid is false`;
    }
    const meant = approver.terminal || settings.approvers?.some((who) => isUser(approver, who)) === true;
    if (settings.allow_same_uid === undefined && !meant) {
      const { uid } = approver;
      return `uid ${uid} asks itself: answer from a terminal, or name "uid:${uid}" in [approval] approvers`;
    }
  }
  if (settings.approvers === undefined || settings.approvers.some((who) => isNamed(approver, who))) return undefined;
  return `${approver.id} is not among the approvers of the policy`;
}

/** The policy names the user, not a group that they happen to be in. */
function isUser(approver: Approver, who: string): boolean {
  return (who.startsWith("uid:") || who.startsWith("user:")) && isNamed(approver, who);
}

function isNamed(approver: Approver, who: string): boolean {
  const [kind, name] = [who.slice(0, who.indexOf(":")), who.slice(who.indexOf(":") + 1)];
  switch (kind) {
    case "uid":
      return approver.uid !== undefined && String(approver.uid) === name;
    case "gid":
      return approver.gids?.some((gid) => String(gid) === name) === true;
    case "user":
      return approver.user === name;
    case "group":
      return approver.groups?.includes(name) === true;
    default:
      return approver.id === who;
  }
}

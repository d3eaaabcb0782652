/**
 * lib/approve: questions that only a human may answer.
 *
 * Owns: the questions that wait, their one answer each, who may give it, one-time codes and which were used, the
 * standing grants and their file, the signatures of webhooks, and the notices that go out.
 * Never: holds or releases an action itself, finds out who somebody is, serves a socket, decides by policy.
 * Errors: `AgentguardError` with `not_found`, `permission`, `busy` (answered already), `usage`, `config` (a secret that
 * cannot be used), `io`. The port itself never rejects: what cannot be asked is denied, with the reason.
 * Lifetimes: `Approvals` and `Notifier` from their constructor to `close`; `Grants` until disposed.
 */
export { Approvals, type ApprovalsParts } from "./approvals.ts";
export { Chat, chatMessage } from "./chat.ts";
export type { ApprovalRules } from "./held.ts";
export { Grants, GRANTS_FILE } from "./grants.ts";
export { APPROVAL_LIMITS } from "./limits.ts";
export { type NoticeTarget, Notifier } from "./notifier.ts";
export { readSecret } from "./secret.ts";
export { SignatureChecker, signMessage } from "./signature.ts";
export type { StandingGrants } from "./standing.ts";
export { type CodeMemory, decodeTotpSecret, TotpChecker, totpCode } from "./totp.ts";
export { CODES_FILE, UsedCodes } from "./used_codes.ts";
export { type SignedText, Webhook } from "./webhook.ts";

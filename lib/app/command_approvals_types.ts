/** What the command line can ask of approvals, as data. */
import type { FlagValues } from "../config/mod.ts";
import type { Ballot } from "../core/mod.ts";

interface WithFlags {
  readonly flags: FlagValues;
}

/** Lists what waits, or the standing grants. */
export interface ApprovalsListCommand extends WithFlags {
  readonly kind: "approvals.list" | "approvals.grants.list";
}

/** Shows one question. `id` may be the beginning or the end of an id. */
export interface ApprovalsShowCommand extends WithFlags {
  readonly kind: "approvals.show";
  readonly id: string;
}

/** Answers one question. */
export interface ApprovalsVoteCommand extends WithFlags {
  readonly kind: "approvals.vote";
  readonly id: string;
  readonly ballot: Ballot;
}

/** Takes a standing grant back. */
export interface ApprovalsRevokeCommand extends WithFlags {
  readonly kind: "approvals.grants.revoke";
  readonly id: string;
}

/** Shows questions as they come, and asks for answers where there is a person. */
export interface ApprovalsWatchCommand extends WithFlags {
  readonly kind: "approvals.watch";
}

/** Every command of this family. */
export type ApprovalsCommand =
  | ApprovalsListCommand
  | ApprovalsShowCommand
  | ApprovalsVoteCommand
  | ApprovalsRevokeCommand
  | ApprovalsWatchCommand;

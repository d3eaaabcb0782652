/** What the command line can ask for, as data: made by `cli.ts`, carried out by the `command_*.ts` files. */
import type { FlagValues } from "../config/mod.ts";
import type { SessionId } from "../core/mod.ts";
import type { ApprovalsCommand } from "./command_approvals_types.ts";
import type { AuditCommand } from "./command_audit_types.ts";
import type { PolicyToolCommand } from "./command_policy_types.ts";

/** Exit codes of our own commands; a guarded run ends with the command's code instead. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** Not done, or the answer is no: no guard runs, the record is tampered with, a policy cannot be enforced. */
  failed: 1,
  /** Wrong usage, configuration or policy. */
  usage: 2,
  /** Nothing was started: the record does not verify. */
  tampered: 3,
  /** The guard failed before the command began. */
  guard_failed: 125,
  /** The command cannot be executed. */
  cannot_execute: 126,
  /** The command was not found. */
  not_found: 127,
} as const;

/** Flags that several commands share, unchecked; `lib/config` resolves them. */
interface WithFlags {
  readonly flags: FlagValues;
}

/** Runs one command guarded. */
export interface RunCommand extends WithFlags {
  readonly kind: "run";
  /** The command and its arguments, untouched; at least one. */
  readonly argv: readonly string[];
  /** Policy files in the order of their layers. */
  readonly policies: readonly string[];
  /** Ask on the guard's own terminal although the command reads from it too. */
  readonly ask_here?: true;
}

/** Guards agents that it finds, in the foreground. */
export interface DaemonCommand extends WithFlags {
  readonly kind: "daemon";
  readonly policies: readonly string[];
}

/** Says what this host can observe and enforce. */
export interface DoctorCommand extends WithFlags {
  readonly kind: "doctor";
  readonly policies: readonly string[];
}

/** Asks the running guard how it is. */
export interface StatusCommand extends WithFlags {
  readonly kind: "status";
  /** Also show each configuration value with its origin. */
  readonly show_config: boolean;
}

/** Streams entries of the running guard. */
export interface EventsCommand extends WithFlags {
  readonly kind: "events";
  readonly follow: boolean;
  readonly session_id?: SessionId;
  readonly type?: string;
}

/** Lists the sessions of the running guard. */
export interface SessionsListCommand extends WithFlags {
  readonly kind: "sessions.list";
}

/** Shows or commands one session of the running guard. */
export interface SessionCommand extends WithFlags {
  readonly kind: "sessions.show" | "sessions.kill" | "sessions.pause" | "sessions.resume";
  readonly session_id: SessionId;
}

/** Follows one decision through the record. */
export interface TraceCommand extends WithFlags {
  readonly kind: "trace";
  /** Of a decision, an approval or an entry; or the number of an entry. */
  readonly id: string;
}

/** Checks policy files. */
export interface PolicyCheckCommand extends WithFlags {
  readonly kind: "policy.check";
  /** At least one; layers in order. */
  readonly policies: readonly string[];
}

/** Prints the version, or the notices of everything that the executable embeds. */
export interface VersionCommand extends WithFlags {
  readonly kind: "version";
  readonly licenses: boolean;
}

/** Prints a text on stdout: help or a completion script. */
export interface PrintCommand {
  readonly kind: "print";
  readonly text: string;
}

/** Everything that the command line can ask for. */
export type Command =
  | RunCommand
  | DaemonCommand
  | DoctorCommand
  | StatusCommand
  | EventsCommand
  | SessionsListCommand
  | SessionCommand
  | ApprovalsCommand
  | AuditCommand
  | TraceCommand
  | PolicyCheckCommand
  | PolicyToolCommand
  | VersionCommand
  | PrintCommand;

/** Wrong usage: one line that says what to do. */
export interface UsageError {
  readonly message: string;
}

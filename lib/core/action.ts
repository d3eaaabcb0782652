/**
 * What happened or is asked for: one union that every source speaks, every rule matches and every export maps.
 * Field names are those of the JSON form. A field that could not be had is absent and named in `missing`.
 */
import type { StartedBaseline } from "./baseline.ts";
import type { GuardAction } from "./guard_action.ts";
import type { DnsAction, NetAction, UnixConnectAction } from "./net_action.ts";

/** Fields that any action may carry. */
export interface ActionBase {
  /** Names of fields that could not be had. */
  readonly missing?: readonly string[];
}

/** Facts about a program start. */
export type ExecFlag =
  | "resolved_late"
  | "args_truncated"
  | "path_truncated"
  | "memfd"
  | "deleted"
  | "setuid"
  | "script"
  | "snapshot";

/** A program started (it is past the point of no return). */
export interface ExecAction extends ActionBase {
  readonly type: "exec";
  /** The program: for a script, the script; else the image that the kernel mapped, resolved. */
  readonly path: string;
  /** What the caller passed to execve, unresolved. */
  readonly requested_path?: string;
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** For a script: resolved path of the image that runs it. */
  readonly interpreter?: string;
  readonly flags?: readonly ExecFlag[];
}

/** A program start that the kernel refused. */
export interface ExecFailedAction extends ActionBase {
  readonly type: "exec.failed";
  readonly requested_path?: string;
  /** Symbolic, for example `ENOENT`. */
  readonly errno: string;
}

/** A new process (threads are not reported). */
export interface ForkAction extends ActionBase {
  readonly type: "process.fork";
  readonly child: { readonly pid: number; readonly start: string };
}

/** The last thread of a process ended. */
export interface ExitAction extends ActionBase {
  readonly type: "process.exit";
  /** 0-255; absent when a signal ended it. */
  readonly exit_code?: number;
  /** Signal number; absent after a normal exit. */
  readonly signal?: number;
}

/** Facts about a file action. */
export type FileFlag =
  | "append"
  | "tmpfile"
  | "deleted"
  | "path_truncated"
  | "resolved_late" // symbolic links in the parent were resolved by the guard after the event
  | "requested_only" // the path is what the caller asked for; the kernel resolved nothing that we could read
  | "reads" // it was opened to write and can also be read through: what rules say of reading counts, too
  | "inherited" // the descriptor was open when the session began
  | "coalesced";

/** An open. `file.create` made the file, `file.truncate` emptied it, `file.write` could write, else `file.read`. */
export interface FileOpenAction extends ActionBase {
  readonly type: "file.read" | "file.write" | "file.create" | "file.truncate";
  /** What the kernel resolved; for a failed call the requested path made absolute. */
  readonly path: string;
  readonly requested_path?: string;
  readonly flags?: readonly FileFlag[];
  /** 0 or a symbolic errno; absent while it is not known, see `FileChangeAction`. */
  readonly result?: string;
  /** How many equal actions in this directory were merged under pressure; absent for a single one. */
  readonly count?: number;
}

/** A change of the tree by name. */
export interface FileChangeAction extends ActionBase {
  readonly type: "file.delete" | "file.mkdir" | "file.rmdir" | "file.chmod" | "file.chown" | "file.mknod";
  readonly path: string;
  readonly requested_path?: string;
  /** Octal, for example `0644`. */
  readonly mode?: string;
  /** `uid:gid`; -1 leaves one as it is. */
  readonly owner?: string;
  readonly flags?: readonly FileFlag[];
  /** Absent in a decision about a call that waits: nothing has happened yet. */
  readonly result?: string;
}

/** A change that has two names. For a symbolic link `path` is the target as given, `new_path` the link. */
export interface FileMoveAction extends ActionBase {
  readonly type: "file.rename" | "file.link" | "file.symlink";
  readonly path: string;
  readonly new_path: string;
  readonly requested_path?: string;
  readonly requested_new_path?: string;
  readonly flags?: readonly FileFlag[];
  readonly result?: string;
}

/** What an operator did. */
export interface OperatorAction extends ActionBase {
  readonly type:
    | "operator.kill"
    | "operator.pause"
    | "operator.resume"
    | "operator.policy.reload"
    | "operator.shutdown"
    | "operator.approve"
    | "operator.deny"
    | "operator.revoke";
  readonly target: string;
  readonly by: string;
  /** How the guard knows that it was them. */
  readonly verified?: string;
  /** Why the command had no effect; absent where it had one. */
  readonly refused?: string;
}

/**
 * A question to a human (`asked`), one voice (`vote`), its one answer (`answered`), and standing grants. What is asked
 * about is in the decision that asked, and whole in `subject`.
 */
export interface ApprovalAction extends ActionBase {
  readonly type:
    | "approval.asked"
    | "approval.vote"
    | "approval.answered"
    | "approval.granted"
    | "approval.revoked"
    | "approval.undelivered";
  /** The question; a grant is known by `grant_id`. */
  readonly approval_id?: string;
  readonly decision_id?: string;
  readonly grant_id?: string;
  /** SHA-256 of what is approved, 64 hex digits. */
  readonly digest?: string;
  readonly rule?: string;
  readonly verdict?: "allow" | "deny";
  /** Who: see `ApprovalAnswer.by`. */
  readonly by?: string;
  /** How the guard knows that it was them. */
  readonly verified?: string;
  readonly reason?: string;
  /** 0-100. */
  readonly risk?: number;
  /** What keeps the action waiting: `seccomp`, `fanotify`, `reply`. */
  readonly held_by?: string;
  readonly held_ms?: number;
  /** RFC 3339 UTC; absent where it never does. */
  readonly expires?: string;
  /** What a yes allows beyond this one action: `once`, `session`, a time, `always`, and the pattern. */
  readonly scope?: string;
  readonly subject?: Action;
}

/** A session began or ended. */
export interface SessionAction extends ActionBase {
  readonly type: "session.start" | "session.end";
  readonly agent: string;
  /** At the start of a command that the guard started in enforce mode. */
  readonly baseline?: StartedBaseline;
  readonly exit_code?: number;
  readonly signal?: number;
}

/** A tool call that an agent declares. */
export interface ToolCallAction extends ActionBase {
  readonly type: "tool.call";
  readonly tool: string;
  readonly source: string;
  readonly server?: string;
  readonly args?: unknown;
}

/** Every action. */
export type Action =
  | ExecAction
  | ExecFailedAction
  | ForkAction
  | ExitAction
  | FileOpenAction
  | FileChangeAction
  | FileMoveAction
  | NetAction
  | DnsAction
  | UnixConnectAction
  | ToolCallAction
  | GuardAction
  | OperatorAction
  | ApprovalAction
  | SessionAction;

/** The discriminant. */
export type ActionType = Action["type"];

/** The actions on files. */
export const FILE_ACTION_TYPES: readonly ActionType[] = [
  "file.read",
  "file.write",
  "file.create",
  "file.truncate",
  "file.delete",
  "file.mkdir",
  "file.rmdir",
  "file.chmod",
  "file.chown",
  "file.mknod",
  "file.rename",
  "file.link",
  "file.symlink",
];

/** Every action type, for policy checks and completions. */
export const ACTION_TYPES: readonly ActionType[] = [
  "exec",
  "exec.failed",
  "process.fork",
  "process.exit",
  ...FILE_ACTION_TYPES,
  "net.connect",
  "net.send",
  "net.bind",
  "net.listen",
  "net.dns",
  "unix.connect",
  "tool.call",
  "guard.start",
  "guard.stop",
  "guard.ready",
  "guard.degraded",
  "guard.restored",
  "guard.lost",
  "guard.policy.loaded",
  "guard.tamper",
  "guard.recovered",
  "guard.key.rotated",
  "guard.mismatch",
  "guard.scope",
  "guard.record.pruned",
  "guard.record.repaired",
  "guard.hold.added",
  "guard.hold.released",
  "operator.kill",
  "operator.pause",
  "operator.resume",
  "operator.policy.reload",
  "operator.shutdown",
  "operator.approve",
  "operator.deny",
  "operator.revoke",
  "approval.asked",
  "approval.vote",
  "approval.answered",
  "approval.granted",
  "approval.revoked",
  "approval.undelivered",
  "session.start",
  "session.end",
];

/** Process records: program starts, forks, exits. */
import {
  AgDecided,
  AgExec,
  AgExecArgs,
  AgExecFailed,
  AgExecFlag,
  AgExit,
  AgFlag,
  AgFork,
  AgGrantFlag,
  AgGrantState,
  AgLimit,
  AgScopeChange,
  AgScopeKind,
  AgVerdict,
} from "../../probes/abi.gen.ts";
import {
  type Action,
  decisionIdOf,
  errnoName,
  type ExecAction,
  type ExecFlag,
  type Facts,
  type GrantFailure,
  type KernelVerdict,
  type Observed,
  splitTexts,
  startText,
} from "../core/mod.ts";
import type { Frame } from "./frame.ts";
import { joinPath } from "./path_text.ts";

/** An exec record; its argv may still be incomplete. */
export interface ExecBody {
  readonly action: ExecAction;
  readonly kernel?: KernelVerdict;
  readonly facts: Facts;
  readonly held?: NonNullable<Observed["held"]>;
  /** argv bytes of this record, copied. */
  readonly argv: Buffer;
  /** More argv follows in records with this id. */
  readonly more: boolean;
  readonly exec_id: string;
  /** argv bytes that all records together should hold. */
  readonly argv_bytes_wanted: number;
}

/** A program start. */
export function decodeExec(frame: Frame): ExecBody {
  const header = frame.flags;
  const path_bytes = frame.u16(AgExec.path_bytes);
  const cwd_bytes = frame.u16(AgExec.cwd_bytes);
  const requested_bytes = frame.u16(AgExec.requested_bytes);
  const cgroup_bytes = frame.u16(AgExec.cgroup_bytes);
  const exe = frame.text(AgExec.SIZE, path_bytes);
  const cwd = frame.text(AgExec.SIZE + path_bytes, cwd_bytes);
  const requested = frame.text(AgExec.SIZE + path_bytes + cwd_bytes, requested_bytes);
  const cgroup_at = AgExec.SIZE + path_bytes + cwd_bytes + requested_bytes;
  const argv_at = cgroup_at + cgroup_bytes;
  const argv_bytes = Math.min(frame.u32(AgExec.argv_bytes), Math.max(0, frame.size - argv_at));
  const exec_flags = frame.u32(AgExec.exec_flags);
  const script = (exec_flags & AgExecFlag.SCRIPT) !== 0;
  const flags = execFlags(header, exec_flags);
  const argv = Buffer.from(frame.bytes.subarray(frame.at + argv_at, frame.at + argv_at + argv_bytes));
  const path = script ? joinPath(cwd, requested) : exe;
  const missing = [
    ...(path === "" ? ["path"] : []),
    ...(cwd === "" ? ["cwd"] : []),
    ...(requested === "" ? ["requested_path"] : []),
  ];
  const action: ExecAction = {
    type: "exec",
    path,
    ...(requested !== "" && requested !== path ? { requested_path: requested } : undefined),
    argv: splitTexts(argv),
    ...(cwd !== "" ? { cwd } : undefined),
    ...(script ? { interpreter: exe } : undefined),
    ...(flags.length > 0 ? { flags } : undefined),
    ...(missing.length > 0 ? { missing } : undefined),
  };
  const kernel = execVerdict(frame);
  return {
    action,
    ...(kernel !== undefined ? { kernel } : undefined),
    facts: {
      kind: "exec",
      ppid: frame.u32(AgExec.ppid),
      parent_start: startText(frame.u32(AgExec.parent_start_ns), frame.u32(AgExec.parent_start_ns + 4)),
      uid: frame.u32(AgExec.uid),
      exe,
      cgroup: frame.text(cgroup_at, cgroup_bytes),
      agent_index: (header & AgFlag.AGENT_START) !== 0 ? frame.i32(AgExec.agent_index) : -1,
    },
    ...heldOf(frame),
    argv,
    more: (header & AgFlag.ARGS_MORE) !== 0,
    exec_id: startText(frame.u32(AgExec.exec_id), frame.u32(AgExec.exec_id + 4)),
    argv_bytes_wanted: Math.min(frame.u32(AgExec.argv_bytes_total), AgLimit.ARGS_MAX - 1),
  };
}

function execVerdict(frame: Frame): KernelVerdict | undefined {
  const verdict = frame.u32(AgExec.verdict);
  if (verdict === AgVerdict.NONE) return undefined;
  const failure = GRANT_FAILURES[frame.u32(AgExec.grant)];
  return {
    verdict: verdict === AgVerdict.ALLOW ? "allow" : "deny",
    rule_index: frame.i32(AgExec.rule_index),
    generation: frame.u32(AgExec.generation),
    effect: verdict === AgVerdict.DENY ? "killed" : "none",
    ...(failure === undefined ? undefined : { grant: failure }),
  };
}

/** What became of the grant of a held start, where it did not come up as it was let go. */
const GRANT_FAILURES: Readonly<Record<number, GrantFailure | undefined>> = {
  [AgGrantState.MISSING]: "missing",
  [AgGrantState.DIFFERENT]: "different",
  [AgGrantState.EXPIRED]: "expired",
};

function heldOf(frame: Frame): { readonly held?: NonNullable<Observed["held"]> } | undefined {
  if (frame.u32(AgExec.grant) === AgGrantState.NONE) return undefined;
  const decided = decisionIdOf(frame.bytes, frame.at + AgExec.decision);
  return { held: decided === undefined ? {} : { decided } };
}

function execFlags(header: number, exec_flags: number): ExecFlag[] {
  const flags: ExecFlag[] = [];
  if ((header & AgFlag.ARGS_TRUNCATED) !== 0) flags.push("args_truncated");
  if ((header & AgFlag.PATH_TRUNCATED) !== 0) flags.push("path_truncated");
  if ((exec_flags & AgExecFlag.MEMFD) !== 0) flags.push("memfd");
  if ((exec_flags & AgExecFlag.DELETED) !== 0) flags.push("deleted");
  if ((exec_flags & AgExecFlag.SETUID) !== 0) flags.push("setuid");
  if ((exec_flags & AgExecFlag.SCRIPT) !== 0) flags.push("script");
  return flags;
}

/** A piece of a long argv. */
export interface ArgsBody {
  readonly exec_id: string;
  /** Where in argv the bytes belong. */
  readonly offset: number;
  readonly bytes: Buffer;
  readonly last: boolean;
}

/** A continuation of an exec record's argv. */
export function decodeExecArgs(frame: Frame): ArgsBody {
  const length = Math.min(frame.u32(AgExecArgs.bytes), frame.size - AgExecArgs.SIZE);
  const from = frame.at + AgExecArgs.SIZE;
  return {
    exec_id: startText(frame.u32(AgExecArgs.exec_id), frame.u32(AgExecArgs.exec_id + 4)),
    offset: frame.u32(AgExecArgs.offset),
    bytes: Buffer.from(frame.bytes.subarray(from, from + length)),
    last: frame.u32(AgExecArgs.last) !== 0,
  };
}

/** A program start that the kernel refused. */
export function decodeExecFailed(
  frame: Frame,
): { readonly action: Action; readonly facts: Facts; readonly held?: NonNullable<Observed["held"]> } {
  const decided = decisionIdOf(frame.bytes, frame.at + AgExecFailed.decision);
  const path_bytes = frame.u16(AgExecFailed.path_bytes);
  const requested = frame.text(AgExecFailed.SIZE + path_bytes, frame.u16(AgExecFailed.requested_bytes));
  const unread = (frame.flags & AgFlag.REQUESTED_FAULT) !== 0;
  return {
    action: {
      type: "exec.failed",
      ...(unread ? { missing: ["requested_path"] } : { requested_path: requested }),
      errno: errnoName(-frame.i32(AgExecFailed.result)),
    },
    facts: { kind: "plain" },
    ...(decided === undefined ? undefined : { held: { decided } }),
  };
}

/** A new process. */
export function decodeFork(frame: Frame): { readonly action: Action; readonly facts: Facts } {
  const child_pid = frame.u32(AgFork.child_pid);
  const child_start = startText(frame.u32(AgFork.child_start_ns), frame.u32(AgFork.child_start_ns + 4));
  return {
    action: { type: "process.fork", child: { pid: child_pid, start: child_start } },
    facts: { kind: "fork", child_pid, child_start, uid: frame.u32(AgFork.uid) },
  };
}

/** The end of a process. */
export function decodeExit(frame: Frame): { readonly action: Action; readonly facts: Facts } {
  const status = frame.u32(AgExit.wait_status);
  const signal = status & 0x7f;
  return {
    action: signal === 0 ? { type: "process.exit", exit_code: (status >> 8) & 0xff } : { type: "process.exit", signal },
    facts: { kind: "exit" },
  };
}

/** A member of the tree left its session's cgroup, or a stranger entered it. */
export function decodeScope(frame: Frame): { readonly action: Action; readonly facts: Facts } {
  const entered = frame.u32(AgScopeChange.kind) === AgScopeKind.ENTERED_CGROUP;
  const cgroup = frame.text(AgScopeChange.SIZE, frame.u32(AgScopeChange.path_bytes));
  return {
    action: {
      type: "guard.scope",
      detail: entered
        ? `entered the session's cgroup ${cgroup} from outside`
        : `left the session's cgroup for ${cgroup}`,
    },
    facts: { kind: "scope", entered, cgroup },
  };
}

/** Whose decision the next record of the thread belongs to. */
export function decodeDecided(frame: Frame): { readonly facts: Facts } | undefined {
  const decided = decisionIdOf(frame.bytes, frame.at + AgDecided.decision);
  if (decided === undefined) return undefined;
  const flags = frame.u32(AgDecided.flags);
  const refused = (flags & AgGrantFlag.REFUSED) !== 0;
  return { facts: { kind: "decided", decided, refused, net: (flags & AgGrantFlag.NET) !== 0 } };
}

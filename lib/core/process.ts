/** Who acts: processes and sessions. */
import type { SessionId } from "./ids.ts";

/** A process is its pid and its start time, never a pid alone: pids are reused. */
export interface ProcessRef {
  readonly pid: number;
  /** Boot-time nanoseconds (`task_struct.start_boottime`) as a decimal string; exact, so not a number. */
  readonly start: string;
}

/** A process as a rule or a reader sees it. Absent fields could not be had. */
export interface ProcessInfo extends ProcessRef {
  readonly ppid?: number;
  readonly uid?: number;
  /** Resolved path of the image that runs. */
  readonly exe?: string;
  readonly argv?: readonly string[];
  readonly cwd?: string;
  /** 64 hex digits, from the cgroup path. */
  readonly container_id?: string;
}

/** One governed run of an agent. */
export interface SessionInfo {
  readonly session_id: SessionId;
  /** `claude`, `codex`, ..., or the command's name. */
  readonly agent: string;
  /** Path of the session's cgroup v2 leaf below the mount point; absent without a writable cgroup v2. */
  readonly cgroup?: string;
  readonly root: ProcessRef;
  readonly principal: string;
  /** Groups of the principal; absent where nobody knows them. */
  readonly groups?: readonly string[];
  /** What whoever began the session called it by. */
  readonly tags?: readonly string[];
  /** Home directory of the session's user, for `~` in patterns. */
  readonly home?: string;
}

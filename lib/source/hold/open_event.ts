/** A watched open as an event, in the form that the probes' record of it will have. */
import type { Event, SessionInfo, WallUs } from "../../core/mod.ts";
import type { WatchedOpen } from "../../../ffi/mod.ts";

/** What an event is made of. */
export interface WatchedOpenCall {
  readonly time_us: WallUs;
  readonly session: SessionInfo;
  /** Start of the caller's process, boot-time nanoseconds, decimal. */
  readonly start: string;
  readonly open: WatchedOpen;
}

/** include/uapi/asm-generic/fcntl.h; these have the same value on x86-64 and arm64. */
const O_ACCMODE = 3;
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
/** What d_path (fs/d_path.c) adds to a name that is no more. */
const DELETED = " (deleted)";

/**
 * True where the open is for reading, also beside writing, as far as can be told: what cannot be told is. What is made
 * or emptied by it has nothing to be read.
 */
export function opensForReading({ open_flags, starts }: Pick<WatchedOpen, "open_flags" | "starts">): boolean {
  if (starts) return false;
  if (open_flags === undefined) return true;
  const fresh = (open_flags & O_TRUNC) !== 0 || ((open_flags & O_CREAT) !== 0 && (open_flags & O_EXCL) !== 0);
  return !fresh && (open_flags & O_ACCMODE) !== O_WRONLY;
}

/** The event that the policy is asked about. */
export function watchedOpenEvent({ time_us, session, start, open }: WatchedOpenCall): Event {
  const gone = open.deleted && open.path.endsWith(DELETED);
  return {
    time_us,
    session,
    process: {
      pid: open.tgid,
      start,
      ppid: open.ppid,
      uid: open.uid,
      ...(open.caller === "" ? undefined : { exe: open.caller }),
      cwd: open.cwd,
    },
    action: {
      type: "file.read",
      path: gone ? open.path.slice(0, -DELETED.length) : open.path,
      ...(gone ? { flags: ["deleted"] as const } : undefined),
    },
    held: true,
  };
}

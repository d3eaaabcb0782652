/** A held change of the file system as an event, in the form that the probes' record of it will have. */
import type { Action, Event, FileFlag, FileOpenAction, ProcessInfo, SessionInfo, WallUs } from "../../core/mod.ts";
import type { HeldCall, HeldChange } from "../../../ffi/mod.ts";

/** What an event is made of. */
export interface HeldFileCall {
  readonly time_us: WallUs;
  readonly session: SessionInfo;
  readonly call: HeldCall;
  /** Start of the caller's process, boot-time nanoseconds, decimal. */
  readonly start: string;
  readonly change: HeldChange;
}

/** include/uapi/asm-generic/fcntl.h; these have the same value on x86-64 and arm64. */
const O_ACCMODE = 3;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_TMPFILE = 0o20000000;
const O_PATH = 0o10000000;

/** The event that the policy is asked about. */
export function heldChangeEvent({ time_us, session, call, start, change }: HeldFileCall): Event {
  const process: ProcessInfo = {
    pid: call.tgid,
    start,
    ppid: call.ppid,
    uid: call.uid,
    ...(change.caller === "" ? undefined : { exe: change.caller }),
    cwd: change.cwd,
  };
  return {
    time_us,
    session,
    process,
    action: changeAction(change),
    ...(change.base === "" ? undefined : { base: change.base }),
    ...(change.new_base === "" ? undefined : { new_base: change.new_base }),
    held: true,
  };
}

function changeAction(change: HeldChange): Action {
  const common = {
    path: change.path,
    ...requestedOf(change.requested, change.path),
    ...(change.unhashed ? { flags: ["deleted"] as const } : undefined),
  };
  switch (change.kind) {
    case "open":
      return openAction(change);
    case "delete":
    case "rmdir":
      return { type: `file.${change.kind}`, ...common };
    case "mkdir":
    case "mknod":
    case "chmod":
      return { type: `file.${change.kind}`, ...common, mode: `0${(change.mode & 0o7777).toString(8)}` };
    case "chown":
      return { type: "file.chown", ...common, owner: `${change.uid}:${change.gid}` };
    case "truncate":
      return { type: "file.truncate", ...common };
    case "rename":
    case "link":
      return { type: `file.${change.kind}`, ...common, ...newNames(change) };
    case "symlink":
      return { type: "file.symlink", path: change.requested, ...newNames(change) };
  }
}

function newNames(
  { new_path, new_requested }: HeldChange,
): { readonly new_path: string; readonly requested_new_path?: string } {
  return { new_path, ...(new_requested === new_path ? undefined : { requested_new_path: new_requested }) };
}

function requestedOf(requested: string, path: string): { readonly requested_path?: string } | undefined {
  return requested === "" || requested === path ? undefined : { requested_path: requested };
}

function openAction({ path, requested, open_flags, exists, unhashed }: HeldChange): FileOpenAction {
  const tmpfile = (open_flags & O_TMPFILE) === O_TMPFILE;
  const type = tmpfile ? "file.create" : openType(open_flags, exists);
  const flags: readonly FileFlag[] = [
    ...((open_flags & O_APPEND) !== 0 ? ["append"] as const : []),
    ...(type === "file.write" && (open_flags & O_ACCMODE) === O_RDWR ? ["reads"] as const : []),
    ...(tmpfile ? ["tmpfile"] as const : unhashed ? ["deleted"] as const : []),
  ];
  return {
    type,
    // A file without a name is made in the directory that was named: what is said of files there holds for it.
    path: tmpfile ? `${path === "/" ? "" : path}/#tmpfile` : path,
    ...requestedOf(requested, path),
    ...(flags.length > 0 ? { flags } : undefined),
  };
}

function openType(flags: number, exists: boolean): FileOpenAction["type"] {
  if ((flags & O_PATH) !== 0) return "file.read";
  if (!exists && (flags & O_CREAT) !== 0) return "file.create";
  if ((flags & O_TRUNC) !== 0) return "file.truncate";
  return (flags & O_ACCMODE) === 0 || (flags & O_ACCMODE) === O_ACCMODE ? "file.read" : "file.write";
}

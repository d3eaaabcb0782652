/** File records: opens, changes by name, bytes. */
import { AgClose, AgFlag, AgMove, AgMoveAction, AgOpen, AgPath, AgPathAction } from "../../probes/abi.gen.ts";
import { type Action, type Facts, type FileFlag, type FileOpenAction, resultName, type Writable } from "../core/mod.ts";
import type { Frame } from "./frame.ts";
import { joinPath } from "./path_text.ts";

/** include/uapi/asm-generic/fcntl.h; these have the same value on x86-64 and arm64. */
const O_ACCMODE = 3;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_TMPFILE = 0o20000000;
const NONE: readonly FileFlag[] = [];

/** Body of a decoder: the action, and facts for the process table. */
export interface Body {
  readonly action?: Action | undefined;
  readonly facts: Facts;
}

/** An open, with the path that the kernel resolved where it succeeded. */
export function decodeOpen(frame: Frame): Body {
  const result = frame.i32(AgOpen.result);
  const open_flags = frame.u32(AgOpen.open_flags);
  const header = frame.flags;
  const path_bytes = frame.u16(AgOpen.path_bytes);
  const requested_bytes = frame.u16(AgOpen.requested_bytes);
  const requested_at = AgOpen.SIZE + path_bytes;
  const created = frame.u32(AgOpen.created) !== 0;
  let path = frame.text(AgOpen.SIZE, path_bytes);
  let requested = path;
  const equal = path_bytes === requested_bytes && frame.same(AgOpen.SIZE, requested_at, path_bytes);
  if (!equal) requested = frame.text(requested_at, requested_bytes);
  const unresolved = (header & AgFlag.BASE) !== 0 || path_bytes === 0;
  if (unresolved) path = joinPath(path, requested);
  const type = openType(result, open_flags, created);
  const reads = type === "file.write" && (open_flags & O_ACCMODE) === O_RDWR;
  const flags = openFlags(header, open_flags, { reads, requested_only: unresolved && result >= 0 });
  const action: Writable<FileOpenAction> = {
    type,
    path,
    result: resultName(result),
  };
  if (requested_bytes > 0 && requested !== path) action.requested_path = requested;
  if (flags !== NONE) action.flags = flags;
  if ((header & AgFlag.REQUESTED_FAULT) !== 0) action.missing = ["requested_path"];
  return { action, facts: openFacts(frame, result) };
}

function openFacts(frame: Frame, result: number): Facts {
  const path_bytes = frame.u16(AgOpen.path_bytes);
  const requested_bytes = frame.u16(AgOpen.requested_bytes);
  // A failed call has no path of its own: what stands there is the base.
  const base = result < 0
    ? frame.text(AgOpen.SIZE, path_bytes)
    : frame.text(AgOpen.SIZE + path_bytes + requested_bytes, frame.u16(AgOpen.base_bytes));
  return {
    kind: "open",
    dev: frame.u32(AgOpen.dev),
    ino: frame.u64(AgOpen.ino),
    opened: result >= 0,
    base: base === "" ? undefined : base,
  };
}

function openType(
  result: number,
  flags: number,
  created: boolean,
): "file.read" | "file.write" | "file.create" | "file.truncate" {
  const tmpfile = (flags & O_TMPFILE) !== 0;
  if (created || tmpfile) return "file.create";
  if (result < 0 && (flags & O_CREAT) !== 0 && resultName(result) !== "EEXIST") return "file.create";
  if ((flags & O_TRUNC) !== 0) return "file.truncate";
  return (flags & O_ACCMODE) === 0 || (flags & O_ACCMODE) === O_ACCMODE ? "file.read" : "file.write";
}

function openFlags(
  header: number,
  open_flags: number,
  { reads, requested_only }: { readonly reads: boolean; readonly requested_only: boolean },
): readonly FileFlag[] {
  const tmpfile = (open_flags & O_TMPFILE) !== 0;
  const append = (open_flags & O_APPEND) !== 0;
  if (!tmpfile && !append && !reads && !requested_only && (header & (AgFlag.PATH_TRUNCATED | AgFlag.UNHASHED)) === 0) {
    return NONE;
  }
  const flags: FileFlag[] = [];
  if (append) flags.push("append");
  if (reads) flags.push("reads");
  if (tmpfile) flags.push("tmpfile");
  else if ((header & AgFlag.UNHASHED) !== 0) flags.push("deleted");
  if ((header & AgFlag.PATH_TRUNCATED) !== 0) flags.push("path_truncated");
  if (requested_only) flags.push("requested_only");
  return flags;
}

/** Bytes through one descriptor since it was opened or last reported. */
export function decodeClose(frame: Frame): Body {
  return {
    facts: {
      kind: "close",
      fd: frame.u32(AgClose.fd),
      dev: frame.u32(AgClose.dev),
      ino: frame.u64(AgClose.ino),
      read_bytes: frame.u64(AgClose.read_bytes),
      written_bytes: frame.u64(AgClose.written_bytes),
    },
  };
}

const PATH_TYPES: Readonly<Record<number, Action["type"] | undefined>> = {
  [AgPathAction.DELETE]: "file.delete",
  [AgPathAction.RMDIR]: "file.rmdir",
  [AgPathAction.MKDIR]: "file.mkdir",
  [AgPathAction.CHMOD]: "file.chmod",
  [AgPathAction.CHOWN]: "file.chown",
  [AgPathAction.LCHOWN]: "file.chown",
  [AgPathAction.TRUNCATE]: "file.truncate",
  [AgPathAction.MKNOD]: "file.mknod",
};

interface Name {
  readonly base: string;
  readonly path: string;
  readonly requested: string;
  readonly joined: boolean;
}

/** One name: the kernel's path where it was at hand (by descriptor), else base and request joined. */
function readName(frame: Frame, offset: number, path_bytes: number, requested_bytes: number, base: boolean): Name {
  const first = frame.text(offset, path_bytes);
  const requested = frame.text(offset + path_bytes, requested_bytes);
  if (!base) return { base: "", path: first, requested, joined: false };
  return { base: first, path: joinPath(first, requested), requested, joined: true };
}

function nameFlags(header: number, joined: boolean): FileFlag[] {
  const flags: FileFlag[] = [];
  if ((header & AgFlag.PATH_TRUNCATED) !== 0) flags.push("path_truncated");
  if (joined) flags.push("requested_only");
  else if ((header & AgFlag.UNHASHED) !== 0) flags.push("deleted");
  return flags;
}

/** delete, rmdir, mkdir, chmod, chown, truncate, mknod; `undefined` for an unknown action number. */
export function decodePath(frame: Frame): Body | undefined {
  const type = PATH_TYPES[frame.u32(AgPath.action)];
  if (type === undefined) return undefined;
  const header = frame.flags;
  const base = (header & AgFlag.BASE) !== 0;
  const name = readName(frame, AgPath.SIZE, frame.u16(AgPath.path_bytes), frame.u16(AgPath.requested_bytes), base);
  const result = resultName(frame.i32(AgPath.result));
  const flags = nameFlags(header, name.joined);
  const common = {
    path: name.path,
    ...(name.joined && name.requested !== name.path ? { requested_path: name.requested } : undefined),
    ...(flags.length > 0 ? { flags } : undefined),
    ...((header & AgFlag.REQUESTED_FAULT) !== 0 ? { missing: ["requested_path"] } : undefined),
    result,
  };
  const facts: Facts = name.joined
    ? {
      kind: "names",
      ...(frame.u32(AgPath.action) === AgPathAction.LCHOWN ? { nofollow: true } : undefined),
      ...(name.base === "" ? undefined : { base: name.base }),
    }
    : { kind: "plain" };
  return { action: pathAction(frame, type, common), facts };
}

type PathCommon = {
  readonly path: string;
  readonly requested_path?: string;
  readonly flags?: readonly FileFlag[];
  readonly missing?: readonly string[];
  readonly result: string;
};

function pathAction(frame: Frame, type: Action["type"], common: PathCommon): Action {
  switch (type) {
    case "file.mkdir":
    case "file.chmod":
    case "file.mknod":
      return { type, ...common, mode: modeText(frame.u32(AgPath.mode)) };
    case "file.chown":
      return { type, ...common, owner: `${frame.i32(AgPath.uid)}:${frame.i32(AgPath.gid)}` };
    case "file.truncate":
    case "file.rmdir":
      return { type, ...common };
    default:
      return { type: "file.delete", ...common };
  }
}

function modeText(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

const MOVE_TYPES: Readonly<Record<number, "file.rename" | "file.link" | "file.symlink" | undefined>> = {
  [AgMoveAction.RENAME]: "file.rename",
  [AgMoveAction.LINK]: "file.link",
  [AgMoveAction.SYMLINK]: "file.symlink",
};

/** rename, link, symlink; `undefined` for an unknown action number. */
export function decodeMove(frame: Frame): Body | undefined {
  const type = MOVE_TYPES[frame.u32(AgMove.action)];
  if (type === undefined) return undefined;
  const header = frame.flags;
  const path_bytes = frame.u16(AgMove.path_bytes);
  const requested_bytes = frame.u16(AgMove.requested_bytes);
  const new_at = AgMove.SIZE + path_bytes + requested_bytes;
  const new_path_bytes = frame.u16(AgMove.new_path_bytes);
  const new_requested_bytes = frame.u16(AgMove.new_requested_bytes);
  const from = type === "file.symlink"
    ? { base: "", path: frame.text(AgMove.SIZE, requested_bytes), requested: "", joined: false }
    : readName(frame, AgMove.SIZE, path_bytes, requested_bytes, (header & AgFlag.BASE) !== 0);
  const to = readName(frame, new_at, new_path_bytes, new_requested_bytes, true);
  const flags = nameFlags(header & ~AgFlag.UNHASHED, true);
  const action: Action = {
    type,
    path: from.path,
    new_path: to.path,
    ...(from.joined && from.requested !== from.path ? { requested_path: from.requested } : undefined),
    ...(to.requested !== to.path ? { requested_new_path: to.requested } : undefined),
    flags,
    ...((header & AgFlag.REQUESTED_FAULT) !== 0 ? { missing: ["requested_path"] } : undefined),
    result: resultName(frame.i32(AgMove.result)),
  };
  const facts: Facts = {
    kind: "names",
    ...(from.base === "" ? undefined : { base: from.base }),
    ...(to.base === "" ? undefined : { new_base: to.base }),
  };
  return { action, facts };
}

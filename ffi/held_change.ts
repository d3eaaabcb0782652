/** A held change of the file system, as the native code pinned it (`struct ag_hold_change`). */
import type { Pointer } from "bun:ffi";
import { CHANGE, CHANGE_FLAG, CHANGE_KINDS, HOLD } from "./held_layout.ts";

/** What kind of change. */
export type HeldChangeKind = typeof CHANGE_KINDS[number];

/** What a held call would change, found in its caller's own view. Texts are empty where there is none. */
export interface HeldChange {
  /** The native code's own; for `perform` and `drop`. Nothing of one that is done. */
  readonly pinned: Pointer | null;
  readonly kind: HeldChangeKind;
  /** As the caller wrote it. */
  readonly requested: string;
  /** Resolved; of a symbolic link that is made the text is in `requested` alone. */
  readonly path: string;
  /** Directory that a relative name begins from. */
  readonly base: string;
  readonly new_requested: string;
  readonly new_path: string;
  readonly new_base: string;
  readonly cwd: string;
  /** The image that the caller runs. */
  readonly caller: string;
  readonly open_flags: number;
  readonly mode: number;
  /** -1 leaves it as it is. */
  readonly uid: number;
  readonly gid: number;
  readonly exists: boolean;
  readonly directory: boolean;
  readonly new_exists: boolean;
  /** The object has no name any more. */
  readonly unhashed: boolean;
  /** Names that the object has. */
  readonly links: number;
  /** As stat(2) tells them. */
  readonly dev: bigint;
  readonly ino: bigint;
}

// A byte order mark is a character of a name like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Copies it out of the memory that the next call overwrites. */
export function readChange(bytes: Uint8Array, view: DataView, pinned: Pointer | null): HeldChange {
  const at = HOLD.change;
  const u32 = (field: number): number => view.getUint32(at + field, true);
  const text = (field: number): string => {
    const length = u32(field + 4);
    const from = HOLD.text + u32(field);
    return length === 0 ? "" : decoder.decode(bytes.subarray(from, from + length));
  };
  const flags = u32(CHANGE.flags);
  return {
    pinned,
    kind: CHANGE_KINDS[u32(CHANGE.action) - 1] ?? "open",
    requested: text(CHANGE.requested),
    path: text(CHANGE.path),
    base: text(CHANGE.base),
    new_requested: text(CHANGE.new_requested),
    new_path: text(CHANGE.new_path),
    new_base: text(CHANGE.new_base),
    cwd: text(CHANGE.cwd),
    caller: text(CHANGE.caller),
    open_flags: u32(CHANGE.open_flags),
    mode: u32(CHANGE.mode),
    uid: view.getInt32(at + CHANGE.uid, true),
    gid: view.getInt32(at + CHANGE.gid, true),
    exists: (flags & CHANGE_FLAG.exists) !== 0,
    directory: (flags & CHANGE_FLAG.directory) !== 0,
    new_exists: (flags & CHANGE_FLAG.new_exists) !== 0,
    unhashed: (flags & CHANGE_FLAG.unhashed) !== 0,
    links: u32(CHANGE.links),
    dev: view.getBigUint64(at + CHANGE.dev, true),
    ino: view.getBigUint64(at + CHANGE.ino, true),
  };
}

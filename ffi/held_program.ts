/** A held program start, as the native code found it (`struct ag_hold_exec`). */
import { EXEC, HOLD, HOLD_FLAG } from "./held_layout.ts";

/** What a held execve would bring up, found in the caller's own view. */
export interface HeldProgram {
  readonly requested: string;
  /** Resolved: the script, or the image. */
  readonly path: string;
  /** Of a script: the image that runs it. */
  readonly interpreter?: string;
  readonly cwd: string;
  /** As the program will find it: the NUL-terminated arguments, a script's interpreter and name included. */
  readonly argv: Uint8Array;
  /** The image that the caller runs; empty where it has none. */
  readonly caller: string;
  readonly script: boolean;
  readonly args_truncated: boolean;
  readonly memfd: boolean;
  readonly deleted: boolean;
  /** The image and what comes with it, as a grant names them: 8 bytes each of inode, hash of argv, hash of the name. */
  readonly ino: Uint8Array;
  readonly hash: Uint8Array;
  readonly name_hash: Uint8Array;
  readonly dev: number;
  readonly hashed_bytes: number;
  /** Inode (8 bytes) and device of the script; those of the image where there is none. */
  readonly script_ino: Uint8Array;
  readonly script_dev: number;
}

// A byte order mark is a character of a name like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Bytes of a number in a grant. */
const WORD = 8;

/** Copies it out of the memory that the next call overwrites. */
export function readProgram(bytes: Uint8Array, view: DataView): HeldProgram {
  const at = HOLD.exec;
  const part = (field: number): Uint8Array => {
    const from = HOLD.text + view.getUint32(at + field, true);
    return bytes.subarray(from, from + view.getUint32(at + field + 4, true));
  };
  const text = (field: number): string => decoder.decode(part(field));
  const word = (field: number): Uint8Array => bytes.slice(at + field, at + field + WORD);
  const flags = view.getUint32(at + EXEC.flags, true);
  const script = (flags & HOLD_FLAG.script) !== 0;
  return {
    requested: text(EXEC.requested),
    path: text(EXEC.path),
    ...(script ? { interpreter: text(EXEC.interpreter) } : undefined),
    cwd: text(EXEC.cwd),
    argv: part(EXEC.argv).slice(),
    caller: text(EXEC.caller),
    script,
    args_truncated: (flags & HOLD_FLAG.args_truncated) !== 0,
    memfd: (flags & HOLD_FLAG.memfd) !== 0,
    deleted: (flags & HOLD_FLAG.deleted) !== 0,
    ino: word(EXEC.ino),
    hash: word(EXEC.hash),
    name_hash: word(EXEC.name_hash),
    dev: view.getUint32(at + EXEC.dev, true),
    hashed_bytes: view.getUint32(at + EXEC.hashed_bytes, true),
    script_ino: word(EXEC.script_ino),
    script_dev: view.getUint32(at + EXEC.script_dev, true),
  };
}

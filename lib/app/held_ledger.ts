/**
 * Which calls of a session wait for an answer, in memory that outlives the guard: its launcher reads it when nobody
 * answers any more, and refuses them. Only where the policy lets the command go on without its guard.
 */
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { AgentguardError, errorMessage, type SessionId } from "../core/mod.ts";
import { HELD_FILE_BYTES } from "../../ffi/mod.ts";

/** Bytes of one id. */
const ID_BYTES = 8;

/** The file of a session in the state directory. */
export function heldFile(state_dir: string, session_id: SessionId): string {
  return join(state_dir, `held-${session_id}`);
}

/** Makes the file, whole: writing to it later needs no room on the disk. Throws `io`. */
export function makeHeldFile(path: string): Disposable {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeSync(fd, new Uint8Array(HELD_FILE_BYTES));
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new AgentguardError("io", `make ${path}, which on_failure = "open" needs: ${errorMessage(cause)}`, { cause });
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** One session's calls that wait. */
export class HeldLedger {
  readonly #bytes: Uint8Array;
  /** Place of each call that waits for a person, by its id. */
  readonly #places: Map<string, number> = new Map();
  readonly #free: number[];

  /** Maps the file. Throws where there is none. */
  constructor(path: string) {
    this.#bytes = Bun.mmap(path, { shared: true });
    this.#free = Array.from({ length: HELD_FILE_BYTES / ID_BYTES - 1 }, (_, at) => (at + 1) * ID_BYTES).reverse();
  }

  /** Where the call is noted that was received last: its id, at the beginning. */
  get last(): Uint8Array {
    return this.#bytes;
  }

  /** It waits for a person. More than there is room for are not kept. */
  waits(id: Uint8Array): void {
    const place = this.#free.pop();
    if (place === undefined) return;
    this.#places.set(id.toHex(), place);
    this.#bytes.set(id, place);
  }

  /** It waits no more. */
  answered(id: Uint8Array): void {
    const key = id.toHex();
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    this.#bytes.fill(0, place, place + ID_BYTES);
    this.#free.push(place);
  }
}

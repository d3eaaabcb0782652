/** Which keys a record may be signed by, given one that is trusted. */
import { err, ok, type Result } from "../core/mod.ts";
import { parseEntry } from "./entry.ts";
import { headOf, keyFor, leafHex, type LogState, type StoredCheckpoint, type StoredKey } from "./log_state.ts";
import { checkpointText, type PublicKey } from "./note.ts";
import { readRotation } from "./rotation.ts";
import { lineAt, partsOf } from "./stored_text.ts";
import type { Store } from "../store/mod.ts";
import { TextReader } from "./text_reader.ts";

/** Where and why the keys are not accepted. */
export interface KeyFault {
  readonly seq: number;
  readonly detail: string;
}

/** The keys of a record, linked by rotations that both keys of each link signed. */
export class KeyChain {
  readonly #state: LogState;

  private constructor(state: LogState) {
    this.#state = state;
  }

  /**
   * Checks every link, and that `trusted` is one of the keys; without it the first key is taken at its word, and only
   * later keys are checked. The texts of the rotations themselves are verified with the entries.
   */
  static open(store: Store, state: LogState, trusted: PublicKey | undefined): Result<KeyChain, KeyFault> {
    const { keys } = state;
    if (trusted !== undefined && !keys.some(({ key }) => key.equals(trusted))) {
      const found = keys.map(({ key }) => key.idFor(state.origin).toHex()).join(", ");
      const detail = `the record is signed by key ${found}, not by ${trusted.idFor(state.origin).toHex()}`;
      return err({ seq: 1, detail });
    }
    for (const [index, stored] of keys.entries()) {
      const fault = linkFault(store, state.origin, { before: keys[index - 1], stored });
      if (fault !== undefined) return err({ seq: Math.max(1, stored.since_seq), detail: fault });
    }
    return ok(new KeyChain(state));
  }

  /** Why a checkpoint is not accepted; `undefined` if it is signed by the key in force at its size. */
  fault(checkpoint: StoredCheckpoint): string | undefined {
    const { origin, keys } = this.#state;
    const stored = keyFor(keys, checkpoint.size);
    if (stored === undefined || stored.id !== checkpoint.key_id) {
      return `checkpoint ${checkpoint.size} names key ${checkpoint.key_id}, which is not the one in force there`;
    }
    const text = checkpointText(headOf(origin, checkpoint));
    if (stored.key.verifies(text, checkpoint.signature)) return undefined;
    return `the signature of checkpoint ${checkpoint.size} is not that of key ${stored.key.idFor(origin).toHex()}`;
  }
}

function linkFault(
  store: Store,
  origin: string,
  { before, stored }: { readonly before: StoredKey | undefined; readonly stored: StoredKey },
): string | undefined {
  if (before === undefined) {
    return stored.since_seq === 0 && stored.id === 1 ? undefined : "the first key is not in force from the beginning";
  }
  const seq = stored.since_seq;
  const text = seq > before.since_seq && stored.id === before.id + 1 ? new TextReader(store).entry(seq) : undefined;
  if (text === undefined) return `key ${stored.id} was not put in force by an entry`;
  const entry = parseEntry(lineAt(partsOf(text), { seq, prev: leafHex(store, seq - 1) }));
  const rotation = entry === undefined ? err("it is no entry") : readRotation(entry, origin);
  if (!rotation.ok) return `entry ${seq} does not put key ${stored.id} in force: ${rotation.error}`;
  const { old_key, new_key } = rotation.value;
  if (old_key.equals(before.key) && new_key.equals(stored.key)) return undefined;
  return `entry ${seq} puts another key in force`;
}

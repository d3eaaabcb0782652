/** Putting a new signing key in force, while no guard writes the record. */
import { type Clock, type IdGenerator } from "../core/mod.ts";
import { Committer } from "./committer.ts";
import type { PublicKey } from "./note.ts";
import { markClosed, openForWriting } from "./open.ts";
import { createSigningKey, promoteSigningKey } from "./signing_key.ts";

/** What a rotation did. */
export interface Rotation {
  readonly origin: string;
  /** The entry that both keys signed. */
  readonly seq: number;
  readonly old_key: PublicKey;
  readonly new_key: PublicKey;
}

/**
 * Makes a new key, records it in an entry that the old and the new key sign, and lets it take the old one's place:
 * after a crash at any moment the next start finishes or undoes it. Throws `busy` while a guard writes the record, and
 * what opening throws.
 */
export function rotateKey(
  directory: string,
  options: { readonly boot_id: string; readonly clock: Clock; readonly ids: IdGenerator },
): Rotation {
  const { store, lock, signer, notices } = openForWriting(directory, options);
  try {
    const committer = new Committer(store, signer, options);
    if (notices.length > 0) committer.commit(notices);
    const new_key = createSigningKey(directory);
    const { last_seq: seq } = committer.rotate(new_key);
    store.syncNow();
    promoteSigningKey(directory);
    markClosed(store);
    return { origin: signer.origin, seq, old_key: signer.key.public_key, new_key: new_key.public_key };
  } finally {
    store.close();
    lock.release();
  }
}

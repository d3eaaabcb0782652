/** The public key that the state directory's own key file stands for. */
import type { LogState } from "./log_state.ts";
import type { PublicKey } from "./note.ts";
import { KEY_FILE, NEW_KEY_FILE, readSigningKey } from "./signing_key.ts";

/**
 * The public key of the record's own key file: what a record in its place is compared with when no other key is given.
 * `undefined` where there is no key file, as beside a copy. Throws `config` and `io` where there is one that cannot be
 * used.
 */
export function localPublicKey(directory: string, state: LogState | undefined): PublicKey | undefined {
  const current = readSigningKey(directory, KEY_FILE)?.public_key;
  const used = (key: PublicKey | undefined): boolean => {
    return key !== undefined && state?.keys.some((each) => each.key.equals(key)) === true;
  };
  if (used(current)) return current;
  // Between the commit of a rotation and the end of it.
  const made = readSigningKey(directory, NEW_KEY_FILE)?.public_key;
  return used(made) ? made : current;
}

/** Sessions of the record that have ended, by the index. */
import type { Store } from "../store/mod.ts";
import { TERM_FIELDS } from "./terms.ts";
import { entriesOfTypes } from "./typed_entries.ts";

/** Sessions chosen at once: they become parameters of a statement. */
const SESSIONS_MAX = 500;

/** The ended sessions beyond the newest `keep` sessions, oldest first, at most 500. Their ids begin with their time. */
export function endedSessionsBeyond(store: Store, keep: number): ReadonlySet<string> {
  const newest = store.prepare("SELECT value FROM terms WHERE field = ? ORDER BY value DESC LIMIT 1 OFFSET ?")
    .get(TERM_FIELDS.session_id, keep - 1)?.["value"];
  const ended = new Set<string>();
  if (typeof newest !== "string") return ended;
  for (const { session_id } of entriesOfTypes(store, ["session.end"])) {
    if (session_id === undefined || session_id >= newest) continue;
    ended.add(session_id);
    if (ended.size >= SESSIONS_MAX) break;
  }
  return ended;
}

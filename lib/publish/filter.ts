/** Which entries pass an event filter, and how a query becomes one. */
import { type Entry, err, isUlid, ok, type Result, type SessionId } from "../core/mod.ts";
import type { EventFilter } from "./types.ts";

/** Longest type glob, characters: longer than every type. */
const TYPE_CHARS_MAX = 64;

/** Says whether an entry passes. */
export type EntryMatch = (entry: Entry) => boolean;

/**
 * Compiles a filter. `type` is compared with the type of the entry's action; an entry without one does not pass it, as
 * in queries of the record.
 */
export function eventFilterMatches(filter: EventFilter): EntryMatch {
  const { session_id, type } = filter;
  const parts = type?.split("*");
  return (entry) => {
    if (session_id !== undefined && entry.session_id !== session_id) return false;
    return parts === undefined || (entry.action !== undefined && globMatches(parts, entry.action.type));
  };
}

/** Matches literal parts with anything between them; linear, as each part is looked for once from left to right. */
function globMatches(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return text === first;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return at <= end;
}

/** Reads `session`, `type` and `follow` of a query; an unknown or repeated parameter is an error. */
export function parseEventFilter(query: URLSearchParams): Result<EventFilter, string> {
  let session_id: SessionId | undefined;
  let type: string | undefined;
  let follow: boolean | undefined;
  for (const [name, value] of query) {
    if (name === "session" && session_id === undefined) {
      if (!isSessionId(value)) return err("use a session id of 26 characters for session");
      session_id = value;
    } else if (name === "type" && type === undefined) {
      if (value.length > TYPE_CHARS_MAX || !/^[a-z._*]+$/.test(value)) {
        return err(`use an action type or a glob such as file.* for type, at most ${TYPE_CHARS_MAX} characters`);
      }
      type = value;
    } else if (name === "follow" && follow === undefined) {
      if (value !== "0" && value !== "1") return err("use 0 or 1 for follow");
      follow = value === "1";
    } else {
      return err("use only the parameters session, type and follow, each once");
    }
  }
  return ok({
    ...(session_id === undefined ? {} : { session_id }),
    ...(type === undefined ? {} : { type }),
    follow: follow ?? false,
  });
}

/** Narrows text to a session id if it is a well-formed ULID. */
export function isSessionId(text: string): text is SessionId {
  return isUlid(text);
}

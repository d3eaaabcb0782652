/** From how long entries are kept to what is to go now. */
import { type Clock, formatTime } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { endedSessionsBeyond } from "./ended_sessions.ts";
import type { KeepSettings } from "./keep_types.ts";
import type { PruneScope } from "./prune_plan.ts";

/** What is to go, and why, for the entry that says so. */
export interface DuePrune {
  readonly scope: PruneScope;
  readonly why: string;
}

/** Room that is made beyond what is asked for, so that it lasts. */
const SPARE = 0.05;

/** Bytes of the file that are in use; what is free is written over before the file grows. */
export function usedBytes(store: Store): number {
  const pages = store.integer("PRAGMA page_count") - store.integer("PRAGMA freelist_count");
  return pages * store.integer("PRAGMA page_size");
}

/** By age. */
export function ageScope(
  { keep_ms }: KeepSettings,
  clock: Clock,
): DuePrune | undefined {
  if (keep_ms === undefined) return undefined;
  const before_us = clock.wallUs() - keep_ms * 1_000;
  return { scope: { by: "age", before_us }, why: `from before ${formatTime(Math.max(0, before_us))}` };
}

/** By size; judged when it is asked. */
export function sizeScope(
  store: Store,
  { max_bytes }: KeepSettings,
): DuePrune | undefined {
  const over = max_bytes === undefined ? 0 : usedBytes(store) - max_bytes;
  if (over <= 0 || max_bytes === undefined) return undefined;
  const free_bytes = Math.ceil(over + max_bytes * SPARE);
  return { scope: { by: "size", free_bytes }, why: `the oldest, to keep the record under ${max_bytes} bytes` };
}

/** By the number of sessions. */
export function sessionScope(
  store: Store,
  { keep_sessions }: KeepSettings,
): DuePrune | undefined {
  const session_ids = keep_sessions === undefined ? new Set<string>() : endedSessionsBeyond(store, keep_sessions);
  if (session_ids.size === 0) return undefined;
  const why = `of ${session_ids.size} ended sessions, older than the newest ${keep_sessions}`;
  return { scope: { by: "sessions", session_ids }, why };
}

/**
 * What rules remember of the past: marks on sessions, and counts of actions. One owner changes it, between evaluations;
 * an evaluation only reads it. Everything in it is bounded.
 */
import { LIMITS } from "../core/mod.ts";

/** What an evaluation may ask of the past. */
export interface StateView {
  /** When the mark was set on the session for the first or last time, microseconds; -1 for never. See `markKey`. */
  markTime(session: string, mark: string, which: "first" | "last"): number;
  /** Actions counted under the key within `per_us` before now, see `rateSlice`. */
  rateCount(counter: string, key: string, options: { readonly per_us: number; readonly now_us: number }): number;
}

/** Nothing has happened yet. */
export const NO_PAST: StateView = { markTime: () => -1, rateCount: () => 0 };

/** Keys of marks on one session, see `markKey`; a policy that could need more is refused. */
export const KEYS_MAX = 8_192;
/** Sessions whose marks are kept: those that can run at once, and some that have just ended. */
const SESSIONS_MAX = 4 * LIMITS.sessions_max;
/** Counters of rates. Beyond it new keys of a rule share one, which counts more, never less. */
const COUNTERS_MAX = 65_536;
/** Slices of one period. One more is kept, so that a period is never counted too short. */
const SLICES = 32;
const KEPT = SLICES + 1;
/** Counters are searched for stale ones at most this often, microseconds. */
const PRUNE_US = 1_000_000;
const SHARED_KEY = "\u0000shared";

/** The slice of time in which a moment lies: a thirty-second part of the period. */
export function rateSlice(per_us: number, now_us: number): number {
  // Beyond exact numbers the next slice would be this one again.
  const exact_us = Math.min(Math.max(now_us, 0), Number.MAX_SAFE_INTEGER);
  return Math.floor(exact_us / Math.ceil(per_us / SLICES));
}

/** True if a slice still counts in slice `now`. */
export function isCounted(slice: number, now: number): boolean {
  return slice > now - KEPT;
}

interface Times {
  readonly first: number;
  last: number;
}

interface Window {
  readonly counts: Uint32Array;
  readonly per_us: number;
  newest: number;
}

/** Marks and counts. Made empty; `mark`, `count`, `forget` and `retain` change it. */
export class PolicyState implements StateView {
  readonly #sessions: Map<string, Map<string, Times>> = new Map();
  readonly #counters: Map<string, Window> = new Map();
  #pruned_us = -Infinity;

  /** Sessions that have marks. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Counters of rates that are kept. */
  get counters(): number {
    return this.#counters.size;
  }

  markTime(session: string, mark: string, which: "first" | "last"): number {
    return this.#sessions.get(session)?.get(mark)?.[which] ?? -1;
  }

  rateCount(counter: string, key: string, options: { readonly per_us: number; readonly now_us: number }): number {
    const window = this.#counters.get(`${counter}\n${key}`) ?? this.#counters.get(`${counter}\n${SHARED_KEY}`);
    if (window === undefined) return 0;
    const now = Math.max(window.newest, rateSlice(window.per_us, options.now_us));
    let sum = 0;
    for (let slice = now - KEPT + 1; slice <= window.newest; slice++) {
      if (slice > window.newest - KEPT && slice >= 0) sum += window.counts[slice % KEPT] ?? 0;
    }
    return sum;
  }

  /** Sets a mark. */
  mark(session: string, mark: string, now_us: number): void {
    let marks = this.#sessions.get(session);
    if (marks === undefined) {
      marks = new Map();
      if (this.#sessions.size >= SESSIONS_MAX) dropFirst(this.#sessions);
    } else this.#sessions.delete(session); // put back at the end: the first one is the one unused for longest
    this.#sessions.set(session, marks);
    const times = marks.get(mark);
    if (times !== undefined) {
      times.last = now_us;
      return;
    }
    if (marks.size >= KEYS_MAX) dropFirst(marks);
    marks.set(mark, { first: now_us, last: now_us });
  }

  /** Counts one action. */
  count(counter: string, key: string, options: { readonly per_us: number; readonly now_us: number }): void {
    const { per_us, now_us } = options;
    const window = this.#window(`${counter}\n${key}`, counter, options);
    if (window.per_us !== per_us) {
      // The rule was changed by a reload: its counts are of another length.
      this.#counters.delete(`${counter}\n${key}`);
      this.#counters.delete(`${counter}\n${SHARED_KEY}`);
      return this.count(counter, key, options);
    }
    const now = rateSlice(per_us, now_us);
    for (let slice = Math.max(window.newest + 1, now - KEPT + 1); slice <= now; slice++) {
      window.counts[slice % KEPT] = 0;
    }
    window.newest = Math.max(window.newest, now);
    const at = window.newest % KEPT;
    window.counts[at] = Math.min((window.counts[at] ?? 0) + 1, 0x7fff_ffff);
  }

  /** Forgets the marks of a session that ended. */
  forget(session: string): void {
    this.#sessions.delete(session);
  }

  /** Keeps only the keys of marks that somebody still asks about, after a reload. */
  retain(asked: (key: string) => boolean): void {
    for (const known of this.#sessions.values()) {
      for (const key of known.keys()) if (!asked(key)) known.delete(key);
    }
  }

  #window(
    id: string,
    counter: string,
    { per_us, now_us }: { readonly per_us: number; readonly now_us: number },
  ): Window {
    const known = this.#counters.get(id);
    if (known !== undefined) return known;
    if (this.#counters.size >= COUNTERS_MAX) this.#prune(now_us);
    const shared = `${counter}\n${SHARED_KEY}`;
    const target = this.#counters.size >= COUNTERS_MAX ? shared : id;
    const found = this.#counters.get(target);
    if (found !== undefined) return found;
    const made: Window = { counts: new Uint32Array(KEPT), per_us, newest: rateSlice(per_us, now_us) };
    this.#counters.set(target, made);
    return made;
  }

  #prune(now_us: number): void {
    if (Math.abs(now_us - this.#pruned_us) < PRUNE_US) return;
    this.#pruned_us = now_us;
    for (const [id, { per_us, newest }] of this.#counters) {
      if (!isCounted(newest, rateSlice(per_us, now_us))) this.#counters.delete(id);
    }
  }
}

function dropFirst<K>(map: Map<K, unknown>): void {
  const first = map.keys().next();
  if (!first.done) map.delete(first.value);
}

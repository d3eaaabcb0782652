/**
 * Merges opens under pressure: one entry per process, directory and kind of open, with a count. Nothing else is merged,
 * and nothing is dropped.
 */
import type { EntryDraft, Event, FileOpenAction } from "../core/mod.ts";

/** Merged opens that wait to be recorded; beyond it they are recorded at once. */
const WAITING_MAX = 4096;

interface Merged {
  readonly event: Event;
  readonly action: FileOpenAction;
  readonly directory: string;
  count: number;
}

/** Opens that were merged and not yet recorded. */
export class OpenCoalescer {
  readonly #waiting: Map<string, Merged> = new Map();
  #merged = 0;

  /** Opens that went into a merged entry so far. */
  get merged(): number {
    return this.#merged;
  }

  /** True while something waits for `flush`. */
  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** True when so much waits that it should be flushed at once. */
  get full(): boolean {
    return this.#waiting.size >= WAITING_MAX;
  }

  /** Takes an open in; false if the event is no open that succeeded. */
  add(event: Event): boolean {
    const action = event.action;
    if (action.type !== "file.read" && action.type !== "file.write") return false;
    if (action.result !== "0" || event.process === undefined) return false;
    const directory = directoryOf(action.path);
    const key = `${event.process.pid}:${event.process.start}:${action.type}:${directory}`;
    const known = this.#waiting.get(key);
    if (known === undefined) this.#waiting.set(key, { event, action, directory, count: 1 });
    else known.count++;
    this.#merged++;
    return true;
  }

  /** Records what waits, one entry for each process, directory and kind. */
  flush(append: (draft: EntryDraft) => void): void {
    for (const { event, action, directory, count } of this.#waiting.values()) {
      append({
        time_us: event.time_us,
        kind: "observation",
        ...(event.session === undefined ? undefined : {
          session_id: event.session.session_id,
          principal: event.session.principal,
        }),
        ...(event.shown === undefined ? undefined : { process: event.shown }),
        action: { type: action.type, path: directory, flags: ["coalesced"], result: "0", count },
      });
    }
    this.#waiting.clear();
  }
}

/** The directory of a path; a name without one stays as it is. */
function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return path;
  return slash === 0 ? "/" : path.slice(0, slash);
}

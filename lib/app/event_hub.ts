/** Committed entries for the readers of the control API. Costs nothing until somebody asks. */
import type { Entry } from "../core/mod.ts";
import type { EventFilter, EventPort, Lag } from "../publish/mod.ts";
import { type CommittedEntry, entryOf, openRecordReader, type RemoteSink } from "../record/mod.ts";
import { Broadcast } from "../task/mod.ts";
import type { RecorderThread } from "./recorder_thread.ts";

/** Committed batches that wait for one slow reader. */
const BATCHES_MAX = 1024;
/** Entries that are shown without `follow`. */
const RECENT_MAX = 1000;

/** Follows the recorder from the first subscriber on. */
export class EventHub implements EventPort, Disposable {
  readonly #recorder: RecorderThread;
  readonly #directory: string;
  readonly #broadcast = new Broadcast<readonly CommittedEntry[]>("committed entries", { capacity: BATCHES_MAX });
  #following: RemoteSink | undefined;

  constructor(recorder: RecorderThread, directory: string) {
    this.#recorder = recorder;
    this.#directory = directory;
  }

  async *subscribe(filter: EventFilter, signal: AbortSignal): AsyncGenerator<Entry | Lag> {
    if (!filter.follow) {
      yield* this.#recent(filter);
      return;
    }
    this.#following ??= this.#recorder.follow((entries) => this.#broadcast.send(entries));
    const subscription = this.#broadcast.subscribe();
    const end = (): void => subscription.close();
    signal.addEventListener("abort", end, { once: true });
    try {
      for await (const item of subscription) {
        if (item.kind === "lagged") yield { lagged: item.missed };
        else for (const committed of item.value) yield entryOf(committed);
      }
    } finally {
      signal.removeEventListener("abort", end);
      subscription.close();
    }
  }

  [Symbol.dispose](): void {
    this.#broadcast.close();
    this.#following?.close("the guard stops");
  }

  *#recent(filter: EventFilter): Generator<Entry> {
    const reader = openRecordReader(this.#directory);
    try {
      const query = {
        newest: true,
        limit: RECENT_MAX,
        ...(filter.session_id === undefined ? undefined : { session_id: filter.session_id }),
        ...(filter.type === undefined ? undefined : { type: filter.type }),
      };
      const newest = [...reader.query(query)].reverse();
      for (const stored of newest) yield entryOf(stored);
    } finally {
      reader.close();
    }
  }
}

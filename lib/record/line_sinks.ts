/** The JSON-lines sinks of a record: each committed entry goes to all of them. */
import { errorMessage, type Gap } from "../core/mod.ts";
import type { JsonLinesMetrics, JsonLinesOptions, JsonLinesStrategy, SyncPolicy } from "./jsonl_options.ts";
import type { JsonLinesTarget } from "./jsonl_output.ts";
import { type JsonLinesSink, openJsonLinesSink } from "./jsonl_sink.ts";
import type { CommittedEntry } from "./recorder.ts";

/** One sink, as data. */
export interface LineSinkSettings {
  /** Absolute path of a file; `/dev/stdout` and `/dev/stderr` are the process's own. */
  readonly path: string;
  /** For everything but observations; `block` by default. */
  readonly decisions: JsonLinesStrategy | undefined;
  /** For observations; `drop` by default. */
  readonly observations: JsonLinesStrategy | undefined;
  /** Path of the second sink, for `fallback`. What it does not take is dropped and counted. */
  readonly fallback: string | undefined;
  /** Bytes of one file before it is put aside. */
  readonly rotate_bytes: number | undefined;
  /** Age of one file before it is put aside, milliseconds. */
  readonly rotate_age_ms: number | undefined;
  /** Files kept aside, 1 to 1,000. */
  readonly rotate_keep: number | undefined;
  /** `never` by default: the record itself is durable. */
  readonly sync: SyncPolicy | undefined;
  /** Lines that may wait. */
  readonly queue_lines: number | undefined;
}

/** Figures of one sink. */
export interface LineSinkMetrics extends JsonLinesMetrics {
  readonly path: string;
  /** Lines that may wait. */
  readonly capacity: number;
  /** True while the sink keeps the record from going on. */
  readonly blocks: boolean;
}

/** What every sink works with. */
export type LineSinkParts = Pick<JsonLinesOptions, "clock" | "log" | "timers" | "calls"> & {
  /** Told of each loss, for an entry in the record. */
  readonly onLoss: (gap: Gap) => void;
  /** Told when a sink that kept the record from going on has room again. */
  readonly onRoom: () => void;
};

/** The bound where a sink names none. */
const QUEUE_LINES = 65_536;

/** A reload waits so long for what a sink that goes has still to write, milliseconds. */
const END_MS_MAX = 5_000;

/** One opened sink, and the groups that it has not taken yet. */
class OpenSink {
  readonly settings: LineSinkSettings;
  readonly sink: JsonLinesSink;
  readonly second: JsonLinesSink | undefined;
  /** Groups under way: more than none means that the record must wait. */
  waiting = 0;
  /** Why the sink takes nothing any more. */
  refused: string | undefined;
  /** In order: a sink takes one group after the other. */
  last: Promise<void> = Promise.resolve();

  constructor(settings: LineSinkSettings, sink: JsonLinesSink, second: JsonLinesSink | undefined) {
    this.settings = settings;
    this.sink = sink;
    this.second = second;
  }
}

/**
 * Hands each committed group to every sink. A sink that lets its caller wait (`block`) makes `blocked` say so, and the
 * writer commits nothing until it has room: a slow sink costs time and no entry. Close it after the writer.
 */
export class LineSinks implements AsyncDisposable {
  readonly #parts: LineSinkParts;
  #sinks: readonly OpenSink[];
  /** Sinks that were replaced, while they write what they had taken. */
  readonly #ending: Set<Promise<void>> = new Set();
  #closed = false;

  private constructor(sinks: readonly OpenSink[], parts: LineSinkParts) {
    this.#sinks = sinks;
    this.#parts = parts;
  }

  /** Opens all; rejects with what `openJsonLinesSink` says of the first that cannot be opened, and none stays open. */
  static async open(settings: readonly LineSinkSettings[], parts: LineSinkParts): Promise<LineSinks> {
    const opened: OpenSink[] = [];
    try {
      for (const each of settings) opened.push(await openSink(each, parts));
    } catch (thrown) {
      await Promise.allSettled(opened.flatMap(({ sink, second }) => [sink.close(), second?.close()]));
      throw thrown;
    }
    return new LineSinks(opened, parts);
  }

  /** Takes a group that is durable. Never throws. */
  accept(entries: readonly CommittedEntry[]): void {
    if (this.#closed) return;
    for (const open of this.#sinks) this.#give(open, entries);
  }

  /** Why the record must wait, or `undefined`. */
  blocked(): string | undefined {
    const open = this.#sinks.find((each) => each.waiting > 0 || each.refused !== undefined);
    if (open === undefined) return undefined;
    return `the JSON-lines sink ${open.settings.path} takes nothing${
      open.refused === undefined ? "" : `: ${open.refused}`
    }`;
  }

  /**
   * Puts other sinks in their place; one whose settings are the same stays as it is, and one that goes writes what it
   * had taken. Rejects as `open`, with nothing changed.
   */
  async configure(settings: readonly LineSinkSettings[]): Promise<void> {
    const kept = settings.map((each) => this.#sinks.find((open) => Bun.deepEquals(open.settings, each)));
    const fresh = await LineSinks.open(settings.filter((_, index) => kept[index] === undefined), this.#parts);
    if (this.#closed) return await fresh.close();
    const opened = [...fresh.#sinks];
    const gone = this.#sinks.filter((open) => !kept.includes(open));
    this.#sinks = kept.flatMap((open) => open ?? opened.shift() ?? []);
    const followed: Promise<void>[] = [];
    for (const old of gone) {
      const ended = this.#end(old);
      this.#ending.add(ended);
      void ended.then(() => this.#ending.delete(ended));
      // Two sinks of one file never write at once.
      const heir = fresh.#sinks.find((open) => open.settings.path === old.settings.path);
      if (heir === undefined) continue;
      this.#wait(heir, ended);
      followed.push(ended);
    }
    // A file that takes nothing any more must not hold up the reload that names another one.
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _limit = this.#parts.timers.after(END_MS_MAX, resolve);
    await Promise.race([Promise.all(followed), late]);
  }

  /** Opens every file anew, for SIGHUP; what fails is logged, and that file stays in use. */
  async reopen(): Promise<void> {
    for (const { settings, sink, second } of this.#sinks) {
      for (const each of [sink, second]) {
        try {
          await each?.reopen();
        } catch (thrown) {
          this.#parts.log.error("json lines: reopen failed", { path: settings.path, error: errorMessage(thrown) });
        }
      }
    }
  }

  /** The figures now. */
  metrics(): readonly LineSinkMetrics[] {
    return this.#sinks.map(({ settings, sink, waiting, refused }) => ({
      path: settings.path,
      capacity: settings.queue_lines ?? QUEUE_LINES,
      blocks: waiting > 0 || refused !== undefined,
      ...sink.metrics(),
    }));
  }

  /** Writes what waits and closes the files; what could not be written is logged with its number. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await Promise.all(this.#ending);
    for (const open of this.#sinks) await this.#drain(open);
    this.#closed = true;
    for (const open of this.#sinks) await this.#shut(open);
  }

  async #end(open: OpenSink): Promise<void> {
    await this.#drain(open);
    await this.#shut(open);
  }

  async #shut({ settings, sink, second }: OpenSink): Promise<void> {
    for (const each of [sink, second]) {
      try {
        await each?.close();
      } catch (thrown) {
        this.#parts.log.error("json lines: closing failed", { path: settings.path, error: errorMessage(thrown) });
      }
    }
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #give(open: OpenSink, entries: readonly CommittedEntry[]): void {
    let taken: Promise<void> | undefined;
    try {
      // The writer asks `blocked` before the next group, so one that comes all the same is the last before the end.
      taken = open.waiting === 0 ? open.sink.offer(entries) : open.last.then(() => open.sink.accept(entries));
    } catch (thrown) {
      return this.#refused(open, thrown);
    }
    if (taken !== undefined) this.#wait(open, taken);
  }

  /** The sink takes nothing more before this. */
  #wait(open: OpenSink, taken: Promise<unknown>): void {
    open.waiting++;
    open.last = taken.catch((thrown: unknown) => this.#refused(open, thrown)).then(() => {
      open.waiting--;
      if (this.blocked() === undefined) this.#parts.onRoom();
    });
  }

  /** Groups that came while the sink was full follow as it empties; one that fails ends that. */
  async #drain(open: OpenSink): Promise<void> {
    try {
      for (; open.waiting > 0; await open.last) await open.sink.flush();
    } catch (thrown) {
      const error = errorMessage(thrown);
      this.#parts.log.error("json lines: groups were not taken", {
        path: open.settings.path,
        groups: open.waiting,
        error,
      });
    }
  }

  #refused(open: OpenSink, thrown: unknown): void {
    if (this.#closed) return;
    open.refused = errorMessage(thrown);
    this.#parts.log.error("json lines: a group was refused", { path: open.settings.path, error: open.refused });
  }
}

async function openSink(settings: LineSinkSettings, parts: LineSinkParts): Promise<OpenSink> {
  const { clock, log, timers, calls, onLoss } = parts;
  const common = {
    clock,
    log,
    timers,
    onLoss,
    ...(calls === undefined ? undefined : { calls }),
    ...rotation(settings),
  };
  const second = settings.fallback === undefined
    ? undefined
    : await openJsonLinesSink(targetOf(settings.fallback), { ...common, decisions: "drop", observations: "drop" });
  try {
    const sink = await openJsonLinesSink(targetOf(settings.path), {
      ...common,
      queue_lines_max: settings.queue_lines ?? QUEUE_LINES,
      ...(settings.decisions === undefined ? undefined : { decisions: settings.decisions }),
      ...(settings.observations === undefined ? undefined : { observations: settings.observations }),
      ...(second === undefined ? undefined : { fallback: second }),
    });
    return new OpenSink(settings, sink, second);
  } catch (thrown) {
    await second?.close();
    throw thrown;
  }
}

function rotation({ rotate_bytes, rotate_age_ms, rotate_keep, sync }: LineSinkSettings): Partial<JsonLinesOptions> {
  return {
    ...(rotate_bytes === undefined ? undefined : { file_bytes_max: rotate_bytes }),
    ...(rotate_age_ms === undefined ? undefined : { file_age_ms_max: rotate_age_ms }),
    ...(rotate_keep === undefined ? undefined : { files_kept: rotate_keep }),
    ...(sync === undefined ? undefined : { sync }),
  };
}

function targetOf(path: string): JsonLinesTarget {
  if (path === "/dev/stdout") return { kind: "descriptor", fd: 1 };
  if (path === "/dev/stderr") return { kind: "descriptor", fd: 2 };
  return { kind: "file", path };
}

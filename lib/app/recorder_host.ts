/** What runs in the recorder thread: the one writer of the record, who feeds it, and where its entries go, too. */
import { type EntryDraft, IdGenerator, type Log, systemClock } from "../core/mod.ts";
import {
  type Anchor,
  anchoredLog,
  anchoredNotes,
  Anchors,
  createRedactor,
  Keeper,
  type KeepReport,
  type KeepRequest,
  LineSinks,
  makeAnchor,
  messagePort,
  openRecordWriter,
  openRedactKey,
  type RecorderState,
  type RecordWriter,
  type ServedProducer,
  serveRecorder,
} from "../record/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { CommitMeter } from "./commit_meter.ts";
import type { RecorderMetrics, RecorderSettings } from "./recorder_protocol.ts";

/** How to open. */
export interface RecorderHostOptions {
  readonly directory: string;
  readonly boot_id: string;
  readonly settings: RecorderSettings;
  readonly log: Log;
  /** Told when entries stop becoming durable, and when they do again. */
  readonly onState: (state: RecorderState) => void;
  /** Told of the figures while they change. */
  readonly onMetrics: (metrics: RecorderMetrics) => void;
}

/** Shortest time between two reports of figures, milliseconds. */
const METRICS_MS = 250;

/** An open record with its producers and sinks. Close it. */
export class RecorderHost {
  readonly #options: RecorderHostOptions;
  readonly #writer: RecordWriter;
  readonly #sinks: LineSinks;
  readonly #keeper: Keeper;
  #anchors: Anchors;
  #anchored: RecorderSettings;
  readonly #producers: ServedProducer[] = [];
  readonly #meter: CommitMeter = new CommitMeter();
  #metrics_due: Disposable | undefined;
  #closed = false;

  private constructor(options: RecorderHostOptions, sinks: LineSinks) {
    this.#options = options;
    this.#sinks = sinks;
    const { directory, boot_id, settings, log } = options;
    const { origin, on_tamper, anchors } = settings;
    // A key that is none is found before anything is opened.
    const places = anchors.map(makeAnchor);
    this.#writer = openRecordWriter(directory, {
      ...(origin === undefined ? undefined : { origin }),
      ...(on_tamper === undefined ? undefined : { on_tamper }),
      known_notes: anchors.flatMap((each) => each.kind === "file" ? anchoredNotes(each.path) : []),
      redact: createRedactor({ key: openRedactKey(directory) }),
      boot_id,
      clock: systemClock,
      ids: new IdGenerator(systemClock),
      log,
      timers: systemTimers,
      brake: () => sinks.blocked(),
      onState: (state) => this.#tell(state),
    });
    this.#keeper = new Keeper(this.#writer, { clock: systemClock, timers: systemTimers, log, keep: settings.keep });
    this.#keeper.start();
    this.#anchors = this.#anchorsAt(places, settings);
    this.#anchored = settings;
    this.#anchors.start();
    this.#writer.onCommit((entries) => {
      this.#meter.add(this.#writer.stats().last_commit_ms);
      sinks.accept(entries);
      this.#reportSoon();
    });
  }

  /** Opens sinks and record. Rejects with what opening them throws; then nothing stays open. */
  static async open(options: RecorderHostOptions): Promise<RecorderHost> {
    const { settings, log } = options;
    const held: { host?: RecorderHost } = {};
    const sinks = await LineSinks.open(settings.sinks, {
      clock: systemClock,
      timers: systemTimers,
      log,
      onLoss: (gap) => held.host?.append({ time_us: systemClock.wallUs(), kind: "gap", gap }),
      onRoom: () => held.host?.hurry(),
    });
    try {
      held.host = new RecorderHost(options, sinks);
      return held.host;
    } catch (thrown) {
      await sinks.close();
      throw thrown;
    }
  }

  /** Takes entries from a port from now on. */
  serve(port: MessagePort): void {
    this.#producers.push(serveRecorder(messagePort(port), this.#writer, { log: this.#options.log }));
  }

  /** Records something of the recorder's own; nothing any more once it closes. */
  append(draft: EntryDraft): void {
    if (!this.#closed) this.#writer.append(draft);
  }

  /** Tries what waits now, and not when the next attempt is due. */
  hurry(): void {
    // What fails is told by the state.
    if (!this.#closed) this.#writer.flush().catch(() => {});
  }

  /** Prunes, erases, holds; see `Keeper.request`. */
  keep(request: KeepRequest): Promise<KeepReport> {
    return this.#keeper.request(request);
  }

  /**
   * Puts sinks, retention and anchors in force. Rejects with what opening a sink or naming an anchor throws; then
   * nothing has changed.
   */
  async configure(settings: RecorderSettings): Promise<void> {
    const { anchors, anchor_every_ms } = this.#anchored;
    const same = Bun.deepEquals([anchors, anchor_every_ms], [settings.anchors, settings.anchor_every_ms]);
    const next = same ? this.#anchors : this.#anchorsAt(settings.anchors.map(makeAnchor), settings);
    await this.#sinks.configure(settings.sinks);
    this.#keeper.configure(settings.keep);
    if (same || this.#closed) return;
    this.#anchors.close();
    this.#anchors = next;
    this.#anchored = settings;
    next.start();
  }

  #anchorsAt(places: readonly Anchor[], { anchor_every_ms: every_ms }: RecorderSettings): Anchors {
    return new Anchors(anchoredLog((work) => this.#writer.look(work)), places, {
      timers: systemTimers,
      log: this.#options.log,
      every_ms,
      record: (action) => this.append({ time_us: systemClock.wallUs(), kind: "guard", action }),
    });
  }

  /** Opens the files of the sinks anew. */
  async reopen(): Promise<void> {
    await this.#sinks.reopen();
  }

  /** Commits what was appended, then closes record and sinks. Rejects with `io` for what could not be made durable. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#metrics_due?.[Symbol.dispose]();
    this.#keeper.close();
    this.#anchors.close();
    try {
      // The end of a record is what its anchors are for.
      if (this.#anchored.anchors.length > 0) {
        await this.#writer.flush().catch(() => {});
        // The first may be one that had begun before.
        for (let n = 0; n < 2; n++) await this.#anchors.anchorNow();
      }
      await this.#writer.close();
    } finally {
      await this.#sinks.close();
    }
  }

  #tell(state: RecorderState): void {
    this.#options.onState(state);
    for (const producer of this.#producers) producer.tellState(state);
    this.#reportSoon();
  }

  #reportSoon(): void {
    if (this.#closed) return;
    this.#metrics_due ??= systemTimers.after(METRICS_MS, () => {
      this.#metrics_due = undefined;
      const metrics = this.#metrics();
      this.#options.onMetrics(metrics);
      if (metrics.sinks.some(({ queued }) => queued > 0)) this.#reportSoon();
    });
  }

  #metrics(): RecorderMetrics {
    const { appended, committed, commits, dropped } = this.#writer.stats();
    const [pending, commit_ms] = [this.#writer.pending(), this.#meter.times()];
    return {
      appended,
      committed,
      commits,
      dropped,
      pending,
      commit_ms,
      sinks: this.#sinks.metrics(),
      anchors: this.#anchors.status(),
    };
  }
}

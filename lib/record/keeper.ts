/** Keeps a record within its bounds: takes out texts that are too old, too many, or to be erased, and holds others. */
import { AgentguardError, type Clock, type EntryDraft, errorMessage, type HoldTerms, type Log } from "../core/mod.ts";
import { activeHolds, heldBy, type Hold, requireNewHold } from "./holds.ts";
import { ageScope, type DuePrune, sessionScope, sizeScope, usedBytes } from "./keep_scopes.ts";
import { type KeepReport, type KeepRequest, type KeepSettings, NOTHING_KEPT } from "./keep_types.ts";
import { type PlannedPrune, PrunePlanner, type PruneScope } from "./prune_plan.ts";
import { BLOCKS_STEP, pruneSteps, removeFrom } from "./prune_steps.ts";
import { wipeFreePages } from "./prune_texts.ts";
import { pruneStatements } from "./pruned.ts";
import type { SeqRange } from "./ranges.ts";
import { soon, type Timers } from "./timers.ts";
import type { RecordWriter } from "./writer.ts";

/** What a keeper works with. */
export interface KeeperOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** What is done by itself. */
  readonly keep: KeepSettings;
}

/** Pauses between two passes, milliseconds. */
const PASS_MS_MIN = 1_000;
const PASS_MS_MAX = 3_600_000;
/** A pass over the size is as often as this at least, milliseconds. */
const SIZE_PASS_MS = 30_000;
/** The wall clock may gain so much on the other one, microseconds: it is set, and it runs on while a host sleeps. */
const CLOCK_JUMP_US_MAX = 7_200_000_000;
/** Ages are split into so many passes. */
const PASSES_PER_AGE = 24;

/** Does one thing after the other, in small steps between the writer's commits. Close it before the writer. */
export class Keeper implements Disposable {
  readonly #writer: RecordWriter;
  readonly #options: KeeperOptions;
  /** The end of what was asked for so far. */
  #last: Promise<unknown> = Promise.resolve();
  #next: Disposable | undefined;
  #keep: KeepSettings;
  #pause_ms = Infinity;
  #closed = false;
  #warned = false;
  /** Between the two clocks, at the start: a jump of the wall clock must not prune what is young. */
  readonly #clock_offset_us: number;

  constructor(writer: RecordWriter, options: KeeperOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#keep = options.keep;
    this.#clock_offset_us = options.clock.wallUs() - options.clock.monotonicUs();
  }

  /** Finishes what an earlier process left half done, and prunes by itself from now on where a bound is set. */
  start(): void {
    void this.#enqueue(() => this.#resume()).catch((thrown: unknown) => this.#failed(thrown));
    this.configure(this.#keep);
  }

  /** Other bounds from the next pass on. */
  configure(keep: KeepSettings): void {
    this.#keep = keep;
    this.#pause_ms = pauseOf(keep);
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    this.#schedule();
  }

  /**
   * Carries out a request once those before are done. Rejects with `usage` for what cannot be done, `io` and `busy`
   * while the record cannot be written, `closed`, and what the store throws; what a pruning had recorded before is
   * finished by the next start.
   */
  request(request: KeepRequest): Promise<KeepReport> {
    switch (request.op) {
      case "prune":
        return this.#enqueue(() => this.#pruneBy(request, request.dry_run));
      case "erase":
        return this.#enqueue(() => this.#erase(request));
      case "hold.add":
        return this.#enqueue(() => this.#addHold(request));
      default:
        return this.#enqueue(() => this.#releaseHold(request));
    }
  }

  /** Does no more; a step that has begun is finished. Doing it twice is harmless. */
  close(): void {
    this.#closed = true;
    this.#next?.[Symbol.dispose]();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** The next pass, where there is a bound and none is due. */
  #schedule(): void {
    if (this.#closed || this.#next !== undefined || this.#pause_ms === Infinity) return;
    this.#next = this.#options.timers.after(this.#pause_ms, () => {
      const due = this.#next;
      const pass = this.#enqueue(() => this.#pruneBy(this.#keep, false)).catch((thrown: unknown) => {
        this.#failed(thrown);
      });
      void pass.then(() => {
        // Other bounds that came meanwhile have a pass of their own.
        if (this.#next !== due) return;
        this.#next = undefined;
        this.#schedule();
      });
    });
  }

  #failed(thrown: unknown): void {
    if (!this.#closed) this.#options.log.warn(`the record was not pruned: ${errorMessage(thrown)}`);
  }

  async #pruneBy(keep: KeepSettings, dry_run: boolean): Promise<KeepReport> {
    const scopes: (() => DuePrune | undefined)[] = [
      () => this.#clockJumped(keep) ? undefined : ageScope(keep, this.#options.clock),
      () => this.#writer.look((store) => sessionScope(store, keep)),
      () => this.#writer.look((store) => sizeScope(store, keep)),
    ];
    let report = NOTHING_KEPT;
    for (const choose of scopes) {
      const chosen = choose();
      if (chosen === undefined) continue;
      report = joined(report, await this.#prune(chosen.scope, { why: chosen.why, dry_run }));
      if (chosen.scope.by === "size" && !dry_run) this.#warnIfLarge(keep);
    }
    if (report.entries > 0 && !dry_run) this.#foldLog();
    return report;
  }

  #clockJumped({ keep_ms }: KeepSettings): boolean {
    const { clock, log } = this.#options;
    const jump_us = clock.wallUs() - clock.monotonicUs() - this.#clock_offset_us;
    if (keep_ms === undefined || jump_us <= CLOCK_JUMP_US_MAX) return false;
    const hours = Math.floor(jump_us / 3_600_000_000);
    log.warn(`the record was not pruned by age: the clock jumped ahead by ${hours} h since the guard started`);
    return true;
  }

  async #erase({ terms, reason, dry_run }: Extract<KeepRequest, { op: "erase" }>): Promise<KeepReport> {
    // Not by name: the entry is there to stay, and a name is what was to go.
    const whose = terms.session_id === undefined ? "one principal" : "one session";
    const why = `erased on request, entries of ${whose}${reason === undefined ? "" : `: ${reason}`}`;
    const report = await this.#prune({ by: "subject", terms }, { why, dry_run });
    if (dry_run || report.entries === 0) return report;
    this.#writer.maintain((store) => wipeFreePages(store));
    return { ...report, traces: !this.#foldLog() };
  }

  async #addHold({ terms, reason }: Extract<KeepRequest, { op: "hold.add" }>): Promise<KeepReport> {
    this.#writer.look((store) => requireNewHold(activeHolds(store), terms));
    const detail = `hold ${terms.name} added${reason === undefined ? "" : `: ${reason}`}`;
    return await this.#state({ type: "guard.hold.added", detail, hold: terms });
  }

  async #releaseHold({ name, reason }: Extract<KeepRequest, { op: "hold.release" }>): Promise<KeepReport> {
    const held = this.#writer.look((store) => activeHolds(store)).find((hold) => hold.name === name);
    if (held === undefined) {
      throw new AgentguardError("not_found", `release hold ${name}: none of this name is in force`);
    }
    const detail = `hold ${name} released${reason === undefined ? "" : `: ${reason}`}`;
    return await this.#state({ type: "guard.hold.released", detail, hold: termsOf(held) });
  }

  /** Plans, records, and only then removes, statement by statement. */
  async #prune(
    scope: PruneScope,
    { why, dry_run }: { readonly why: string; readonly dry_run: boolean },
  ): Promise<KeepReport> {
    // What was appended before counts, too.
    await this.#writer.flush();
    const planner = this.#writer.look((store) => new PrunePlanner(store, scope, heldBy(activeHolds(store))));
    let report = NOTHING_KEPT;
    const plans = planner.plans(BLOCKS_STEP);
    for (;;) {
      await this.#pause();
      const { value: plan, done } = this.#writer.look(() => plans.next());
      if (done === true) break;
      if (plan === undefined) continue;
      const statements = dry_run ? [] : await this.#carryOut(plan, why);
      report = joined(report, { ...NOTHING_KEPT, entries: plan.entries, bytes: plan.bytes, statements });
    }
    return { ...report, held_back: planner.held_back };
  }

  async #carryOut({ ranges, entries }: PlannedPrune, why: string): Promise<readonly number[]> {
    const detail = `${entries} entries pruned: ${why}`;
    const { statements } = await this.#state({ type: "guard.record.pruned", detail, ranges });
    await this.#remove(ranges);
    return statements;
  }

  async #remove(ranges: readonly SeqRange[]): Promise<void> {
    for (const blocks of pruneSteps(ranges)) {
      await this.#pause();
      this.#writer.maintain((store) => removeFrom(store, blocks, ranges));
    }
  }

  /** A pruning that was recorded and not finished. */
  async #resume(): Promise<void> {
    const statement = this.#writer.look((store) => pruneStatements(store).findLast(({ lost }) => !lost));
    if (statement !== undefined) await this.#remove(statement.ranges);
  }

  /** Records a statement and waits until it is durable. */
  async #state(action: NonNullable<EntryDraft["action"]>): Promise<KeepReport> {
    const committed = Promise.withResolvers<number>();
    // One statement is under way at a time.
    const needle = `"type":${JSON.stringify(action.type)}`;
    const stop = this.#writer.onCommit((entries) => {
      const found = entries.find(({ line }) => line.includes(needle));
      if (found !== undefined) committed.resolve(found.seq);
    });
    try {
      this.#writer.append({ time_us: this.#options.clock.wallUs(), kind: "guard", action });
      await this.#writer.flush();
      return { ...NOTHING_KEPT, statements: [await committed.promise] };
    } finally {
      stop();
    }
  }

  /** Lets the writer and its producers work. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => soon(resolve));
    if (this.#closed) throw new AgentguardError("closed", "prune the record: the recorder is closed");
  }

  /** Folds the log into the file and cuts it; false where somebody reads it. */
  #foldLog(): boolean {
    const row = this.#writer.maintain((store) => store.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get());
    return row?.["busy"] === 0;
  }

  #warnIfLarge(keep: KeepSettings): void {
    const used = this.#writer.look((store) => usedBytes(store));
    if (keep.max_bytes === undefined || used <= keep.max_bytes || this.#warned) return;
    this.#warned = true;
    const text = `the record uses ${used} bytes with nothing left to prune, more than max_bytes ${keep.max_bytes}`;
    this.#options.log.warn(`${text}: hashes and what is held stay`);
  }
}

function joined(one: KeepReport, other: KeepReport): KeepReport {
  return {
    entries: one.entries + other.entries,
    bytes: one.bytes + other.bytes,
    held_back: one.held_back + other.held_back,
    statements: [...one.statements, ...other.statements],
    traces: one.traces || other.traces,
  };
}

function termsOf(
  { name, session_id, principal, since, until }: Hold,
): HoldTerms {
  return {
    name,
    ...(session_id === undefined ? undefined : { session_id }),
    ...(principal === undefined ? undefined : { principal }),
    ...(since === undefined ? undefined : { since }),
    ...(until === undefined ? undefined : { until }),
  };
}

/** Pause between two passes, milliseconds; infinite where there is no bound. */
function pauseOf({ keep_ms, max_bytes, keep_sessions }: KeepSettings): number {
  return Math.min(
    keep_ms === undefined ? Infinity : Math.min(PASS_MS_MAX, Math.max(PASS_MS_MIN, keep_ms / PASSES_PER_AGE)),
    max_bytes === undefined ? Infinity : SIZE_PASS_MS,
    keep_sessions === undefined ? Infinity : SIZE_PASS_MS,
  );
}

/**
 * Drains the two rings in time order and finds losses. The telemetry ring wakes nobody while there is traffic: it is
 * looked at every few milliseconds. When nothing comes the reader sleeps until the next record of either ring. What
 * cannot wait in the decision ring (a refusal, a program that starts) wakes it at any time.
 */
import { AgRecord, AgRing } from "../../../probes/abi.gen.ts";
import type { Epoll, RingMemory } from "../../../ffi/mod.ts";
import type { FrameSink } from "./port.ts";
import { SequenceTracker } from "./sequence.ts";

/** The part of a ring's memory that a reader uses. */
export type ReadableRing = Pick<
  RingMemory,
  "view" | "bytes" | "position" | "produced" | "next" | "advance" | "release"
>;

/** What a reader reads. */
export interface ReaderParts {
  readonly decisions: ReadableRing;
  readonly telemetry: ReadableRing;
  readonly epoll: Pick<Epoll, "wait">;
  /** Asks the programs to wake the wait at the next record. */
  readonly sleep: () => void;
  /** The kernel's next sequence number of each CPU, for a ring. */
  readonly nextSequence: (ring: number) => readonly number[];
}

/**
 * Wait between two looks while records come, milliseconds: every look interrupts whoever has the processor and costs
 * far more than a record does. A flood that begins meanwhile fills a quarter of the ring.
 */
const WAIT_MS = 25;
/** The same in a flood, which is so many records for each millisecond waited. */
const WAIT_FLOOD_MS = 2;
const FLOOD_RECORDS_PER_MS = 64;
/** Wait after which the reader asks to be woken instead of looking: nothing came for twice as long. */
const WAIT_LOOK_MAX_MS = 32;
/**
 * Longest sleep, milliseconds: whatever is sent ends it. It is for what the programs count and do not send, their own
 * losses, which are looked at once a second.
 */
const WAIT_ASLEEP_MS = 1000;
/** Records after which space is given back within one drain. */
const RELEASE_EVERY = 1024;
/** Records of one drain, so that messages of other threads are not kept waiting. */
const DRAIN_MAX = 65_536;

/** The consumer of both rings; one per object, on one thread. */
export class RingReader {
  readonly #parts: ReaderParts;
  readonly #decisions = new SequenceTracker("decisions");
  readonly #telemetry = new SequenceTracker("telemetry");
  #wait_ms = WAIT_FLOOD_MS;
  #woken = false;
  #records = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** Records read so far. */
  get records(): number {
    return this.#records;
  }

  /** Waits, blocking the thread, until there may be records. */
  wait(): void {
    const { decisions, telemetry, epoll } = this.#parts;
    if (this.#wait_ms <= WAIT_LOOK_MAX_MS) {
      this.#woken = epoll.wait(this.#wait_ms);
      return;
    }
    this.#parts.sleep();
    // What came between the last look and the request is there without a wake-up.
    if (telemetry.produced() > telemetry.position || decisions.produced() > decisions.position) return;
    this.#woken = epoll.wait(WAIT_ASLEEP_MS);
  }

  /** Gives everything that is there to `sink`, oldest first; returns how many records it was. */
  drain(sink: FrameSink): number {
    const { decisions, telemetry } = this.#parts;
    // A telemetry record before `telemetry_end` may need a decision record sent before it (its process's exec): those
    // are before `decisions_end`. A decision record (an exit) must not pass telemetry sent before it: that is before
    // `telemetry_end` only if the record is before `decisions_first`.
    const decisions_first = decisions.produced();
    const telemetry_end = telemetry.produced();
    const decisions_end = decisions.produced();
    let count = 0;
    let d = decisions.next(decisions_end);
    let t = telemetry.next(telemetry_end);
    while ((d >= 0 || t >= 0) && count < DRAIN_MAX) {
      if (t < 0) {
        // Nothing, or a record that is being written: the rest waits for the next drain.
        if (decisions.position >= decisions_first || telemetry.position < telemetry_end) break;
      }
      if (t < 0 || (d >= 0 && this.#earlier(decisions, d, telemetry, t))) {
        this.#give(sink, decisions, d, this.#decisions);
        d = decisions.next(decisions_end);
      } else {
        this.#give(sink, telemetry, t, this.#telemetry);
        t = telemetry.next(telemetry_end);
      }
      if (++count % RELEASE_EVERY === 0) this.#release();
    }
    this.#release();
    const gap = (found: Parameters<FrameSink["gap"]>[0]): void => sink.gap(found);
    this.#decisions.endBatch(gap);
    this.#telemetry.endBatch(gap);
    this.#records += count;
    this.#wait_ms = this.#nextWait(count);
    return count;
  }

  #nextWait(count: number): number {
    // Woken for no record: another thread has sent a message, which may come a moment after its wake-up.
    if (count === 0 && this.#woken) return WAIT_FLOOD_MS;
    if (count >= FLOOD_RECORDS_PER_MS * this.#wait_ms) return WAIT_FLOOD_MS;
    return count > 0 ? WAIT_MS : Math.min(WAIT_LOOK_MAX_MS * 2, this.#wait_ms * 2);
  }

  /** After the programs are detached: drains to the end and reports what is missing there. */
  finish(sink: FrameSink): void {
    while (this.drain(sink) > 0);
    const gap = (found: Parameters<FrameSink["gap"]>[0]): void => sink.gap(found);
    this.#decisions.finish(this.#parts.nextSequence(AgRing.DECISIONS), gap);
    this.#telemetry.finish(this.#parts.nextSequence(AgRing.TELEMETRY), gap);
  }

  /** While programs stay attached: what they have numbered comes with the next drains, or is a loss then. */
  expect(): void {
    this.#decisions.expect(this.#parts.nextSequence(AgRing.DECISIONS));
    this.#telemetry.expect(this.#parts.nextSequence(AgRing.TELEMETRY));
  }

  #earlier(a: ReadableRing, a_at: number, b: ReadableRing, b_at: number): boolean {
    const a_high = a.view.getUint32(a_at + AgRecord.time_ns + 4, true);
    const b_high = b.view.getUint32(b_at + AgRecord.time_ns + 4, true);
    if (a_high !== b_high) return a_high < b_high;
    return a.view.getUint32(a_at + AgRecord.time_ns, true) <= b.view.getUint32(b_at + AgRecord.time_ns, true);
  }

  #give(sink: FrameSink, ring: ReadableRing, at: number, tracker: SequenceTracker): void {
    const view = ring.view;
    const size = view.getUint32(at + AgRecord.size, true);
    const seq = view.getUint32(at + AgRecord.seq + 4, true) * 0x1_0000_0000 + view.getUint32(at + AgRecord.seq, true);
    tracker.see(view.getUint32(at + AgRecord.cpu, true), seq);
    sink.frame(view, ring.bytes, at, size);
    ring.advance();
  }

  #release(): void {
    this.#parts.decisions.release();
    this.#parts.telemetry.release();
  }
}

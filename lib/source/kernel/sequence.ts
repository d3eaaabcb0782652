/** Finds losses by the sequence number that each CPU gives to each ring's records. */
import type { Gap } from "../../core/mod.ts";

/** Numbers that have not been seen: `from` to `to`, inclusive. */
interface Hole {
  readonly from: number;
  readonly to: number;
  /** Batches since it opened. */
  age: number;
}

/** A hole is a loss when this many whole batches went by: a late record of a preempted program is not one. */
const AGE_LOST = 3;

/** The numbers of one ring and one CPU. */
class Track {
  expected = 0;
  holes: Hole[] = [];
}

/** Follows the numbers of one ring over all CPUs. */
export class SequenceTracker {
  readonly #ring: string;
  readonly #tracks: Track[] = [];
  #open = 0;

  /** `ring`: its name in gaps. */
  constructor(ring: string) {
    this.#ring = ring;
  }

  /** Notes one number; the usual case, the next one, costs an addition. */
  see(cpu: number, seq: number): void {
    const track = this.#track(cpu);
    if (seq === track.expected) {
      track.expected = seq + 1;
      return;
    }
    if (seq > track.expected) {
      this.#skip(track, seq);
      track.expected = seq + 1;
      return;
    }
    this.#fill(track, seq);
  }

  /** Ends a batch; gives the holes that are old enough to be losses. */
  endBatch(emit: (gap: Gap) => void): void {
    if (this.#open === 0) return;
    for (let cpu = 0; cpu < this.#tracks.length; cpu++) {
      const track = this.#tracks[cpu];
      if (track === undefined || track.holes.length === 0) continue;
      const kept: Hole[] = [];
      for (const hole of track.holes) {
        hole.age++;
        if (hole.age < AGE_LOST) kept.push(hole);
        else this.#emit(emit, cpu, hole.from, hole.to);
      }
      this.#open -= track.holes.length - kept.length;
      track.holes = kept;
    }
  }

  /**
   * Compares with the kernel's own next numbers when the ring is empty and no program writes any more: what is missing
   * at the end is lost too.
   */
  finish(next: readonly number[], emit: (gap: Gap) => void): void {
    for (let cpu = 0; cpu < next.length; cpu++) {
      const track = this.#track(cpu);
      for (const hole of track.holes) this.#emit(emit, cpu, hole.from, hole.to);
      this.#open -= track.holes.length;
      track.holes = [];
      const end = next[cpu] ?? 0;
      if (end > track.expected) this.#emit(emit, cpu, track.expected, end - 1);
      track.expected = Math.max(end, track.expected);
    }
  }

  /**
   * The kernel's own next numbers while programs go on writing: what has not been seen of these is a loss when it does
   * not come within the next batches.
   */
  expect(next: readonly number[]): void {
    for (let cpu = 0; cpu < next.length; cpu++) {
      const end = next[cpu] ?? 0;
      if (end > this.#track(cpu).expected) this.#skip(this.#track(cpu), end);
    }
  }

  #track(cpu: number): Track {
    const known = this.#tracks[cpu];
    if (known !== undefined) return known;
    const made = new Track();
    this.#tracks[cpu] = made;
    return made;
  }

  /** Opens a hole up to `end`, exclusive. */
  #skip(track: Track, end: number): void {
    track.holes.push({ from: track.expected, to: end - 1, age: 0 });
    this.#open++;
    track.expected = end;
  }

  #fill(track: Track, seq: number): void {
    const index = track.holes.findIndex((hole) => hole.from <= seq && seq <= hole.to);
    const hole = track.holes[index];
    if (hole === undefined) return;
    const parts: Hole[] = [];
    if (hole.from < seq) parts.push({ from: hole.from, to: seq - 1, age: hole.age });
    if (seq < hole.to) parts.push({ from: seq + 1, to: hole.to, age: hole.age });
    track.holes.splice(index, 1, ...parts);
    this.#open += parts.length - 1;
  }

  #emit(emit: (gap: Gap) => void, cpu: number, from: number, to: number): void {
    emit({ source: this.#ring, type: "record", count: to - from + 1, from: String(from), to: String(to), cpu });
  }
}

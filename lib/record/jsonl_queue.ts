/** Lines that wait to be written, and what was left out between them. */
import { canonicalJson, type Gap } from "../core/mod.ts";
import type { CommittedEntry } from "./recorder.ts";

/** A line that waits; a line that tells of a loss has no number. */
export interface QueuedLine {
  readonly seq: number | undefined;
  readonly line: string;
}

/** In order; bounded by what its user asks before he pushes. */
export class LineQueue {
  #lines: QueuedLine[] = [];
  #head = 0;
  #chars = 0;
  #pushed = 0;
  #loss: { count: number; readonly from: number; to: number } | undefined;

  /** Lines that wait. */
  get length(): number {
    return this.#lines.length - this.#head;
  }

  /** Characters of the lines that wait. */
  get chars(): number {
    return this.#chars;
  }

  /** Lines pushed so far; with `length`, positions in the stream. */
  get pushed(): number {
    return this.#pushed;
  }

  /** True while a loss is not told yet. */
  get lost(): boolean {
    return this.#loss !== undefined;
  }

  push(line: QueuedLine): void {
    this.#lines.push(line);
    this.#chars += line.line.length;
    this.#pushed++;
  }

  /** Notes an entry that was left out behind what waits. */
  lose(entry: CommittedEntry): void {
    if (this.#loss === undefined) this.#loss = { count: 1, from: entry.seq, to: entry.seq };
    else {
      this.#loss.count++;
      this.#loss.to = entry.seq;
    }
  }

  /** Puts a line that tells of the loss behind what waits; gives the loss, if there is one. */
  tellLoss(time: string): Gap | undefined {
    const gap = this.takeLoss();
    if (gap !== undefined) this.push({ seq: undefined, line: canonicalJson({ gap, kind: "gap", time }) });
    return gap;
  }

  /** Gives the loss, if there is one, and forgets it. */
  takeLoss(): Gap | undefined {
    const loss = this.#loss;
    this.#loss = undefined;
    if (loss === undefined) return undefined;
    return { source: "jsonl", type: "record", count: loss.count, from: `${loss.from}`, to: `${loss.to}` };
  }

  /** The next lines, at most so many and so long together, one at least if any waits; they stay. */
  peek(lines_max: number, chars_max: number): readonly QueuedLine[] {
    let chars = 0;
    let end = this.#head;
    while (end < this.#lines.length && end - this.#head < lines_max && (end === this.#head || chars < chars_max)) {
      chars += this.#lines[end]?.line.length ?? 0;
      end++;
    }
    return this.#lines.slice(this.#head, end);
  }

  /** Takes the next `count` lines out. */
  take(count: number): readonly QueuedLine[] {
    const taken = this.#lines.slice(this.#head, this.#head + count);
    for (const { line } of taken) this.#chars -= line.length;
    this.#head += taken.length;
    // Each line is moved once at most for each time that it was pushed.
    if (this.#head > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}

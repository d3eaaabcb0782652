/** Which lines wait, which are left out and which go to the second sink. */
import { formatTime } from "../core/mod.ts";
import { parseEntry } from "./entry.ts";
import type { JsonLinesOptions, JsonLinesStrategy } from "./jsonl_options.ts";
import { LineQueue } from "./jsonl_queue.ts";
import type { CommittedEntry } from "./recorder.ts";

const QUEUE_LINES_MAX = 65_536;
const QUEUE_CHARS_MAX = 67_108_864;

/** The queue of one sink with the strategies that guard it, and what they did. */
export class LineAdmission {
  readonly queue: LineQueue = new LineQueue();
  readonly #options: JsonLinesOptions;
  #dropped = 0;
  #diverted = 0;

  constructor(options: JsonLinesOptions) {
    this.#options = options;
  }

  /** Entries left out so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Entries given to the second sink so far. */
  get diverted(): number {
    return this.#diverted;
  }

  /** True while one more line finds room. */
  get has_room(): boolean {
    const { queue_lines_max = QUEUE_LINES_MAX, queue_chars_max = QUEUE_CHARS_MAX } = this.#options;
    return this.queue.length < queue_lines_max && this.queue.chars < queue_chars_max;
  }

  /** True if one of the entries may neither be dropped nor diverted. */
  wouldBlock(entries: readonly CommittedEntry[]): boolean {
    return entries.some(({ line }) => this.#strategy(line) === "block");
  }

  /** Queues entries, or does what their strategies say; with `refused` none finds room. */
  admit(
    entries: readonly CommittedEntry[],
    { refused }: { readonly refused: boolean },
  ): { readonly diverted: readonly CommittedEntry[]; readonly waits: boolean } {
    const diverted: CommittedEntry[] = [];
    let waits = false;
    for (const entry of entries) {
      const room = !refused && this.has_room;
      const strategy = room ? "block" : this.#strategy(entry.line);
      if (strategy === "drop") this.#lose(entry);
      else if (strategy === "fallback") diverted.push(entry);
      else {
        this.tellLoss();
        this.queue.push(entry);
        waits ||= !room;
      }
    }
    this.#diverted += diverted.length;
    return { diverted, waits };
  }

  /** Takes out what goes to the second sink; with `all` nothing stays: what does not go there is left out. */
  sortOut({ all }: { readonly all: boolean }): readonly CommittedEntry[] {
    const diverted: CommittedEntry[] = [];
    for (const { seq, line } of this.queue.take(this.queue.length)) {
      if (seq !== undefined && this.#strategy(line) === "fallback") diverted.push({ seq, line });
      else if (!all) this.queue.push({ seq, line });
      else if (seq !== undefined) this.#lose({ seq, line });
    }
    this.#diverted += diverted.length;
    return diverted;
  }

  /** The second sink did not take them. */
  loseDiverted(entries: readonly CommittedEntry[]): void {
    this.#diverted -= entries.length;
    for (const entry of entries) this.#lose(entry);
  }

  /** Puts a line in the place of what was left out, and tells of it. */
  tellLoss(): void {
    const gap = this.queue.tellLoss(formatTime(this.#options.clock.wallUs()));
    if (gap !== undefined) this.#options.onLoss?.(gap);
  }

  /** Tells of what was left out where no line can tell of it any more. */
  reportLoss(): void {
    const gap = this.queue.takeLoss();
    if (gap !== undefined) this.#options.onLoss?.(gap);
  }

  #strategy(line: string): JsonLinesStrategy {
    const { decisions = "block", observations = "drop" } = this.#options;
    if (decisions === observations) return decisions;
    return parseEntry(line)?.kind === "observation" ? observations : decisions;
  }

  #lose(entry: CommittedEntry): void {
    this.#dropped++;
    this.queue.lose(entry);
  }
}

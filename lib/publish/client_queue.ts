/** Lines that wait for one streaming client. Bounded in lines and characters; the oldest go first, counted. */

/** Bounds of a queue. */
export interface ClientQueueOptions {
  readonly lines_max: number;
  readonly chars_max: number;
}

/** A first-in first-out queue with one writer that never waits and one reader that does. */
export class ClientQueue {
  readonly #options: ClientQueueOptions;
  #lines: string[] = [];
  /** Index of the oldest line that was not taken; the array is compacted when half of it is taken. */
  #head = 0;
  #chars = 0;
  #lagged = 0;
  /** The reader is due a `lagged` line before anything else. */
  #tell = false;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(options: ClientQueueOptions) {
    this.#options = options;
  }

  /** Adds a line (with its newline). When the bounds are reached the oldest lines are dropped and counted. */
  push(line: string): void {
    if (this.#ended) return;
    this.#lines.push(line);
    this.#chars += line.length;
    while (this.#length() > this.#options.lines_max || (this.#chars > this.#options.chars_max && this.#length() > 0)) {
      this.#shift();
      this.#lagged++;
      this.#tell = true;
    }
    this.#notify();
  }

  /** Counts lines that were lost before they came here; 0 makes the reader get a line at once. */
  lag(count: number): void {
    this.#lagged += count;
    this.#tell = true;
    this.#notify();
  }

  /** No more lines will come; what waits can still be taken. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /**
   * Waits for lines and takes lines until there are `chars_max` characters, at least one line. A loss is told first, as
   * the dropped lines are older than all that wait. `undefined` when the queue has ended and is empty.
   */
  async take(chars_max: number): Promise<string | undefined> {
    while (this.#length() === 0 && !this.#tell) {
      if (this.#ended) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    let text = "";
    if (this.#tell) {
      text = `${JSON.stringify({ lagged: this.#lagged })}\n`;
      this.#lagged = 0;
      this.#tell = false;
    }
    while (this.#length() > 0 && text.length < chars_max) text += this.#shift();
    return text;
  }

  #length(): number {
    return this.#lines.length - this.#head;
  }

  #shift(): string {
    const line = this.#lines[this.#head] ?? "";
    this.#chars -= line.length;
    this.#head++;
    if (this.#head * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#head);
      this.#head = 0;
    }
    return line;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

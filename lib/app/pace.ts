/** Something that is done at most so often, by a loop that knows the time. */

/** Due at first, and then whenever `every_us` microseconds have passed since it was due. */
export class Pace {
  readonly #every_us: number;
  #last_us = -Infinity;

  constructor(every_us: number) {
    this.#every_us = every_us;
  }

  /** True when it is to be done now; `now_us` is of a clock that never goes back. */
  due(now_us: number): boolean {
    if (now_us - this.#last_us <= this.#every_us) return false;
    this.#last_us = now_us;
    return true;
  }
}

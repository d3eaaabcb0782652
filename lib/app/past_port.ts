/**
 * The reader knows what happened before: labels, rates, and the programs above a process. What depends on that is asked
 * there: the reader takes everything that came before, decides, and remembers what it let go.
 */
import type { Event } from "../core/mod.ts";
import { type SystemCalls, wake } from "../../ffi/mod.ts";
import type { HeldRuling } from "./held_work.ts";

/** A question to the reader. */
export interface PastQuestion {
  readonly id: number;
  /** Ends the wait of whoever asks, once the answer is there. */
  readonly wake_fd: number;
  readonly event: Event;
}

/** Its answer. */
export interface PastAnswer extends HeldRuling {
  readonly id: number;
}

/** How the two threads end each other's wait. */
export interface PastPortOptions {
  readonly system: SystemCalls;
  /** The reader's, open in this process. */
  readonly reader_wake_fd: number;
  /** The holder's, open in this process. */
  readonly wake_fd: number;
}

/** The holder's end. */
export class PastPort {
  readonly #port: MessagePort;
  readonly #options: PastPortOptions;
  readonly #waiting: Map<number, (ruling: HeldRuling) => void> = new Map();
  #next_id = 1;

  constructor(port: MessagePort, options: PastPortOptions) {
    this.#port = port;
    this.#options = options;
    port.onmessage = (event) => {
      const { id, ...ruled }: PastAnswer = event.data;
      const resolve = this.#waiting.get(id);
      this.#waiting.delete(id);
      resolve?.(ruled);
    };
  }

  /** Questions without an answer yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks. */
  decide(event: Event): Promise<HeldRuling> {
    const { promise, resolve } = Promise.withResolvers<HeldRuling>();
    const id = this.#next_id++;
    this.#waiting.set(id, resolve);
    const question: PastQuestion = { id, wake_fd: this.#options.wake_fd, event };
    this.#port.postMessage(question);
    wake(this.#options.system, this.#options.reader_wake_fd);
    return promise;
  }
}

/** Who knows the past. */
export interface PastKeeper {
  readonly system: SystemCalls;
  decideHeld(event: Event): HeldRuling;
}

/** The reader's end: answers each question by what its keeper knows. */
export function servePast(port: MessagePort, keeper: () => PastKeeper): void {
  port.onmessage = (event) => {
    const question: PastQuestion = event.data;
    const known = keeper();
    const answer: PastAnswer = { id: question.id, ...known.decideHeld(question.event) };
    port.postMessage(answer);
    wake(known.system, question.wake_fd);
  };
}

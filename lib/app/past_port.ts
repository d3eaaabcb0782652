/**
 * The reader knows what happened before: labels, rates, and the programs above a process. What depends on that is asked
 * there: the reader takes everything that came before, decides, and remembers what it let go.
 */
import type { DecisionId, Event, Ruling } from "../core/mod.ts";
import type { HeldRuling } from "./held_work.ts";

/** A question to the reader. */
export interface PastQuestion {
  readonly id: number;
  readonly event: Event;
}

/** Its answer. */
export interface PastAnswer {
  readonly id: number;
  readonly ruling: Ruling;
  /** Present where the reader will know the call again by it. */
  readonly decided?: DecisionId;
}

/** The holder's end. */
export class PastPort {
  readonly #port: MessagePort;
  readonly #wake: () => void;
  readonly #waiting: Map<number, (ruling: HeldRuling) => void> = new Map();
  #next_id = 1;

  constructor(port: MessagePort, options: { readonly wake: () => void }) {
    this.#port = port;
    this.#wake = options.wake;
    port.onmessage = (event) => {
      const { id, ruling, decided }: PastAnswer = event.data;
      const resolve = this.#waiting.get(id);
      this.#waiting.delete(id);
      resolve?.({ ruling, ...(decided === undefined ? undefined : { decided }) });
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
    const question: PastQuestion = { id, event };
    this.#port.postMessage(question);
    this.#wake();
    return promise;
  }
}

/** The reader's end: answers each question by what it knows. */
export function servePast(port: MessagePort, decide: (event: Event) => HeldRuling): void {
  port.onmessage = (event) => {
    const question: PastQuestion = event.data;
    const answer: PastAnswer = { id: question.id, ...decide(question.event) };
    port.postMessage(answer);
  };
}

/** Who waits for entries to become durable. */
import type { AgentguardError } from "../core/mod.ts";
import { cancelledError, onAbort } from "../task/mod.ts";

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  /** Present for one that wants to know of a failed attempt. */
  readonly reject?: (error: AgentguardError) => void;
}

/** Those who wait, by position, told as the positions become durable. */
export class Waiters {
  /** In order of position, since positions only grow. */
  #waiting: Waiter[] = [];

  /** True while somebody waits who wants to know of a failed attempt. */
  get impatient(): boolean {
    return this.#waiting.some((waiter) => waiter.reject !== undefined);
  }

  /** Settles when `position` (not below that of an earlier call) is durable; rejects when an attempt fails before. */
  untilDurableOrFailed(position: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ position, resolve, reject }));
  }

  /** Calls back when `position` (not below that of an earlier call) is durable, however many attempts that takes. */
  whenDurable(position: number, resolve: () => void): void {
    this.#waiting.push({ position, resolve });
  }

  /** Everything up to `position` is durable. */
  settle(position: number): void {
    const first = this.#waiting.findIndex((waiter) => waiter.position > position);
    const settled = this.#waiting.splice(0, first < 0 ? this.#waiting.length : first);
    for (const waiter of settled) waiter.resolve();
  }

  /** An attempt failed: those who want to know are told and wait no longer. */
  fail(error: AgentguardError): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((waiter) => waiter.reject === undefined);
    for (const waiter of waiting) waiter.reject?.(error);
  }
}

/** Settles as `work`, or rejects with `cancelled` when `signal` aborts before; the work itself goes on. */
export function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const listening = onAbort(signal, () => reject(cancelledError("wait for the record", signal)));
    void work.then(resolve, reject).finally(() => listening[Symbol.dispose]());
  });
}

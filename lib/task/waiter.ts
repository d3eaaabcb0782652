/** Waiting for one's turn. Private to this folder. */
import { cancelledError, onAbort } from "./abort.ts";
import type { LinkedQueue } from "./linked_queue.ts";

/** Somebody who waits in a queue, to be settled by whoever takes it out. */
export interface Waiter<C, T> {
  /** What it brought along. */
  readonly carried: C;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Who waits. */
export interface WaitOptions<C> {
  readonly carried: C;
  /** For the message of a cancellation. */
  readonly action: string;
  /** Not aborted. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Joins the queue and resolves when it is served; throws `cancelled` if the signal aborts first, its place given up.
 * The returned promise is the one that is served, so that callers go on in the order in which they were served.
 */
export function waitTurn<C, T>(queue: LinkedQueue<Waiter<C, T>>, options: WaitOptions<C>): Promise<T> {
  const { carried, action, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const node = queue.push({
    carried,
    resolve: (value) => {
      listener[Symbol.dispose]();
      resolve(value);
    },
    reject: (error) => {
      listener[Symbol.dispose]();
      reject(error);
    },
  });
  const listener = onAbort(signal, () => {
    if (node.remove()) node.value.reject(cancelledError(action, signal));
  });
  return promise;
}

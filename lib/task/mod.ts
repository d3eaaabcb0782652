/**
 * lib/task: lifetimes and the traffic between tasks. It owns `Scope` (a tree of AbortControllers), bounded `Channel`,
 * lagging `Broadcast`, one-shot `Reply`, `WorkerPool`, and the small waits: sleep, ticker, retry, semaphore.
 *
 * It never knows what a value or a job means, never drops one uncounted, and detaches nothing: what waits holds a
 * place in a queue and at most one listener on its signal, and gives both back whichever way it ends.
 *
 * Errors are `AgentguardError`: `closed` (used after its end), `cancelled` (by its signal; the operation had no
 * effect), `overflow` (a bound, where the caller chose to be told), `timeout` (a deadline), `config` (a bound out of
 * range), and `WorkerCrashError` (`io`). Failures of tasks pass through as they are.
 *
 * Lifetimes: a `Scope` ends by `close`; everything else is disposable and belongs to a scope by `use` or `start`. Time
 * comes through `Timers`. The signal is the last parameter, or in the options where there are some.
 */
export * from "./abort.ts";
export * from "./broadcast.ts";
export * from "./channel.ts";
export type { JobPriority } from "./fair_queue.ts";
export * from "./reply.ts";
export * from "./retry.ts";
export * from "./scope.ts";
export * from "./semaphore.ts";
export * from "./sleep.ts";
export * from "./ticker.ts";
export * from "./timers.ts";
export * from "./worker_bun.ts";
export * from "./worker_pool.ts";
export * from "./worker_port.ts";
export * from "./worker_serve.ts";

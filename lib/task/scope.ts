/** Lifetimes as a tree. */
import { AgentguardError, errorMessage, LIMITS } from "../core/mod.ts";
import { isCancellation, onAbort } from "./abort.ts";
import { durationBound } from "./bound.ts";
import { Deadline } from "./deadline.ts";
import { type ScopeReport, throwReport } from "./scope_report.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** Where a scope hangs. */
export interface ScopeOptions {
  /** The scope that closes this one before itself. Without it the scope is a root. */
  readonly parent?: Scope;
  /** Default: those of the parent, else `systemTimers`. */
  readonly timers?: Timers;
  /** Aborts the scope as well; for lifetimes that come from outside, such as an HTTP request. */
  readonly signal?: AbortSignal;
}

/** How a scope closes. */
export interface CloseOptions {
  /** Time for its tasks, milliseconds; default `LIMITS.shutdown_ms_max`. A later call can only shorten it. */
  readonly deadline_ms?: number;
}

/**
 * Least time for the resources together, milliseconds, even where tasks used up the deadline: a probe left attached
 * is worse than being a second late.
 */
const RELEASE_MS_MIN = 1_000;

interface Task {
  readonly name: string;
}

interface Release {
  readonly name: string;
  readonly run: () => void | PromiseLike<void>;
}

/**
 * Owns tasks, resources and child scopes, and ends them together.
 *
 * - `open`: takes work. The first failing task, the parent, the outside signal or `close` aborts `signal`, and with it
 *   every child scope at once; from then on `spawn` and `child` throw `closed`.
 * - closing: `close` waits for all tasks and child scopes, then releases resources in reverse order. Until then
 *   tasks that wind down may still hand over resources by `use` and `defer`.
 * - closed: `use` and `defer` throw `closed` too; the caller still owns what it wanted to hand over.
 *
 * A failure does not climb by itself: its owner learns of it by `onFailure` or `failure` at once, and by `close`.
 * Child scopes are aborted together; where stages must stop one after another, make each a root scope and `use` it.
 */
export class Scope implements AsyncDisposable {
  /** Its own name. */
  readonly name: string;
  /** Names from the root, joined by `/`. */
  readonly path: string;
  /** The first failure, as soon as it happens; `undefined` when the scope has closed without one. Never rejects. */
  readonly failure: Promise<unknown>;
  readonly #parent: Scope | undefined;
  readonly #timers: Timers;
  readonly #controller = new AbortController();
  readonly #children = new Set<Scope>();
  readonly #tasks = new Set<Task>();
  readonly #releases: Release[] = [];
  readonly #failures: unknown[] = [];
  readonly #observers = new Set<(failure: unknown) => void>();
  readonly #tellFailure: (failure: unknown) => void;
  readonly #outside: Disposable;
  #tasksDone: (() => void) | undefined;
  #deadline: Deadline | undefined;
  #ending: Promise<ScopeReport> | undefined;
  #closed: Promise<void> | undefined;
  #releasing = false;

  /** Throws `closed` if the parent takes no more work. */
  constructor(name: string, options: ScopeOptions = {}) {
    const parent = options.parent;
    if (parent !== undefined) parent.#refuseWhenAborted(`open scope "${name}"`);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.name = name;
    this.path = parent === undefined ? name : `${parent.path}/${name}`;
    this.failure = promise;
    this.#tellFailure = resolve;
    this.#parent = parent;
    this.#timers = options.timers ?? (parent === undefined ? systemTimers : parent.#timers);
    if (parent !== undefined) parent.#children.add(this);
    this.#outside = onAbort(options.signal, () => this.#abort(options.signal?.reason));
  }

  /** Aborts when the scope stops; its reason is an error with code `cancelled` whose cause says why. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Names of the tasks that run, in order of their start. */
  get tasks(): readonly string[] {
    return Array.from(this.#tasks, (task) => task.name);
  }

  /** Names of the child scopes that have not closed, in order of their opening. */
  get children(): readonly string[] {
    return Array.from(this.#children, (child) => child.name);
  }

  /** Opens a child scope. Throws `closed`. */
  child(name: string, options: Omit<ScopeOptions, "parent"> = {}): Scope {
    return new Scope(name, { ...options, parent: this });
  }

  /**
   * Starts a task. Its failure is the scope's: it aborts all others and surfaces in `close`, whether or not somebody
   * awaits the returned promise (which settles like the task and may be ignored). Stopping with the signal's reason or
   * a `cancelled` error after the abort is no failure. A task must not await the close of its own scope.
   * Throws `closed`.
   */
  spawn<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#refuseWhenAborted(`start task "${name}"`);
    const task: Task = { name };
    this.#tasks.add(task);
    const result = Promise.try(work, this.signal);
    void result.then(() => this.#finish(task), (error: unknown) => {
      if (!isCancellation(error, this.signal)) this.#fail(error);
      this.#finish(task);
    });
    return result;
  }

  /** Takes over a resource, disposes it at the close, and returns it. The name is for messages. Throws `closed`. */
  use<T extends Disposable | AsyncDisposable>(resource: T, name: string = "resource"): T {
    const dispose = Symbol.asyncDispose in resource
      ? () => resource[Symbol.asyncDispose]()
      : () => resource[Symbol.dispose]();
    this.defer(dispose, name);
    return resource;
  }

  /** Calls `cleanup` when the scope closes, among the resources, in reverse order. Throws `closed`. */
  defer(cleanup: () => void | PromiseLike<void>, name: string = "cleanup"): void {
    if (this.#releasing) {
      throw new AgentguardError("closed", `hand ${name} to scope "${this.path}": the scope is closed`);
    }
    this.#releases.push({ name: `${name} ${this.#releases.length + 1}`, run: cleanup });
  }

  /** Calls back at the first failure, at once if it has happened. Disposing the result ends that. */
  onFailure(observer: (failure: unknown) => void): Disposable {
    if (this.#failures.length > 0) observer(this.#failures[0]);
    else this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  /**
   * Stops the scope: aborts `signal`, waits for tasks and child scopes, releases resources in reverse order, and
   * throws the first failure, the others in a `SuppressedError`. What misses the deadline is named in an error with
   * code `timeout` and left behind. Every call gives the same promise.
   */
  close(reason: unknown = "its owner closed it", options: CloseOptions = {}): Promise<void> {
    const deadline_ms = durationBound("deadline of a close", options.deadline_ms ?? LIMITS.shutdown_ms_max);
    const ending = this.#end(reason, deadline_ms);
    this.#closed ??= ending.then((report) => throwReport(this.path, report));
    return this.#closed;
  }

  /** Closes. Where `close` was called before, only waits: the failure belongs to that caller. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed === undefined) await this.close();
    else await this.#ending;
  }

  #refuseWhenAborted(action: string): void {
    if (!this.signal.aborted) return;
    const message = `${action} in scope "${this.path}": the scope is closed`;
    throw new AgentguardError("closed", message, { cause: this.signal.reason });
  }

  #abort(reason: unknown): void {
    if (this.signal.aborted) return;
    const message = `stop scope "${this.path}": ${errorMessage(reason)}`;
    this.#controller.abort(new AgentguardError("cancelled", message, { cause: reason }));
    for (const child of this.#children) child.#abort(reason);
  }

  #fail(error: unknown): void {
    this.#failures.push(error);
    if (this.#failures.length > 1) return;
    this.#abort(error);
    this.#tellFailure(error);
    for (const observer of this.#observers) {
      try {
        observer(error);
      } catch (thrown) {
        this.#failures.push(thrown);
      }
    }
    this.#observers.clear();
  }

  #finish(task: Task): void {
    this.#tasks.delete(task);
    if (this.#tasks.size === 0) this.#tasksDone?.();
  }

  #end(reason: unknown, deadline_ms: number): Promise<ScopeReport> {
    if (this.#ending !== undefined) {
      this.#tighten(deadline_ms);
      return this.#ending;
    }
    // Set before the abort, whose listeners may close this scope again.
    const { promise, resolve, reject } = Promise.withResolvers<ScopeReport>();
    this.#ending = promise;
    this.#deadline = new Deadline(this.#timers, deadline_ms);
    this.#abort(reason);
    this.#shutDown(reason, this.#deadline).then(resolve, reject);
    return promise;
  }

  #tighten(deadline_ms: number): void {
    this.#deadline?.tighten(deadline_ms);
    for (const child of this.#children) child.#tighten(deadline_ms);
  }

  async #shutDown(reason: unknown, deadline: Deadline): Promise<ScopeReport> {
    const children = this.#closeChildren(reason, deadline);
    const missed: string[] = [];
    if (this.#tasks.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#tasksDone = resolve;
      await Promise.race([promise, deadline.passed]);
      for (const task of this.#tasks) missed.push(`${this.path}/${task.name}`);
    }
    const reports = await children;
    deadline[Symbol.dispose]();
    this.#releasing = true;
    missed.push(...await this.#releaseAll(Math.max(deadline.left_ms, RELEASE_MS_MIN)));
    this.#outside[Symbol.dispose]();
    if (this.#parent !== undefined) this.#parent.#children.delete(this);
    this.#tellFailure(this.#failures[0]);
    return {
      failures: [...this.#failures, ...reports.flatMap((report) => report.failures)],
      missed: [...missed, ...reports.flatMap((report) => report.missed)],
      deadline_ms: deadline.duration_ms,
    };
  }

  /** Closes all children, newest first. One that its owner closes already reports to that owner. */
  #closeChildren(reason: unknown, deadline: Deadline): Promise<ScopeReport[]> {
    const ends = [...this.#children].reverse().map((child) => {
      const told = child.#ending !== undefined;
      const end = child.#end(reason, deadline.duration_ms);
      return told ? end.then((report) => ({ ...report, failures: [], missed: [] })) : end;
    });
    return Promise.all(ends);
  }

  async #releaseAll(time_ms: number): Promise<string[]> {
    const late: string[] = [];
    using deadline = new Deadline(this.#timers, time_ms);
    this.#deadline = deadline;
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      const done = Promise.try(release.run).then(() => true, (error: unknown) => {
        this.#fail(error);
        return true;
      });
      if (!await Promise.race([done, deadline.passed.then(() => false)])) late.push(`${this.path}/${release.name}`);
    }
    return late;
  }
}

/**
 * The thread that answers held calls, as an object: main's requests, the wait, and who is asked. Lives in a thread of
 * its own: it gives up sharing its root and working directory, and nothing may keep it from answering.
 */
import { AgentguardError, assertNever, type Clock, errorMessage, IdGenerator, type SessionId } from "../core/mod.ts";
import { HeldCallers } from "../source/mod.ts";
import { Epoll, HELD_WAIT_MAX, HeldCalls, openShim, SystemCalls } from "../../ffi/mod.ts";
import { HeldChanges } from "./held_changes.ts";
import { HeldConnections } from "./held_connections.ts";
import { HeldDecisions } from "./held_decisions.ts";
import { HeldLedger } from "./held_ledger.ts";
import { HeldExecs } from "./held_execs.ts";
import { HeldTakers } from "./held_takers.ts";
import { HeldWait } from "./held_wait.ts";
import { countStat } from "./hold_stats.ts";
import { HOLD_STAT_NAMES, type HolderEvent, type HolderOpened, type HolderRequest } from "./holder_protocol.ts";
import { HolderPolicy } from "./holder_policy.ts";
import { gapEntry } from "./holder_record.ts";
import type { HeldSession, Opened } from "./holder_state.ts";
import { PastPort } from "./past_port.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import type { TallySink } from "./tally_sink.ts";
import { WatchedReads } from "./watched_reads.ts";

/** What the host needs. */
export interface HolderHostParts {
  readonly clock: Clock;
  readonly sink: TallySink;
  readonly emit: (event: HolderEvent) => void;
  /** Gives messages their turn. */
  readonly yieldTurn: () => Promise<void>;
}

const EPERM = 1;
/** Why questions end when this thread cannot go on. */
const FAILURE = "guard-failure";
/** Calls answered before messages get their turn. */
const BATCH = 64;
/** Calls answered in one wait, where nobody waits for this thread. */
const SERVED_MAX = 1_000_000;
/** Wait while a decision is becoming durable, or the reader is asked, milliseconds: their answers wake nobody. */
const WAIT_BUSY_MS = 1;
/** Wait between two tries of a call that waits for somebody else, milliseconds. */
const WAIT_LATER_MS = 5;

/** Owner of the listeners and of the loop. */
export class HolderHost {
  readonly #parts: HolderHostParts;
  readonly #sessions: Map<number, HeldSession> = new Map();
  #opened: Opened | undefined;
  #policy: HolderPolicy | undefined;
  #woken = false;
  #received = 0;
  #answering = 0;
  #looping = false;
  #closed = false;

  constructor(parts: HolderHostParts) {
    this.#parts = parts;
  }

  /** Carries one request out. Throws `AgentguardError`. */
  async handle(request: HolderRequest): Promise<unknown> {
    this.#received++;
    switch (request.op) {
      case "open":
        return this.#open(request);
      case "policy":
        this.#setPolicy(request.policy, this.#use().calls);
        return undefined;
      case "watch":
        return this.#use().reads.begin(request.session, request.pid, this.#usePolicy());
      case "begin":
        return this.#begin(request);
      case "end":
        return this.#end(request.session_id);
      case "answer":
        return await this.#answer(request.answer);
      case "close":
        return await this.#close();
      default:
        return assertNever(request);
    }
  }

  #open(request: Extract<HolderRequest, { op: "open" }>): HolderOpened {
    const shim = openShim();
    const system = new SystemCalls(shim);
    const epoll = new Epoll(system);
    const stats = new Float64Array(request.stats, 0, HOLD_STAT_NAMES.length);
    const { maps, reader_wake_fd } = request;
    const calls = new HeldCalls(shim, { key: maps.hash_key, stats, grants: maps, looker: maps.looker });
    this.#setPolicy(request.policy, calls);
    const past = new PastPort(request.past, { system, reader_wake_fd, wake_fd: epoll.wake_fd });
    const { clock } = this.#parts;
    const decisions = new HeldDecisions({
      system,
      clock,
      ids: new IdGenerator(clock),
      sink: this.#parts.sink,
      policy: () => this.#usePolicy().snapshot,
      decide: (event) => {
        const { asks_past, snapshot } = this.#usePolicy();
        // Names of addresses are the reader's, too.
        return asks_past || event.action.type.startsWith("net.")
          ? past.decide(event)
          : { ruling: snapshot.evaluate(event) };
      },
      ask: (asked) => this.#parts.emit({ event: "ask", request: asked }),
      withdraw: ({ approval_id }) => this.#parts.emit({ event: "withdraw", approval_id }),
      count: (name, by) => countStat(stats, name, by),
      watch: (pidfd) => epoll.add(pidfd),
      unwatch: (pidfd) => epoll.remove(pidfd),
      ledgerOf: (listener) => this.#sessions.get(listener)?.ledger,
    });
    const callers = new HeldCallers(calls, maps.scopes_fd);
    const shared = { calls, callers, system, maps, clock, decisions };
    const reads = new WatchedReads({
      ...shared,
      shim,
      epoll,
      count: (name, by) => countStat(stats, name, by),
      onUnread: (session, errno) => this.#parts.sink.append(gapEntry(session, errno, clock.wallUs())),
    });
    const changes = new HeldChanges({
      ...shared,
      otherNames: (event, change) => this.#usePolicy().otherNames(event, change),
      isOwn: (change) => this.#usePolicy().isOwn(change),
      renaming: (change, perform) => reads.renaming(change, perform),
    });
    const sent = new Int32Array(request.stats, HOLD_STAT_NAMES.length * 8, 1);
    const wait = new HeldWait(calls, epoll.fd);
    const [execs, connections] = [new HeldExecs(shared), new HeldConnections(shared)];
    const takers = new HeldTakers({ calls, execs, connections, changes });
    this.#opened = { system, epoll, wait, calls, decisions, takers, changes, reads, past, stats, sent };
    return { wake_fd: epoll.wake_fd };
  }

  #begin({ session, listener_fd: listener, places, held_file }: Extract<HolderRequest, { op: "begin" }>): void {
    const { calls } = this.#use();
    if (this.#sessions.size >= HELD_WAIT_MAX - 1) {
      throw new AgentguardError("overflow", `answer held calls of at most ${HELD_WAIT_MAX - 1} sessions`);
    }
    const ledger = held_file === undefined ? undefined : new HeldLedger(held_file);
    calls.begin(listener, { serves: this.#usePolicy().knowsHome(session.home), noted: ledger?.last, places });
    this.#sessions.set(listener, { session, listener, places, ledger });
    this.#startLoop();
  }

  #end(session_id: SessionId): void {
    this.#use().reads.end(session_id, "session-end");
    for (const { session, listener } of this.#sessions.values()) {
      if (session.session_id === session_id) this.#endListener(listener, "session-end");
    }
  }

  #endListener(listener: number, by: string): void {
    const { calls, decisions, changes, reads, system } = this.#use();
    const held = this.#sessions.get(listener);
    if (held === undefined) return;
    this.#sessions.delete(listener);
    calls.end(listener);
    // Where the guard fails and its sessions are to end with it, nothing may go on unwatched until they have.
    if (by !== FAILURE || this.#usePolicy().snapshot.guard.on_failure === "open") {
      reads.end(held.session.session_id, by);
    }
    decisions.refuseAll(by, listener);
    changes.forget(listener);
    system.close(listener);
  }

  async #answer(answer: Extract<HolderRequest, { op: "answer" }>["answer"]): Promise<void> {
    this.#answering++;
    try {
      await this.#use().decisions.answer(answer);
    } finally {
      this.#answering--;
    }
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#opened === undefined) return;
    for (const listener of [...this.#sessions.keys()]) this.#endListener(listener, "guard-stop");
    const { reads, calls, epoll } = this.#opened;
    reads[Symbol.dispose]();
    await this.#parts.sink.flush();
    for (const each of [calls, epoll]) each[Symbol.dispose]();
    this.#opened = undefined;
  }

  #startLoop(): void {
    if (!this.#looping) void this.#loop();
  }

  /** Runs while there is a listener. */
  async #loop(): Promise<void> {
    this.#looping = true;
    try {
      while (!this.#closed && this.#sessions.size > 0) {
        this.#answerBatch();
        const reports = this.#parts.sink.take();
        if (reports.length > 0) this.#parts.emit({ event: "tally", reports });
        // A turn is given where somebody waits for one: else the next call need not wait for it.
        if (this.#woken || this.#wantsTurn()) {
          this.#woken = false;
          this.#use().calls.settle();
          do await this.#parts.yieldTurn(); while (this.#opened !== undefined && this.#behind(this.#opened));
        }
      }
    } catch (error) {
      // Closing the listeners makes the kernel refuse what waits and what comes.
      this.#use().reads.refuse(FAILURE);
      this.#parts.emit({ event: "failed", reason: errorMessage(error) });
      for (const listener of [...this.#sessions.keys()]) this.#endListener(listener, FAILURE);
    } finally {
      this.#looping = false;
    }
  }

  /** Main has sent more than has arrived. */
  #behind({ sent }: Opened): boolean {
    return !this.#closed && Atomics.load(sent, 0) !== this.#received;
  }

  #answerBatch(): void {
    const { calls, epoll, wait, decisions, changes, reads } = this.#use();
    if (changes.later > 0) changes.retry();
    for (let answered = 0; answered < BATCH;) {
      const turn = this.#wantsTurn();
      // Where questions wait each call is a time to look whether they still do; where others wait, there is an end.
      const served = decisions.questions.size > 0 ? 1 : turn ? BATCH - answered : SERVED_MAX;
      const terms = { timeout_ms: answered > 0 && turn ? 0 : this.#waitMs(), calls: served };
      const ready = wait.wait(this.#sessions.keys(), terms);
      if (ready === undefined) return;
      for (const listener of ready.calls) {
        const held = this.#sessions.get(listener);
        if (held !== undefined) this.#serve(held);
        answered++;
      }
      for (const listener of ready.ended) this.#endListener(listener, "session-end");
      if (!ready.other) continue;
      this.#woken = true;
      calls.settle();
      for (const { fd } of [...epoll.waitReady(0)]) if (fd !== epoll.wake_fd && !reads.take(fd)) decisions.ended(fd);
      return;
    }
  }

  /** Something goes on as soon as other work has its turn on this thread. */
  #wantsTurn(): boolean {
    return this.#answering > 0 || this.#use().past.waiting > 0 || this.#parts.sink.pending() > 0;
  }

  /** How long a wait may be, milliseconds; -1: until somebody comes. */
  #waitMs(): number {
    const { past, changes } = this.#use();
    if (this.#answering > 0 || past.waiting > 0) return WAIT_BUSY_MS;
    return changes.later > 0 ? WAIT_LATER_MS : -1;
  }

  #serve({ listener, session, places }: HeldSession): void {
    const { calls, decisions, changes, takers, stats } = this.#use();
    const received = calls.receive(listener);
    if (decisions.questions.size > 0) decisions.sweep();
    if (!received.ok) {
      // Nobody can be found who asks: the call is refused, if somebody waits at all.
      calls.refuse(listener, received.error.id, EPERM);
      this.#parts.sink.append(gapEntry(session, received.error.errno, this.#parts.clock.wallUs()));
      return;
    }
    const call = received.value;
    if (call === undefined) return;
    countStat(stats, "held", 1);
    if (call.done) changes.done(session, call);
    else takers.take(listener, { session, places }, call);
    countStat(stats, "answered", 1);
  }

  #use(): Opened {
    if (this.#opened === undefined) throw new AgentguardError("closed", "answer held calls: the thread is not open");
    return this.#opened;
  }

  #setPolicy(load: PolicyLoad, calls: HeldCalls): void {
    this.#policy = new HolderPolicy(load, {
      clock: this.#parts.clock,
      settle: () => calls.settle(),
      known: (objects, lasts_ms) => calls.setLinked(objects, lasts_ms),
    });
    calls.setRules(this.#policy.names, this.#policy.starts);
    this.#opened?.reads.setPolicy(this.#policy.snapshot, load.home);
  }

  #usePolicy(): HolderPolicy {
    if (this.#policy === undefined) throw new AgentguardError("closed", "answer held calls: there is no policy");
    return this.#policy;
  }
}

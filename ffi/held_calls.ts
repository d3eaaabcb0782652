/**
 * System calls that wait for the guard (seccomp user notification, include/uapi/linux/seccomp.h), as one thread reads
 * and answers them. That thread shares its root and working directory with nobody from then on: it must be a thread of
 * its own.
 */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { AgentguardError, err, errnoName, ok, type Result } from "../lib/core/mod.ts";
import type { HeldCall } from "./held_call.ts";
import { type HeldChange, readChange } from "./held_change.ts";
import { CALL, HOLD, SOCKET } from "./held_layout.ts";
import { type HeldProgram, readProgram } from "./held_program.ts";
import { type HeldCallLibrary, openHeldCallLibrary } from "./held_library.ts";
import { type HeldSocket, readSocket } from "./held_socket.ts";
import type { HeldCallsParts, HeldListener, HeldWaitTerms } from "./held_terms.ts";
import type { Shim } from "./native_library.ts";
import {
  encodeNeededTable,
  encodePlaces,
  encodeStartTable,
  type NeededTable,
  type StartTable,
} from "./needed_table.ts";
import type { WatchedOpens } from "./watched_opens.ts";

/** Descriptors of one wait. */
export const HELD_WAIT_MAX = 64;

const ENOENT = 2;
const EAGAIN = 11;
const EDESTADDRREQ = 89;
const ESTALE = 116;
const ECANCELED = 125;
/** Bytes of a notification's id. */
const ID_BYTES = 8;

/** One thread's way to held calls. */
export class HeldCalls implements Disposable {
  readonly #library: HeldCallLibrary;
  readonly #state: Pointer;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** What the native code writes to, by listener: where the last call is noted; under -1 the statistics. */
  readonly #kept: Map<number, ArrayBufferView> = new Map();
  #closed = false;

  /** Throws `io` where the thread cannot be set apart. */
  constructor(shim: Shim, { key, stats, grants: { grants_fd, by_process }, looker }: HeldCallsParts) {
    this.#library = openHeldCallLibrary();
    this.#kept.set(-1, stats);
    // SAFETY: 16 bytes are read during the call; the numbers live as long as this object, which ends with the state.
    const state = this.#library.ag_hold_open(ptr(key), ptr(stats), grants_fd, by_process ? 1 : 0);
    if (state === null) {
      throw new AgentguardError("io", `set up held system calls: ${errnoName(shim.ag_errno())}`);
    }
    this.#state = state;
    // Where it cannot be used, /proc tells the same.
    if (looker !== undefined) this.#library.ag_hold_look(state, looker.program_fd, looker.map_fd);
    const memory = this.#library.ag_hold_memory(state);
    if (memory === null) throw new AgentguardError("invariant", "set up held system calls: no memory");
    // SAFETY: the memory is freed by ag_hold_close only; nothing reads the view after that.
    this.#bytes = new Uint8Array(toArrayBuffer(memory, 0, HOLD.bytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Calls of a listener come from now on: answers wake callers on this processor (older kernels do without). Throws
   * `io` or `overflow`.
   */
  begin(listener: number, { serves, noted, places }: HeldListener): void {
    this.#library.ag_hold_tune(listener);
    const [table, note] = [places === undefined ? undefined : encodePlaces(places), noted?.subarray(0, ID_BYTES)];
    if (note !== undefined) this.#kept.set(listener, note);
    const [at, bytes] = [table === undefined ? null : ptr(table), table?.length ?? 0];
    // SAFETY: the table is copied during the call; the note is kept until `end`.
    const result = this.#library.ag_hold_begin(
      this.#state,
      listener,
      serves ? 1 : 0,
      note === undefined ? null : ptr(note),
      at,
      bytes,
    );
    if (result === 0) return;
    const code = errnoName(-result) === "EMFILE" ? "overflow" : "io";
    throw new AgentguardError(code, `answer held calls of a session: ${errnoName(-result)}`);
  }

  /** Nothing comes from a listener any more, which its owner closes; what is kept of callers is given back. */
  end(listener: number): void {
    this.#library.ag_hold_end(this.#state, listener);
    this.#kept.delete(listener);
  }

  /** `wait` answers by itself what none of these names is about, and such program starts, from now on. Throws `io`. */
  setRules(names: NeededTable, starts: StartTable): void {
    const [table, start_table] = [encodeNeededTable(names), encodeStartTable(starts)];
    // SAFETY: each table is copied during its call.
    const first = this.#library.ag_hold_rules(this.#state, ptr(table), table.length);
    const second = this.#library.ag_hold_starts(this.#state, ptr(start_table), start_table.length);
    const result = Math.min(first, second);
    if (result < 0) throw new AgentguardError("io", `replace what held calls are compared with: ${errnoName(-result)}`);
  }

  /** For so long these objects have names that rules know, and no other with several names has. Throws `io`. */
  setLinked(objects: NeededTable["objects"], lasts_ms: number): void {
    const bytes = encodeNeededTable({ all: [], floating: false, linked: true, texts: [], objects });
    // SAFETY: the table is copied during the call.
    const result = this.#library.ag_hold_linked(this.#state, ptr(bytes), bytes.length, lasts_ms);
    if (result < 0) throw new AgentguardError("io", `say which objects have several names: ${errnoName(-result)}`);
  }

  /** Opens of the guard itself come to this watch, too, until `unwatch`: `wait` minds it. Throws `overflow`. */
  watch(opens: WatchedOpens): void {
    if (this.#library.ag_hold_watch(this.#state, opens.state, 1) === 0) return;
    throw new AgentguardError("overflow", `watch opens of at most ${HELD_WAIT_MAX} sessions`);
  }

  /** The watch is about to end. */
  unwatch(opens: WatchedOpens): void {
    this.#library.ag_hold_watch(this.#state, opens.state, 0);
  }

  /**
   * Takes the call that `wait` told of. `undefined` where its caller has gone; an error where nothing can be found out
   * about a caller who still waits: it must be refused.
   */
  receive(listener: number): Result<HeldCall | undefined, { readonly id: Uint8Array; readonly errno: string }> {
    const result = this.#library.ag_hold_receive(this.#state, listener);
    if (-result === ENOENT) return ok(undefined);
    const view = this.#view;
    const id = this.#bytes.slice(CALL.id, CALL.id + ID_BYTES);
    if (result < 0) return err({ id, errno: errnoName(-result) });
    return ok({
      id,
      nr: view.getInt32(CALL.nr, true),
      tid: view.getUint32(CALL.tid, true),
      tgid: view.getUint32(CALL.tgid, true),
      ppid: view.getUint32(CALL.ppid, true),
      uid: view.getUint32(CALL.uid, true),
      serial: view.getUint32(CALL.serial, true),
      done: result > 0,
    });
  }

  /**
   * What the execve that was received last would bring up; an errno where the kernel itself will find nothing to start.
   */
  program(listener: number): Result<HeldProgram, string> {
    const result = this.#library.ag_hold_exec(this.#state, listener);
    if (result < 0) return err(errnoName(-result));
    return ok(readProgram(this.#bytes, this.#view));
  }

  /**
   * Where to the call about a socket that was received last goes; `undefined` where to no address of IPv4 or IPv6 that
   * would be new, else an errno: E2BIG for messages to several addresses, or what the kernel itself will find.
   */
  socket(listener: number): Result<HeldSocket | undefined, string> {
    const socket = new Uint8Array(SOCKET.bytes);
    // SAFETY: one struct is written during the call.
    const result = this.#library.ag_hold_socket(this.#state, listener, ptr(socket));
    if (-result === EDESTADDRREQ) return ok(undefined);
    if (result < 0) return err(errnoName(-result));
    return ok(readSocket(socket, this.#bytes, this.#view));
  }

  /**
   * What the change of the file system that was received last would touch, pinned until `drop`; else the errno that the
   * caller is to have, because nothing would be changed.
   */
  pin(listener: number): Result<HeldChange, number> {
    const error = new Int32Array(1);
    // SAFETY: one number is written during the call.
    const pinned = this.#library.ag_hold_pin(this.#state, listener, ptr(error));
    if (pinned === null) return err(-(error[0] ?? 0));
    return ok(readChange(this.#bytes, this.#view, pinned));
  }

  /** The change that was received last, and is done. */
  done(): HeldChange {
    return readChange(this.#bytes, this.#view, null);
  }

  /**
   * Does a pinned change as its caller would have, and answers. A number is what the call gave, 0 or -errno. `again`:
   * it would wait for somebody else, its caller waits on. `moved`: something else is there now, pin and decide anew.
   * `gone`: nobody waits any more, and nothing was done. `left`: it was done, and its caller has no result that says
   * so: it waits no more, or had no room for the descriptor.
   */
  perform(listener: number, change: HeldChange): number | "again" | "moved" | "gone" | "left" {
    const result = new Int32Array(1);
    // SAFETY: `pinned` lives until drop; one number is written during the call.
    const answered = this.#library.ag_hold_perform(this.#state, change.pinned, listener, ptr(result));
    if (answered === 0) return result[0] ?? 0;
    if (answered === -EAGAIN) return "again";
    if (answered === -ESTALE) return "moved";
    if (answered === -ENOENT) return "gone";
    if (answered === -ECANCELED) return "left";
    throw new AgentguardError("io", `answer a held call: ${errnoName(-answered)}`);
  }

  /** The object at a place of a pinned change, as a descriptor that stays the change's; -1 where there is none. */
  object(change: HeldChange, place: "first" | "second"): number {
    return this.#library.ag_hold_object(change.pinned, place === "second" ? 1 : 0);
  }

  /** Gives back what a pinned change holds, once. */
  drop(change: HeldChange): void {
    this.#library.ag_hold_drop(this.#state, change.pinned);
  }

  /**
   * Back to the guard's own credentials: `pin` and `perform` leave the caller's, for its next call. Whatever opens
   * files asks for this first, and so does whoever lets something else run on this thread.
   */
  settle(): void {
    this.#library.ag_hold_settle(this.#state);
  }

  /**
   * Waits until there is something for TypeScript at one of at most `HELD_WAIT_MAX` descriptors, whose first is no
   * listener: `events[i]` is `HELD_TAKEN` where a call was received, else what poll(2) says of `fds[i]`. Calls that no
   * rule can be about are answered meanwhile, at most `calls` of them; where the wait has an end, after the first only
   * those that are there already. -1 waits for as long as it takes. False where nothing more came in time. Throws `io`.
   */
  wait(fds: Int32Array, events: Int32Array, options: HeldWaitTerms): boolean {
    const { count, timeout_ms, calls } = options;
    // SAFETY: `count` numbers are read and written during the call; both arrays hold HELD_WAIT_MAX.
    const result = this.#library.ag_hold_wait(this.#state, ptr(fds), ptr(events), count, timeout_ms, calls);
    if (result < 0) throw new AgentguardError("io", `wait for held calls: ${errnoName(-result)}`);
    return result > 0;
  }

  /** True while the caller of `id` waits. */
  waits(listener: number, id: Uint8Array): boolean {
    // SAFETY: 8 bytes are read during the call.
    return this.#library.ag_hold_valid(listener, ptr(id)) === 1;
  }

  /** Lets the kernel go on with the call; false where nobody waits any more. */
  release(listener: number, id: Uint8Array): boolean {
    return this.#answer(listener, id, 0);
  }

  /** Makes the call fail with `errno`; false where nobody waits any more. */
  refuse(listener: number, id: Uint8Array, errno: number): boolean {
    return this.#answer(listener, id, errno);
  }

  /** Writes the grant of a thread into the map that `map_fd` is open on. Throws `io` or `overflow`. */
  grant(map_fd: number, thread: number, grant: Uint8Array): void {
    this.settle();
    // SAFETY: the kernel reads one value, whose size the caller took from the generated ABI.
    const result = this.#library.ag_hold_grant(map_fd, thread, ptr(grant));
    if (result === 0) return;
    const code = -result === 7 ? "overflow" : "io"; // E2BIG
    throw new AgentguardError(code, `grant a held call: ${errnoName(-result)}`);
  }

  /** Takes a grant back that will not be used. */
  revoke(map_fd: number, thread: number): void {
    this.settle();
    this.#library.ag_hold_revoke(map_fd, thread);
  }

  /** Copies the scope of a process from task storage into `value`; false where the process ended or has none. */
  scope(map_fd: number, process: number, value: Uint8Array): boolean {
    this.settle();
    // SAFETY: the kernel writes one value, for which the caller made room.
    return this.#library.ag_hold_scope(map_fd, process, ptr(value)) === 0;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#library.ag_hold_close(this.#state);
  }

  #answer(listener: number, id: Uint8Array, errno: number): boolean {
    // SAFETY: 8 bytes are read during the call.
    const result = this.#library.ag_hold_answer(listener, ptr(id), errno);
    if (result === 0) return true;
    if (-result === ENOENT) return false;
    throw new AgentguardError("io", `answer a held call: ${errnoName(-result)}`);
  }
}

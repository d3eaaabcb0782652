/**
 * System calls that wait for the guard (seccomp user notification, include/uapi/linux/seccomp.h), as one thread reads
 * and answers them. That thread shares its root and working directory with nobody from then on: it must be a thread of
 * its own.
 */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { AgentguardError, err, errnoName, ok, type Result } from "../lib/core/mod.ts";
import { CALL, EXEC, HOLD, HOLD_FLAG } from "./held_layout.ts";
import { type HeldChange, readChange } from "./held_change.ts";
import { type HeldCallLibrary, openHeldCallLibrary, type Shim } from "./native_library.ts";

/** Descriptors of one wait. */
export const HELD_WAIT_MAX = 64;

// A byte order mark is a character of a name like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const ENOENT = 2;
const EAGAIN = 11;
const ESTALE = 116;
const ECANCELED = 125;
/** Bytes of a notification's id. */
const ID_BYTES = 8;

/** Who waits with which call. */
export interface HeldCall {
  /** The notification, 8 bytes. */
  readonly id: Uint8Array;
  readonly nr: number;
  readonly tid: number;
  readonly tgid: number;
  readonly ppid: number;
  readonly uid: number;
  /** Of the calling thread: another one has another number. */
  readonly serial: number;
}

/** What a held execve would bring up, found in the caller's own view. */
export interface HeldProgram {
  readonly requested: string;
  /** Resolved: the script, or the image. */
  readonly path: string;
  /** Of a script: the image that runs it. */
  readonly interpreter?: string;
  readonly cwd: string;
  /** As the program will find it: the NUL-terminated arguments, a script's interpreter and name included. */
  readonly argv: Uint8Array;
  /** The image that the caller runs; empty where it has none. */
  readonly caller: string;
  readonly script: boolean;
  readonly args_truncated: boolean;
  readonly memfd: boolean;
  readonly deleted: boolean;
  /** The image and what comes with it, as a grant names them: 8 bytes each of inode, hash of argv, hash of the name. */
  readonly ino: Uint8Array;
  readonly hash: Uint8Array;
  readonly name_hash: Uint8Array;
  readonly dev: number;
  readonly hashed_bytes: number;
  /** Inode (8 bytes) and device of the script; those of the image where there is none. */
  readonly script_ino: Uint8Array;
  readonly script_dev: number;
}

/** One thread's way to held calls. */
export class HeldCalls implements Disposable {
  readonly #library: HeldCallLibrary;
  readonly #state: Pointer;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #closed = false;

  /** `key`: 16 bytes, that of the loaded probes. Throws `io` where the thread cannot be set apart. */
  constructor(shim: Shim, key: Uint8Array) {
    this.#library = openHeldCallLibrary();
    // SAFETY: 16 bytes are read during the call.
    const state = this.#library.ag_hold_open(ptr(key));
    if (state === null) {
      throw new AgentguardError("io", `set up held system calls: ${errnoName(shim.ag_errno())}`);
    }
    this.#state = state;
    const memory = this.#library.ag_hold_memory(state);
    if (memory === null) throw new AgentguardError("invariant", "set up held system calls: no memory");
    // SAFETY: the memory is freed by ag_hold_close only; nothing reads the view after that.
    this.#bytes = new Uint8Array(toArrayBuffer(memory, 0, HOLD.bytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Lets answers wake callers on this processor; older kernels do without. */
  tune(listener: number): void {
    this.#library.ag_hold_tune(listener);
  }

  /**
   * Takes one notification of a listener that is readable. `undefined` where its caller has gone; an error where
   * nothing can be found out about a caller who still waits: it must be refused.
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
    });
  }

  /**
   * What the execve that was received last would bring up; an errno where the kernel itself will find nothing to start.
   */
  program(listener: number): Result<HeldProgram, string> {
    const result = this.#library.ag_hold_exec(this.#state, listener);
    if (result < 0) return err(errnoName(-result));
    const view = this.#view;
    const flags = view.getUint32(HOLD.exec + EXEC.flags, true);
    const script = (flags & HOLD_FLAG.script) !== 0;
    return ok({
      requested: this.#text(EXEC.requested),
      path: this.#text(EXEC.path),
      ...(script ? { interpreter: this.#text(EXEC.interpreter) } : undefined),
      cwd: this.#text(EXEC.cwd),
      argv: this.#textBytes(EXEC.argv).slice(),
      caller: this.#text(EXEC.caller),
      script,
      args_truncated: (flags & HOLD_FLAG.args_truncated) !== 0,
      memfd: (flags & HOLD_FLAG.memfd) !== 0,
      deleted: (flags & HOLD_FLAG.deleted) !== 0,
      ino: this.#word(EXEC.ino),
      hash: this.#word(EXEC.hash),
      name_hash: this.#word(EXEC.name_hash),
      dev: view.getUint32(HOLD.exec + EXEC.dev, true),
      hashed_bytes: view.getUint32(HOLD.exec + EXEC.hashed_bytes, true),
      script_ino: this.#word(EXEC.script_ino),
      script_dev: view.getUint32(HOLD.exec + EXEC.script_dev, true),
    });
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

  /** Gives back what is kept of callers from one call to the next. */
  forget(): void {
    this.#library.ag_hold_forget(this.#state);
  }

  /**
   * Waits until one of at most `HELD_WAIT_MAX` descriptors is readable or at its end; `events[i]` is what poll(2) says
   * of `fds[i]`. -1 waits for as long as it takes; an interrupted wait counts as a timeout.
   */
  wait(fds: Int32Array, events: Int32Array, options: { readonly count: number; readonly timeout_ms: number }): number {
    // SAFETY: `count` numbers are read and written during the call; both arrays hold HELD_WAIT_MAX.
    return this.#library.ag_hold_poll(ptr(fds), ptr(events), options.count, options.timeout_ms);
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

  #text(field: number): string {
    return decoder.decode(this.#textBytes(field));
  }

  #textBytes(field: number): Uint8Array {
    const at = HOLD.text + this.#view.getUint32(HOLD.exec + field, true);
    return this.#bytes.subarray(at, at + this.#view.getUint32(HOLD.exec + field + 4, true));
  }

  #word(field: number): Uint8Array {
    return this.#bytes.slice(HOLD.exec + field, HOLD.exec + field + 8);
  }
}

/**
 * Opens that wait for the guard by fanotify, in a command's own mount namespace: what no rule can be about goes on
 * without TypeScript (ffi/native/watch.c), the rest is taken here and answered one by one.
 */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { AgentguardError, errnoName } from "../lib/core/mod.ts";
import { openWatchLibrary, type Shim, type WatchLibrary } from "./native_library.ts";
import { WATCH_FLAG, WATCH_OPEN } from "./watch_layout.ts";
import { encodeNeededTable, type NeededTable } from "./needed_table.ts";

/** One open that waits. */
export interface WatchedOpen {
  /** Names the answer: the object's descriptor. */
  readonly fd: number;
  /** System call number; -1 where it is not known. */
  readonly nr: number;
  readonly tid: number;
  readonly tgid: number;
  readonly ppid: number;
  readonly uid: number;
  /** The object's name from the top of the mount namespace. */
  readonly path: string;
  /** The image that the caller runs; empty where it has none. */
  readonly caller: string;
  readonly cwd: string;
  /** Of the call; absent where they cannot be told. */
  readonly open_flags?: number;
  readonly directory: boolean;
  /** The object has no name any more; `path` may say so. */
  readonly deleted: boolean;
  /** It is opened to be executed. */
  readonly starts: boolean;
  readonly links: number;
  /** As stat(2) tells them. */
  readonly dev: bigint;
  readonly ino: bigint;
}

/** What `take` found. `unread`: somebody waits about whom nothing can be found out; refuse it. */
export type TakenOpen =
  | { readonly kind: "open"; readonly open: WatchedOpen }
  | { readonly kind: "unread"; readonly fd: number; readonly errno: string }
  | { readonly kind: "none" }
  /** Not everything is watched any more. */
  | { readonly kind: "failed"; readonly errno: string };

const decoder = new TextDecoder();

/**
 * Tries whether this host can hold opens without harm; `undefined` if so, else the errno that says why not
 * (`EOPNOTSUPP`: it would have to open FIFOs and devices to see what they are). `directory`: where a FIFO may be made.
 */
export function tryWatching(directory: string): string | undefined {
  // SAFETY: a NUL-terminated path is read during the call.
  const result = openWatchLibrary().ag_watch_try(ptr(Buffer.from(`${directory}\0`)));
  return result === 0 ? undefined : errnoName(-result);
}

/** The version of Landlock that this kernel has in force; 0 for none. */
export function landlockVersion(): number {
  return openWatchLibrary().ag_watch_landlock();
}

/** The opens of one command. Dispose it when nobody of it is left: what comes later goes on. */
export class WatchedOpens implements Disposable {
  readonly #library: WatchLibrary;
  readonly #state: Pointer;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #closed = false;

  /**
   * Watches `process`, which waits before its exec in a mount namespace of its own. `ready_fd`: an eventfd that becomes
   * readable when there is something to take. Throws `unsupported` with what was not possible.
   */
  constructor(
    shim: Shim,
    process: number,
    { ready_fd, table }: { readonly ready_fd: number; readonly table: NeededTable },
  ) {
    this.#library = openWatchLibrary();
    const bytes = encodeNeededTable(table);
    // SAFETY: the table is copied during the call.
    const state = this.#library.ag_watch_open(process, ready_fd, ptr(bytes), bytes.length);
    if (state === null) {
      throw new AgentguardError("unsupported", `watch opens by fanotify: ${errnoName(shim.ag_errno())}`);
    }
    this.#state = state;
    const memory = this.#library.ag_watch_memory(state);
    if (memory === null) throw new AgentguardError("invariant", "watch opens: no memory");
    // SAFETY: the memory is freed by ag_watch_close only; nothing reads the view after that.
    this.#bytes = new Uint8Array(toArrayBuffer(memory, 0, WATCH_OPEN.bytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** The native code's own. */
  get state(): Pointer {
    return this.#state;
  }

  /** The descriptor of its group: while somebody has a copy, the end of this process lets nothing go on. */
  get group_fd(): number {
    return this.#library.ag_watch_group(this.#state);
  }

  /** Compares with another table from now on, also objects that were passed over. Throws `io`. */
  setTable(table: NeededTable): void {
    const bytes = encodeNeededTable(table);
    // SAFETY: the table is copied during the call.
    const result = this.#library.ag_watch_rules(this.#state, ptr(bytes), bytes.length);
    if (result < 0) throw new AgentguardError("io", `replace what opens wait for: ${errnoName(-result)}`);
  }

  /** The next open that waits, which must be answered. */
  take(): TakenOpen {
    const result = this.#library.ag_watch_take(this.#state);
    if (result > 0) return { kind: "open", open: this.#read() };
    if (result === 0) return { kind: "none" };
    const fd = this.#view.getInt32(WATCH_OPEN.fd, true);
    const errno = errnoName(-result);
    return fd < 0 ? { kind: "failed", errno } : { kind: "unread", fd, errno };
  }

  /** Ends the wait of an open: it goes on, or fails with EPERM. */
  answer(fd: number, { allow }: { readonly allow: boolean }): void {
    this.#library.ag_watch_answer(this.#state, fd, allow ? 1 : 0);
  }

  /**
   * The objects behind these descriptors (-1: none) are getting other names: until `unbar` they are not passed over.
   * `all`: anything may.
   */
  bar(first: number, second: number, { all }: { readonly all: boolean }): void {
    this.#library.ag_watch_bar(this.#state, first, second, all ? 1 : 0);
  }

  /** Those objects have their names. */
  unbar(): void {
    this.#library.ag_watch_unbar(this.#state);
  }

  /** Nobody decides any more: whatever a rule could be about is refused. */
  refuse(): void {
    this.#library.ag_watch_refuse(this.#state);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#library.ag_watch_close(this.#state);
  }

  #read(): WatchedOpen {
    const view = this.#view;
    const u32 = (at: number): number => view.getUint32(at, true);
    const flags = u32(WATCH_OPEN.flags);
    const has = (flag: number): boolean => (flags & flag) !== 0;
    return {
      fd: view.getInt32(WATCH_OPEN.fd, true),
      nr: view.getInt32(WATCH_OPEN.nr, true),
      tid: u32(WATCH_OPEN.tid),
      tgid: u32(WATCH_OPEN.tgid),
      ppid: u32(WATCH_OPEN.ppid),
      uid: u32(WATCH_OPEN.uid),
      path: this.#text(WATCH_OPEN.path),
      caller: this.#text(WATCH_OPEN.caller),
      cwd: this.#text(WATCH_OPEN.cwd),
      ...(has(WATCH_FLAG.flags) ? { open_flags: u32(WATCH_OPEN.open_flags) } : undefined),
      directory: has(WATCH_FLAG.directory),
      deleted: has(WATCH_FLAG.deleted),
      starts: has(WATCH_FLAG.starts),
      links: u32(WATCH_OPEN.links),
      dev: view.getBigUint64(WATCH_OPEN.dev, true),
      ino: view.getBigUint64(WATCH_OPEN.ino, true),
    };
  }

  #text(field: number): string {
    const at = WATCH_OPEN.text + this.#view.getUint32(field, true);
    return decoder.decode(this.#bytes.subarray(at, at + this.#view.getUint32(field + 4, true)));
  }
}

/** Waits for descriptors, with a way to be woken from another thread. */
import { ptr } from "bun:ffi";
import type { SystemCalls } from "./system_call.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EPOLLERR = 8;
const EPOLLHUP = 16;
const EFD_NONBLOCK_CLOEXEC = 0o2004000;
const EPOLL_CLOEXEC = 0o2000000;
/** struct epoll_event is packed on x86-64 (12 bytes) and aligned elsewhere (16). */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENTS_MAX = 8;

/** A descriptor that a wait found ready. */
export interface ReadyDescriptor {
  readonly fd: number;
  readonly readable: boolean;
  /** Nothing will come any more. */
  readonly ended: boolean;
}

/** An epoll instance with an eventfd in it. */
export class Epoll implements Disposable {
  readonly #system: SystemCalls;
  /** Readable while one of its descriptors is. */
  readonly fd: number;
  readonly #events = new Uint8Array(EVENT_BYTES * EVENTS_MAX);
  readonly #view = new DataView(this.#events.buffer);
  readonly #ready: ReadyDescriptor[] = [];
  readonly #count = new Uint8Array(8);
  /** Write to it (see `wake`) from any thread of this process to end a wait. */
  readonly wake_fd: number;
  #closed = false;

  constructor(system: SystemCalls) {
    this.#system = system;
    this.fd = system.must("create epoll", "epoll_create1", EPOLL_CLOEXEC);
    this.wake_fd = system.must("create eventfd", "eventfd2", 0, EFD_NONBLOCK_CLOEXEC);
    this.add(this.wake_fd);
  }

  /** Waits for `fd` to be readable, too. */
  add(fd: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, EPOLLIN, true);
    event.setUint32(EVENT_BYTES - 8, fd, true);
    this.#system.must(
      "add to epoll",
      "epoll_ctl",
      this.fd,
      EPOLL_CTL_ADD,
      fd,
      Number(ptr(new Uint8Array(event.buffer))),
    );
  }

  /** No longer waits for `fd`, which must still be open. */
  remove(fd: number): void {
    this.#system.must("remove from epoll", "epoll_ctl", this.fd, EPOLL_CTL_DEL, fd);
  }

  /**
   * Blocks this thread until something is readable or `timeout_ms` passed; -1 waits for as long as it takes. An
   * interrupted wait counts as a timeout. True where something is.
   */
  wait(timeout_ms: number): boolean {
    if (this.#poll(timeout_ms) <= 0) return false;
    this.#system.read(this.wake_fd, this.#count);
    return true;
  }

  /** As `wait`; returns the descriptors that are ready, at most 8 of them. The list is reused by the next call. */
  waitReady(timeout_ms: number): readonly ReadyDescriptor[] {
    const ready = this.#poll(timeout_ms);
    this.#ready.length = 0;
    for (let i = 0; i < ready; i++) {
      const fd = this.#view.getUint32(i * EVENT_BYTES + EVENT_BYTES - 8, true);
      const events = this.#view.getUint32(i * EVENT_BYTES, true);
      if (fd === this.wake_fd) this.#system.read(this.wake_fd, this.#count);
      this.#ready.push({ fd, readable: (events & EPOLLIN) !== 0, ended: (events & (EPOLLERR | EPOLLHUP)) !== 0 });
    }
    return this.#ready;
  }

  #poll(timeout_ms: number): number {
    return this.#system.call("epoll_wait", this.fd, Number(ptr(this.#events)), EVENTS_MAX, timeout_ms);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#system.close(this.wake_fd);
    this.#system.close(this.fd);
  }
}

/** Ends the wait of the `Epoll` that owns `wake_fd`. */
export function wake(system: SystemCalls, wake_fd: number): void {
  const one = new Uint8Array(8);
  one[0] = 1;
  system.call("write", wake_fd, Number(ptr(one)), 8);
}

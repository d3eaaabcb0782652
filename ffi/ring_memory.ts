/**
 * The memory of one BPF ring buffer: consumer page read-write, producer page and data read-only, data mapped twice
 * in a row so that no record is cut by the end (kernel/bpf/ringbuf.c).
 */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import type { Shim } from "./native_library.ts";
import type { SystemCalls } from "./system_call.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
/** include/uapi/linux/bpf.h: in the length word of a record. */
const BUSY_BIT = 0x8000_0000;
const DISCARD_BIT = 0x4000_0000;
const HEADER_BYTES = 8;

/** A consumer of one ring. Views that it hands out are valid until `release` passes them. */
export class RingMemory implements Disposable {
  /** The data, twice. */
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly #system: SystemCalls;
  readonly #shim: Shim;
  readonly #consumer: number;
  readonly #producer: number;
  readonly #lengths: Int32Array;
  readonly #page_bytes: number;
  #position: number;
  #released: number;
  #closed = false;

  /** `fd`: the map's descriptor; `size`: its max_entries, a power of two. Throws `io` where it cannot be mapped. */
  constructor(system: SystemCalls, shim: Shim, map: { readonly fd: number; readonly size: number }) {
    this.#system = system;
    this.#shim = shim;
    this.size = map.size;
    const page = shim.ag_page_bytes();
    this.#page_bytes = page;
    const both = PROT_READ | PROT_WRITE;
    this.#consumer = system.must("map ring consumer page", "mmap", 0, page, both, MAP_SHARED, map.fd, 0);
    const mapped = page + 2 * map.size;
    this.#producer = system.must("map ring data", "mmap", 0, mapped, PROT_READ, MAP_SHARED, map.fd, page);
    // SAFETY: both mappings live until dispose; the array buffers are not handed out after it.
    const data = toArrayBuffer((this.#producer + page) as Pointer, 0, 2 * map.size);
    this.view = new DataView(data);
    this.bytes = new Uint8Array(data);
    this.#lengths = new Int32Array(data);
    this.#position = shim.ag_load_acquire(this.#consumer as Pointer);
    this.#released = this.#position;
  }

  /** Position behind the last byte that a producer has reserved. */
  produced(): number {
    // SAFETY: the page is mapped; the load is an acquire, so that what was written before it is visible.
    return this.#shim.ag_load_acquire(this.#producer as Pointer);
  }

  /** Position of the next record to be read. */
  get position(): number {
    return this.#position;
  }

  /**
   * Offset in `view` of the next record before `end`, or -1 where there is none yet. Discarded ones are skipped.
   * The record's bytes are valid until `release`.
   */
  next(end: number): number {
    while (this.#position < end) {
      const at = this.#position % this.size;
      const length = this.#lengths[at >> 2] ?? 0;
      if ((length & BUSY_BIT) !== 0) return -1;
      if ((length & DISCARD_BIT) === 0) return at + HEADER_BYTES;
      this.#skip(length);
    }
    return -1;
  }

  /** Goes behind the record that `next` gave. */
  advance(): void {
    this.#skip(this.#lengths[(this.#position % this.size) >> 2] ?? 0);
  }

  /** Gives everything that was read back to the producers. */
  release(): void {
    if (this.#released === this.#position || this.#closed) return;
    this.#shim.ag_store_release(this.#consumer as Pointer, this.#position);
    this.#released = this.#position;
  }

  /** Bytes reserved and not yet given back. */
  pendingBytes(): number {
    return this.produced() - this.#position;
  }

  /** Unmaps. The views must not be touched afterwards. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.release();
    this.#closed = true;
    this.#system.call("munmap", this.#consumer, this.#page_bytes);
    this.#system.call("munmap", this.#producer, this.#page_bytes + 2 * this.size);
  }

  #skip(length: number): void {
    const bytes = length & ~(BUSY_BIT | DISCARD_BIT);
    this.#position += (bytes + HEADER_BYTES + 7) & ~7;
  }
}

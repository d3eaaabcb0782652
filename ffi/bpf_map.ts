/** One BPF map: byte keys and values of known sizes. */
import { ptr } from "bun:ffi";
import { AgentguardError, invariant } from "../lib/core/mod.ts";
import { errnoName } from "../lib/core/mod.ts";
import type { Libbpf } from "./native_library.ts";

/** The first words of struct bpf_map_info (include/uapi/linux/bpf.h): type, id, key_size, value_size, max_entries. */
const MAP_INFO_BYTES = 80;
const ENOENT = 2;

/** A loaded map. The object that it belongs to owns the descriptor. */
export class BpfMap {
  readonly name: string;
  readonly fd: number;
  readonly key_bytes: number;
  /** Of one value; per-CPU maps hold `cpus` of them, each rounded up to 8. */
  readonly value_bytes: number;
  readonly max_entries: number;
  readonly #bpf: Libbpf;

  constructor(bpf: Libbpf, name: string, fd: number) {
    invariant(fd >= 0, `map ${name}: no descriptor`);
    this.name = name;
    this.fd = fd;
    this.#bpf = bpf;
    const info = new DataView(new ArrayBuffer(MAP_INFO_BYTES));
    const length = new Uint32Array([MAP_INFO_BYTES]);
    // SAFETY: the kernel writes at most `length` bytes.
    const result = bpf.bpf_obj_get_info_by_fd(fd, ptr(new Uint8Array(info.buffer)), ptr(length));
    if (result !== 0) throw new AgentguardError("io", `read map ${name}: ${errnoName(-result)}`);
    this.key_bytes = info.getUint32(8, true);
    this.value_bytes = info.getUint32(12, true);
    this.max_entries = info.getUint32(16, true);
  }

  /** Copies the value of `key` into `value`; false where there is none. */
  lookup(key: Uint8Array, value: Uint8Array): boolean {
    this.#check(key);
    this.#checkValue(value);
    // SAFETY: the kernel reads key_bytes and writes one value; for a per-CPU map the caller made room for all CPUs.
    const result = this.#bpf.bpf_map_lookup_elem(this.fd, ptr(key), ptr(value));
    if (result === 0) return true;
    if (-result === ENOENT) return false;
    throw new AgentguardError("io", `look up in map ${this.name}: ${errnoName(-result)}`);
  }

  /** Writes `value`; throws `overflow` where the map is full. */
  update(key: Uint8Array, value: Uint8Array): void {
    this.#check(key);
    this.#checkValue(value);
    // SAFETY: the kernel reads key_bytes and value_bytes.
    const result = this.#bpf.bpf_map_update_elem(this.fd, ptr(key), ptr(value), 0);
    if (result === 0) return;
    const code = -result === 7 || -result === 28 ? "overflow" : "io"; // E2BIG, ENOSPC
    throw new AgentguardError(code, `write to map ${this.name} (${this.max_entries} entries): ${errnoName(-result)}`);
  }

  /** Removes `key`; false where there is none. */
  remove(key: Uint8Array): boolean {
    this.#check(key);
    // SAFETY: the kernel reads key_bytes.
    const result = this.#bpf.bpf_map_delete_elem(this.fd, ptr(key));
    if (result === 0) return true;
    if (-result === ENOENT) return false;
    throw new AgentguardError("io", `delete from map ${this.name}: ${errnoName(-result)}`);
  }

  /** Every key, as copies. Entries that change meanwhile may be missed or repeated. */
  keys(): Uint8Array[] {
    const found: Uint8Array[] = [];
    let next = new Uint8Array(this.key_bytes);
    // SAFETY: a null key asks for the first one; each call writes key_bytes.
    let result = this.#bpf.bpf_map_get_next_key(this.fd, null, ptr(next));
    while (result === 0 && found.length < this.max_entries) {
      found.push(next);
      const after = new Uint8Array(this.key_bytes);
      result = this.#bpf.bpf_map_get_next_key(this.fd, ptr(next), ptr(after));
      next = after;
    }
    return found;
  }

  #check(key: Uint8Array): void {
    // Task storage is keyed by a pidfd, ring buffers by nothing.
    invariant(key.length === this.key_bytes, `map ${this.name}: key of ${key.length} bytes, not ${this.key_bytes}`);
  }

  #checkValue(value: Uint8Array): void {
    const found = value.length;
    invariant(found >= this.value_bytes, `map ${this.name}: value of ${found} bytes, not ${this.value_bytes}`);
  }
}

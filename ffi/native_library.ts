/**
 * Opens the embedded native libraries. libz, libelf and libbpf are opened in this order, so that each finds the one
 * before by its name and nothing need be installed on the host. They are opened from sealed memory files: Bun would
 * extract them to a name in /tmp that anybody can guess, and use what it finds there.
 */
import { readFileSync } from "node:fs";
import { dlopen, FFIType as T, type Pointer } from "bun:ffi";
import libbpf_file from "../build/lib/libbpf.so.1" with { type: "file" };
import libelf_file from "../build/lib/libelf.so.1" with { type: "file" };
import libz_file from "../build/lib/libz.so.1" with { type: "file" };
import shim_file from "../build/native/libagshim.so" with { type: "file" };
import { launchSymbols } from "./launch_symbols.ts";
import { sealedFile } from "./sealed_file.ts";

/** libbpf functions with their C prototypes (bpf/libbpf.h, bpf/bpf.h, version 1.1). A null pointer comes with errno. */
export interface Libbpf {
  /** `int libbpf_set_print(fn): takes the address of a print function` */
  libbpf_set_print(a: Pointer | null): Pointer | null;
  /** `struct bpf_object *bpf_object__open_mem(const void *buf, size_t size, const opts *)` */
  bpf_object__open_mem(a: Pointer | null, b: number, c: Pointer | null): Pointer | null;
  /** `int bpf_object__load(struct bpf_object *)` */
  bpf_object__load(a: Pointer | null): number;
  /** `void bpf_object__close(struct bpf_object *)` */
  bpf_object__close(a: Pointer | null): void;
  /** `struct bpf_program *bpf_object__next_program(const struct bpf_object *, struct bpf_program *)` */
  bpf_object__next_program(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *, const char *)` */
  bpf_object__find_program_by_name(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `const char *bpf_program__name(const struct bpf_program *)` */
  bpf_program__name(a: Pointer | null): unknown;
  /** `int bpf_program__set_autoload(struct bpf_program *, bool)` */
  bpf_program__set_autoload(a: Pointer | null, b: boolean): number;
  /** `int bpf_program__set_expected_attach_type(struct bpf_program *, enum bpf_attach_type)` */
  bpf_program__set_expected_attach_type(a: Pointer | null, b: number): number;
  /** `int bpf_program__fd(const struct bpf_program *)` */
  bpf_program__fd(a: Pointer | null): number;
  /** `struct bpf_link *bpf_program__attach(const struct bpf_program *)` */
  bpf_program__attach(a: Pointer | null): Pointer | null;
  /** `struct bpf_link *bpf_program__attach_cgroup(const struct bpf_program *, int cgroup_fd)` */
  bpf_program__attach_cgroup(a: Pointer | null, b: number): Pointer | null;
  /** `struct bpf_link *bpf_program__attach_iter(const struct bpf_program *, const opts *)` */
  bpf_program__attach_iter(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `int bpf_link__fd(const struct bpf_link *)` */
  bpf_link__fd(a: Pointer | null): number;
  /** `int bpf_link__destroy(struct bpf_link *)` */
  bpf_link__destroy(a: Pointer | null): number;
  /** `int bpf_iter_create(int link_fd)` */
  bpf_iter_create(a: number): number;
  /** `struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *, const char *)` */
  bpf_object__find_map_by_name(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `struct bpf_map *bpf_object__next_map(const struct bpf_object *, const struct bpf_map *)` */
  bpf_object__next_map(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `const char *bpf_map__name(const struct bpf_map *)` */
  bpf_map__name(a: Pointer | null): unknown;
  /** `int bpf_map__fd(const struct bpf_map *)` */
  bpf_map__fd(a: Pointer | null): number;
  /** `int bpf_map__reuse_fd(struct bpf_map *, int fd)` */
  bpf_map__reuse_fd(a: Pointer | null, b: number): number;
  /** `int bpf_map__set_max_entries(struct bpf_map *, __u32)` */
  bpf_map__set_max_entries(a: Pointer | null, b: number): number;
  /** `void *bpf_map__initial_value(struct bpf_map *, size_t *)` */
  bpf_map__initial_value(a: Pointer | null, b: Pointer | null): Pointer | null;
  /** `int bpf_map_lookup_elem(int fd, const void *key, void *value)` */
  bpf_map_lookup_elem(a: number, b: Pointer | null, c: Pointer | null): number;
  /** `int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)` */
  bpf_map_update_elem(a: number, b: Pointer | null, c: Pointer | null, d: number): number;
  /** `int bpf_map_delete_elem(int fd, const void *key)` */
  bpf_map_delete_elem(a: number, b: Pointer | null): number;
  /** `int bpf_map_get_next_key(int fd, const void *cur_key, void *next_key)` */
  bpf_map_get_next_key(a: number, b: Pointer | null, c: Pointer | null): number;
  /** `int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *info_len)` */
  bpf_obj_get_info_by_fd(a: number, b: Pointer | null, c: Pointer | null): number;
  /** `int libbpf_num_possible_cpus(void)` */
  libbpf_num_possible_cpus(): number;
}

/** The shim's functions (native/shim.c). */
export interface Shim {
  ag_syscall(a: number, b: number, c: number, d: number, e: number, f: number, g: number): number;
  ag_errno(): number;
  ag_page_bytes(): number;
  ag_load_acquire(a: Pointer | null): number;
  ag_store_release(a: Pointer | null, b: number): void;
  ag_print_function(): Pointer | null;
  /** Gives this thread's large blocks pages of 2 MiB while `on` is 1; nothing on the main thread. */
  ag_large_blocks(on: number): void;
  ag_messages(): unknown;
  ag_messages_clear(): void;
}

/** Functions of the record (native/record.c). */
export interface RecordLibrary {
  ag_record_write(
    job: Pointer,
    input: Pointer,
    output: Pointer,
    ids: Pointer,
    boot: Pointer,
    terms: Pointer,
    decisions: Pointer,
  ): void;
  ag_record_chain(
    stored: Pointer,
    bytes: number,
    first_seq: number,
    prev: Pointer,
    expected: Pointer | null,
    leaves: Pointer,
    max: number,
  ): number;
  ag_record_grow(frontier: Pointer, size: number, leaves: Pointer, count: number, roots: Pointer): number;
}

/** Functions for watched opens (native/watch.c). */
export interface WatchLibrary {
  ag_watch_landlock(): number;
  ag_watch_try(directory: Pointer | null): number;
  ag_watch_open(process: number, ready: number, table: Pointer | null, bytes: number): Pointer | null;
  ag_watch_close(state: Pointer | null): void;
  ag_watch_memory(state: Pointer | null): Pointer | null;
  ag_watch_group(state: Pointer | null): number;
  ag_watch_rules(state: Pointer | null, table: Pointer | null, bytes: number): number;
  ag_watch_bar(state: Pointer | null, first: number, second: number, all: number): void;
  ag_watch_unbar(state: Pointer | null): void;
  ag_watch_take(state: Pointer | null): number;
  ag_watch_answer(state: Pointer | null, fd: number, allow: number): void;
  ag_watch_refuse(state: Pointer | null): void;
}

const LIBBPF = {
  libbpf_set_print: { args: [T.ptr], returns: T.ptr },
  bpf_object__open_mem: { args: [T.ptr, T.u64_fast, T.ptr], returns: T.ptr },
  bpf_object__load: { args: [T.ptr], returns: T.i32 },
  bpf_object__close: { args: [T.ptr], returns: T.void },
  bpf_object__next_program: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_object__find_program_by_name: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_program__name: { args: [T.ptr], returns: T.cstring },
  bpf_program__set_autoload: { args: [T.ptr, T.bool], returns: T.i32 },
  bpf_program__set_expected_attach_type: { args: [T.ptr, T.i32], returns: T.i32 },
  bpf_program__fd: { args: [T.ptr], returns: T.i32 },
  bpf_program__attach: { args: [T.ptr], returns: T.ptr },
  bpf_program__attach_cgroup: { args: [T.ptr, T.i32], returns: T.ptr },
  bpf_program__attach_iter: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_link__fd: { args: [T.ptr], returns: T.i32 },
  bpf_link__destroy: { args: [T.ptr], returns: T.i32 },
  bpf_iter_create: { args: [T.i32], returns: T.i32 },
  bpf_object__find_map_by_name: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_object__next_map: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_map__name: { args: [T.ptr], returns: T.cstring },
  bpf_map__fd: { args: [T.ptr], returns: T.i32 },
  bpf_map__reuse_fd: { args: [T.ptr, T.i32], returns: T.i32 },
  bpf_map__set_max_entries: { args: [T.ptr, T.u32], returns: T.i32 },
  bpf_map__initial_value: { args: [T.ptr, T.ptr], returns: T.ptr },
  bpf_map_lookup_elem: { args: [T.i32, T.ptr, T.ptr], returns: T.i32 },
  bpf_map_update_elem: { args: [T.i32, T.ptr, T.ptr, T.u64_fast], returns: T.i32 },
  bpf_map_delete_elem: { args: [T.i32, T.ptr], returns: T.i32 },
  bpf_map_get_next_key: { args: [T.i32, T.ptr, T.ptr], returns: T.i32 },
  bpf_obj_get_info_by_fd: { args: [T.i32, T.ptr, T.ptr], returns: T.i32 },
  libbpf_num_possible_cpus: { args: [], returns: T.i32 },
} as const;

const SHIM = {
  ag_syscall: {
    args: [T.i64_fast, T.i64_fast, T.i64_fast, T.i64_fast, T.i64_fast, T.i64_fast, T.i64_fast],
    returns: T.i64_fast,
  },
  ag_errno: { args: [], returns: T.i32 },
  ag_page_bytes: { args: [], returns: T.i32 },
  ag_load_acquire: { args: [T.ptr], returns: T.f64 },
  ag_store_release: { args: [T.ptr, T.f64], returns: T.void },
  ag_print_function: { args: [], returns: T.ptr },
  ag_large_blocks: { args: [T.i32], returns: T.void },
  ag_messages: { args: [], returns: T.cstring },
  ag_messages_clear: { args: [], returns: T.void },
} as const;

const RECORD = {
  ag_record_write: { args: [T.ptr, T.ptr, T.ptr, T.ptr, T.ptr, T.ptr, T.ptr], returns: T.void },
  ag_record_chain: { args: [T.ptr, T.u32, T.f64, T.ptr, T.ptr, T.ptr, T.u32], returns: T.u32 },
  ag_record_grow: { args: [T.ptr, T.f64, T.ptr, T.u32, T.ptr], returns: T.u32 },
} as const;

/** The functions of the record (native/record.c). */
export function openRecordLibrary(): RecordLibrary {
  // SAFETY: as below.
  return open(shim_file, "agentguard-record", RECORD) as unknown as RecordLibrary;
}

const WATCH = {
  ag_watch_landlock: { args: [], returns: T.i32 },
  ag_watch_try: { args: [T.ptr], returns: T.i32 },
  ag_watch_open: { args: [T.u32, T.i32, T.ptr, T.u32], returns: T.ptr },
  ag_watch_close: { args: [T.ptr], returns: T.void },
  ag_watch_memory: { args: [T.ptr], returns: T.ptr },
  ag_watch_group: { args: [T.ptr], returns: T.i32 },
  ag_watch_rules: { args: [T.ptr, T.ptr, T.u32], returns: T.i32 },
  ag_watch_bar: { args: [T.ptr, T.i32, T.i32, T.i32], returns: T.void },
  ag_watch_unbar: { args: [T.ptr], returns: T.void },
  ag_watch_take: { args: [T.ptr], returns: T.i32 },
  ag_watch_answer: { args: [T.ptr, T.i32, T.i32], returns: T.void },
  ag_watch_refuse: { args: [T.ptr], returns: T.void },
} as const;

/** The functions for watched opens (native/watch.c). */
export function openWatchLibrary(): WatchLibrary {
  // SAFETY: as below.
  return open(shim_file, "agentguard-watch", WATCH) as unknown as WatchLibrary;
}

/** The library of the native code once more, under a label of its own, for these of its functions. */
export function openNative(label: string, symbols: Parameters<typeof dlopen>[1]): unknown {
  return open(shim_file, label, symbols);
}

/** The shim alone: enough for system calls. Opens in under a millisecond. */
export function openShim(): Shim {
  // SAFETY: the library is our own, its prototypes are those above, and it stays mapped for the process's life.
  return open(shim_file, "agentguard-shim", SHIM) as unknown as Shim;
}

/** Opens libbpf with what it needs; its messages are kept for `takeMessages` and never printed. */
export function openLibbpf(shim: Shim): Libbpf {
  // SAFETY: opened for their names only; the two symbols exist in every version.
  open(libz_file, "agentguard-libz", { zlibVersion: { args: [], returns: T.cstring } });
  open(libelf_file, "agentguard-libelf", { elf_version: { args: [T.u32], returns: T.u32 } });
  const bpf = open(libbpf_file, "agentguard-libbpf", LIBBPF) as unknown as Libbpf;
  // SAFETY: the function lives in the shim, which is never closed.
  bpf.libbpf_set_print(shim.ag_print_function());
  return bpf;
}

/**
 * Opens one library. Its descriptor stays open for the process's life: the loader knows libraries by their path, and
 * another file at the same number would be taken for this one.
 */
function open<S extends Parameters<typeof dlopen>[1]>(file: string, label: string, symbols: S): unknown {
  const fd = sealedFile(launchSymbols(), label, readFileSync(file));
  return dlopen(`/proc/self/fd/${fd}`, symbols).symbols;
}

/** What libbpf said on this thread since the last call. */
export function takeMessages(shim: Shim): string {
  const text = String(shim.ag_messages());
  shim.ag_messages_clear();
  return text;
}

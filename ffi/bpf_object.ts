/** One BPF object from memory: open, adjust, load, attach. Owns its programs, maps and links. */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { AgentguardError, err, ok, type Result } from "../lib/core/mod.ts";
import { BpfMap } from "./bpf_map.ts";
import { errnoName } from "../lib/core/mod.ts";
import { type Libbpf, type Shim, takeMessages } from "./native_library.ts";
import { SystemCalls } from "./system_call.ts";

/** An attached program; disposing detaches it. */
export interface BpfLink extends Disposable {
  readonly fd: number;
}

/** Why a load failed: the errno, and the last lines that libbpf and the verifier wrote. */
export interface LoadFailure {
  readonly errno: string;
  readonly log: string;
}

/** What to change between opening and loading. */
export interface LoadOptions {
  /** Programs to load; the others are left out. Absent: all. */
  readonly programs?: readonly string[];
  /** Where programs attach, by their names: `enum bpf_attach_type`, for those that libbpf has no section name for. */
  readonly attach_types?: Readonly<Record<string, number>>;
  /** Maps that another object has: descriptors by name. Names that this object does not have are passed over. */
  readonly shared?: ReadonlyMap<string, number>;
  /** New max_entries by map name. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** First bytes of read-only data sections by map name suffix, for example `.rodata.config`. */
  readonly data?: Readonly<Record<string, Uint8Array>>;
}

const BPF_PROG_RUN = 10;
/** Offsets of ctx_size_in and ctx_in, and the bytes up to batch_size. */
const RUN_CONTEXT_SIZE = 40, RUN_CONTEXT = 48, RUN_ATTRIBUTE_BYTES = 80;
/** Offsets of retval, data_size_in, data_in and repeat. */
const RUN_RESULT = 4, RUN_DATA_SIZE = 8, RUN_DATA = 16, RUN_REPEAT = 32;

/** A loaded object. */
export class BpfObject implements Disposable {
  readonly #bpf: Libbpf;
  readonly #shim: Shim;
  readonly #object: Pointer;
  readonly #maps: Map<string, BpfMap> = new Map();
  readonly #links: Set<Pointer> = new Set();
  #closed = false;

  private constructor(bpf: Libbpf, shim: Shim, object: Pointer) {
    this.#bpf = bpf;
    this.#shim = shim;
    this.#object = object;
  }

  /** Opens and loads. The bytes are parsed before this returns and need not outlive it. */
  static load(bpf: Libbpf, shim: Shim, image: Uint8Array, options: LoadOptions = {}): Result<BpfObject, LoadFailure> {
    takeMessages(shim);
    // SAFETY: libbpf copies what it keeps of the image; a null pointer comes with errno.
    const object = bpf.bpf_object__open_mem(ptr(image), image.length, null);
    if (object === null) return err({ errno: errnoName(shim.ag_errno()), log: takeMessages(shim) });
    const made = new BpfObject(bpf, shim, object);
    try {
      made.#prepare(options);
    } catch (error) {
      made[Symbol.dispose]();
      throw error;
    }
    const result = bpf.bpf_object__load(object);
    if (result !== 0) {
      const failure = { errno: errnoName(-result), log: takeMessages(shim) };
      made[Symbol.dispose]();
      return err(failure);
    }
    return ok(made);
  }

  /** Names of the maps that the object's own source declares, without those that the compiler made. */
  mapNames(): readonly string[] {
    const names: string[] = [];
    let map = this.#bpf.bpf_object__next_map(this.#object, null);
    while (map !== null) {
      const name = String(this.#bpf.bpf_map__name(map));
      if (!name.includes(".")) names.push(name);
      map = this.#bpf.bpf_object__next_map(this.#object, map);
    }
    return names;
  }

  /** A map by its name; throws `invariant` where the object has none. */
  map(name: string): BpfMap {
    const known = this.#maps.get(name);
    if (known !== undefined) return known;
    const map = this.#findMap(name);
    const made = new BpfMap(this.#bpf, name, this.#bpf.bpf_map__fd(map));
    this.#maps.set(name, made);
    return made;
  }

  /** The descriptor of a program, for whoever runs it without this object. */
  programFd(program: string): number {
    return this.#bpf.bpf_program__fd(this.#program(program));
  }

  /** Attaches a tracing program where its section says. */
  attach(program: string): Result<BpfLink, string> {
    return this.#link(program, this.#bpf.bpf_program__attach(this.#program(program)));
  }

  /** Attaches a cgroup program to the cgroup that `cgroup_fd` is open on. */
  attachCgroup(program: string, cgroup_fd: number): Result<BpfLink, string> {
    return this.#link(program, this.#bpf.bpf_program__attach_cgroup(this.#program(program), cgroup_fd));
  }

  /** Makes an iterator's file: each read of it runs the program over all tasks. The caller closes it. */
  openIterator(program: string): Result<number, string> {
    const link = this.#link(program, this.#bpf.bpf_program__attach_iter(this.#program(program), null));
    if (!link.ok) return link;
    const fd = this.#bpf.bpf_iter_create(link.value.fd);
    link.value[Symbol.dispose]();
    return fd >= 0 ? ok(fd) : err(`create iterator ${program}: ${errnoName(-fd)}`);
  }

  /** Runs a `syscall` program once, on this thread; it may change `context`, which is at least as long as it needs. */
  run(program: string, context: Uint8Array): Result<void, string> {
    // union bpf_attr of BPF_PROG_RUN, include/uapi/linux/bpf.h
    const attributes = new DataView(new ArrayBuffer(RUN_ATTRIBUTE_BYTES));
    attributes.setUint32(0, this.#bpf.bpf_program__fd(this.#program(program)), true);
    attributes.setUint32(RUN_CONTEXT_SIZE, context.length, true);
    attributes.setBigUint64(RUN_CONTEXT, BigInt(ptr(context)), true);
    // SAFETY: both buffers outlive the call; the kernel writes `context.length` bytes back.
    const system = new SystemCalls(this.#shim);
    const result = system.call("bpf", BPF_PROG_RUN, Number(ptr(attributes)), attributes.byteLength);
    return result < 0 ? err(`${errnoName(-result)}: run ${program}`) : ok(undefined);
  }

  /**
   * Runs a program for packets once on `packet`, which begins with the 14 bytes of an Ethernet header; returns what the
   * program returns. The packet goes nowhere.
   */
  runPacket(program: string, packet: Uint8Array): Result<number, string> {
    // union bpf_attr of BPF_PROG_RUN, include/uapi/linux/bpf.h
    const attributes = new DataView(new ArrayBuffer(RUN_ATTRIBUTE_BYTES));
    attributes.setUint32(0, this.#bpf.bpf_program__fd(this.#program(program)), true);
    attributes.setUint32(RUN_DATA_SIZE, packet.length, true);
    attributes.setBigUint64(RUN_DATA, BigInt(ptr(packet)), true);
    attributes.setUint32(RUN_REPEAT, 1, true);
    // SAFETY: the kernel copies `packet.length` bytes and writes its answer into the attributes.
    const system = new SystemCalls(this.#shim);
    const result = system.call("bpf", BPF_PROG_RUN, Number(ptr(attributes)), attributes.byteLength);
    return result < 0 ? err(`${errnoName(-result)}: run ${program}`) : ok(attributes.getInt32(RUN_RESULT, true));
  }

  /** Detaches everything, unloads, closes the maps. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.#links) this.#bpf.bpf_link__destroy(link);
    this.#links.clear();
    this.#bpf.bpf_object__close(this.#object);
  }

  #prepare(options: LoadOptions): void {
    if (options.programs !== undefined) {
      const wanted = new Set(options.programs);
      let program = this.#bpf.bpf_object__next_program(this.#object, null);
      while (program !== null) {
        this.#bpf.bpf_program__set_autoload(program, wanted.has(String(this.#bpf.bpf_program__name(program))));
        program = this.#bpf.bpf_object__next_program(this.#object, program);
      }
    }
    for (const [name, type] of Object.entries(options.attach_types ?? {})) {
      const result = this.#bpf.bpf_program__set_expected_attach_type(this.#program(name), type);
      if (result !== 0) throw new AgentguardError("io", `say where ${name} attaches: ${errnoName(-result)}`);
    }
    if (options.shared !== undefined) this.#share(options.shared);
    for (const [name, entries] of Object.entries(options.sizes ?? {})) {
      this.#bpf.bpf_map__set_max_entries(this.#findMap(name), entries);
    }
    for (const [suffix, bytes] of Object.entries(options.data ?? {})) this.#setData(suffix, bytes);
  }

  #share(shared: ReadonlyMap<string, number>): void {
    let map = this.#bpf.bpf_object__next_map(this.#object, null);
    while (map !== null) {
      const name = String(this.#bpf.bpf_map__name(map));
      const fd = shared.get(name);
      // libbpf duplicates the descriptor.
      const result = fd === undefined ? 0 : this.#bpf.bpf_map__reuse_fd(map, fd);
      if (result !== 0) throw new AgentguardError("io", `share the BPF map ${name}: ${errnoName(-result)}`);
      map = this.#bpf.bpf_object__next_map(this.#object, map);
    }
  }

  #setData(suffix: string, bytes: Uint8Array): void {
    let map = this.#bpf.bpf_object__next_map(this.#object, null);
    while (map !== null) {
      if (String(this.#bpf.bpf_map__name(map)).endsWith(suffix)) {
        const size = new BigUint64Array(1);
        const value = this.#bpf.bpf_map__initial_value(map, ptr(size));
        if (value === null || Number(size[0]) < bytes.length) break;
        // SAFETY: libbpf owns the section until load, `size` bytes long; we write inside it.
        new Uint8Array(toArrayBuffer(value, 0, bytes.length)).set(bytes);
        return;
      }
      map = this.#bpf.bpf_object__next_map(this.#object, map);
    }
    throw new AgentguardError("invariant", `set BPF data ${suffix}: no such section of that size`);
  }

  #findMap(name: string): Pointer {
    const bytes = Buffer.from(`${name}\0`);
    const map = this.#bpf.bpf_object__find_map_by_name(this.#object, ptr(bytes));
    if (map === null) throw new AgentguardError("invariant", `find map ${name}: the object has none`);
    return map;
  }

  #program(name: string): Pointer {
    const bytes = Buffer.from(`${name}\0`);
    const program = this.#bpf.bpf_object__find_program_by_name(this.#object, ptr(bytes));
    if (program === null) throw new AgentguardError("invariant", `find program ${name}: the object has none`);
    return program;
  }

  #link(program: string, link: Pointer | null): Result<BpfLink, string> {
    if (link === null) {
      return err(`attach ${program}: ${errnoName(this.#shim.ag_errno())} ${takeMessages(this.#shim)}`.trim());
    }
    this.#links.add(link);
    const bpf = this.#bpf;
    const links = this.#links;
    return ok({
      fd: bpf.bpf_link__fd(link),
      [Symbol.dispose](): void {
        if (links.delete(link)) bpf.bpf_link__destroy(link);
      },
    });
  }
}

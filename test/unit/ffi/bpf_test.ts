import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  BpfObject,
  Epoll,
  type Libbpf,
  openLibbpf,
  openShim,
  probeImage,
  RingMemory,
  type Shim,
  SystemCalls,
  takeMessages,
} from "../../../ffi/mod.ts";
import { AgConfig } from "../../../probes/abi.gen.ts";
import { IS_ROOT, PYTHON, REPOSITORY, run, TempDir } from "../../support/mod.ts";
import { freed, ownBpfObjects } from "./own_objects.ts";

/** On a busy machine this takes longer than the default of five seconds. */
setDefaultTimeout(60_000);

const RING_BYTES = 16_384;
const HEADER_BYTES = 8;

/** A process that calls getppid as often as it is told. */
class Caller implements AsyncDisposable {
  readonly #child = Bun.spawn([
    PYTHON,
    "-I",
    "-S",
    "-c",
    `
import os, sys
for line in sys.stdin:
    for _ in range(int(line)): os.getppid()
    print("done", flush=True)
`,
  ], { stdin: "pipe", stdout: "pipe" });
  readonly #reader = this.#child.stdout.getReader();

  get pid(): number {
    return this.#child.pid;
  }

  async call(count: number): Promise<void> {
    void this.#child.stdin.write(`${count}\n`); // `flush` waits for it
    await this.#child.stdin.flush();
    await this.#reader.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    void this.#child.stdin.end(); // its exit, awaited next, is what matters
    await this.#child.exited;
  }
}

let shim: Shim;
let bpf: Libbpf;
let system: SystemCalls;
let dir: TempDir;
let image: Uint8Array;

beforeAll(async () => {
  shim = openShim();
  bpf = openLibbpf(shim);
  system = new SystemCalls(shim);
  dir = await TempDir.create();
  const arch = process.arch === "x64" ? "x86" : "arm64";
  const done = await run([
    "clang",
    ...["-O2", "-g", "-target", "bpf", "-mcpu=v3", `-D__TARGET_ARCH_${arch}`, "-Wall", "-Werror"],
    `-I${join(REPOSITORY, "probes/include")}`,
    "-c",
    join(import.meta.dir, "fixtures/ring.bpf.c"),
    "-o",
    dir.join("ring.o"),
  ]);
  if (done.exit_code !== 0) throw new Error(done.stderr);
  image = new Uint8Array(readFileSync(dir.join("ring.o")));
});

afterAll(async () => {
  await dir[Symbol.asyncDispose]();
});

function load(pid: number, options: Parameters<typeof BpfObject.load>[3] = {}): BpfObject {
  const config = new Uint8Array(AgConfig.SIZE);
  new DataView(config.buffer).setUint32(AgConfig.self, pid, true);
  const loaded = BpfObject.load(bpf, shim, image, {
    sizes: { ring: RING_BYTES },
    data: { ".rodata.config": config },
    ...options,
  });
  if (!loaded.ok) throw new Error(`${loaded.error.errno}: ${loaded.error.log}`);
  return loaded.value;
}

function attach(object: BpfObject): Disposable {
  const link = object.attach("on_enter");
  if (!link.ok) throw new Error(link.error);
  return link.value;
}

const key = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const word = (value: bigint): Uint8Array => new Uint8Array(new BigUint64Array([value]).buffer);

function valueOf(object: BpfObject, map: string, at: number): bigint | undefined {
  const value = new BigUint64Array(1);
  return object.map(map).lookup(key(at), new Uint8Array(value.buffer)) ? value[0] : undefined;
}

/** Reads what is there; checks that each record is whole and gives their numbers. */
function drain(ring: RingMemory): number[] {
  const seen: number[] = [];
  const end = ring.produced();
  for (let at = ring.next(end); at >= 0; at = ring.next(end)) {
    const n = Number(ring.view.getBigUint64(at, true));
    for (let i = 0; i <= n % 64; i++) expect(Number(ring.view.getBigUint64(at + i * 8, true))).toBe(n);
    seen.push(n);
    ring.advance();
  }
  ring.release();
  return seen;
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("ring memory", () => {
  test("every record comes once, whole and in order, around the end of the ring many times", async () => {
    await using caller = new Caller();
    using object = load(caller.pid);
    using _link = attach(object);
    using ring = new RingMemory(system, shim, { fd: object.map("ring").fd, size: RING_BYTES });
    const seen: number[] = [];
    for (let round = 0; round < 60; round++) {
      await caller.call(20 + (round % 7));
      seen.push(...drain(ring));
    }
    const sent = Number(valueOf(object, "counts", 0));
    expect(sent).toBeGreaterThan(1_200);
    expect(seen).toEqual(Array.from({ length: sent }, (_, i) => i));
    expect(valueOf(object, "counts", 1)).toBe(0n);
    expect(ring.position).toBeGreaterThan(RING_BYTES * 10);
    expect(ring.pendingBytes()).toBe(0);
  });

  test("a full ring refuses; releasing gives the room back", async () => {
    await using caller = new Caller();
    using object = load(caller.pid);
    using _link = attach(object);
    using ring = new RingMemory(system, shim, { fd: object.map("ring").fd, size: RING_BYTES });
    await caller.call(500);
    const refused = Number(valueOf(object, "counts", 1));
    expect(refused).toBeGreaterThan(100);
    expect(ring.pendingBytes()).toBeLessThanOrEqual(RING_BYTES);
    const end = ring.produced();
    let read = 0;
    for (let at = ring.next(end); at >= 0; at = ring.next(end)) {
      read++;
      ring.advance();
    }
    expect(read).toBe(500 - refused);
    // Read, but not released: still full.
    await caller.call(1);
    expect(Number(valueOf(object, "counts", 1))).toBe(refused + 1);
    ring.release();
    await caller.call(1);
    expect(Number(valueOf(object, "counts", 1))).toBe(refused + 1);
    expect(drain(ring)).toEqual([501]);
  });

  test("a second reader goes on where the first one released", async () => {
    await using caller = new Caller();
    using object = load(caller.pid);
    using _link = attach(object);
    const map = { fd: object.map("ring").fd, size: RING_BYTES };
    await caller.call(3);
    {
      using first = new RingMemory(system, shim, map);
      const end = first.produced();
      expect(first.next(end)).toBe(HEADER_BYTES);
      first.advance();
      first.release();
      first.next(end);
    }
    using second = new RingMemory(system, shim, map);
    expect(drain(second)).toEqual([1, 2]);
  });

  test("a record ends an epoll's wait", async () => {
    await using caller = new Caller();
    using object = load(caller.pid);
    using _link = attach(object);
    using epoll = new Epoll(system);
    epoll.add(object.map("ring").fd);
    await caller.call(1);
    epoll.wait(-1);
    using ring = new RingMemory(system, shim, { fd: object.map("ring").fd, size: RING_BYTES });
    expect(drain(ring)).toEqual([0]);
  });

  test("a descriptor that is no ring is refused with the step", () => {
    const fd = openSync("/dev/null", constants.O_RDWR);
    try {
      expect(() => new RingMemory(system, shim, { fd, size: 4096 })).toThrow(/map ring .*: mmap failed with E/);
    } finally {
      closeSync(fd);
    }
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("maps", () => {
  test("write, read, list, remove", () => {
    using object = load(1);
    const map = object.map("pairs");
    expect([map.key_bytes, map.value_bytes, map.max_entries]).toEqual([4, 8, 2]);
    expect(valueOf(object, "pairs", 1)).toBeUndefined();
    expect(map.keys()).toEqual([]);
    map.update(key(1), word(0xffff_ffff_ffff_ffffn));
    map.update(key(7), word(2n));
    expect(valueOf(object, "pairs", 1)).toBe(0xffff_ffff_ffff_ffffn);
    expect(map.keys().map((each) => each[0] ?? 0).sort()).toEqual([1, 7]);
    expect([map.remove(key(1)), map.remove(key(1))]).toEqual([true, false]);
    expect(map.keys().map((each) => [...each])).toEqual([[7, 0, 0, 0]]);
  });

  test("a full map is an overflow that names it", () => {
    using object = load(1);
    const map = object.map("pairs");
    map.update(key(1), word(1n));
    map.update(key(2), word(1n));
    expect(() => map.update(key(3), word(1n))).toThrow(expect.objectContaining({ code: "overflow" }));
    expect(() => map.update(key(3), word(1n))).toThrow("write to map pairs (2 entries): E2BIG");
  });

  test("a key or a value of the wrong size never reaches the kernel", () => {
    using object = load(1);
    const map = object.map("pairs");
    expect(() => map.lookup(new Uint8Array(3), new Uint8Array(8))).toThrow("key of 3 bytes, not 4");
    expect(() => map.remove(new Uint8Array(5))).toThrow("key of 5 bytes, not 4");
    expect(() => map.lookup(key(1), new Uint8Array(7))).toThrow("value of 7 bytes, not 8");
    expect(() => map.update(key(1), new Uint8Array(4))).toThrow("value of 4 bytes, not 8");
  });

  test("a map that the object does not have is named", () => {
    using object = load(1);
    expect(() => object.map("nothing")).toThrow("find map nothing: the object has none");
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("objects", () => {
  test("configuration that is written before the load is what the programs see", async () => {
    await using caller = new Caller();
    await using other = new Caller();
    using object = load(caller.pid);
    using _link = attach(object);
    await other.call(10);
    expect(valueOf(object, "counts", 0)).toBe(0n);
    await caller.call(10);
    expect(valueOf(object, "counts", 0)).toBe(10n);
  });

  test("a program is attached until its link is disposed, twice being once", async () => {
    await using caller = new Caller();
    using object = load(caller.pid);
    const link = attach(object);
    await caller.call(1);
    link[Symbol.dispose]();
    link[Symbol.dispose]();
    await caller.call(5);
    expect(valueOf(object, "counts", 0)).toBe(1n);
  });

  test("programs that are left out are not loaded", () => {
    using object = load(1, { programs: [] });
    const link = object.attach("on_enter");
    expect(link.ok).toBe(false);
  });

  test.each([
    ["no ELF file", new Uint8Array(64)],
    ["nothing", new Uint8Array(1)],
    ["a cut ELF file", undefined],
  ])("%s is a failure with an errno, not an exception", (_, bytes) => {
    const loaded = BpfObject.load(bpf, shim, bytes ?? image.slice(0, 4_000));
    expect(loaded.ok).toBe(false);
    expect(!loaded.ok && loaded.error.errno).toMatch(/^E[A-Z]+|errno \d+$/);
  });

  test("a load that the kernel refuses says why, on this thread and once", () => {
    const loaded = BpfObject.load(bpf, shim, image, { sizes: { pairs: 0 } });
    expect(loaded.ok).toBe(false);
    expect(!loaded.ok && loaded.error).toMatchObject({ errno: "EINVAL", log: expect.stringContaining("pairs") });
    expect(takeMessages(shim)).toBe("");
  });

  test("a section or a map that is not there is named, and nothing of the object is left", async () => {
    const before = ownBpfObjects();
    expect(() => load(1, { data: { ".rodata.nothing": new Uint8Array(1) } })).toThrow("set BPF data .rodata.nothing");
    expect(() => load(1, { sizes: { nothing: 1 } })).toThrow("find map nothing");
    expect(() => load(1, { data: { ".rodata.config": new Uint8Array(100_000) } })).toThrow("no such section");
    expect(ownBpfObjects()).toEqual(before);
  });

  test("disposing removes programs, maps and links", async () => {
    const before = ownBpfObjects();
    const object = load(1);
    attach(object);
    const during = [...ownBpfObjects()].filter((id) => !before.has(id));
    expect(during.filter((id) => id.startsWith("link "))).toHaveLength(1);
    expect(during.filter((id) => id.startsWith("prog "))).toHaveLength(1);
    expect(during.filter((id) => id.startsWith("map ")).length).toBeGreaterThan(3);
    object[Symbol.dispose]();
    object[Symbol.dispose]();
    expect(ownBpfObjects()).toEqual(before);
    await freed(during);
  });

  test("the embedded probes are a BPF object of this build", () => {
    const bytes = probeImage();
    expect([...bytes.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
    expect(new DataView(bytes.buffer).getUint16(18, true)).toBe(247); // EM_BPF
  });
});

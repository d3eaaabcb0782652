/**
 * Decoding one record of each common kind. Run with `bun test/bench/decode_bench.ts`; asserts nothing about time. The
 * baseline of the same run is reading the record's numbers and making its two strings with `Buffer.toString` alone.
 */
import { bench, do_not_optimize, group, run } from "mitata";
import { AgAbi, AgFlag, AgOpen, AgRecord } from "../../probes/abi.gen.ts";
import { Decoder } from "../../lib/decode/mod.ts";
import { closeRecord, execRecord, exitRecord, netRecord, openRecord, pathRecord } from "../unit/decode/records.ts";

/** Records in one ring: many, as in real life, so that one record does not stay in the nearest cache. */
const RECORDS = 4_096;
const SLOT = 512;

/** A piece of ring memory with one kind of record. */
class Ring {
  readonly bytes: Uint8Array = new Uint8Array(SLOT * RECORDS);
  readonly view: DataView = new DataView(this.bytes.buffer);
  readonly sizes: readonly number[];
  #next = 0;

  constructor(make: (i: number) => Uint8Array) {
    this.sizes = Array.from({ length: RECORDS }, (_, i) => {
      const bytes = make(i);
      this.bytes.set(bytes, i * SLOT);
      return bytes.length;
    });
  }

  /** Index of the next record, around and around. */
  next(): number {
    const i = this.#next;
    this.#next = (i + 1) % RECORDS;
    return i;
  }
}

const path = (i: number): string => `/home/user/project/node_modules/pkg-${i % 97}/dist/file-${i}.js`;
const RINGS: Readonly<Record<string, Ring>> = {
  "open, absolute": new Ring((i) => openRecord({ path: path(i), requested: path(i) })),
  "open, relative": new Ring((i) => openRecord({ path: path(i), requested: `dist/file-${i}.js`, base: "/home/user" })),
  "open, failed": new Ring((i) =>
    openRecord({ path: "/home/user", requested: `x${i}.js`, result: -2, flags: AgFlag.BASE })
  ),
  "open, accents": new Ring((i) => openRecord({ path: `/h/\u00e9/${i}`, requested: `/h/\u00e9/${i}` })),
  close: new Ring((i) => closeRecord({ ino: BigInt(i), read_bytes: 4_096n })),
  delete: new Ring((i) => pathRecord({ action: 1, requested: path(i), flags: AgFlag.BASE })),
  connect: new Ring((i) => netRecord({ address: [10, 0, i >> 8, i & 255], result: 0, verdict: 1 })),
  exec: new Ring((i) => execRecord({ path: "/usr/bin/node", requested: "/usr/bin/node", cwd: path(i) })),
  exit: new Ring(() => exitRecord({ wait_status: 0 })),
};

group("decode", () => {
  for (const [name, ring] of Object.entries(RINGS)) {
    const decoder = new Decoder();
    bench(name, () => {
      const i = ring.next();
      do_not_optimize(decoder.decode(ring.view, ring.bytes, i * SLOT, ring.sizes[i] ?? 0));
    });
  }
  const ring = RINGS["open, relative"];
  if (ring === undefined) throw new Error("a ring expected");
  const text = Buffer.from(ring.bytes.buffer);
  bench("baseline: open, relative, by hand", () => {
    const at = ring.next() * SLOT;
    const view = ring.view;
    if (view.getUint8(at + AgRecord.abi) !== AgAbi.VERSION) throw new Error("abi");
    const first = at + AgOpen.SIZE;
    const second = first + view.getUint16(at + AgOpen.path_bytes, true);
    do_not_optimize({
      scope: view.getUint32(at + AgRecord.scope, true),
      time: view.getUint32(at + AgRecord.time_ns + 4, true) * 4_294_967.296,
      pid: view.getUint32(at + AgRecord.pid, true),
      path: text.toString("utf8", first, second),
      requested: text.toString("utf8", second, second + view.getUint16(at + AgOpen.requested_bytes, true)),
    });
  });
});

await run();

/** Kernel records written to memory one after the other, as a ring holds them, by the offsets of the generated ABI. */

import {
  AgAbi,
  AgClose,
  AgExec,
  AgExit,
  AgFork,
  AgNet,
  AgOp,
  AgOpen,
  AgPath,
  AgPathAction,
  AgRecord,
} from "../../probes/abi.gen.ts";

/** Records in memory. */
export interface RecordMemory {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** Offset and size of each record, in turn. */
  readonly places: Uint32Array;
  readonly count: number;
}

/** Makes every open in memory an open of a file that was not there before: as in a walk through a large tree. */
export function renumberFiles({ view, places, count }: RecordMemory): void {
  for (let i = 0; i < count; i++) {
    const at = places[2 * i] ?? 0;
    if (view.getUint16(at + AgRecord.op, true) !== AgOp.OPEN) continue;
    view.setUint32(at + AgOpen.ino, view.getUint32(at + AgOpen.ino, true) + FILES_STEP, true);
  }
}

/** The scope of every record. */
export const BENCH_SCOPE = 1;

const RECORDS = 20_000;
const BYTES_MAX = RECORDS * 512;
const PROCESSES = 8;
const FILES = 1_500;
const FILES_STEP = RECORDS;

/**
 * `opens`: nothing but opens that succeed, of a few files. `mixed`: what a build does. `walk`: opens, each of another
 * file; see `renumberFiles`.
 */
export type RecordKind = "opens" | "mixed" | "walk";

/** Writes 20,000 records of eight processes; the execs of these are the first. */
export function writeRecords(kind: RecordKind): RecordMemory {
  const writer = new RecordWriter();
  for (let i = 0; i < PROCESSES; i++) writer.exec(1_000 + i, `/usr/bin/tool${i}`, ["tool", "--flag", `input${i}.c`]);
  for (let i = 0; writer.count < RECORDS - 4; i++) {
    const pid = 1_000 + (i % PROCESSES);
    if (kind === "mixed") mixed(writer, pid, i);
    else writer.open(pid, i, { failed: false, file: kind === "walk" ? i : i % FILES });
  }
  return writer.finish();
}

/** Of 100 steps: 62 opens, 10 that fail, 15 reports of bytes, 8 changes by name, 3 connects, 2 children. */
function mixed(writer: RecordWriter, pid: number, i: number): void {
  const step = (i * 37) % 100;
  if (step < 62) writer.open(pid, i, { failed: false, file: i % FILES });
  else if (step < 72) writer.open(pid, i, { failed: true, file: i % FILES });
  else if (step < 87) writer.close(pid, i);
  else if (step < 95) writer.mkdir(pid, i);
  else if (step < 98) writer.connect(pid, i);
  else {
    const child = 5_000 + (i % 1_000);
    writer.fork(pid, child);
    writer.exec(child, "/usr/bin/cc1", ["cc1", "-quiet", `file${i % 100}.c`, "-o", `file${i % 100}.s`]);
    writer.exit(child);
  }
}

class RecordWriter {
  readonly #bytes = new Uint8Array(BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #places: number[] = [];
  readonly #encoder = new TextEncoder();
  #at = 0;

  get count(): number {
    return this.#places.length / 2;
  }

  finish(): RecordMemory {
    return { view: this.#view, bytes: this.#bytes, places: Uint32Array.from(this.#places), count: this.count };
  }

  open(pid: number, i: number, { failed, file }: { readonly failed: boolean; readonly file: number }): void {
    const path = pathOf(i);
    const requested = i % 3 === 0 ? path : path.slice(path.lastIndexOf("/") + 1);
    const sizes = this.#put(AgOp.OPEN, AgOpen.SIZE, { pid, tail: [path, requested] });
    const at = this.#at;
    this.#view.setUint32(at + AgOpen.ino, 10_000 + file, true);
    this.#view.setUint32(at + AgOpen.dev, 0x800001, true);
    this.#view.setInt32(at + AgOpen.result, failed ? -2 : 3, true);
    this.#view.setUint16(at + AgOpen.path_bytes, sizes[0] ?? 0, true);
    this.#view.setUint16(at + AgOpen.requested_bytes, sizes[1] ?? 0, true);
    this.#end();
  }

  close(pid: number, i: number): void {
    this.#put(AgOp.CLOSE, AgClose.SIZE, { pid, tail: [] });
    const at = this.#at;
    this.#view.setUint32(at + AgClose.ino, 10_000 + i % FILES, true);
    this.#view.setUint32(at + AgClose.dev, 0x800001, true);
    this.#view.setUint32(at + AgClose.fd, 3, true);
    this.#view.setUint32(at + AgClose.read_bytes, 4_096, true);
    this.#end();
  }

  mkdir(pid: number, i: number): void {
    const sizes = this.#put(AgOp.PATH, AgPath.SIZE, { pid, tail: [pathOf(i), ""] });
    this.#view.setUint32(this.#at + AgPath.action, AgPathAction.MKDIR, true);
    this.#view.setUint32(this.#at + AgPath.mode, 0o755, true);
    this.#view.setUint16(this.#at + AgPath.path_bytes, sizes[0] ?? 0, true);
    this.#end();
  }

  connect(pid: number, i: number): void {
    this.#put(AgOp.NET, AgNet.SIZE, { pid, tail: [] });
    const at = this.#at;
    this.#bytes.set([203, 0, 113, i & 255], at + AgNet.address);
    this.#view.setUint16(at + AgNet.port, 443, true);
    this.#view.setUint8(at + AgNet.family, 4);
    this.#view.setUint8(at + AgNet.protocol, 6);
    this.#view.setInt32(at + AgNet.rule_index, -1, true);
    this.#view.setUint32(at + AgNet.generation, 1, true);
    this.#end();
  }

  fork(pid: number, child: number): void {
    this.#put(AgOp.FORK, AgFork.SIZE, { pid, tail: [] });
    this.#view.setUint32(this.#at + AgFork.child_pid, child, true);
    this.#view.setUint32(this.#at + AgFork.child_start_ns, child, true);
    this.#view.setUint32(this.#at + AgFork.uid, 1_000, true);
    this.#end();
  }

  exec(pid: number, path: string, argv: readonly string[]): void {
    const text = argv.map((argument) => `${argument}\0`).join("");
    const sizes = this.#put(AgOp.EXEC, AgExec.SIZE, {
      pid,
      tail: [path, "/home/user/project", path, "bench/s1", text],
    });
    const at = this.#at;
    const fields = [AgExec.path_bytes, AgExec.cwd_bytes, AgExec.requested_bytes, AgExec.cgroup_bytes];
    fields.forEach((field, n) => this.#view.setUint16(at + field, sizes[n] ?? 0, true));
    this.#view.setUint32(at + AgExec.argv_bytes, sizes[4] ?? 0, true);
    this.#view.setUint32(at + AgExec.argv_bytes_total, sizes[4] ?? 0, true);
    this.#view.setUint32(at + AgExec.ppid, 1, true);
    this.#view.setUint32(at + AgExec.uid, 1_000, true);
    this.#view.setInt32(at + AgExec.rule_index, -1, true);
    this.#view.setUint32(at + AgExec.generation, 1, true);
    this.#view.setInt32(at + AgExec.agent_index, -1, true);
    this.#end();
  }

  exit(pid: number): void {
    this.#put(AgOp.EXIT, AgExit.SIZE, { pid, tail: [] });
    this.#end();
  }

  /** Writes the header and the tail; the fields between them are the caller's. Returns the tail's sizes. */
  #put(
    op: number,
    size: number,
    { pid, tail }: { readonly pid: number; readonly tail: readonly string[] },
  ): readonly number[] {
    const view = this.#view;
    const at = this.#at;
    let end = at + size;
    const sizes = tail.map((text) => {
      const { written } = this.#encoder.encodeInto(text, this.#bytes.subarray(end));
      end += written;
      return written;
    });
    view.setUint32(at + AgRecord.size, end - at, true);
    view.setUint16(at + AgRecord.op, op, true);
    view.setUint8(at + AgRecord.abi, AgAbi.VERSION);
    view.setUint32(at + AgRecord.scope, BENCH_SCOPE, true);
    view.setUint32(at + AgRecord.seq, this.count, true);
    view.setUint32(at + AgRecord.time_ns, 1_000 + this.count, true);
    view.setUint32(at + AgRecord.pid, pid, true);
    view.setUint32(at + AgRecord.tid, pid, true);
    view.setUint32(at + AgRecord.start_ns, pid, true);
    this.#places.push(at, end - at);
    return sizes;
  }

  /** The next record begins at a multiple of eight, as in a ring. */
  #end(): void {
    this.#at = (this.#at + this.#view.getUint32(this.#at + AgRecord.size, true) + 7) & ~7;
  }
}

/** A path as a build opens them: some deep, some shallow, `FILES` different ones. */
function pathOf(i: number): string {
  const n = i % FILES;
  if (n % 5 === 0) return `/usr/include/x86_64-linux-gnu/bits/header${n}.h`;
  return `/home/user/project/node_modules/package${n % 60}/lib/module${n}.js`;
}

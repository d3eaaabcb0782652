import { describe, expect, test } from "bun:test";
import { AgAbi, AgExec, AgFlag, AgOp, AgRecord, AgVerdict } from "../../../probes/abi.gen.ts";
import type { Observed } from "../../../lib/core/mod.ts";
import { Decoder } from "../../../lib/decode/mod.ts";
import { decodeOne, verdictOf } from "./decode_one.ts";
import {
  argvBytes,
  bytesOf,
  closeRecord,
  coverageRecord,
  execArgsRecord,
  execFailedRecord,
  execRecord,
  exitRecord,
  forkRecord,
  moveRecord,
  netRecord,
  openRecord,
  pathRecord,
  record,
  scopeRecord,
  unixRecord,
} from "./records.ts";

const EVERY: Readonly<Record<string, Uint8Array>> = {
  exec: execRecord(),
  exec_failed: execFailedRecord({ result: -2, requested: "/x" }),
  fork: forkRecord({ child_pid: 5, child_start_ns: 6n }),
  exit: exitRecord({ wait_status: 0 }),
  open: openRecord(),
  close: closeRecord(),
  path: pathRecord({ action: 1, path: "/a", requested: "b", flags: AgFlag.BASE }),
  move: moveRecord({ action: 1, requested: "/a", new_requested: "/b", flags: AgFlag.BASE | AgFlag.BASE2 }),
  net: netRecord({ address: [127, 0, 0, 1] }),
  unix: unixRecord({ path: "/run/s" }),
  coverage: coverageRecord({ kind: 1 }),
  scope: scopeRecord({ kind: 1, path: "/a" }),
};

describe("header", () => {
  test("a record by its literal bytes", () => {
    const hex = "38000000" + "0500" + "03" + "00" + "02000000" + "07000000" + // size, op, abi, flags, cpu, scope
      "0300000000000000" + "dcf7052a01000000" + // seq, time_ns
      "92100000" + "93100000" + "0500000001000000" + // pid, tid, start_ns
      "002a0000" + "00000000"; // wait_status, reserved
    expect(decodeOne(Uint8Array.fromHex(hex))).toEqual({
      scope: 7,
      boot_us: 5_000_001.5,
      pid: 4242,
      tid: 4243,
      start_low: 5,
      start_high: 1,
      action: { type: "process.exit", exit_code: 42 },
      facts: { kind: "exit" },
    });
  });

  test.each(Object.entries(EVERY))(
    "%s: the acting process, the scope and the time come from the header",
    (_, bytes) => {
      expect(decodeOne(bytes)).toMatchObject({
        scope: 7,
        pid: 4242,
        tid: 4243,
        start_low: 5,
        start_high: 1,
        boot_us: 5_000_001.5,
      });
    },
  );

  test.each(Object.entries(EVERY))("%s: another ABI version is refused", (_, bytes) => {
    const copy = bytes.slice();
    copy[AgRecord.abi] = AgAbi.VERSION + 1;
    expect(verdictOf(copy)).toBe("abi");
  });

  test.each(Object.entries(EVERY))("%s: cut below its fixed part it is refused", (_, bytes) => {
    const copy = bytes.slice(0, AgRecord.SIZE);
    new DataView(copy.buffer).setUint32(AgRecord.size, copy.length, true);
    expect(verdictOf(copy)).toBe("short");
  });

  test.each(Object.entries(EVERY))("%s: a size beyond the memory is refused", (_, bytes) => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(AgRecord.size, copy.length + 1, true);
    expect(verdictOf(copy)).toBe("size");
  });

  test("a size below the header is refused", () => {
    const copy = exitRecord({ wait_status: 0 });
    new DataView(copy.buffer).setUint32(AgRecord.size, AgRecord.SIZE - 1, true);
    expect(verdictOf(copy)).toBe("size");
  });

  test.each([0, AgOp.COUNT, 99, 65_535])("record type %d is refused", (op) => {
    expect(verdictOf(record(op, AgRecord.SIZE, {}))).toBe("op");
  });

  test("fewer bytes than a header, or none, is short", () => {
    expect(verdictOf(new Uint8Array(AgRecord.SIZE - 1))).toBe("short");
    expect(verdictOf(new Uint8Array(0))).toBe("short");
  });

  test("padding that the ring added is not part of the record", () => {
    const bytes = openRecord({ path: "/a/b", requested: "b" });
    const padded = new Uint8Array(bytes.length + 7).fill(0x78);
    padded.set(bytes);
    expect(decodeOne(padded)).toEqual(decodeOne(bytes));
  });

  test("a record in the middle of the memory is read from its offset", () => {
    const bytes = exitRecord({ wait_status: 9 });
    const memory = new Uint8Array(1000).fill(0xee);
    memory.set(bytes, 504);
    const result = new Decoder().decode(new DataView(memory.buffer), memory, 504, bytes.length);
    expect(result.ok && result.value?.action).toEqual({ type: "process.exit", signal: 9 });
  });
});

/** An argv of `bytes` bytes, and the records that carry it. */
function longExec(bytes: number, pid = 4242): { readonly argv: string[]; readonly records: Uint8Array[] } {
  const argv: string[] = [];
  for (let left = bytes; left > 0;) {
    const length = Math.min(left, 101);
    argv.push("abcdefghij".repeat(11).slice(0, length - 1));
    left -= length;
  }
  const blob = argvBytes(argv);
  const head = execRecord({ pid, argv: blob.slice(0, 4096), argv_total: blob.length, flags: AgFlag.ARGS_MORE });
  const records = [head];
  for (let offset = 4096; offset < blob.length; offset += 15_360) {
    const piece = blob.slice(offset, offset + 15_360);
    records.push(execArgsRecord({ pid, offset, argv: piece, last: offset + piece.length >= blob.length }));
  }
  return { argv, records };
}

function feed(decoder: Decoder, records: readonly Uint8Array[]): (Observed | undefined)[] {
  return records.map((bytes) => {
    const result = decoder.decode(new DataView(bytes.buffer), bytes, 0, bytes.length);
    if (!result.ok) throw new Error(result.error.reason);
    return result.value;
  });
}

describe("long argument lists", () => {
  test.each([4_097, 4_096 + 15_360, 4_096 + 15_361, 65_535])("%d bytes are joined at the last piece", (bytes) => {
    const { argv, records } = longExec(bytes);
    const decoded = feed(new Decoder(), records);
    expect(decoded.slice(0, -1).every((each) => each === undefined)).toBe(true);
    expect(decoded.at(-1)?.action).toEqual({ type: "exec", path: "/usr/bin/true", argv, cwd: "/w" });
    expect(decoded.at(-1)).toMatchObject({ pid: 4242, scope: 7, facts: { kind: "exec", exe: "/usr/bin/true" } });
  });

  test("the pieces of two processes that exec in the same nanosecond do not mix", () => {
    const a = longExec(9_000, 100);
    const b = longExec(8_000, 200);
    const decoded = feed(new Decoder(), [...a.records.slice(0, 1), ...b.records, ...a.records.slice(1)]);
    const ended = decoded.filter((each) => each !== undefined);
    expect(ended.map((each) => each.pid)).toEqual([200, 100]);
    expect(ended.map((each) => each.action)).toMatchObject([{ argv: b.argv }, { argv: a.argv }]);
  });

  test("the kernel's verdict survives the joining", () => {
    const blob = argvBytes(["a".repeat(5000)]);
    const head = execRecord({
      argv: blob.slice(0, 4096),
      argv_total: blob.length,
      flags: AgFlag.ARGS_MORE,
      verdict: AgVerdict.DENY,
      rule_index: 3,
      generation: 8,
    });
    const tail = execArgsRecord({ offset: 4096, argv: blob.slice(4096), last: true });
    expect(feed(new Decoder(), [head, tail])[1]?.kernel).toEqual({
      verdict: "deny",
      rule_index: 3,
      generation: 8,
      effect: "killed",
    });
  });

  test("a lost piece in the middle: the exec is told at once, cut there and flagged", () => {
    const { records } = longExec(40_000);
    const decoder = new Decoder();
    const [head, , third] = records;
    if (head === undefined || third === undefined) throw new Error("three records expected");
    const decoded = feed(decoder, [head, third]);
    const action = decoded[1]?.action;
    expect(action).toMatchObject({ type: "exec", flags: ["args_truncated"] });
    expect(action?.type === "exec" && argvBytes(action.argv).length).toBeLessThanOrEqual(4097);
    // What comes after belongs to nothing.
    expect(records.slice(3).map((bytes) => verdictOf(bytes, decoder))).toEqual(["field"]);
  });

  test("a last piece that could not be read: flagged", () => {
    const { records } = longExec(9_000);
    const empty = execArgsRecord({ offset: 4096, argv: new Uint8Array(0), last: true });
    const decoded = feed(new Decoder(), [...records.slice(0, 1), empty]);
    expect(decoded[1]?.action).toMatchObject({ flags: ["args_truncated"] });
  });

  test("a lost last piece: the exec is told after three batches", () => {
    const decoder = new Decoder();
    feed(decoder, longExec(9_000).records.slice(0, 1));
    const told: Observed[] = [];
    for (const expected of [0, 0, 1, 1]) {
      decoder.endBatch((each) => told.push(each));
      expect(told).toHaveLength(expected);
    }
    expect(told[0]).toMatchObject({ pid: 4242, action: { type: "exec", flags: ["args_truncated"] } });
  });

  test("at the end every exec that waits is told", () => {
    const decoder = new Decoder();
    feed(decoder, [...longExec(9_000, 1).records.slice(0, 1), ...longExec(9_000, 2).records.slice(0, 1)]);
    const told: Observed[] = [];
    decoder.finish((each) => told.push(each));
    decoder.finish((each) => told.push(each));
    expect(told.map((each) => each.pid)).toEqual([1, 2]);
  });

  test("at most 256 wait; the oldest is told, not dropped", () => {
    const decoder = new Decoder();
    const heads = Array.from({ length: 258 }, (_, i) => longExec(5_000, i + 1).records[0] ?? new Uint8Array());
    const told = feed(decoder, heads).filter((each) => each !== undefined);
    expect(told.map((each) => each.pid)).toEqual([1, 2]);
    expect(told[0]?.action).toMatchObject({ type: "exec", flags: ["args_truncated"] });
  });

  test("a piece without its exec is refused", () => {
    expect(verdictOf(execArgsRecord({ offset: 4096, argv: bytesOf("x"), last: true }))).toBe("field");
  });

  test("pieces beyond the limit do not accumulate", () => {
    const decoder = new Decoder();
    const piece = new Uint8Array(100).fill(0x61);
    const head = execRecord({ argv: new Uint8Array(100).fill(0x61), flags: AgFlag.ARGS_MORE, argv_total: 60_000 });
    const more = [1, 2, 3, 4].map((n) => execArgsRecord({ offset: n * 100, argv: piece, last: false }));
    const decoded = feed(decoder, [head, ...more]);
    expect(decoded.map((each) => each !== undefined)).toEqual([false, false, false, false, true]);
    expect(decoded[4]?.action).toMatchObject({ flags: ["args_truncated"] });
  });

  test("a record does not keep the ring's memory: its argv survives being overwritten", () => {
    const { argv, records } = longExec(9_000);
    const decoder = new Decoder();
    const memory = new Uint8Array(32_768);
    const view = new DataView(memory.buffer);
    let last: Observed | undefined;
    for (const bytes of records) {
      memory.set(bytes);
      const result = decoder.decode(view, memory, 0, bytes.length);
      last = result.ok ? result.value : undefined;
      memory.fill(0xff);
    }
    expect(last?.action).toMatchObject({ argv });
  });

  test("argv bytes beyond the record are not read", () => {
    const bytes = execRecord({ argv: argvBytes(["a", "b"]) });
    new DataView(bytes.buffer).setUint32(AgExec.argv_bytes, 1_000_000, true);
    expect(decodeOne(bytes).action).toMatchObject({ argv: ["a", "b"] });
  });
});

/** Decoding is total on any bytes, and gives back what a record was made of. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { AgAbi, AgFlag, AgLimit, AgOp, AgRecord } from "../../probes/abi.gen.ts";
import { LIMITS, startText } from "../../lib/core/mod.ts";
import { Decoder } from "../../lib/decode/mod.ts";
import { decodeOne } from "../unit/decode/decode_one.ts";
import {
  argvBytes,
  closeRecord,
  execArgsRecord,
  execRecord,
  exitRecord,
  forkRecord,
  netRecord,
  openRecord,
} from "../unit/decode/records.ts";
import { runParameters } from "./task_support.ts";

/** On a busy machine this takes longer than the default of five seconds. */
setDefaultTimeout(60_000);

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const header = fc.record({ scope: fc.nat({ max: AgLimit.SCOPE_MASK }), cpu: u32, pid: u32, tid: u32, start_ns: u64 });
const name = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }).filter((text) => !/[/\0]/.test(text));
const path = fc.array(name.filter((text) => text !== "." && text !== ".."), { maxLength: 6 })
  .map((parts) => `/${parts.join("/")}`);

/** Bytes behind a header that passes the first checks, so that the decoders themselves are reached. */
const plausible = fc.tuple(fc.integer({ min: 0, max: AgOp.COUNT }), fc.uint8Array({ maxLength: 400 })).map(
  ([op, body]) => {
    const bytes = new Uint8Array(AgRecord.SIZE + body.length);
    bytes.set(body, AgRecord.SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(AgRecord.size, bytes.length, true);
    view.setUint16(AgRecord.op, op, true);
    view.setUint8(AgRecord.abi, AgAbi.VERSION);
    view.setUint8(AgRecord.flags, body[0] ?? 0);
    return bytes;
  },
);

describe("any bytes", () => {
  test("give a record, nothing yet, or a reason; never an exception, never more than they hold", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(plausible, fc.uint8Array({ maxLength: 200 })), { maxLength: 20 }), (records) => {
        const decoder = new Decoder();
        let given = 0;
        for (const bytes of records) {
          given += bytes.length;
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
          const result = decoder.decode(view, bytes, 0, bytes.length);
          if (!result.ok) {
            expect(["short", "abi", "op", "size", "field"]).toContain(result.error.reason);
            continue;
          }
          // A byte becomes at most six characters of JSON (an escape); the field names are a constant.
          const text = JSON.stringify(result.value) ?? "";
          expect(text.length).toBeLessThan(given * 6 + 1_000);
        }
      }),
      runParameters(),
    );
  });

  test("a record that is cut anywhere is refused or decoded, never read beyond", () => {
    fc.assert(
      fc.property(plausible, fc.nat(), (bytes, at) => {
        const cut = at % (bytes.length + 1);
        // The memory behind the record is another one's: none of it may appear.
        const memory = new Uint8Array(bytes.length + 70_000).fill(0x5a);
        memory.set(bytes.subarray(0, cut));
        if (cut >= 4) new DataView(memory.buffer).setUint32(AgRecord.size, cut, true);
        const result = new Decoder().decode(new DataView(memory.buffer), memory, 0, cut);
        const clean = new Decoder().decode(
          new DataView(memory.slice(0, cut).buffer),
          memory.slice(0, cut),
          0,
          cut,
        );
        expect(result).toEqual(clean);
      }),
      runParameters(),
    );
  });
});

describe("what was written comes back", () => {
  test("the header of an exit", () => {
    fc.assert(
      fc.property(header, fc.nat(0x7f), fc.nat(255), (fields, signal, code) => {
        const decoded = decodeOne(exitRecord({ ...fields, wait_status: signal === 0 ? code << 8 : signal }));
        expect(decoded).toMatchObject({ scope: fields.scope, pid: fields.pid, tid: fields.tid });
        expect(startText(decoded.start_low, decoded.start_high)).toBe(fields.start_ns.toString());
        expect(decoded.action).toEqual(
          signal === 0 ? { type: "process.exit", exit_code: code } : { type: "process.exit", signal },
        );
      }),
      runParameters(),
    );
  });

  test("a fork's child", () => {
    fc.assert(
      fc.property(u32, u64, u32, (child_pid, child_start_ns, uid) => {
        const child_start = child_start_ns.toString();
        const decoded = decodeOne(forkRecord({ child_pid, child_start_ns, uid }));
        expect(decoded.action).toEqual({ type: "process.fork", child: { pid: child_pid, start: child_start } });
        expect(decoded.facts).toEqual({ kind: "fork", child_pid, child_start, uid });
      }),
      runParameters(),
    );
  });

  test("an open's two paths", () => {
    fc.assert(
      fc.property(path, fc.oneof(path, name), u32, fc.nat(0xffff_ffff), (resolved, requested, dev, ino) => {
        const decoded = decodeOne(openRecord({ path: resolved, requested, dev, ino: BigInt(ino) }));
        expect(decoded.action).toEqual({
          type: "file.read",
          path: resolved,
          ...(requested === resolved ? {} : { requested_path: requested }),
          result: "0",
        });
        expect(decoded.facts).toEqual({ kind: "open", dev, ino, opened: true });
      }),
      runParameters(),
    );
  });

  test("a failed open is the request below its base", () => {
    fc.assert(
      fc.property(path, name, (base, requested) => {
        const decoded = decodeOne(openRecord({ path: base, requested, result: -2, flags: AgFlag.BASE }));
        const joined = requested === "." ? base : `${base === "/" ? "" : base}/${requested}`;
        const up = base.slice(0, base.lastIndexOf("/")) || "/";
        expect(decoded.action).toMatchObject({ path: requested === ".." ? up : joined, result: "ENOENT" });
      }),
      runParameters(),
    );
  });

  test("bytes of a close, exact to 2^53", () => {
    const count = fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) });
    fc.assert(
      fc.property(count, count, count, (ino, read_bytes, written_bytes) => {
        expect(decodeOne(closeRecord({ ino, read_bytes, written_bytes })).facts).toMatchObject({
          ino: Number(ino),
          read_bytes: Number(read_bytes),
          written_bytes: Number(written_bytes),
        });
      }),
      runParameters(),
    );
  });

  test("an address and its port; the text of IPv6 parses back to the same bytes", () => {
    const bytes = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(bytes, fc.nat(65_535), fc.boolean(), (address, port, six) => {
        const action = decodeOne(netRecord({ address, port, family: six ? 6 : 4 })).action;
        if (action?.type !== "net.connect") throw new Error("net.connect expected");
        expect(action.port).toBe(port);
        if (!six) expect(action.address).toBe(address.slice(0, 4).join("."));
        else expect(parseIpv6(action.address)).toEqual(address);
      }),
      runParameters(),
    );
  });

  test("argv of any length up to the limit, in pieces", () => {
    const argument = fc.string({ maxLength: 5_000, unit: "grapheme" }).map((text) => text.replaceAll("\0", ""));
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1, maxLength: 12 }), (argv) => {
        const blob = argvBytes(argv);
        fc.pre(blob.length < LIMITS.argv_bytes_max);
        const more = blob.length > 4_096;
        const records = [
          execRecord({ argv: blob.slice(0, 4_096), argv_total: blob.length, flags: more ? AgFlag.ARGS_MORE : 0 }),
        ];
        for (let offset = 4_096; offset < blob.length; offset += 15_360) {
          const piece = blob.slice(offset, offset + 15_360);
          records.push(execArgsRecord({ offset, argv: piece, last: offset + piece.length >= blob.length }));
        }
        const decoder = new Decoder();
        const told = records.map((bytes) => decoder.decode(new DataView(bytes.buffer), bytes, 0, bytes.length));
        const last = told.at(-1);
        expect(last?.ok && last.value?.action).toEqual({ type: "exec", path: "/usr/bin/true", argv, cwd: "/w" });
      }),
      { numRuns: 60, ...runParameters() },
    );
  });
});

/** A parser of its own for the shortened form. */
function parseIpv6(text: string): number[] {
  const [left, right] = text.split("::");
  const read = (part: string | undefined): number[] =>
    part === undefined || part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const head = read(left);
  const tail = read(right);
  const zeros = Array<number>(text.includes("::") ? 8 - head.length - tail.length : 0).fill(0);
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 255]);
}

import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { EntryDraft } from "../../../lib/core/mod.ts";
import {
  ENTRY_BYTES_MAX,
  type EntryPlace,
  FIRST_PREV,
  parseEntry,
  type SealedEntry,
  Sealer,
} from "../../../lib/record/entry.ts";
import { lineAt, partsOf } from "../../../lib/record/stored_text.ts";
import { decision, START_US, testIds } from "./support.ts";

function sealEntry(draft: EntryDraft, where: EntryPlace): SealedEntry {
  return new Sealer().seal(draft, where);
}

const place = { seq: 1, entry_id: testIds().entry(), boot_id: "boot", prev: FIRST_PREV, now_us: START_US };

test("an entry has the literal text and the RFC 6962 leaf hash of it", () => {
  const sealed = sealEntry(decision(1), place);
  expect(sealed.line).toBe(
    '{"action":{"address":"192.0.2.1","port":443,"protocol":"tcp","type":"net.connect"},"boot_id":"boot",' +
      '"decision":{"decision_id":"DECISION1","mode":"enforce","policy":{"digest":"00","generation":1,"name":"p"},' +
      '"reason":"not this way","rule":"no-egress","verdict":"deny"},"entry_id":"01KDYAK3480000000000000000",' +
      '"kind":"decision","prev":"0000000000000000000000000000000000000000000000000000000000000000",' +
      '"process":{"pid":101,"start":"1"},"seq":1,"session_id":"SESSIONA","time":"2026-01-02T03:04:05.000007Z"}',
  );
  const expected = createHash("sha256").update(Uint8Array.of(0)).update(sealed.line, "utf8").digest("hex");
  expect(sealed.hash).toBe(expected);
  expect(lineAt(partsOf(sealed.stored.slice(0, -1)), place)).toBe(sealed.line);
});

test.each([Number.NaN, -1, Infinity, 2 ** 60])("a time of %p is replaced by the recorder's", (time_us) => {
  expect(parseEntry(sealEntry({ time_us, kind: "guard" }, place).line)?.time).toBe("2026-01-02T03:04:05.000006Z");
});

test("an entry over the bound keeps who and when, and tells how long it was", () => {
  const args = { text: "x".repeat(ENTRY_BYTES_MAX) };
  const draft: EntryDraft = { ...decision(1), action: { type: "tool.call", tool: "t", source: "mcp", args } };
  const sealed = sealEntry(draft, place);
  expect(Buffer.byteLength(sealed.line)).toBeLessThan(1_000);
  const entry = parseEntry(sealed.line);
  expect(entry?.action).toBeUndefined();
  expect(entry?.decision?.rule).toBe("no-egress");
  expect(entry?.process).toEqual({ pid: 101, start: "1" });
  expect(entry?.gap?.source).toBe("recorder");
  expect(entry?.gap?.type).toBe("bytes");
  expect(entry?.gap?.count).toBeGreaterThan(ENTRY_BYTES_MAX);
});

test("a process over the bound is cut to its identity", () => {
  const process = { pid: 7, start: "9", argv: ["x".repeat(ENTRY_BYTES_MAX)] };
  const entry = parseEntry(sealEntry({ ...decision(1), process }, place).line);
  expect(entry?.process).toEqual({ pid: 7, start: "9" });
  expect(entry?.decision?.rule).toBe("no-egress");
});

test("an entry that is too long everywhere keeps its kind", () => {
  const principal = "x".repeat(ENTRY_BYTES_MAX);
  const entry = parseEntry(sealEntry({ ...decision(1), principal }, place).line);
  expect(entry?.kind).toBe("decision");
  expect(entry?.gap?.type).toBe("bytes");
});

test("a line that is no entry is told", () => {
  const line = sealEntry({ time_us: START_US, kind: "guard" }, place).line;
  expect(parseEntry(line)?.seq).toBe(1);
  for (const other of ["", "null", "{}", "[]", line.slice(1), line.replace('"seq":1', '"seq":"1"')]) {
    expect(parseEntry(other)).toBeUndefined();
  }
  expect(parseEntry(line.replace('"guard"', '"guards"'))).toBeUndefined();
});

/** The cache of texts gives what decoding gives, whatever it was asked before. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { TextCache } from "../../lib/decode/text_cache.ts";
import { runParameters } from "./task_support.ts";

/** Bytes of few values: texts that differ in one byte, or only in their length, are what a cache would confuse. */
const memory = fc.uint8Array({ minLength: 0, maxLength: 600 }).map((bytes) => bytes.map((byte) => byte & 3));
const places = fc.array(fc.tuple(fc.nat(600), fc.nat(260)), { maxLength: 60 });

test("every text is that of its bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(memory, places), { minLength: 1, maxLength: 4 }), (rounds) => {
      let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
      const plain = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString("utf8");
      const cache = new TextCache(plain);
      for (const [next, asked] of rounds) {
        bytes = next;
        const view = new DataView(next.buffer, next.byteOffset, next.byteLength);
        for (const [at, wanted] of asked) {
          const from = Math.min(at, bytes.length);
          const length = Math.min(wanted, bytes.length - from);
          expect(cache.get(view, from, length)).toBe(plain(from, from + length));
        }
      }
    }),
    runParameters(),
  );
});

test("a text that is found again is not decoded again", () => {
  const bytes = new TextEncoder().encode("/usr/lib/x86_64-linux-gnu/libc.so.6____");
  let decoded = 0;
  const cache = new TextCache((from, to) => {
    decoded++;
    return new TextDecoder().decode(bytes.subarray(from, to));
  });
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 10; i++) expect(cache.get(view, 0, 35)).toBe("/usr/lib/x86_64-linux-gnu/libc.so.6");
  expect(decoded).toBe(1);
});

/** Entries sealed by native code, a block at a time, are those that the plain road makes one by one. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { EntryDraft, WallUs } from "../../lib/core/mod.ts";
import { BatchSealer, type Redact } from "../../lib/record/batch_sealer.ts";
import { DraftBlocks, draftMemory, SharedDrafts } from "../../lib/record/draft_blocks.ts";
import { type QueuedDraft, readDraftLines, writeDraftLines } from "../../lib/record/draft_line.ts";
import { FIRST_PREV, Sealer } from "../../lib/record/entry.ts";
import { createRedactor } from "../../lib/record/redact/mod.ts";
import { type Alphabet, RULES } from "../../lib/record/redact/vendors.ts";
import type { SealedBatch } from "../../lib/record/sealed_batch.ts";
import { idKey, indexedOf } from "../../lib/record/terms.ts";
import { TestClock, testIds } from "../unit/record/support.ts";

setDefaultTimeout(120_000);

const BOOT = 'a "boot"';
const NOW_US: WallUs = 1_767_323_045_000_006;
const redact = createRedactor({ key: new Uint8Array(32).fill(1) });

const wild = fc.string({ unit: "binary", maxLength: 40 });
const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("ls", "-la", "--password", "hunter22", "A=b", "/usr/bin/env", "é/ü", "") },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 24 }) },
  { weight: 1, arbitrary: wild },
  {
    weight: 1,
    arbitrary: fc.constantFrom("user:pw@host", "AKIAIOSFODNN7EXAMPLE", "4111 1111 1111 1111", "-----BEGIN"),
  },
);
/** Parts of paths that are long, or look like an address, a card or a key; some of them are. */
const part = fc.oneof(
  fc.constantFrom(
    "@nats-io",
    "bun-types@1.4.5@@@1",
    "transport-node@3.4.0",
    "a.b@c.de",
    "x@y.png",
    "git@host.com.",
    ".",
  ),
  fc.constantFrom("x86_64-linux-gnu", "pyenv-virtualenv", "session_membership.ts", "RandomGenerator-DcXj09Ch.d.ts"),
  fc.constantFrom(
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "2026-12-01-02-13-04",
    "4111111111111111",
    "-----",
    "--",
  ),
  fc.constantFrom("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "Bearer ", "a b", " -", "%2F", "+"),
  fc.constantFrom(...RULES.map(({ prefix }) => prefix)),
  fc.string({ unit: fc.constantFrom(..."aZ09f_-+"), maxLength: 48 }),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 30, maxLength: 66 }),
  fc.string({
    unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    maxLength: 44,
  }),
);
const path = fc.oneof(
  fc.array(word, { maxLength: 4 }).map((words) => `/${words.join("/")}`),
  fc.tuple(fc.array(part, { maxLength: 4 }), fc.constantFrom("/", "", ".", "-")).map(([parts, between]) =>
    `/${parts.join(between)}`
  ),
);
const json = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.dictionary(wild, fc.double(), { maxKeys: 4 }));
const type = fc.constantFrom(
  ...["exec", "file.read", "file.write", "file.rename", "net.connect", "process.exit", "unix.connect", "tool.call"],
  ...["net.send", "net.dns", "guard.start", "file.é", 'odd "type"'],
);
const id = fc.oneof(fc.constantFrom("01KDYAK3480000000000000000", "DECISION1", "ü", 'a"b', ""), wild);

function maybe<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 2 });
}

/** Drafts as the guard makes them and as nobody should: the record takes whatever comes. */
const draft: fc.Arbitrary<EntryDraft> = fc.record({
  time_us: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) },
    { weight: 1, arbitrary: fc.double() },
  ),
  kind: fc.constantFrom("decision", "observation", "outcome", "guard"),
  session_id: maybe(id),
  principal: maybe(word),
  process: maybe(fc.record({
    pid: fc.nat(),
    start: fc.constantFrom("1", "1234567890123"),
    exe: maybe(path),
    argv: maybe(fc.array(fc.oneof(word, path), { maxLength: 4 })),
    cwd: maybe(path),
  })),
  action: maybe(fc.record({
    type,
    path: maybe(path),
    requested_path: maybe(path),
    argv: fc.array(word, { maxLength: 4 }),
    flags: maybe(fc.array(word, { maxLength: 2 })),
    result: maybe(word),
    address: maybe(fc.constantFrom("192.0.2.1", "2001:db8::1", "4111 1111 1111 1111")),
    host: maybe(fc.oneof(word, part)),
    hosts: maybe(fc.array(fc.oneof(word, part), { maxLength: 2 })),
    host_source: maybe(fc.constantFrom("dns", "hosts")),
    name: maybe(part),
    more: maybe(json),
  })),
  decision: maybe(
    fc.record({ decision_id: maybe(id), verdict: word, rule: maybe(word), reason: word, more: maybe(json) }),
  ),
  outcome: maybe(fc.record({ decision_id: maybe(id), label: word, error: maybe(word), by: maybe(word) })),
  gap: maybe(json),
}).map((value) => value as unknown as EntryDraft);

function sorted(values: Iterable<string | number>): readonly (string | number)[] {
  return [...new Set(values)].toSorted();
}

/** The same batch, entry by entry. */
function expectSame(batch: SealedBatch, drafts: readonly EntryDraft[], first_seq: number): void {
  const sealer = new Sealer();
  const ids = testIds(new TestClock());
  let prev = FIRST_PREV;
  const kept: EntryDraft[] = [];
  const entries = batch.entries();
  for (const [index, one] of drafts.entries()) {
    const place = { seq: first_seq + index, entry_id: ids.entry(), boot_id: BOOT, prev, now_us: NOW_US };
    const sealed = sealer.seal(one, place);
    expect(entries[index]?.seq).toBe(sealed.seq);
    expect(entries[index]?.line).toBe(sealed.line);
    expect(batch.leaves.slice(index * 32, index * 32 + 32).toHex()).toBe(sealed.hash);
    prev = sealed.hash;
    kept.push(sealed.draft);
  }
  expect(batch.last_leaf.toHex()).toBe(prev);
  for (const part of batch.parts) {
    const own = kept.slice(part.first_seq - first_seq, part.first_seq - first_seq + part.entries);
    const indexed = own.map(indexedOf);
    expect(sorted(part.terms.map(([field, value]) => `${field}=${value}`))).toEqual(
      sorted(indexed.flatMap(({ terms }) => terms.map(([field, value]) => `${field}=${value}`))),
    );
    expect(sorted(part.decisions)).toEqual(sorted(indexed.flatMap(({ decision_key }) => decision_key ?? [])));
    // A time of -0 is 0 in JSON.
    const times = own.map(({ time_us }) => time_us + 0);
    expect([part.time_min + 0, part.time_max + 0]).toEqual([Math.min(...times), Math.max(...times)]);
    expect(part.id_min).toBe(idKey("01KDYAK3480000000000000000"));
    expect(part.id_max).toBe(part.id_min);
    expect(Math.floor((part.first_seq - 1) / 256)).toBe(Math.floor((part.first_seq + part.entries - 2) / 256));
  }
}

function seal(drafts: readonly QueuedDraft[], first_seq: number, redactor?: Redact): SealedBatch {
  const sealer = new BatchSealer({
    boot_id: BOOT,
    ids: testIds(new TestClock()),
    ...(redactor === undefined ? undefined : { redact: redactor }),
  });
  return sealer.seal(drafts, { first_seq, prev: Uint8Array.fromHex(FIRST_PREV), now_us: NOW_US });
}

/** As they come from another thread. */
function asLines(drafts: readonly EntryDraft[]): readonly QueuedDraft[] {
  const lines = readDraftLines(writeDraftLines("a head", drafts), "a head".length) ?? [];
  const memory = draftMemory();
  const filled = new DraftBlocks(memory).fill(drafts, 0);
  const shared = filled === undefined ? [] : new SharedDrafts(memory).read(filled) ?? [];
  // Some of them as they are: what came together is then no longer in one piece.
  return drafts.map((one, index) => index % 5 === 0 ? one : (index % 9 > 3 ? lines : shared)[index] ?? one);
}

const batches = fc.tuple(fc.array(draft, { minLength: 1, maxLength: 20 }), fc.integer({ min: 240, max: 280 }));

test("a batch has the texts, hashes and index of its entries, one by one", () => {
  fc.assert(fc.property(batches, ([drafts, first_seq]) => expectSame(seal(drafts, first_seq), drafts, first_seq)), {
    numRuns: 500,
  });
});

test("a batch is redacted as its drafts are, one by one", () => {
  fc.assert(
    fc.property(batches, ([drafts, first_seq]) => {
      expectSame(seal(asLines(drafts), first_seq, redact), drafts.map(redact), first_seq);
    }),
    { numRuns: 1_000 },
  );
});

test("any change of a line's bytes gives another draft or is left to the plain road", () => {
  // What JSON.stringify would never write: the same text as the plain road's, or nothing.
  const odd: unknown[] = [
    { time_us: 1, kind: "guard", ["__proto__x"]: 1 },
    { kind: "guard" },
    { time_us: "1", kind: "guard" },
    { time_us: 1, kind: "guard", session_id: 7 },
    { time_us: 1, kind: "guard", action: null },
    { time_us: 1, kind: "guard", action: [] },
    { time_us: 1, kind: "guard", action: { "10": 1, "9": 2, "": 3 } },
    { time_us: 1, kind: "guard", action: Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${40 - n}`, n])) },
    { time_us: 1, kind: "guard", action: { type: "\ud800", deep: deep(80) } },
  ];
  for (const one of odd) {
    const drafts = [one as EntryDraft, { time_us: 2, kind: "guard" } as const];
    expectSame(seal(drafts, 1), drafts, 1);
  }
});

function deep(levels: number): unknown {
  return levels === 0 ? 1 : { b: 1, a: [deep(levels - 1)] };
}

test("plain drafts never come to the redactor, suspicious ones always", () => {
  let asked = 0;
  const counting: Redact = Object.assign((one: EntryDraft) => {
    asked++;
    return redact(one);
  }, { keeps_plain: true } as const);
  const process = { pid: 1, start: "1234567890123", exe: "/usr/bin/python3", argv: ["python3", "x.py"], cwd: "/root" };
  const plain: EntryDraft[] = [
    { time_us: 1, kind: "observation", process, action: { type: "file.read", path: "/etc/hosts", result: "0" } },
    { time_us: 2, kind: "observation", process, action: { type: "exec", path: "/bin/ls", argv: ["ls", "/"] } },
    {
      time_us: 3,
      kind: "decision",
      process,
      action: { type: "net.connect", protocol: "tcp", address: "2001:db8::1", port: 443 },
    },
  ];
  seal(plain, 1, counting);
  expect(asked).toBe(0);
  const secret = `${"ghp"}_${"a1B2".repeat(9)}`;
  const bad: EntryDraft[] = [
    { time_us: 1, kind: "observation", process, action: { type: "file.read", path: `/tmp/${secret}` } },
    {
      time_us: 2,
      kind: "observation",
      process,
      action: { type: "exec", path: "/b", argv: ["b", "--password", "hunter22"] },
    },
    { time_us: 3, kind: "observation", process: { ...process, argv: ["curl", secret] } },
    { time_us: 4, kind: "guard", action: { type: "guard.start", detail: secret } },
  ];
  const batch = seal(bad, 1, counting);
  expect(asked).toBe(bad.length);
  const lines = batch.entries().map(({ line }) => line).join("\n");
  expect(lines).not.toContain(secret);
  expect(lines).not.toContain("hunter22");
});

/** Bodies of credentials: each is dense, and fits each longest minimum. */
const BODIES: Readonly<Record<Alphabet, string>> = {
  alnum: "a1B2".repeat(16),
  alnum_: "a1B2".repeat(16),
  "alnum-": "a1B2".repeat(16),
  base64url: "a1B2".repeat(16),
  upper: "A1B2".repeat(16),
  hex: "a1b2".repeat(16),
  dotted: "a1B2".repeat(16),
  slashed: "a1B2".repeat(16),
};

test("a path with anything that vendors give out comes to the redactor, one with usual names does not", () => {
  let asked = 0;
  const counting: Redact = Object.assign((one: EntryDraft) => {
    asked++;
    return redact(one);
  }, { keeps_plain: true } as const);
  const read = (path: string): EntryDraft => ({ time_us: 1, kind: "observation", action: { type: "file.read", path } });
  const secrets = RULES.map(({ prefix, alphabet, min, exact }) =>
    read(`/tmp/.${prefix}${BODIES[alphabet].slice(0, exact === true ? min : 64)}`)
  );
  const kept = secrets.filter((one) => redact(one) !== one);
  expect(kept.length).toBe(RULES.length);
  seal(secrets, 1, counting);
  expect(asked).toBe(RULES.length);
  asked = 0;
  const usual = [
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
    "/root/.pyenv/plugins/pyenv-virtualenv/shims/sh",
    "/w/node_modules/@nats-io/transport-node@3.4.0@@@1/lib/connect.js.map",
    "/w/node_modules/@nats-io/.bun-tmp-47eff17ee052d4d6/no-useless-collection-argument.mdx",
    "/w/.git/objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904",
    "/usr/share/doc/key-mon/sk-learn-helpers/npm_config_of_everything.md",
  ];
  seal(usual.map(read), 1, counting);
  expect(asked).toBe(0);
});

test("what is longer than a row, or than a buffer, is cut into rows", () => {
  const long = Array.from({ length: 12 }, (_, n): EntryDraft => ({
    time_us: n,
    kind: "observation",
    action: { type: "exec", path: "/x", argv: [`${n}`.repeat(n % 3 === 0 ? 400_000 : 200_000)] },
  }));
  const batch = seal(long, 250);
  expectSame(batch, long, 250);
  expect(batch.parts.length).toBeGreaterThan(2);
});

/** The `[record]` table. */
import { describe, expect, test } from "bun:test";
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../../lib/decide/mod.ts";

const KEY = `log+12345678+${"A".repeat(44)}`;

function load(...texts: readonly string[]): PolicySnapshot | string {
  const sources = texts.map((text, n) => ({ file: `p${n}`, bytes: new TextEncoder().encode(`version = 1\n${text}`) }));
  const loaded = loadPolicy(sources, { generation: 1 });
  return loaded.ok ? loaded.value : loaded.error.map(formatDiagnostic).join("\n");
}

function record(...texts: readonly string[]): PolicySnapshot["record"] {
  const loaded = load(...texts);
  if (typeof loaded === "string") throw new Error(loaded);
  return loaded.record;
}

describe("the [record] table", () => {
  test("everything that can be set", () => {
    expect(record(`[record]
origin = "o"
on_tamper = "alarm"
keep = "30d"
max_bytes = "10GiB"
keep_sessions = 100
anchor_every = "1m"
anchor = [{ file = "/a" }, { witness = "/run/w.sock", key = "${KEY}" }, { nats = "nats://h:4222", subject = "a.b" }]
witness_for = "${KEY}"
[[record.sink]]
path = "/s"
decisions = "fallback"
observations = "block"
fallback = "/t"
rotate_size = "100MB"
rotate_age = "1d"
rotate_keep = 3
sync = "5s"
queue = 9`)).toEqual({
      origin: "o",
      on_tamper: "alarm",
      keep_ms: 30 * 86_400_000,
      max_bytes: 10 * 2 ** 30,
      keep_sessions: 100,
      anchor_every_ms: 60_000,
      anchors: [
        { kind: "file", path: "/a" },
        { kind: "witness", url: "/run/w.sock", key: KEY },
        { kind: "nats", url: "nats://h:4222", subject: "a.b", credentials: undefined, ca: undefined },
      ],
      witness_for: [KEY],
      sinks: [{
        path: "/s",
        decisions: "fallback",
        observations: "block",
        fallback: "/t",
        rotate_bytes: 100_000_000,
        rotate_age_ms: 86_400_000,
        rotate_keep: 3,
        sync: { interval_ms: 5_000 },
        queue_lines: 9,
      }],
    });
  });

  test("a later layer takes nothing away", () => {
    const base = `[record]\non_tamper = "refuse"\nkeep = "30d"\n[[record.sink]]\npath = "/s"\nsync = "batch"`;
    const later = `[record]\non_tamper = "alarm"\nkeep = "1d"\n[[record.sink]]\npath = "/s"\nsync = "never"\n` +
      `[[record.sink]]\npath = "/t"`;
    expect(record(base, later)).toMatchObject({
      on_tamper: "refuse",
      keep_ms: 30 * 86_400_000,
      sinks: [{ path: "/s", sync: "batch" }, { path: "/t" }],
    });
    expect(record(later, base)).toMatchObject({ on_tamper: "refuse", keep_ms: 30 * 86_400_000 });
    expect(record("")).toMatchObject({ sinks: [], anchors: [], witness_for: [] });
  });

  test.each([
    ["keeep = 1", "unknown key"],
    ["on_tamper = 'ignore'", "not one of refuse, alarm"],
    ["keep = '30 days'", "not a duration"],
    ["max_bytes = '10'", "not a size"],
    ["max_bytes = '1KB'", "at least 1048576 bytes"],
    ["max_bytes = '999999999999TB'", "not a size"],
    ["keep_sessions = 0", "not a whole number"],
    ["[[record.sink]]\ndecisions = 'block'", "path is missing"],
    ["[[record.sink]]\npath = 'relative'", "absolute path of a file"],
    ["[[record.sink]]\npath = '/dir/'", "absolute path of a file"],
    ["[[record.sink]]\npath = '/s'\ndecisions = 'fallback'", "falls back to nothing"],
    ["[[record.sink]]\npath = '/s'\nfallback = '/t'", "has no effect"],
    ["[[record.sink]]\npath = '/s'\nfallback = '/s'\ndecisions = 'fallback'", "cannot fall back to itself"],
    ["[[record.sink]]\npath = '/s'\nsync = 'often'", "neither never nor batch"],
    ["[[record.sink]]\npath = '/s'\nrotate = '1d'", "unknown key"],
    ["[[record.sink]]\npath = '/s'\nqueue = 0", "not a whole number"],
    [`${"[[record.sink]]\npath = '/s'\n".repeat(17)}`, "the limit is 16"],
    ["anchor = [{ file = '/a', nats = 'nats://h' }]", "exactly one of"],
    ["anchor = [{ file = '/a', key = 'k' }]", "unknown key"],
    ["anchor = [{ witness = '/w' }]", "sign in the witness's name"],
    ["anchor = [{ witness = 'w', key = 'k' }]", "neither a socket"],
    ["anchor = [{ witness = '/w', key = 'k' }]", "no verifier key"],
    ["anchor = [{ nats = 'nats://u:p@h', subject = 's' }]", "not nats://HOST:PORT"],
    ["anchor = [{ nats = 'nats://h', subject = 'a.>' }]", "subject"],
    ["anchor = [{ nats = 'nats://h' }]", "has no subject"],
    ["witness_for = ['x']", "no verifier key"],
  ])("%p is refused, with its place", (text, said) => {
    const loaded = load(`[record]\n${text}`);
    expect(loaded).toBeString();
    expect(loaded).toContain(said);
    expect(String(loaded)).toMatch(/^p0:[2-9]\d?:\d+: /m);
  });
});

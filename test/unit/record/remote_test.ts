import { afterEach, beforeEach, expect, test } from "bun:test";
import { type EntryDraft, errorMessage } from "../../../lib/core/mod.ts";
import {
  type CommittedEntry,
  messagePort,
  openRecordReader,
  parseEntry,
  type PortLike,
  type RecorderState,
  type RecordWriter,
  RemoteSink,
  serveRecorder,
} from "../../../lib/record/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { decision, KeptLog, observation, openWriter } from "./support.ts";

let dir: TempDir;
let writer: RecordWriter;
let log: KeptLog;
beforeEach(async () => {
  dir = await TempDir.create();
  writer = openWriter(dir.path);
  log = new KeptLog();
});
afterEach(async () => {
  await writer.close();
  await dir[Symbol.asyncDispose]();
});

/** Two ends of a channel in this thread: a message arrives in a later turn, in order. */
function channel(): [PortLike, PortLike] {
  const make = (): PortLike => ({ onmessage: null, postMessage: () => {} });
  const [left, right] = [make(), make()];
  left.postMessage = (data) => setImmediate(() => right.onmessage?.({ data }));
  right.postMessage = (data) => setImmediate(() => left.onmessage?.({ data }));
  return [left, right];
}

function connect(options: ConstructorParameters<typeof RemoteSink>[1] = {}): RemoteSink {
  const [left, right] = channel();
  serveRecorder(right, writer, { log });
  return new RemoteSink(left, options);
}

function paths(): unknown[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query()].map((stored) => parseEntry(stored.line)?.action)
    .map((action) => action?.type === "file.read" ? action.path : action?.type);
}

test("what is appended on one side is durable on the other after a flush, in order", async () => {
  const sink = connect();
  for (let n = 0; n < 5_000; n++) sink.append(observation(n));
  expect(sink.pending()).toBe(5_000);
  await sink.flush();
  expect(sink.pending()).toBe(0);
  expect(paths()).toEqual(Array.from({ length: 5_000 }, (_, n) => `/w/${n}`));
  await sink.flush();
});

test("pending goes down by itself, without a flush", async () => {
  const sink = connect();
  for (let n = 0; n < 10; n++) sink.append(observation(n));
  await waitUntil("the acknowledgement", () => sink.pending() === 0);
  expect(writer.stats().committed).toBe(10);
});

test("one message carries all that was appended in one turn", async () => {
  const [left, right] = channel();
  serveRecorder(right, writer, { log });
  let posted = 0;
  const counting: PortLike = { onmessage: null, postMessage: (message) => (posted++, left.postMessage(message)) };
  left.onmessage = (event) => counting.onmessage?.(event);
  const sink = new RemoteSink(counting);
  for (let n = 0; n < 500; n++) sink.append(observation(n));
  await waitUntil("the acknowledgement", () => sink.pending() === 0);
  expect(posted).toBe(1);
});

test("several producers keep their own order", async () => {
  const sinks = [connect(), connect(), connect()];
  for (let n = 0; n < 900; n++) {
    sinks[n % 3]?.append(observation(n));
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(sinks.map((sink) => sink.flush()));
  const all = paths();
  expect(all).toHaveLength(900);
  for (const start of [0, 1, 2]) {
    const own = all.filter((path) => Number(String(path).slice(3)) % 3 === start);
    expect(own).toEqual(Array.from({ length: 300 }, (_, n) => `/w/${n * 3 + start}`));
  }
});

test("what is more than the window waits here, and a flush waits for it", async () => {
  const sink = connect({ window_max: 100 });
  for (let n = 0; n < 500; n++) sink.append(observation(n));
  await sink.flush();
  expect(paths()).toHaveLength(500);
});

test("a recorder that does not answer: the queue here is bounded, its losses become a gap", async () => {
  const [left, right] = channel();
  const sink = new RemoteSink(left, { window_max: 10, queue_max: 20 });
  for (let n = 0; n < 100; n++) {
    sink.append(observation(n));
    if (n === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  sink.append(decision(100));
  expect(sink.pending()).toBe(30);
  expect(sink.dropped()).toBe(71);
  serveRecorder(right, writer, { log });
  // The first message went to nobody: what it carried stays unacknowledged, and says so at the end.
  const flushed = sink.flush().then(() => "durable", errorMessage);
  sink.close("the recorder thread ended");
  expect(await flushed).toBe("record entries: the recorder thread ended; 30 entries were not acknowledged");
  expect(() => sink.append(observation(1))).toThrow("the recorder thread ended");
});

test("a decision that is dropped here makes a flush fail", async () => {
  const [left] = channel();
  const sink = new RemoteSink(left, { window_max: 1, queue_max: 2 });
  for (let n = 0; n < 10; n++) {
    sink.append(decision(n));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await sink.flush().then(() => "durable", errorMessage)).toContain("entries were dropped");
});

test("drafts that JSON cannot hold arrive as canonical JSON would write them", async () => {
  const sink = connect();
  const args = { big: 12345678901234567890n, text: "a\ud800b", none: undefined };
  const draft: EntryDraft = observation(1, { action: { type: "tool.call", tool: "t", source: "s", args } });
  sink.append(draft);
  sink.append(observation(2, { principal: "x\udfffy" }));
  await sink.flush();
  using reader = openRecordReader(dir.path);
  const [first, second] = [...reader.query()].map((stored) => stored.line);
  expect(first).toContain('"args":{"big":"12345678901234567890","text":"a\ufffdb"}');
  expect(second).toContain('"principal":"x\ufffdy"');
  expect(reader.verify()).toMatchObject({ ok: true, entries: 2 });
});

test("a subscriber gets every committed line, of other producers too", async () => {
  const seen: CommittedEntry[] = [];
  const sink = connect({ onCommit: (entries) => seen.push(...entries) });
  const other = connect();
  await new Promise((resolve) => setImmediate(resolve));
  sink.append(observation(1));
  other.append(observation(2, { principal: "line\nbreak" }));
  await Promise.all([sink.flush(), other.flush()]);
  await waitUntil("the lines", () => seen.length === 2);
  using reader = openRecordReader(dir.path);
  expect(seen).toEqual([...reader.query()].map(({ seq, line }) => ({ seq, line })));
});

test("the recorder's state reaches its producers", async () => {
  const states: RecorderState[] = [];
  const [left, right] = channel();
  const served = serveRecorder(right, writer, { log });
  const sink = new RemoteSink(left, { onState: (state) => states.push(state) });
  served.tellState({ status: "stalled", reason: "full" });
  served.tellState({ status: "writing" });
  await waitUntil("the states", () => states.length === 2);
  expect(states).toEqual([{ status: "stalled", reason: "full" }, { status: "writing" }]);
  sink.close();
  sink.close();
  served.close();
  served.close();
});

test("a writer that ended is logged, and the flush is answered with the reason", async () => {
  const sink = connect();
  await writer.close();
  sink.append(observation(1));
  await waitUntil("the log line", () => log.lines.length === 1);
  expect(log.lines).toEqual(["message to the recorder failed"]);
  expect(sink.pending()).toBe(1);
  expect(await sink.flush().then(() => "durable", errorMessage)).toBe("append an entry: the recorder is closed");
});

test("a message of unknown form is logged; flushes fail for it, since it may have carried entries", async () => {
  const [left, right] = channel();
  serveRecorder(right, writer, { log });
  for (
    const message of ["", "{}", "[]", '{"op":"append","drafts":[{}]}', "append\n", '{"op":"flush"}']
  ) left.postMessage(message);
  await waitUntil("the log lines", () => log.lines.length === 6);
  const sink = new RemoteSink(left);
  sink.append(observation(1));
  expect(await sink.flush().then(() => "durable", errorMessage)).toContain("unknown form");
  await writer.flush();
  expect(writer.head().seq).toBe(1);
});

test("through shared memory the order is kept, also of what finds no room there", async () => {
  const [left, right] = channel();
  const posted: unknown[] = [];
  const counting: PortLike = { ...left, postMessage: (message) => (posted.push(message), left.postMessage(message)) };
  serveRecorder(right, writer, { log });
  const sink = new RemoteSink(counting, { shared: true });
  left.onmessage = (event) => counting.onmessage?.(event);
  const large = (n: number): EntryDraft => ({
    ...observation(n),
    action: { type: "exec", path: `/w/${n}`, argv: ["é".repeat(n % 3 === 0 ? 60_000 : 30_000)] },
  });
  // Together far more than the memory; every third is more than a block.
  for (let n = 0; n < 200; n++) sink.append(n % 2 === 0 ? large(n) : observation(n));
  await sink.flush();
  // Again, in blocks that have been used.
  for (let n = 200; n < 3_000; n++) sink.append(n % 2 === 0 ? observation(n) : decision(n));
  await sink.flush();
  expect(sink.pending()).toBe(0);
  using reader = openRecordReader(dir.path);
  const entries = [...reader.query()].map(({ line }) => parseEntry(line));
  expect(entries.map((entry) => entry?.time)).toEqual(entries.map((entry) => entry?.time).toSorted());
  const named = entries.flatMap((entry) =>
    entry?.action !== undefined && "path" in entry.action ? entry.action.path : []
  );
  const all = Array.from({ length: 3_000 }, (_, n) => n).filter((n) => n < 200 || n % 2 === 0);
  expect(named).toEqual(all.map((n) => `/w/${n}`));
  expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 3_000 });
  expect(posted.filter((message) => typeof message === "string" && message.startsWith("append")).length)
    .toBeGreaterThan(0);
  expect(posted.filter((message) => typeof message === "string" && message.startsWith('{"op":"block"')).length)
    .toBeGreaterThan(32);
});

test("a block that is none, or without memory, is logged and makes flushes fail", async () => {
  for (const classes of ["", "o", "oo", "q"]) {
    const [left, right] = channel();
    serveRecorder(right, writer, { log });
    const sink = new RemoteSink(left, { shared: classes !== "" });
    left.postMessage(JSON.stringify({ op: "block", block: 0, bytes: 3, classes }));
    expect(await sink.flush().then(() => "durable", errorMessage)).toContain("read drafts from block 0");
  }
});

test("a real channel to a recorder in another thread", async () => {
  const directory = dir.join("threaded");
  const worker = new Worker(new URL("recorder_worker.ts", import.meta.url).href);
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ directory, port: port2 }, [port2]);
  const sink = new RemoteSink(messagePort(port1), { shared: true });
  for (let n = 0; n < 3_000; n++) sink.append(n % 2 === 0 ? observation(n) : decision(n));
  await sink.flush();
  using reader = openRecordReader(directory);
  expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 3_000 });
  sink.close();
  port1.close();
  worker.terminate();
});

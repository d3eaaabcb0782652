/** What releases an action of high risk: the wait for its decision to be on disk. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type EntryDraft, errorMessage, type RecordSink } from "../../../lib/core/mod.ts";
import {
  openRecordReader,
  type PortLike,
  type RecordWriter,
  RemoteSink,
  serveRecorder,
} from "../../../lib/record/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { decision, KeptLog, openWriter } from "./support.ts";

let dir: TempDir;
let writer: RecordWriter;
beforeEach(async () => {
  dir = await TempDir.create();
  writer = openWriter(dir.path);
});
afterEach(async () => {
  await writer.close();
  await dir[Symbol.asyncDispose]();
});

/** A sink whose recorder is reached through turns of the event loop; `deaf` has nobody at the other end. */
function remote(options: ConstructorParameters<typeof RemoteSink>[1] = {}, deaf = false) {
  const make = (): PortLike => ({ onmessage: null, postMessage: () => {} });
  const [left, right] = [make(), make()];
  left.postMessage = (data) => setImmediate(() => right.onmessage?.({ data }));
  right.postMessage = (data) => setImmediate(() => left.onmessage?.({ data }));
  const served = deaf ? undefined : serveRecorder(right, writer, { log: new KeptLog() });
  return { sink: new RemoteSink(left, options), served, answer: (text: string) => right.postMessage(text) };
}

/** How the wait ended. */
function ended(sink: RecordSink, signal?: AbortSignal): Promise<string> {
  return sink.durable(signal).then(() => "durable", errorMessage);
}

function recorded(draft: EntryDraft): boolean {
  using reader = openRecordReader(dir.path);
  const id = draft.decision?.decision_id;
  return id !== undefined && [...reader.query()].some((stored) => stored.line.includes(id));
}

test("when the wait ends, another reader of the file finds the entry", async () => {
  for (const sink of [writer, remote().sink]) {
    const draft = decision(sink === writer ? 1 : 2);
    sink.append(draft);
    expect(recorded(draft)).toBe(false);
    expect(await ended(sink, new AbortController().signal)).toBe("durable");
    expect(recorded(draft)).toBe(true);
  }
});

test("a signal ends the wait and not the record", async () => {
  const { sink } = remote();
  const deadline = new AbortController();
  sink.append(decision(1));
  const waiting = ended(sink, deadline.signal);
  deadline.abort();
  expect(await waiting).toBe("wait for the record: cancelled by its caller");
  expect(await ended(sink, deadline.signal)).toBe("wait for the record: cancelled by its caller");
  await sink.flush();
  expect(recorded(decision(1))).toBe(true);
});

test("while the disk refuses, whoever waits is told at once, even where nothing can be sent any more", async () => {
  const { sink, answer } = remote({ window_max: 1 }, true);
  sink.append(decision(1));
  await new Promise((resolve) => setImmediate(resolve));
  sink.append(decision(2));
  const before = ended(sink);
  answer(JSON.stringify({ op: "state", state: { status: "stalled", reason: "the disk is full" } }));
  expect(await before).toBe("flush the record: the disk is full");
  sink.append(decision(3));
  expect(await ended(sink)).toBe("flush the record: the disk is full");
  answer(JSON.stringify({ op: "state", state: { status: "writing" } }));
  answer(JSON.stringify({ op: "settled", count: 1 }));
  await waitUntil("the window to open", () => sink.pending() === 2);
  const after = ended(sink);
  sink.close("the recorder ended");
  expect(await after).toContain("the recorder ended");
});

test("a decision that a full queue dropped is never reported as durable", async () => {
  const { sink } = remote({ window_max: 1, queue_max: 2 }, true);
  for (let n = 0; n < 4; n++) sink.append(decision(n));
  expect(await ended(sink)).toContain("entries were dropped because the queue was full");
});

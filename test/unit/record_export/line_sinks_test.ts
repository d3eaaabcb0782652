/** All sinks of a record together: where entries go, and what a slow sink does to the writer. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rename } from "node:fs/promises";
import { type Gap, silentLog } from "../../../lib/core/mod.ts";
import {
  LineSinks,
  type LineSinkSettings,
  openRecordReader,
  type RecorderState,
  type RecordWriter,
} from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { decision, observation, openWriter, TestClock } from "../record/support.ts";
import { FaultyCalls } from "./sink_support.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(async () => {
  await dir[Symbol.asyncDispose]();
});

function settings(path: string, more: Partial<LineSinkSettings> = {}): LineSinkSettings {
  return {
    ...{ path, decisions: undefined, observations: undefined, fallback: undefined, rotate_bytes: undefined },
    ...{ rotate_age_ms: undefined, rotate_keep: undefined, sync: undefined, queue_lines: undefined },
    ...more,
  };
}

/** A writer whose entries go to sinks, as in the recorder thread. */
class Recorder {
  readonly calls: FaultyCalls = new FaultyCalls();
  readonly clock: TestClock = new TestClock();
  readonly lost: Gap[] = [];
  readonly states: RecorderState[] = [];
  sinks: LineSinks | undefined;
  writer: RecordWriter | undefined;

  static async open(list: readonly LineSinkSettings[]): Promise<Recorder> {
    const made = new Recorder();
    const { calls, clock } = made;
    const sinks = await LineSinks.open(list, {
      calls,
      clock,
      log: silentLog,
      timers: systemTimers,
      onLoss: (gap) => made.lost.push(gap),
      onRoom: () => void made.writer?.flush().catch(() => {}),
    });
    made.sinks = sinks;
    made.writer = openWriter(dir.path, { brake: () => sinks.blocked(), onState: (state) => made.states.push(state) });
    made.writer.onCommit((entries) => sinks.accept(entries));
    return made;
  }

  async close(): Promise<void> {
    await this.writer?.close();
    await this.sinks?.close();
  }
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").slice(0, -1);
}

function storedLines(): string[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query()].map(({ line }) => line);
}

describe("other sinks while the record goes on", () => {
  test("each entry is in one of them, and one that stays is not opened anew", async () => {
    const [first, second, third] = [dir.join("first"), dir.join("second"), dir.join("third")];
    const recorder = await Recorder.open([settings(first), settings(second)]);
    recorder.writer?.append(decision(1));
    await recorder.writer?.flush();
    const opens = (): number => recorder.calls.made.filter((call) => call === "openAppend").length;
    const before = opens();
    // The first in another way, the second as it was, a third.
    await recorder.sinks?.configure([settings(first, { sync: "batch" }), settings(second), settings(third)]);
    expect(opens()).toBe(before + 2);
    recorder.writer?.append(decision(2));
    await recorder.writer?.flush();
    await recorder.sinks?.configure([settings(third)]);
    recorder.writer?.append(decision(3));
    await recorder.close();
    const stored = storedLines();
    expect(await linesOf(first)).toEqual(stored.slice(0, 2));
    expect(await linesOf(second)).toEqual(stored.slice(0, 2));
    expect(await linesOf(third)).toEqual(stored.slice(1));
  });

  test("where one cannot be opened, all stay as they were", async () => {
    const first = dir.join("first");
    const recorder = await Recorder.open([settings(first)]);
    const wanted = [settings(dir.join("second")), settings("/proc/no/such")];
    await expect(recorder.sinks?.configure(wanted)).rejects.toThrow("/proc/no/such");
    recorder.writer?.append(decision(1));
    await recorder.close();
    expect(await linesOf(first)).toEqual(storedLines());
  });
});

describe("the sinks of a record", () => {
  test("every sink has every entry, as stored", async () => {
    const paths = [dir.join("a.jsonl"), dir.join("b.jsonl")];
    const recorder = await Recorder.open(paths.map((path) => settings(path)));
    for (let n = 0; n < 3_000; n++) recorder.writer?.append(n % 3 === 0 ? decision(n) : observation(n));
    await recorder.close();
    expect(storedLines()).toHaveLength(3_000);
    for (const path of paths) expect(await linesOf(path)).toEqual(storedLines());
  });

  test("block: a sink that takes nothing stalls the record, with its name; room lets all go on, in order", async () => {
    const path = dir.join("slow.jsonl");
    const recorder = await Recorder.open([settings(path, { queue_lines: 10 })]);
    recorder.calls.hold();
    const { writer } = recorder;
    for (let n = 0; n < 12; n++) writer?.append(decision(n));
    await writer?.flush();
    writer?.append(decision(12));
    const refused = await writer?.durable().catch((error: Error) => error.message);
    expect(refused).toBe(`flush the record: the JSON-lines sink ${path} takes nothing`);
    expect(recorder.states).toEqual([{ status: "stalled", reason: `the JSON-lines sink ${path} takes nothing` }]);
    expect(recorder.sinks?.metrics()).toMatchObject([{ path, blocks: true, queued: 12, capacity: 10, written: 0 }]);
    expect(storedLines()).toHaveLength(12);
    recorder.calls.release();
    await waitUntil("the record to go on", () => writer?.pending() === 0);
    expect(recorder.states.at(-1)).toEqual({ status: "writing" });
    await recorder.close();
    expect(await linesOf(path)).toEqual(storedLines());
    expect(storedLines()).toHaveLength(13);
  });

  test("drop: observations are left out, counted and told; the record goes on", async () => {
    const path = dir.join("slow.jsonl");
    const recorder = await Recorder.open([settings(path, { queue_lines: 10 })]);
    recorder.calls.hold();
    for (let n = 0; n < 30; n++) recorder.writer?.append(observation(n));
    await recorder.writer?.flush();
    expect(recorder.sinks?.blocked()).toBeUndefined();
    recorder.calls.release();
    await recorder.close();
    expect(recorder.lost).toEqual([{ source: "jsonl", type: "record", count: 20, from: "11", to: "30" }]);
    const lines = await linesOf(path);
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toContain('"count":20');
    expect(storedLines()).toHaveLength(30);
  });

  test("fallback: what finds no room is in the second file", async () => {
    const [path, fallback] = [dir.join("slow.jsonl"), dir.join("second.jsonl")];
    const recorder = await Recorder.open([settings(path, { queue_lines: 10, decisions: "fallback", fallback })]);
    recorder.calls.hold();
    for (let n = 0; n < 15; n++) recorder.writer?.append(decision(n));
    await recorder.writer?.flush();
    recorder.calls.release();
    await recorder.close();
    const stored = storedLines();
    expect([...await linesOf(path), ...await linesOf(fallback)]).toEqual(stored);
    expect(stored).toHaveLength(15);
  });

  test("what the writer commits at its end while a sink is full follows before the sink closes", async () => {
    const path = dir.join("slow.jsonl");
    const recorder = await Recorder.open([settings(path, { queue_lines: 10 })]);
    recorder.calls.hold();
    for (let n = 0; n < 12; n++) recorder.writer?.append(decision(n));
    await recorder.writer?.flush();
    for (let n = 12; n < 40; n++) recorder.writer?.append(decision(n));
    await recorder.writer?.close();
    recorder.calls.release();
    await recorder.close();
    expect(storedLines()).toHaveLength(40);
    expect(await linesOf(path)).toEqual(storedLines());
  });

  test("a file is put aside by its age, and opened anew on request", async () => {
    const path = dir.join("old.jsonl");
    const recorder = await Recorder.open([settings(path, { rotate_age_ms: 3_600_000 })]);
    // The file's own birth is in this machine's time.
    recorder.clock.now_us = Date.now() * 1_000;
    recorder.writer?.append(decision(1));
    await recorder.writer?.flush();
    await waitUntil("the line", () => recorder.sinks?.metrics()[0]?.written === 1);
    recorder.clock.now_us += 3_600_000_000;
    recorder.writer?.append(decision(2));
    await recorder.writer?.flush();
    await waitUntil("the line", () => recorder.sinks?.metrics()[0]?.written === 2);
    expect(recorder.sinks?.metrics()).toMatchObject([{ rotations: 1 }]);
    expect([(await linesOf(`${path}.1`)).length, (await linesOf(path)).length]).toEqual([1, 1]);
    await rename(path, dir.join("moved"));
    await recorder.sinks?.reopen();
    recorder.writer?.append(decision(3));
    await recorder.close();
    expect((await linesOf(path))[0]).toContain("DECISION3");
  });

  test("when one cannot be opened, none stays open and the path is named", async () => {
    const list = [settings(dir.join("a.jsonl")), settings(dir.join("no/b.jsonl"))];
    await expect(Recorder.open(list)).rejects.toThrow(dir.join("no/b.jsonl"));
  });
});

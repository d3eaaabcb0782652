/** The JSON-lines sink: what is written, strategies, rotation, durability, reopening, failures. */
import { describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { Gap } from "../../../lib/core/mod.ts";
import { openJsonLinesSink } from "../../../lib/record/jsonl_sink.ts";
import type { CommittedEntry } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { TestClock } from "../record/support.ts";
import { decisions, numbersIn, observations, sinkOptions } from "./sink_support.ts";

function read(path: string): readonly (number | string)[] {
  return numbersIn(readFileSync(path, "utf8"));
}

describe("a file", () => {
  test("takes the lines as stored, in order, and is for its owner", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const sink = await openJsonLinesSink({ kind: "file", path }, sinkOptions());
    const entries = [...observations(1, 2), ...decisions(3)];
    await sink.accept(entries.slice(0, 1));
    await sink.accept(entries.slice(1));
    await sink.flush();
    const text = entries.map(({ line }) => `${line}\n`).join("");
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(sink.metrics()).toEqual({
      queued: 0,
      written: 3,
      dropped: 0,
      bytes: text.length,
      diverted: 0,
      errors: 0,
      rotations: 0,
    });
    await sink.close();
    await sink.close();
    await expect(sink.accept(entries)).rejects.toMatchObject({ code: "closed" });
    await expect(sink.flush()).rejects.toMatchObject({ code: "closed" });
  });

  test("is appended to, and closing writes what waits", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    for (const seq of [1, 2]) {
      const sink = await openJsonLinesSink({ kind: "file", path }, sinkOptions());
      await sink.accept(observations(seq));
      await sink.close();
    }
    expect(read(path)).toEqual([1, 2]);
  });

  test("a symbolic link, a directory, a missing folder are refused", async () => {
    await using dir = await TempDir.create();
    symlinkSync(dir.join("elsewhere"), dir.join("link"));
    for (const path of [dir.join("link"), dir.path, dir.join("no", "such")]) {
      await expect(openJsonLinesSink({ kind: "file", path }, sinkOptions())).rejects.toMatchObject({ code: "io" });
    }
  });

  test("fallback without a second sink is refused", async () => {
    await expect(openJsonLinesSink({ kind: "descriptor", fd: 1 }, sinkOptions({ decisions: "fallback" }))).rejects
      .toThrow(
        "second sink",
      );
  });
});

describe("rotation", () => {
  test("by lines: the newest file aside is 1, the oldest goes", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const sink = await openJsonLinesSink({ kind: "file", path }, sinkOptions({ file_lines_max: 2, files_kept: 2 }));
    await sink.accept(observations(1, 2, 3, 4, 5, 6, 7));
    await sink.close();
    expect([`${path}.2`, `${path}.1`, path].map(read)).toEqual([[3, 4], [5, 6], [7]]);
    expect(sink.metrics().rotations).toBe(3);
  });

  test("by bytes: no file is longer, except for a longer line", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const [{ line }] = observations(1) as [CommittedEntry];
    const file_bytes_max = (line.length + 1) * 2;
    const sink = await openJsonLinesSink({ kind: "file", path }, sinkOptions({ file_bytes_max }));
    await sink.accept(observations(1));
    await sink.accept([...observations(2, 3), { seq: 4, line: JSON.stringify({ seq: 4, long: "x".repeat(2_000) }) }]);
    await sink.accept(observations(5));
    await sink.close();
    expect([4, 3, 2, 1].map((n) => n === 1 ? path : `${path}.${n - 1}`).map(read)).toEqual([[1, 2], [3], [4], [5]]);
  });

  test("one that fails leaves the file in use", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const options = sinkOptions({ file_lines_max: 1 });
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.fails.set("rename", "EACCES");
    await sink.accept(observations(1));
    await sink.accept(observations(2, 3));
    await sink.close();
    expect(read(path)).toEqual([1, 2, 3]);
    expect(sink.metrics().rotations).toBe(0);
  });
});

describe("reopening", () => {
  test("goes on in a new file after somebody moved the old one", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const sink = await openJsonLinesSink({ kind: "file", path }, sinkOptions());
    await sink.accept(observations(1));
    await sink.flush();
    renameSync(path, `${path}.old`);
    await sink.accept(observations(2));
    await sink.flush();
    await sink.reopen();
    await sink.accept(observations(3));
    await sink.close();
    expect(read(`${path}.old`)).toEqual([1, 2]);
    expect(read(path)).toEqual([3]);
  });

  test("happens by itself a second after somebody moved or removed the file", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const clock = new TestClock();
    const sink = await openJsonLinesSink({ kind: "file", path }, { ...sinkOptions(), clock });
    const write = async (seq: number, passed_us: number): Promise<void> => {
      clock.now_us += passed_us;
      await sink.accept(observations(seq));
      await sink.flush();
    };
    await write(1, 2_000_000);
    renameSync(path, `${path}.old`);
    await write(2, 900_000);
    await write(3, 100_000);
    expect(read(`${path}.old`)).toEqual([1, 2]);
    rmSync(path);
    await write(4, 1_000_000);
    expect(read(path)).toEqual([4]);
    // A directory that is gone: nothing is lost but the name.
    renameSync(path, `${path}.last`);
    mkdirSync(path);
    await write(5, 1_000_000);
    expect(read(`${path}.last`)).toEqual([4, 5]);
    await sink.close();
  });

  test("one that fails says so and leaves the file in use", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out.jsonl");
    const options = sinkOptions();
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.fails.set("openAppend", "EMFILE");
    await expect(sink.reopen()).rejects.toMatchObject({ code: "io" });
    await sink.accept(observations(1));
    await sink.close();
    expect(read(path)).toEqual([1]);
  });
});

describe("durability", () => {
  test.each([["never", 0], ["batch", 2]] as const)("%s: %d calls for two groups", async (sync, calls) => {
    await using dir = await TempDir.create();
    const options = sinkOptions({ sync });
    const sink = await openJsonLinesSink({ kind: "file", path: dir.join("out") }, options);
    for (const seq of [1, 2]) {
      await sink.accept(observations(seq));
      await sink.flush();
    }
    expect(options.calls.count("datasync")).toBe(calls);
    await sink.close();
  });

  test("an interval: once for all groups within it, and for a flush", async () => {
    await using dir = await TempDir.create();
    const options = sinkOptions({ sync: { interval_ms: 1_000 } });
    const sink = await openJsonLinesSink({ kind: "file", path: dir.join("out") }, options);
    for (const seq of [1, 2]) {
      await sink.accept(observations(seq));
      await waitUntil("the line is written", () => sink.metrics().written === seq);
    }
    expect(options.calls.count("datasync")).toBe(0);
    options.timers.fire();
    await waitUntil("the file is synced", () => options.calls.count("datasync") === 1);
    await sink.accept(observations(3));
    await sink.flush();
    expect(options.calls.count("datasync")).toBe(2);
    await sink.close();
  });

  test("a flush whose sync fails rejects", async () => {
    await using dir = await TempDir.create();
    const options = sinkOptions({ sync: "batch" });
    const sink = await openJsonLinesSink({ kind: "file", path: dir.join("out") }, options);
    options.calls.fails.set("datasync", "EIO");
    await sink.accept(observations(1));
    await expect(sink.flush()).rejects.toMatchObject({ code: "io" });
    await waitUntil("the failure is counted", () => sink.metrics().errors === 1);
    options.calls.fails.clear();
    await sink.close();
  });
});

describe("a queue that is full", () => {
  test("block: the caller waits until there is room, nothing is lost; an impatient one is told", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out");
    const options = sinkOptions({ queue_lines_max: 2, observations: "block" });
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.hold();
    await sink.accept(decisions(1));
    await sink.accept(decisions(2));
    let taken = false;
    const third = sink.accept(observations(3)).then(() => taken = true);
    await Bun.sleep(0);
    expect(taken).toBe(false);
    await expect(sink.accept(decisions(4))).rejects.toMatchObject({ code: "overflow" });
    options.calls.release();
    await third;
    await sink.close();
    expect(read(path)).toEqual([1, 2, 3]);
  });

  test("drop: observations are left out and counted in their place, decisions are not", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out");
    const losses: Gap[] = [];
    const options = sinkOptions({ queue_lines_max: 2, onLoss: (gap) => void losses.push(gap) });
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.hold();
    await sink.accept(observations(1, 2, 3, 4));
    const decided = sink.accept(decisions(5));
    expect(sink.metrics()).toMatchObject({ dropped: 2, queued: 4 });
    options.calls.release();
    await decided;
    await sink.accept(observations(6));
    await sink.close();
    expect(read(path)).toEqual([1, 2, "3-4:2", 5, 6]);
    expect(losses).toEqual([{ source: "jsonl", type: "record", count: 2, from: "3", to: "4" }]);
  });

  test("drop: the line that tells of the loss comes as soon as there is room", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out");
    const options = sinkOptions({ queue_lines_max: 1 });
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.hold();
    await sink.accept(observations(1, 2, 3));
    options.calls.release();
    await waitUntil("the loss is told", () => sink.metrics().written === 2);
    expect(read(path)).toEqual([1, "2-3:2"]);
    await sink.close();
  });

  test("fallback: what finds no room goes to the second sink, in order", async () => {
    await using dir = await TempDir.create();
    const second = await openJsonLinesSink({ kind: "file", path: dir.join("second") }, sinkOptions());
    const options = sinkOptions({
      queue_lines_max: 2,
      decisions: "fallback",
      observations: "fallback",
      fallback: second,
    });
    const sink = await openJsonLinesSink({ kind: "file", path: dir.join("first") }, options);
    options.calls.hold();
    await sink.accept([...observations(1, 2, 3), ...decisions(4)]);
    options.calls.release();
    await sink.close();
    await second.close();
    expect(read(dir.join("first"))).toEqual([1, 2]);
    expect(read(dir.join("second"))).toEqual([3, 4]);
    expect(sink.metrics().diverted).toBe(2);
  });
});

describe("a disk that is full", () => {
  test("block: lines wait, no part of one stays, and all are there once there is space", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out");
    const options = sinkOptions({ observations: "block", queue_lines_max: 2 });
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    await sink.accept(decisions(1));
    await sink.flush();
    options.calls.fails.set("write", "ENOSPC");
    options.calls.partial = 10;
    await sink.accept(decisions(2));
    await expect(sink.flush()).rejects.toMatchObject({ code: "io" });
    await waitUntil("the next attempt is planned", () => options.timers.waiting === 1);
    expect(read(path)).toEqual([1]);
    await sink.accept(observations(3));
    const fourth = sink.accept(observations(4));
    options.timers.fire();
    await waitUntil("it failed again", () => sink.metrics().errors === 2 && options.timers.waiting === 1);
    options.calls.fails.clear();
    options.timers.fire();
    await fourth;
    await sink.close();
    expect(read(path)).toEqual([1, 2, 3, 4]);
  });

  test("a part that cannot be taken back ends with its own line", async () => {
    await using dir = await TempDir.create();
    const path = dir.join("out");
    const options = sinkOptions();
    const sink = await openJsonLinesSink({ kind: "file", path }, options);
    options.calls.fails.set("write", "ENOSPC").set("truncate", "EPERM");
    options.calls.partial = 10;
    await sink.accept(observations(1));
    await waitUntil("the next attempt is planned", () => options.timers.waiting === 1);
    options.calls.fails.clear();
    options.timers.fire();
    await sink.close();
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines[0]).toHaveLength(10);
    expect(lines.slice(1)).toEqual([observations(1)[0]?.line ?? "", ""]);
  });

  test("fallback: lines that waited go to the second sink", async () => {
    await using dir = await TempDir.create();
    const second = await openJsonLinesSink({ kind: "file", path: dir.join("second") }, sinkOptions());
    const options = sinkOptions({ decisions: "fallback", fallback: second });
    const sink = await openJsonLinesSink({ kind: "file", path: dir.join("first") }, options);
    options.calls.fails.set("write", "ENOSPC");
    await sink.accept([...decisions(1), ...observations(2), ...decisions(3)]);
    await waitUntil("the second sink has them", () => second.metrics().written === 2);
    options.calls.fails.clear();
    await sink.close();
    await second.close();
    expect(read(dir.join("second"))).toEqual([1, 3]);
    expect(read(dir.join("first"))).toEqual([2]);
  });

  test("closing says how many lines were not written", async () => {
    const sink = await openJsonLinesSink({ kind: "file", path: "/dev/full" }, {
      ...sinkOptions(),
      timers: systemTimers,
    });
    await sink.accept(decisions(1, 2));
    await expect(sink.close()).rejects.toThrow("2 lines were not written");
  });

  test("whichever write fails, the file has each line once and in order", async () => {
    for (let failing = 1; failing <= 6; failing++) {
      await using dir = await TempDir.create();
      const path = dir.join("out");
      const options = sinkOptions({ observations: "block", file_lines_max: 3 });
      const sink = await openJsonLinesSink({ kind: "file", path }, options);
      for (let seq = 1; seq <= 6; seq++) {
        if (seq === failing) {
          options.calls.fails.set("write", "ENOSPC");
          options.calls.partial = 7;
        }
        await sink.accept(observations(seq));
        if (seq === failing) await waitUntil("it failed", () => options.timers.waiting === 1);
        options.calls.fails.clear();
        options.timers.fire();
        await sink.flush();
      }
      await sink.close();
      expect([`${path}.1`, path].flatMap(read)).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });
});

describe("a reader that has gone", () => {
  /** The writing end of a pipe whose reader ends at once. */
  async function brokenPipe(path: string): Promise<number> {
    const made = Bun.spawn(["mkfifo", path]);
    expect(await made.exited).toBe(0);
    const reading = openSync(path, "r+");
    const writing = openSync(path, "w");
    closeSync(reading);
    return writing;
  }

  test("block: the caller is told; drop: all is counted and told once; the end is quiet", async () => {
    await using dir = await TempDir.create();
    const fd = await brokenPipe(dir.join("pipe"));
    const losses: Gap[] = [];
    const options = sinkOptions({ onLoss: (gap) => void losses.push(gap) });
    const sink = await openJsonLinesSink({ kind: "descriptor", fd }, options);
    await sink.accept([...decisions(1), ...observations(2)]);
    await waitUntil("the reader is missed", () => sink.metrics().errors === 1);
    await expect(sink.accept(decisions(3))).rejects.toMatchObject({ code: "io" });
    await sink.accept(observations(4, 5));
    await expect(sink.flush()).rejects.toMatchObject({ code: "io" });
    expect(sink.metrics()).toMatchObject({ dropped: 4, queued: 0, written: 0 });
    await sink.close();
    expect(losses.map(({ count, from, to }) => `${from}-${to}:${count}`)).toEqual(["1-2:2", "4-5:2"]);
    closeSync(fd);
  });

  test("fallback: everything goes to the second sink", async () => {
    await using dir = await TempDir.create();
    const fd = await brokenPipe(dir.join("pipe"));
    const second = await openJsonLinesSink({ kind: "file", path: dir.join("second") }, sinkOptions());
    const options = sinkOptions({ decisions: "fallback", observations: "fallback", fallback: second });
    const sink = await openJsonLinesSink({ kind: "descriptor", fd }, options);
    await sink.accept(decisions(1));
    await waitUntil("the second sink has it", () => second.metrics().written === 1);
    await sink.accept(observations(2));
    await sink.close();
    await second.close();
    expect(read(dir.join("second"))).toEqual([1, 2]);
    closeSync(fd);
  });
});

describe("a descriptor", () => {
  test("of a file that is there is written to and not closed", async () => {
    await using dir = await TempDir.create();
    writeFileSync(dir.join("out"), "");
    const fd = openSync(dir.join("out"), "a");
    const sink = await openJsonLinesSink({ kind: "descriptor", fd }, sinkOptions());
    await sink.accept(observations(1));
    await sink.close();
    expect(read(dir.join("out"))).toEqual([1]);
    closeSync(fd);
  });

  test("that has no room at the moment is tried again", async () => {
    await using dir = await TempDir.create();
    const fd = openSync(dir.join("out"), "a");
    const options = sinkOptions();
    const sink = await openJsonLinesSink({ kind: "descriptor", fd }, options);
    options.calls.fails.set("write", "EAGAIN");
    await sink.accept(observations(1));
    await waitUntil("it waits for room", () => options.timers.waiting === 1);
    options.calls.fails.clear();
    options.timers.fire();
    await sink.close();
    expect(read(dir.join("out"))).toEqual([1]);
    expect(sink.metrics().errors).toBe(0);
    closeSync(fd);
  });
});

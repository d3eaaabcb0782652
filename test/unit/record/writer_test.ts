import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { AgentguardError, type EntryDraft, LIMITS } from "../../../lib/core/mod.ts";
import {
  type CommittedEntry,
  FIRST_PREV,
  leafHash,
  openRecordReader,
  parseEntry,
  RECORD_LOCK_FILE,
  type Timers,
} from "../../../lib/record/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { decision, decisionId, KeptLog, observation, openWriter, recordFile, tamper, TestClock } from "./support.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

function lines(directory: string): string[] {
  using reader = openRecordReader(directory);
  return [...reader.query()].map((stored) => stored.line);
}

test("entries are numbered from 1 and chained by their leaf hashes", async () => {
  await using writer = openWriter(dir.path);
  expect(writer.head()).toEqual({ seq: 0, hash: FIRST_PREV });
  for (let n = 0; n < 5; n++) writer.append(observation(n));
  expect(writer.pending()).toBe(5);
  await writer.flush();
  expect(writer.pending()).toBe(0);
  let prev = FIRST_PREV;
  for (const [index, line] of lines(dir.path).entries()) {
    const entry = parseEntry(line);
    expect(entry?.seq).toBe(index + 1);
    expect(entry?.prev).toBe(prev);
    expect(entry?.boot_id).toBe("boot");
    expect(entry?.action).toEqual(observation(index).action);
    prev = leafHash(line).toHex();
  }
  expect(writer.head()).toEqual({ seq: 5, hash: prev });
});

test("entries become durable by themselves, without a flush", async () => {
  await using writer = openWriter(dir.path);
  writer.append(observation(1));
  await waitUntil("the commit", () => writer.stats().committed === 1);
  expect(lines(dir.path)).toHaveLength(1);
  writer.append(observation(2));
  await waitUntil("the next commit", () => writer.stats().committed === 2);
});

/** Timers that only say what was asked of them last. */
class AskedTimers implements Timers {
  asked: { readonly delay_ms: number; readonly run: () => void } | undefined;

  after(delay_ms: number, callback: () => void): Disposable {
    const asked = { delay_ms, run: callback };
    this.asked = asked;
    return {
      [Symbol.dispose]: () => {
        if (this.asked === asked) this.asked = undefined;
      },
    };
  }
}

test("what was only seen waits longer for its commit than what was decided, and goes with it", async () => {
  const timers = new AskedTimers();
  await using writer = openWriter(dir.path, { timers });
  const seen: EntryDraft = observation(1);
  const bytes: EntryDraft = {
    time_us: seen.time_us,
    kind: "outcome",
    outcome: { decision_id: decisionId(1), label: "observed", mechanism: "none", bytes_read: 1 },
  };
  for (const draft of [seen, bytes]) {
    writer.append(draft);
    expect(timers.asked?.delay_ms).toBe(LIMITS.commit_seen_wait_ms_max);
  }
  const urgent: readonly EntryDraft[] = [
    decision(1),
    { ...bytes, outcome: { decision_id: decisionId(1), label: "prevented", mechanism: "cgroup" } },
    { time_us: seen.time_us, kind: "gap", gap: { source: "telemetry", type: "record", count: 1 } },
  ];
  for (const draft of urgent) {
    writer.append(seen);
    expect(timers.asked?.delay_ms).toBe(LIMITS.commit_seen_wait_ms_max);
    writer.append(draft);
    expect(timers.asked?.delay_ms).toBe(LIMITS.commit_wait_ms_max);
    writer.append(seen);
    expect(timers.asked?.delay_ms).toBe(LIMITS.commit_wait_ms_max);
    timers.asked?.run();
    await new Promise<void>((resolve) => writer.whenSettled(resolve));
    expect(writer.pending()).toBe(0);
    expect(timers.asked).toBeUndefined();
  }
});

test("one commit takes many entries, and no more than its bound", async () => {
  const sizes: number[] = [];
  await using writer = openWriter(dir.path, { commit_entries_max: 10 });
  writer.onCommit((entries) => sizes.push(entries.length));
  for (let n = 0; n < 25; n++) writer.append(observation(n));
  await writer.flush();
  expect(sizes).toEqual([10, 10, 5]);
  expect(writer.stats()).toMatchObject({ appended: 25, committed: 25, commits: 3, stalled: false, dropped: 0 });
});

test("under load batches end where blocks do", async () => {
  const sizes: number[] = [];
  await using writer = openWriter(dir.path, { commit_entries_max: 1_024 });
  writer.onCommit((entries) => sizes.push(entries.length));
  writer.append(observation(0));
  await writer.flush();
  for (let n = 1; n <= 3_000; n++) writer.append(observation(n));
  await writer.flush();
  expect(sizes).toEqual([1, 1_023, 1_024, 953]);
});

test("listeners get durable entries in order; one that throws is logged and stops nobody", async () => {
  const log = new KeptLog();
  const seen: CommittedEntry[] = [];
  await using writer = openWriter(dir.path, { log });
  writer.onCommit(() => {
    throw new Error("listener");
  });
  const stop = writer.onCommit((entries) => {
    expect(lines(dir.path).length).toBeGreaterThanOrEqual(entries.at(-1)?.seq ?? 0);
    seen.push(...entries);
  });
  for (let n = 0; n < 3; n++) writer.append(observation(n));
  await writer.flush();
  expect(seen.map((entry) => entry.seq)).toEqual([1, 2, 3]);
  expect(seen.map((entry) => entry.line)).toEqual(lines(dir.path));
  expect(log.lines).toEqual(["commit listener failed"]);
  stop();
  writer.append(observation(3));
  await writer.flush();
  expect(seen).toHaveLength(3);
});

test("a record goes on where it ended", async () => {
  for (let round = 0; round < 3; round++) {
    await using writer = openWriter(dir.path);
    expect(writer.head().seq).toBe(round * 2);
    writer.append(observation(round));
    writer.append(observation(round));
    await writer.close();
  }
  using reader = openRecordReader(dir.path);
  expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 6, head_seq: 6 });
});

test("close makes what waits durable and refuses the rest, twice as well as once", async () => {
  const writer = openWriter(dir.path);
  writer.append(observation(1));
  await writer.close();
  await writer.close();
  expect(lines(dir.path)).toHaveLength(1);
  expect(() => writer.append(observation(2))).toThrow("the recorder is closed");
  await writer.flush();
});

test("a second writer is refused while the first one lives", async () => {
  const first = openWriter(dir.path);
  expect(() => openWriter(dir.path)).toThrow(
    `write ${recordFile(dir.path)}: another guard writes it; stop that one, or use another state directory`,
  );
  first.append(observation(1));
  await first.flush();
  await first.close();
  await openWriter(dir.path).close();
});

test("a second writer in another process is refused too", async () => {
  await using _first = openWriter(dir.path);
  const script = `import { openWriter } from ${JSON.stringify(`${import.meta.dir}/support.ts`)};
    try { openWriter(${JSON.stringify(dir.path)}); console.log("opened"); } catch (error) { console.log(error.code); }`;
  const child = Bun.spawnSync([process.execPath, "-e", script]);
  expect(child.stdout.toString().trim()).toBe("busy");
});

test("files are private from the start", async () => {
  const directory = dir.join("a", "b");
  await using writer = openWriter(directory);
  writer.append(observation(1));
  await writer.flush();
  const modes = [recordFile(directory), `${recordFile(directory)}-wal`, `${recordFile(directory)}-shm`]
    .map((path) => statSync(path).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600, 0o600]);
  expect(statSync(dir.join("a", "b", RECORD_LOCK_FILE)).mode & 0o777).toBe(0o600);
  expect(statSync(dir.join("a")).mode & 0o777).toBe(0o700);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test.each([
  ["an edited last entry", "UPDATE texts SET data = CAST(replace(data, '/w/2', '/w/9') AS BLOB)", "entry 3"],
  ["no texts", "DELETE FROM texts", "entry 1"],
  ["another root", "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 3", "entry 3"],
  ["an older checkpoint only", "DELETE FROM checkpoints WHERE size = 3", "entry 1"],
  ["no checkpoint", "DELETE FROM checkpoints", "entry 1"],
  ["no tree", "DELETE FROM tiles", "entry 1"],
])("a record with %s is not continued", async (_name, sql, place) => {
  const writer = openWriter(dir.path);
  for (let n = 0; n < 3; n++) writer.append(observation(n));
  await writer.close();
  tamper(dir.path, sql);
  for (let round = 0; round < 2; round++) {
    const thrown = catchError(() => openWriter(dir.path));
    expect(thrown?.code).toBe("tamper");
    expect(thrown?.message).toContain(place);
  }
});

test("a draft that cannot be read becomes a gap and takes nothing with it", async () => {
  await using writer = openWriter(dir.path);
  const trap = Object.defineProperty({}, "x", {
    enumerable: true,
    get: () => {
      throw new Error("trap");
    },
  });
  const broken: EntryDraft = observation(2, { action: { type: "tool.call", tool: "t", source: "s", args: trap } });
  for (const draft of [observation(1), broken, observation(3)]) writer.append(draft);
  await writer.flush();
  expect(lines(dir.path).map((line) => parseEntry(line)?.gap?.type)).toEqual([undefined, "record", undefined]);
});

test("a draft is redacted before it becomes an entry; one that cannot be is not recorded as it was", async () => {
  const redact = (draft: EntryDraft): EntryDraft => {
    if (draft.process?.pid === 102) throw new Error("redaction failed");
    return { ...draft, action: { type: "file.read", path: "[redacted]", result: "0" } };
  };
  await using writer = openWriter(dir.path, { redact });
  for (const n of [1, 2, 3]) writer.append(observation(n));
  await writer.flush();
  const entries = lines(dir.path).map((line) => parseEntry(line));
  expect(entries.map((entry) => entry?.gap?.type)).toEqual([undefined, "record", undefined]);
  expect(entries[0]?.action).toEqual({ type: "file.read", path: "[redacted]", result: "0" });
  expect(lines(dir.path).join()).not.toContain("/w/");
});

test("commits within a second share the checkpoint that is kept, and each has one until the next", async () => {
  const clock = new TestClock();
  const sizes = (): readonly number[] => {
    using database = new Database(recordFile(dir.path), { readonly: true });
    return database.query<{ size: number }, []>("SELECT size FROM checkpoints ORDER BY size").all().map((row) =>
      row.size
    );
  };
  await using writer = openWriter(dir.path, { clock });
  const seen: (readonly number[])[] = [];
  for (const step_us of [0, 400_000, 400_000, 400_000, 0]) {
    clock.now_us += step_us;
    writer.append(observation(1));
    await writer.flush();
    seen.push(sizes());
  }
  // The first of a record is kept, then the last before each full second.
  expect(seen).toEqual([[0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 4, 5]]);
});

test("a full queue commits first as long as the disk works: nothing is dropped", async () => {
  await using writer = openWriter(dir.path, { queue_max: 100, commit_entries_max: 10 });
  for (let n = 0; n < 1_000; n++) writer.append(observation(n));
  await writer.flush();
  expect(writer.stats()).toMatchObject({ committed: 1_000, dropped: 0 });
});

function catchError(body: () => unknown): AgentguardError | undefined {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AgentguardError) return thrown;
    throw thrown;
  }
  return undefined;
}

import { expect, test } from "bun:test";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { AgentguardError, errorMessage } from "../../../lib/core/mod.ts";
import { openRecordReader, parseEntry, type RecorderState } from "../../../lib/record/mod.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { decision, observation, openWriter } from "./support.ts";

/** A small file system of its own, unmounted at the end. */
class SmallDisk implements AsyncDisposable {
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  static async mount(): Promise<SmallDisk> {
    const dir = await TempDir.create();
    const { exitCode, stderr } = Bun.spawnSync([
      "mount",
      "-t",
      "tmpfs",
      "-o",
      "size=512k",
      "agentguard-test",
      dir.path,
    ]);
    if (exitCode !== 0) throw new Error(`mount a tmpfs: ${stderr}`);
    return new SmallDisk(dir);
  }

  path(...names: readonly string[]): string {
    return this.#dir.join(...names);
  }

  /** Takes all the space that is left, in a file of its own. */
  fill(): void {
    for (let size = 65_536, part = 0; size >= 4_096;) {
      try {
        writeFileSync(this.path(`ballast-${part++}`), Buffer.alloc(size));
      } catch {
        size /= 2;
      }
    }
  }

  /** Gives it back. */
  free(): void {
    for (const name of readdirSync(this.#dir.path)) if (name.startsWith("ballast-")) rmSync(this.path(name));
  }

  /** Makes it large enough for everything. */
  grow(): void {
    this.remount("size=16m");
  }

  /** Changes its options. */
  remount(options: string): void {
    const { exitCode, stderr } = Bun.spawnSync(["mount", "-o", `remount,${options}`, this.#dir.path]);
    if (exitCode !== 0) throw new Error(`remount a tmpfs: ${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Bun.spawnSync(["umount", this.#dir.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}

const root = process.getuid?.() === 0;

test.skipIf(!root)(
  "a full disk stalls the writer with the reason; space given back, all comes in order (needs root to mount)",
  async () => {
    await using disk = await SmallDisk.mount();
    const states: RecorderState[] = [];
    const writer = openWriter(disk.path("state"), { onState: (state) => states.push(state) });
    writer.append(observation(1));
    await writer.flush();
    disk.fill();
    let refused: unknown;
    let appended = 1;
    for (let round = 0; refused === undefined && round < 2_000; round++) {
      for (let n = 0; n < 10; n++) writer.append(observation(++appended));
      refused = await writer.flush().then(() => undefined, (thrown: unknown) => thrown);
    }
    expect(refused).toBeInstanceOf(AgentguardError);
    expect(refused).toMatchObject({ code: "io" });
    expect(errorMessage(refused)).toContain("the file system is full");
    expect(errorMessage(refused)).toContain(disk.path("state", "record.db"));
    expect(states).toMatchObject([{ status: "stalled" }]);
    expect(writer.state()).toMatchObject({ status: "stalled" });
    for (let n = 0; n < 3_000; n++) writer.append(decision(++appended));
    expect(writer.pending()).toBeGreaterThanOrEqual(3_000);
    const durable = writer.head().seq;
    {
      using reader = openRecordReader(disk.path("state"));
      expect(reader.verify()).toMatchObject({ ok: true, entries: durable });
    }
    disk.free();
    // 3,000 entries of 900 bytes do not fit: what was taken up is let go of by moving the bound of the file system.
    disk.grow();
    await waitUntil("the writer to go on by itself", () => writer.pending() === 0);
    expect(states.at(-1)).toEqual({ status: "writing" });
    expect(writer.stats()).toMatchObject({ appended, committed: appended, stalled: false, dropped: 0 });
    await writer.close();
    using reader = openRecordReader(disk.path("state"));
    expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: appended });
    const times = [...reader.query()].map((stored) => parseEntry(stored.line)?.time ?? "");
    expect(times).toEqual(times.toSorted());
    expect(new Set(times).size).toBe(appended);
  },
);

test.skipIf(!root)(
  "a disk that stays full bounds the queue: observations go, counted by a gap, decisions stay (needs root to mount)",
  async () => {
    await using disk = await SmallDisk.mount();
    const writer = openWriter(disk.path("state"), { queue_max: 200, commit_entries_max: 50 });
    let appended = 0;
    disk.fill();
    for (let round = 0; writer.state().status === "writing" && round < 2_000; round++) {
      writer.append(observation(++appended));
      await writer.flush().catch(() => {});
    }
    const waiting = writer.pending();
    for (let n = 0; n < 300; n++) writer.append(observation(++appended));
    for (let n = 0; n < 100; n++) writer.append(decision(++appended));
    expect(writer.pending()).toBeLessThanOrEqual(250);
    const dropped = writer.stats().dropped;
    expect(dropped).toBe(waiting + 400 - writer.pending());
    disk.free();
    disk.grow();
    await waitUntil("the writer to go on", () => writer.pending() === 0);
    await writer.close();
    using reader = openRecordReader(disk.path("state"));
    expect(reader.verify()).toMatchObject({ ok: true });
    expect(reader.count({ kind: "decision" })).toBe(100);
    const gaps = [...reader.query({ kind: "gap" })].map((stored) => parseEntry(stored.line)?.gap);
    expect(gaps.map((gap) => [gap?.source, gap?.type])).toEqual([["recorder", "observation"]]);
    expect(gaps[0]?.count).toBe(dropped);
    expect(reader.count()).toBe(appended - dropped + 1);
  },
);

test.skipIf(!root)(
  "closing while the disk is full says how much is lost, and frees the lock (needs root to mount)",
  async () => {
    await using disk = await SmallDisk.mount();
    const writer = openWriter(disk.path("state"));
    disk.fill();
    for (let n = 0; n < 2_000; n++) writer.append(observation(n));
    const flushed = writer.flush().then(() => "durable", errorMessage);
    const closed = await writer.close().then(() => "closed", errorMessage);
    expect(await flushed).not.toBe("durable");
    expect(closed).toMatch(/^close the record: \d+ entries could not be written; .*the file system is full/);
    disk.free();
    const next = openWriter(disk.path("state"));
    next.append(observation(1));
    await next.close();
  },
);

test("a directory that cannot be written says so and what to do", async () => {
  await using dir = await TempDir.create();
  writeFileSync(dir.join("file"), "");
  expect(() => openWriter(dir.join("file", "state"))).toThrow(/create directory .*file\/state: ENOTDIR; name a path/);
});

test.skipIf(!root)("a read-only file system says so, and can still be read (needs root to mount)", async () => {
  await using disk = await SmallDisk.mount();
  const writer = openWriter(disk.path("state"));
  writer.append(observation(1));
  await writer.close();
  disk.remount("ro");
  let thrown: unknown;
  try {
    openWriter(disk.path("state"));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "io" });
  expect(errorMessage(thrown)).toContain(disk.path("state"));
  using reader = openRecordReader(disk.path("state"));
  expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 1 });
});

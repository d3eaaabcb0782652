/**
 * Power cuts at random moments: a writer is stopped between two of its instructions, its files are copied as they are,
 * and the last writes that nobody acknowledged are torn off in half of the copies, as a disk that lost its power may
 * do. Every copy must open, verify, hold everything acknowledged, and say what happened.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { entryOf, KEY_FILE, openRecordReader, RECORD_FILE } from "../../lib/record/mod.ts";
import { TempDir } from "../support/mod.ts";
import { openWriter } from "../unit/record/support.ts";

const CUTS = 510;
/** Cuts into a write that must have been among them, and the most cuts that are tried for it. */
const TORN_MIN = 10;
const CUTS_MAX = 8 * CUTS;
/** A new record is begun after so many cuts, so that its beginning is cut too and copies stay small. */
const CUTS_PER_RECORD = 34;
const CHILD = join(import.meta.dir, "record_crash_writer.ts");
const SEED = Number(process.env["CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** A small generator of numbers from 0 to below 1 (mulberry32), so that a seed gives the same cuts. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A writer in a process of its own, stopped and continued at will. */
class CrashWriter {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  #text = "";
  #reading: Promise<void>;

  constructor(directory: string) {
    this.#child = Bun.spawn([process.execPath, CHILD, directory], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#reading = this.#read();
  }

  /** The last number that was acknowledged and has been read here. */
  get acknowledged(): number {
    return Number(this.#text.slice(0, this.#text.lastIndexOf("\n")).split("\n").at(-1));
  }

  /** Stops it, and waits until the kernel says that it is stopped with all its threads. */
  async stop(): Promise<void> {
    this.#child.kill("SIGSTOP");
    while (!/^State:\tT/m.test(readFileSync(`/proc/${this.#child.pid}/status`, "utf8"))) await turn();
  }

  go(): void {
    this.#child.kill("SIGCONT");
  }

  /** Waits for more acknowledgements; fails if the writer ended. */
  async until(more: number): Promise<void> {
    while (this.acknowledged < more || this.#text === "") {
      if (this.#child.exitCode !== null) throw new Error(`the writer ended with ${this.#child.exitCode}`);
      await turn();
    }
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await this.#reading;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) this.#text += decoder.decode(chunk);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

/** Copies the files of a stopped writer. The index of the log is not copied: after a power cut there is none. */
function copyRecord(from: string, to: string): void {
  for (const name of [RECORD_FILE, `${RECORD_FILE}-wal`, KEY_FILE]) {
    rmSync(join(to, name), { force: true });
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  }
  for (const name of [`${RECORD_FILE}-shm`, "record.lock.db"]) rmSync(join(to, name), { force: true });
}

/** What a copy holds, or 0 where nothing was written yet. */
function sizeOf(directory: string): number {
  using reader = openRecordReader(directory);
  return reader.head().seq;
}

/** Tears the end of the log off, as far as nothing acknowledged is in it; true if something was torn. */
function tear(
  copy: string,
  { from, acknowledged, share }: { from: string; acknowledged: number; share: number },
): boolean {
  const wal = join(copy, `${RECORD_FILE}-wal`);
  // The last transaction was not acknowledged: then none of its bytes need to be on the disk.
  if (!existsSync(wal) || sizeOf(copy) <= acknowledged) return false;
  copyRecord(from, copy);
  const frame = 24 + 4_096;
  const frames = Math.floor((statSync(wal).size - 32) / frame);
  const bytes = readFileSync(wal);
  const salt = bytes.subarray(16, 24);
  const commits: number[] = [];
  for (let n = 0; n < frames; n++) {
    const at = 32 + n * frame;
    // What lies behind the log's own frames is of an earlier round, with other salts.
    if (!bytes.subarray(at + 8, at + 16).equals(salt)) break;
    if (bytes.readUInt32BE(at + 4) !== 0) commits.push(n + 1);
  }
  const [before, last] = [commits.at(-2) ?? 0, commits.at(-1) ?? 0];
  const [start, end] = [32 + before * frame, 32 + last * frame];
  truncateSync(wal, start + Math.floor((end - start) * share));
  return true;
}

/** One cut of a running writer. */
async function cut(writer: CrashWriter, from: string, copy: string, rand: () => number): Promise<boolean> {
  const turns = Math.floor(rand() * 60);
  for (let n = 0; n < turns; n++) await turn();
  await writer.stop();
  const acknowledged = writer.acknowledged;
  try {
    copyRecord(from, copy);
    const torn = rand() < 0.5 && tear(copy, { from, acknowledged, share: rand() });
    if (!torn) copyRecord(from, copy);
    check(copy, acknowledged);
    return torn;
  } finally {
    writer.go();
  }
}

function check(copy: string, acknowledged: number): void {
  {
    using reader = openRecordReader(copy);
    const report = reader.verify({ structure: true });
    if (!report.ok) expect(report).toMatchObject({ ok: true });
    expect(report.entries).toBeGreaterThanOrEqual(acknowledged);
  }
  const before = sizeOf(copy);
  const next = openWriter(copy);
  expect(next.head().seq).toBe(before + 1);
  void next.close();
  using reader = openRecordReader(copy);
  const [last] = reader.query({ newest: true, limit: 1 });
  if (last === undefined) throw new Error("no entry");
  expect(entryOf(last).action?.type).toBe("guard.recovered");
  expect(reader.verify()).toMatchObject({ ok: true, entries: before + 1 });
}

test(
  `${CUTS} power cuts: nothing acknowledged is lost, and the next start says what happened (CRASH_SEED=${SEED})`,
  async () => {
    const rand = random(SEED);
    let torn = 0;
    // How often a cut falls into a write depends on the disk: it goes on until that was seen often enough.
    for (let done = 0; done < CUTS || (torn <= TORN_MIN && done < CUTS_MAX); done += CUTS_PER_RECORD) {
      const [from, copy] = [dir.join(`record-${done}`), dir.join("copy")];
      await Bun.write(join(copy, "empty"), "");
      const writer = new CrashWriter(from);
      try {
        await writer.until(1);
        for (let n = 0; n < CUTS_PER_RECORD; n++) if (await cut(writer, from, copy, rand)) torn++;
      } finally {
        await writer.end();
      }
      check(from, writer.acknowledged);
      rmSync(from, { recursive: true });
    }
    // Else the moments were not random at all.
    expect(torn).toBeGreaterThan(TORN_MIN);
  },
  600_000,
);

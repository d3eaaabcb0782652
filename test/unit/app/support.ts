/** Shared by the tests of commands: a captured outside, temporary directories, entries. */
import { type CommandIo, PipeClosed, type Writer } from "../../../lib/app/command_io.ts";
import type { Entry, EntryId, SessionId } from "../../../lib/core/mod.ts";

export const SESSION = "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId;

export { TempDir, until } from "../publish/support.ts";

/** Keeps what is written; with a limit the reader goes away after that many characters. */
export class MemoryWriter implements Writer {
  text = "";
  readonly #chars_max: number;
  constructor(chars_max: number = Number.POSITIVE_INFINITY) {
    this.#chars_max = chars_max;
  }
  write(text: string): Promise<void> {
    if (this.text.length >= this.#chars_max) return Promise.reject(new PipeClosed("stop writing: the reader has gone"));
    this.text += text;
    return Promise.resolve();
  }
  lines(): readonly string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

/** The wall clock of the tests: 2026-01-02T03:04:05Z. */
export const NOW_US: number = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;

export interface MemoryIo extends CommandIo {
  readonly stdout: MemoryWriter;
  readonly stderr: MemoryWriter;
}

export function memoryIo(options: Partial<MemoryIo> = {}): MemoryIo {
  return {
    stdout: new MemoryWriter(),
    stderr: new MemoryWriter(),
    env: { HOME: "/home/u" },
    isTty: false,
    columns: 0,
    uid: 1000,
    cwd: "/",
    clock: { wallUs: () => NOW_US, monotonicUs: () => 0 },
    ...options,
  };
}

export function entry(more: Partial<Entry> = {}): Entry {
  return {
    seq: 1,
    entry_id: "01JABCDEFGHJKMNPQRSTVWXYZ2" as EntryId,
    boot_id: "b",
    time: "2026-01-02T03:04:05.678901Z",
    kind: "observation",
    prev: "0".repeat(64),
    ...more,
  };
}

/** Where JSON lines go: a file that is appended to, rotated and opened anew, or a descriptor that is there already. */
import { AgentguardError, type Clock, errorMessage, type Log } from "../core/mod.ts";
import { errorName, type FileCalls } from "./jsonl_calls.ts";
import type { Timers } from "./timers.ts";

/** A file by its path, or an open descriptor such as 1 for stdout, which is never closed here. */
export type JsonLinesTarget =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "descriptor"; readonly fd: number };

/** When a file is put aside for a new one; absent bounds never. */
export interface RotationOptions {
  /** Bytes of one file, at most; a single longer line has a file of its own. */
  readonly file_bytes_max?: number;
  /** Lines of one file, at most, counted from when it was opened. */
  readonly file_lines_max?: number;
  /** Age of one file, at most, milliseconds; looked at when lines come. */
  readonly file_age_ms_max?: number;
  /** Files kept beside the current one, as `PATH.1` (the newest) to `PATH.N`, 1 to 1,000; 5 by default. */
  readonly files_kept?: number;
}

/** What an output works with. */
export interface OutputParts extends RotationOptions {
  readonly calls: FileCalls;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** True if a file is made durable before it is put aside. */
  readonly syncs: boolean;
}

const FILES_KEPT = 5;
/** The name of a file that lines go to is looked at so often, microseconds. */
const LOOK_US = 1_000_000;
/** Rights of a new file: a record is for its owner. */
const FILE_MODE = 0o600;
/** Pause while a descriptor that does not block has no room, milliseconds. */
const AGAIN_MS = 5;

const encoder = new TextEncoder();

interface OpenFile {
  readonly fd: number;
  readonly id: string;
}

/** An opened target. Calls must not overlap. */
export class JsonLinesOutput {
  readonly #target: JsonLinesTarget;
  readonly #parts: OutputParts;
  #fd: number;
  /** Which file that is, and when its name was last looked at. */
  #id: string;
  #looked_us: number;
  #lines = 0;
  #opened_us: number;
  #rotations = 0;
  /** Rotating failed: not tried again before the file has this size. */
  #retry_size = 0;
  /** Part of a line may stand at the end of the file. */
  #torn = false;

  private constructor(target: JsonLinesTarget, parts: OutputParts, { fd, id }: OpenFile) {
    this.#target = target;
    this.#parts = parts;
    this.#fd = fd;
    this.#id = id;
    this.#opened_us = parts.clock.wallUs();
    this.#looked_us = parts.clock.monotonicUs();
  }

  /** Opens the target. Rejects with `io`, or `config` for a path that is no file. */
  static async open(target: JsonLinesTarget, parts: OutputParts): Promise<JsonLinesOutput> {
    const file = target.kind === "file" ? await openFile(target.path, parts.calls) : { fd: target.fd, id: "" };
    return new JsonLinesOutput(target, parts, file);
  }

  /** Files put aside so far. */
  get rotations(): number {
    return this.#rotations;
  }

  /**
   * Writes as many of the lines as the current file takes, one at least, and gives their number and bytes. A file has
   * all of them or, on a failure, none; a descriptor may have a part, which then stands on a line of its own.
   */
  async write(lines: readonly string[]): Promise<{ readonly count: number; readonly bytes: number }> {
    if (this.#target.kind === "file") await this.#follow(this.#target.path);
    const chunk = this.#target.kind === "file" ? await this.#fitting(this.#target.path, lines) : lines;
    const bytes = encoder.encode(`${this.#torn ? "\n" : ""}${chunk.join("\n")}\n`);
    await this.#writeWhole(bytes);
    this.#torn = false;
    this.#lines += chunk.length;
    return { count: chunk.length, bytes: bytes.length };
  }

  /** Makes what was written durable; nothing for a descriptor that is no file. */
  async sync(): Promise<void> {
    try {
      await this.#parts.calls.datasync(this.#fd);
    } catch (thrown) {
      if (!["EINVAL", "EROFS", "ENOTSUP"].includes(errorName(thrown))) throw thrown;
    }
  }

  /** Opens the path anew, for after somebody moved the file. On a failure, `io`, the file that is open stays in use. */
  async reopen(): Promise<void> {
    if (this.#target.kind === "descriptor") return;
    await this.#replace(await openFile(this.#target.path, this.#parts.calls));
  }

  /** Closes a file; a descriptor belongs to whoever gave it. */
  async close(): Promise<void> {
    if (this.#target.kind === "file") await this.#parts.calls.close(this.#fd);
  }

  /** Opens the path anew where somebody moved or removed the file: not every guard can be told by a signal. */
  async #follow(path: string): Promise<void> {
    const { calls, clock, log } = this.#parts;
    const now_us = clock.monotonicUs();
    if (now_us - this.#looked_us < LOOK_US) return;
    this.#looked_us = now_us;
    try {
      if (await calls.named(path) !== this.#id) await this.#replace(await openFile(path, calls));
    } catch (thrown) {
      log.warn("json lines: the file has another name now and cannot be made anew", {
        path,
        error: errorMessage(thrown),
      });
    }
  }

  /** The lines that go into the current file, after rotation where it is full. */
  async #fitting(path: string, lines: readonly string[]): Promise<readonly string[]> {
    const { calls, clock, file_bytes_max = Infinity, file_lines_max = Infinity, file_age_ms_max = Infinity } =
      this.#parts;
    if (file_bytes_max === Infinity && file_lines_max === Infinity && file_age_ms_max === Infinity) return lines;
    const facts = await calls.facts(this.#fd);
    let { size } = facts;
    if (size < this.#retry_size) return lines;
    const age_ms = clock.wallUs() / 1_000 - (facts.born_ms > 0 ? facts.born_ms : this.#opened_us / 1_000);
    const full = this.#lines >= file_lines_max || size + bytesOf(lines[0] ?? "") > file_bytes_max ||
      age_ms >= file_age_ms_max;
    if (full && size > 0) {
      if (!await this.#rotate(path, size)) return lines;
      size = 0;
    }
    const most = Math.min(lines.length, file_lines_max - this.#lines);
    let count = 1;
    for (let bytes = size + bytesOf(lines[0] ?? ""); count < most; count++) {
      bytes += bytesOf(lines[count] ?? "");
      if (bytes > file_bytes_max) break;
    }
    return lines.slice(0, count);
  }

  async #writeWhole(bytes: Uint8Array): Promise<void> {
    const { calls, timers } = this.#parts;
    let offset = 0;
    while (offset < bytes.length) {
      try {
        offset += await calls.write(this.#fd, bytes, offset);
      } catch (thrown) {
        if (errorName(thrown) !== "EAGAIN") {
          if (offset > 0) await this.#takeBack(offset);
          throw thrown;
        }
        await new Promise<void>((resolve) => void timers.after(AGAIN_MS, resolve));
      }
    }
  }

  /** Takes the part of a group that was written out of the file; else a line end is put behind it before the next. */
  async #takeBack(written: number): Promise<void> {
    const { calls, log } = this.#parts;
    try {
      const { size, is_regular } = await calls.facts(this.#fd);
      this.#torn = !is_regular;
      if (is_regular) await calls.truncate(this.#fd, size - written);
    } catch (thrown) {
      this.#torn = true;
      log.warn("json lines: part of a line stays in the file", { error: errorMessage(thrown) });
    }
  }

  /** Puts the file aside; false, and the file stays in use, if that fails. */
  async #rotate(path: string, size: number): Promise<boolean> {
    const { calls, log, files_kept = FILES_KEPT } = this.#parts;
    try {
      for (let n = files_kept - 1; n >= 1; n--) await renameIfThere(calls, `${path}.${n}`, `${path}.${n + 1}`);
      await calls.rename(path, `${path}.1`);
      await this.#replace(await openFile(path, calls));
    } catch (thrown) {
      this.#retry_size = size + (this.#parts.file_bytes_max ?? size);
      log.warn("json lines: the file could not be rotated and grows on", { path, error: errorMessage(thrown) });
      return false;
    }
    this.#rotations++;
    return true;
  }

  async #replace({ fd, id }: OpenFile): Promise<void> {
    const { calls, clock, log, syncs } = this.#parts;
    const before = this.#fd;
    this.#fd = fd;
    this.#id = id;
    this.#lines = 0;
    this.#opened_us = clock.wallUs();
    this.#retry_size = 0;
    this.#torn = false;
    try {
      if (syncs) await calls.datasync(before);
      await calls.close(before);
    } catch (thrown) {
      // The new file is in use; what the system says of the old one is all that is left to tell.
      log.warn("json lines: the file that was put aside may not be whole", { error: errorMessage(thrown) });
    }
  }
}

async function openFile(path: string, calls: FileCalls): Promise<OpenFile> {
  let fd: number;
  try {
    fd = await calls.openAppend(path, FILE_MODE);
  } catch (cause) {
    throw new AgentguardError("io", `open ${path} for JSON lines: ${errorMessage(cause)}`, { cause });
  }
  const facts = await calls.facts(fd);
  if (facts.is_regular || facts.is_device) return { fd, id: facts.id };
  await calls.close(fd);
  throw new AgentguardError("config", `open ${path} for JSON lines: it is no file; give the path of a file`);
}

function bytesOf(line: string): number {
  return Buffer.byteLength(line) + 1;
}

async function renameIfThere(calls: FileCalls, from: string, to: string): Promise<void> {
  try {
    await calls.rename(from, to);
  } catch (thrown) {
    if (errorName(thrown) !== "ENOENT") throw thrown;
  }
}

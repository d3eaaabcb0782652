/** What the tests of the JSON-lines sink share: entries, timers moved by hand, calls on files that fail on demand. */
import { silentLog } from "../../../lib/core/mod.ts";
import { type FileCalls, systemFileCalls } from "../../../lib/record/jsonl_calls.ts";
import type { JsonLinesOptions } from "../../../lib/record/jsonl_options.ts";
import type { CommittedEntry } from "../../../lib/record/mod.ts";
import { entry, stored } from "./support.ts";

/** Timers that fire when they are told to. */
export class HandTimers {
  readonly #waiting: Set<() => void> = new Set();

  after(_delay_ms: number, callback: () => void): Disposable {
    this.#waiting.add(callback);
    return { [Symbol.dispose]: () => void this.#waiting.delete(callback) };
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  fire(): void {
    const due = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of due) callback();
  }
}

/** The system's error of this name. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/** Calls on real files, of which the named ones fail while a code is set for them, or wait while `held`. */
export class FaultyCalls implements FileCalls {
  readonly fails: Map<keyof FileCalls, string> = new Map();
  readonly made: string[] = [];
  /** Bytes that a write takes before it fails with what is set for `write`. */
  partial = 0;
  #held: PromiseWithResolvers<void> | undefined;

  /** Writes wait until `release`. */
  hold(): void {
    this.#held = Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  openAppend(path: string, mode: number): Promise<number> {
    return this.#call("openAppend", () => systemFileCalls.openAppend(path, mode));
  }

  facts(fd: number): ReturnType<FileCalls["facts"]> {
    return this.#call("facts", () => systemFileCalls.facts(fd));
  }

  named(path: string): ReturnType<FileCalls["named"]> {
    return this.#call("named", () => systemFileCalls.named(path));
  }

  async write(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
    await this.#held?.promise;
    if (this.partial > 0 && this.fails.has("write")) {
      const part = bytes.subarray(0, offset + this.partial);
      this.partial = 0;
      return await systemFileCalls.write(fd, part, offset);
    }
    return await this.#call("write", () => systemFileCalls.write(fd, bytes, offset));
  }

  datasync(fd: number): Promise<void> {
    return this.#call("datasync", () => systemFileCalls.datasync(fd));
  }

  truncate(fd: number, size: number): Promise<void> {
    return this.#call("truncate", () => systemFileCalls.truncate(fd, size));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call("rename", () => systemFileCalls.rename(from, to));
  }

  close(fd: number): Promise<void> {
    return this.#call("close", () => systemFileCalls.close(fd));
  }

  count(name: keyof FileCalls): number {
    return this.made.filter((made) => made === name).length;
  }

  #call<T>(name: keyof FileCalls, call: () => Promise<T>): Promise<T> {
    this.made.push(name);
    const code = this.fails.get(name);
    return code === undefined ? call() : Promise.reject(systemError(code));
  }
}

/** Options with timers and calls in hand. */
export function sinkOptions(
  more: Partial<JsonLinesOptions> = {},
): JsonLinesOptions & { readonly timers: HandTimers; readonly calls: FaultyCalls } {
  const clock = { wallUs: () => Date.UTC(2026, 0, 2) * 1_000, monotonicUs: () => 0 };
  return { clock, log: silentLog, ...more, timers: new HandTimers(), calls: new FaultyCalls() };
}

/** Observations with these numbers. */
export function observations(...seqs: readonly number[]): readonly CommittedEntry[] {
  return stored(...seqs.map((seq) => entry({ seq })));
}

/** Decisions with these numbers. */
export function decisions(...seqs: readonly number[]): readonly CommittedEntry[] {
  return stored(...seqs.map((seq) => entry({ seq, kind: "decision" })));
}

/** Numbers of the entries in a text of lines; a line that tells of a loss is `from-to:count`. */
export function numbersIn(text: string): readonly (number | string)[] {
  return text.split("\n").slice(0, -1).map((line) => {
    const value = JSON.parse(line);
    return value.kind === "gap" && value.seq === undefined
      ? `${value.gap.from}-${value.gap.to}:${value.gap.count}`
      : value.seq;
  });
}

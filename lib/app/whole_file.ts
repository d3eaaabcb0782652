/** A file that appears under its name when all of it is written. */
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { AgentguardError, errorMessage } from "../core/mod.ts";
import type { Writer } from "./command_io.ts";

/** What it holds may be private: for its owner alone. */
const FILE_MODE = 0o600;

/** Writes beside `path` and moves that over it at `commit`; without it, nothing of it stays. */
export class WholeFile implements Writer, Disposable {
  readonly #path: string;
  readonly #part: string;
  #fd: number | undefined;

  /** Throws `io` naming the path, also for one that is no regular file. */
  constructor(path: string) {
    this.#path = path;
    this.#part = `${path}.part-${process.pid}`;
    const before = lstatSync(path, { throwIfNoEntry: false });
    if (before !== undefined && !before.isFile()) {
      throw new AgentguardError("io", `write ${path}: it is no regular file; name another path`);
    }
    this.#fd = this.#attempt(() => openSync(this.#part, "wx", FILE_MODE));
  }

  /** Throws `io`. */
  write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#attempt(() => {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#open(), bytes, at);
    });
    return Promise.resolve();
  }

  /** The file is whole: it takes its name once it is on the disk. Throws `io`. */
  commit(): void {
    this.#attempt(() => {
      fsyncSync(this.#open());
      renameSync(this.#part, this.#path);
      this.#close();
    });
  }

  /** Removes what was not committed. Doing it twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    this.#close();
    this.#attempt(() => unlinkSync(this.#part));
  }

  #open(): number {
    if (this.#fd === undefined) throw new AgentguardError("closed", `write ${this.#path}: it is closed`);
    return this.#fd;
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw new AgentguardError("io", `write ${this.#path}: ${errorMessage(thrown)}; name a path that can be written`, {
        cause: thrown,
      });
    }
  }
}

/** Bringing a write-ahead log to the disk beside SQLite, so that the thread that writes need not wait for the disk. */
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";

/**
 * Syncs of one log file. SQLite itself would call fsync, which also writes the file's times, and wait for it. A failed
 * sync may have thrown away what it should have written, and the next one would not say so: after one, everything is
 * folded into the database, whose own sync is then what counts.
 */
export class LogSync {
  readonly #path: string;
  readonly #fold: () => void;
  #fd: number | undefined;
  #failed = false;
  #under_way = 0;
  #closed = false;

  /** `fold` moves the whole log into the database and syncs that; it throws where it could not. */
  constructor(path: string, fold: () => void) {
    this.#path = path;
    this.#fold = fold;
  }

  /** Returns when what was written before is on the disk. Throws what the file system or `fold` throws. */
  now(): void {
    try {
      if (this.#failed) this.#fold();
      else fdatasyncSync(this.#descriptor());
      this.#failed = false;
    } catch (thrown) {
      this.#failed = true;
      throw thrown;
    }
  }

  /** The same, waited for by another thread. After a failure it is done here and now. */
  later(): Promise<void> {
    if (this.#failed) return Promise.try(() => this.now());
    return Promise.try(() => this.#wait()).catch((thrown: unknown) => {
      this.#failed = true;
      throw thrown;
    });
  }

  #wait(): Promise<void> {
    const fd = this.#descriptor();
    this.#under_way++;
    return new Promise((resolve, reject) => {
      fdatasync(fd, (error) => {
        this.#under_way--;
        if (this.#closed) this.#release();
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }

  /** Lets the file go, once nothing is under way on it. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    // A number that was closed may already name another file.
    if (this.#under_way > 0 || this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** SQLite makes the log at the first write; the name stays with this file until the database is closed. */
  #descriptor(): number {
    return this.#fd ??= openSync(this.#path, "r");
  }
}

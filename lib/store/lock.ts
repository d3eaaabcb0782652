/** One writer at a time, across processes. */
import { Database } from "bun:sqlite";
import { AgentguardError } from "../core/mod.ts";
import { sqliteCode, storeError } from "./errors.ts";
import { createPrivateFile } from "./files.ts";

/**
 * Held from construction until `release`. It is an exclusive transaction on a small database of its own, so it is a
 * lock of the kernel: it ends with the process, however that ends, and nothing stale stays behind.
 */
export class WriterLock implements Disposable {
  readonly #database: Database;
  #held = true;

  /**
   * Takes the lock at `path` (made with mode 0600 where missing). Throws `busy` at once when somebody holds it; `what`
   * names the protected thing in that message; `io` when the file cannot be used.
   */
  constructor(path: string, what: string) {
    createPrivateFile(path);
    let database: Database | undefined;
    try {
      database = new Database(path, { readwrite: true });
      database.exec("PRAGMA busy_timeout = 0");
      database.exec("BEGIN EXCLUSIVE");
      this.#database = database;
    } catch (thrown) {
      database?.close();
      if (sqliteCode(thrown).startsWith("SQLITE_BUSY")) {
        const message = `write ${what}: another guard writes it; stop that one, or use another state directory`;
        throw new AgentguardError("busy", message, { cause: thrown });
      }
      throw storeError(thrown, "lock", path);
    }
  }

  /** Lets the next writer in. Doing it twice is harmless. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#database.exec("ROLLBACK");
    this.#database.close(true);
  }

  /** The same as `release`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

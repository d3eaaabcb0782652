/** One database file, opened the one safe way. */
import { constants, Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { AgentguardError, errorMessage, invariant } from "../core/mod.ts";
import { sqliteCode, storeError, syncError } from "./errors.ts";
import { createPrivateFile } from "./files.ts";
import { LogSync } from "./log_sync.ts";
import { migrate, requireCurrent, type Schema } from "./migrate.ts";
import { type Row, type SqlValue, Statement } from "./statement.ts";

/** How to open. */
export interface StoreOptions {
  /**
   * `write` creates what is missing and migrates; `read` changes nothing and refuses a missing file with `not_found`.
   */
  readonly mode: "read" | "write";
  readonly schema: Schema;
  /** How long a statement waits for another process, milliseconds; 2,000 by default. */
  readonly busy_timeout_ms?: number;
  /**
   * When what `write` wrote comes to the disk: before it returns, which is the default, or with the next `sync`.
   */
  readonly synced?: "by_write" | "by_sync";
}

/** How thorough a check of the file's structure is: `full` also compares every index with its table. */
export type CheckDepth = "quick" | "full";

const BUSY_TIMEOUT_MS = 2_000;
/**
 * Pages kept in memory, KiB: a commit of the greatest usual size, and the inner pages of a large file. All of it is
 * touched in the first seconds of a guard, page by page.
 */
const CACHE_KIB = 2_048;
/** A write-ahead log that grew under a long reader is cut back to this, bytes. */
const WAL_BYTES_KEPT = 67_108_864;
/**
 * Pages in the write-ahead log when it is folded into the file, 32 MiB. A page that many commits changed is folded
 * once, and whoever waits for a commit seldom waits for that too: under load SQLite's own 1,000 pages are filled
 * several times a second.
 */
const WAL_PAGES_MAX = 8_192;
/** Findings of one check that are kept; one damaged page can yield thousands. */
const FINDINGS_MAX = 20;

/**
 * Opens the database at `path`. Write mode: file mode 0600, missing directories 0700, write-ahead log, every commit
 * synced to the disk before it returns. Throws `io`, `busy`, `tamper`, `unsupported`, `not_found`, each naming the file
 * and the fix.
 */
export function openStore(path: string, options: StoreOptions): Store {
  if (options.mode === "write") {
    createPrivateFile(path);
  } else if (!existsSync(path)) {
    throw new AgentguardError("not_found", `open ${path}: no such file; check the directory, or guard something first`);
  }
  const store = new Store(path, options.mode);
  try {
    store.exec(`PRAGMA busy_timeout = ${options.busy_timeout_ms ?? BUSY_TIMEOUT_MS}`);
    store.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    // A changed schema must not be able to run anything, and a damaged page must not pass as rows.
    store.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    if (options.mode === "read") {
      requireCurrent(store, options.schema);
    } else {
      prepareForWriting(store);
      migrate(store, options.schema);
      // From here on SQLite syncs the log only before it overwrites what the log has a copy of.
      if (options.synced === "by_sync") store.leaveSyncing();
    }
    return store;
  } catch (thrown) {
    store.close();
    throw thrown;
  }
}

function prepareForWriting(store: Store): void {
  const mode = store.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  if (mode !== "wal") {
    throw new AgentguardError(
      "io",
      `open ${store.path}: the file system does not support a write-ahead log; name a directory on a local disk`,
    );
  }
  // What is deleted does not stay in pages that are written anyway.
  store.exec("PRAGMA secure_delete = FAST");
  store.exec(`PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`);
  store.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES_MAX}`);
}

function openNative(path: string, mode: "read" | "write"): Database {
  if (mode === "write") return new Database(path, { readwrite: true });
  const database = new Database(path, { readonly: true });
  try {
    database.exec("PRAGMA schema_version");
    return database;
  } catch (thrown) {
    database.close();
    // A cleanly closed file on a read-only medium: no log beside it and none can be made. Without a log nobody writes
    // it, and then it may be read as it lies.
    if (!/^SQLITE_(CANTOPEN|READONLY)/.test(sqliteCode(thrown)) || existsSync(`${path}-wal`)) throw thrown;
    const url = `${pathToFileURL(path).href}?immutable=1`;
    return new Database(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
  }
}

/** An open database with its prepared statements. Made by `openStore`; `close` it, or let `using` do so. */
export class Store implements Disposable {
  /** The file. */
  readonly path: string;
  readonly #database: Database;
  readonly #statements: Map<string, Statement> = new Map();
  readonly #log: LogSync;
  #closed = false;
  #in_transaction = false;
  #synced_by_sync = false;

  /** Opens the file and nothing more; `openStore` is the way in that also checks it. */
  constructor(path: string, mode: "read" | "write") {
    this.path = path;
    this.#log = new LogSync(`${path}-wal`, () => this.#fold());
    try {
      this.#database = openNative(path, mode);
    } catch (thrown) {
      throw storeError(thrown, "open", path);
    }
  }

  /** Runs statements that take no parameters and give no rows. Throws as `storeError` says. */
  exec(sql: string): void {
    this.#requireOpen();
    try {
      this.#database.exec(sql);
    } catch (thrown) {
      throw storeError(thrown, "use", this.path);
    }
  }

  /** The prepared statement of `sql`, made once and kept; `sql` must be one of a bounded number of texts. */
  prepare(sql: string): Statement {
    this.#requireOpen();
    const kept = this.#statements.get(sql);
    if (kept !== undefined) return kept;
    try {
      const made = new Statement(this.#database.prepare(sql), this.path);
      this.#statements.set(sql, made);
      return made;
    } catch (thrown) {
      throw storeError(thrown, "prepare a statement for", this.path);
    }
  }

  /** The rows of a query whose text is composed: prepared, run and freed. The query's own LIMIT is what bounds them. */
  all(sql: string, parameters: readonly SqlValue[]): readonly Row[] {
    this.#requireOpen();
    try {
      using statement = this.#database.prepare<Row, SqlValue[]>(sql);
      return statement.all(...parameters);
    } catch (thrown) {
      throw storeError(thrown, "read", this.path);
    }
  }

  /** The first column of the first row as an integer. Throws `invariant` where there is none. */
  integer(sql: string, ...parameters: SqlValue[]): number {
    const row = this.prepare(sql).get(...parameters);
    const value = row === undefined ? undefined : Object.values(row)[0];
    invariant(typeof value === "number", `read ${this.path}: no integer from ${sql}`);
    return value;
  }

  /**
   * Runs `body` in one write transaction: durable when this returns, undone when it throws. Not reentrant.
   * After a failed commit the caller must read back what is there before it repeats anything.
   */
  transaction<T>(body: () => T): T {
    const value = this.write(body);
    if (this.#synced_by_sync) this.syncNow();
    return value;
  }

  /**
   * The same for a store that is synced by `sync`: when this returns, other connections see it, also after a crash of
   * this process, and a later `sync` or `transaction` makes it durable.
   */
  write<T>(body: () => T): T {
    invariant(!this.#in_transaction, `begin a transaction on ${this.path}: one is running already`);
    this.exec("BEGIN IMMEDIATE");
    this.#in_transaction = true;
    try {
      const value = body();
      this.exec("COMMIT");
      return value;
    } catch (thrown) {
      this.#rollback(thrown);
      throw thrown;
    } finally {
      this.#in_transaction = false;
    }
  }

  /** Leaves the syncs to `sync`, `syncNow` and `transaction`. */
  leaveSyncing(): void {
    this.exec("PRAGMA synchronous = NORMAL");
    this.#synced_by_sync = true;
  }

  /** Settles when what was written so far is on the disk; rejects with `io` when that is not known. Repeat it then. */
  async sync(): Promise<void> {
    this.#requireOpen();
    try {
      await this.#log.later();
    } catch (thrown) {
      throw syncError(thrown, this.path);
    }
  }

  /** Returns when what was written so far is on the disk. Throws `io` when that is not known; repeat it then. */
  syncNow(): void {
    this.#requireOpen();
    try {
      this.#log.now();
    } catch (thrown) {
      throw syncError(thrown, this.path);
    }
  }

  /** Looks for structural damage; an empty list is a sound file. At most 20 findings. */
  check(depth: CheckDepth): readonly string[] {
    const pragma = depth === "quick" ? "quick_check" : "integrity_check";
    try {
      const rows = this.prepare(`PRAGMA ${pragma}(${FINDINGS_MAX})`).all();
      const findings = rows.map((row) => String(Object.values(row)[0]));
      return findings.length === 1 && findings[0] === "ok" ? [] : findings;
    } catch (thrown) {
      return [errorMessage(thrown)];
    }
  }

  /** Frees the statements and closes the file; the last writer folds the log into it. Doing it twice is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    this.#log.close();
    try {
      this.#database.close(true);
    } catch (thrown) {
      throw storeError(thrown, "close", this.path);
    }
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Moves the log into the database file, whole. */
  #fold(): void {
    const row = this.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (row?.["busy"] === 0) return;
    throw new AgentguardError("busy", `sync ${this.path}: a reader holds the log; end the programs that read it`);
  }

  /** SQLite undoes by itself after some errors; then there is nothing left to undo. */
  #rollback(reason: unknown): void {
    if (!this.#database.inTransaction) return;
    try {
      this.#database.exec("ROLLBACK");
    } catch (thrown) {
      const message = `undo a transaction on ${this.path}: ${errorMessage(thrown)}; it was undone for: ` +
        `${errorMessage(reason)}; open the file again`;
      throw new AgentguardError("io", message, { cause: thrown });
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw new AgentguardError("closed", `use ${this.path}: the store is closed; open it again`);
  }
}

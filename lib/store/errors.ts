/** What SQLite says, in the product's words: which file, what happened, what to do. */
import { SQLiteError } from "bun:sqlite";
import { AgentguardError, type ErrorCode, errorMessage } from "../core/mod.ts";

/** One family of result codes. Source: sqlite.org/rescode.html. */
interface Meaning {
  /** Matches the code itself and its extended forms (`SQLITE_IOERR_FSYNC`). */
  readonly prefix: string;
  readonly code: ErrorCode;
  readonly what: string;
  readonly fix: string;
}

const MEANINGS: readonly Meaning[] = [
  { prefix: "SQLITE_FULL", code: "io", what: "the file system is full", fix: "free space there" },
  {
    prefix: "SQLITE_READONLY",
    code: "io",
    what: "the file or its directory cannot be written",
    fix: "make both writable for this user, or name another directory",
  },
  {
    prefix: "SQLITE_CANTOPEN",
    code: "io",
    what: "the file cannot be opened",
    fix: "check that its directory exists and that this user may use both",
  },
  { prefix: "SQLITE_PERM", code: "io", what: "access is denied", fix: "check the owner and mode of the file" },
  { prefix: "SQLITE_AUTH", code: "io", what: "access is denied", fix: "check the owner and mode of the file" },
  {
    prefix: "SQLITE_IOERR",
    code: "io",
    what: "reading or writing failed",
    fix: "check the free space and the health of that file system (dmesg)",
  },
  {
    prefix: "SQLITE_TOOBIG",
    code: "io",
    what: "a value is over the size that the database takes",
    fix: "bound the value before it is stored",
  },
  { prefix: "SQLITE_NOMEM", code: "io", what: "memory ran out", fix: "free memory on this host" },
  { prefix: "SQLITE_BUSY", code: "busy", what: "another process holds it", fix: "end the other process, or wait" },
  { prefix: "SQLITE_LOCKED", code: "busy", what: "another user holds it", fix: "end the other user, or wait" },
  {
    prefix: "SQLITE_PROTOCOL",
    code: "busy",
    what: "the locks could not be had",
    fix: "end the other processes that use it, or wait",
  },
  {
    prefix: "SQLITE_CORRUPT",
    code: "tamper",
    what: "its pages are damaged",
    fix: "keep a copy as evidence and restore the file from a backup",
  },
  {
    prefix: "SQLITE_NOTADB",
    code: "tamper",
    what: "it is not a database",
    fix: "move the file away, or restore it from a backup",
  },
];

/**
 * Turns anything that SQLite threw into an `AgentguardError` that names the file: `io`, `busy` or `tamper` with the
 * fix, `invariant` for a statement that this program should not have run. Other errors come back unchanged where they
 * are `AgentguardError`s already. `doing` begins the message: `write`, `open`.
 */
export function storeError(thrown: unknown, doing: string, path: string): AgentguardError {
  if (thrown instanceof AgentguardError) return thrown;
  const code = sqliteCode(thrown);
  const meaning = MEANINGS.find((candidate) => code.startsWith(candidate.prefix));
  if (meaning !== undefined) {
    const message = `${doing} ${path}: ${meaning.what} (${code}); ${meaning.fix}`;
    return new AgentguardError(meaning.code, message, { cause: thrown });
  }
  const message = `${doing} ${path}: ${errorMessage(thrown)}${code === "" ? "" : ` (${code})`}`;
  return new AgentguardError("invariant", message, { cause: thrown });
}

/** What a failed sync of the log means; `AgentguardError`s come back unchanged. */
export function syncError(thrown: unknown, path: string): AgentguardError {
  if (thrown instanceof AgentguardError) return thrown;
  const message = `sync ${path}: ${errorMessage(thrown)}; check the free space and the health of that file system`;
  return new AgentguardError("io", message, { cause: thrown });
}

/** The symbolic result code of a SQLite error, for example `SQLITE_FULL`; empty for any other thrown value. */
export function sqliteCode(thrown: unknown): string {
  return thrown instanceof SQLiteError ? thrown.code ?? "" : "";
}

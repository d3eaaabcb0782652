/**
 * lib/store: database files. The only place that knows SQLite.
 *
 * Owns: opening with the safe settings (write-ahead log, commits synced at once or on request, private modes),
 * migrations, transactions, prepared statements, the lock that keeps writers apart, and what SQLite's errors mean.
 * Never: knows what the tables hold; opens or closes a database file by other means in this process (that would drop
 * the process's locks); retries.
 * Errors: `AgentguardError` with `io`, `busy`, `tamper`, `unsupported`, `not_found`, `closed`, always naming the file
 * and the fix; `invariant` for a wrong statement.
 * Lifetimes: a `Store` and a `WriterLock` live until closed or disposed, both idempotent; statements live with their
 * store.
 */
export { WriterLock } from "./lock.ts";
export type { Migration, Schema } from "./migrate.ts";
export { type Row, type SqlValue, Statement } from "./statement.ts";
export { type CheckDepth, openStore, Store, type StoreOptions } from "./store.ts";

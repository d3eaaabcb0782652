/**
 * lib/record: the log of everything that was seen, decided and done.
 *
 * Owns: the canonical text and hash of an entry, the chain, the one writer with its group commits and its bounded queue, the
 * protocol that lets the writer live in a thread of its own, readers, queries, verification.
 * Never: decides, looks into an action beyond what is indexed, drops anything without an entry that says so, writes beside
 * another writer.
 * Errors: `AgentguardError` with `busy` (another writer), `tamper` (the record does not verify), `io`, `unsupported`,
 * `not_found`, `overflow`, `closed`, `cancelled`. While the disk refuses, nothing is thrown at producers: the writer reports
 * `stalled` with the reason, `flush` rejects, and what was appended waits.
 * Lifetimes: a `RecordWriter` from `openRecordWriter` to `close`; it holds the record's lock. A `RecordReader`, a `RemoteSink`
 * and a `ServedProducer` until closed. All are disposable, and closing twice is harmless.
 */
export { canonicalJson } from "./canonical.ts";
export type { RecordHead } from "./committer.ts";
export { ENTRY_BYTES_MAX, FIRST_PREV, leafHash, parseEntry } from "./entry.ts";
export { messagePort, type MessagePortLike, type PortLike } from "./port.ts";
export type { EntryFilter } from "./query.ts";
export { entryOf, type EntryQuery, openRecordReader, RecordReader, type StoredEntry } from "./reader.ts";
export type { CommitListener, CommittedEntry, RecorderState, RecorderStats, RecordWriterOptions } from "./recorder.ts";
export { RemoteSink, type RemoteSinkOptions } from "./remote_sink.ts";
export { RECORD_FILE, RECORD_LOCK_FILE } from "./schema.ts";
export { type ServedProducer, serveRecorder } from "./serve.ts";
export type { Timers } from "./timers.ts";
export {
  describeFault,
  type FaultReason,
  type RecordFault,
  type VerifiedRecord,
  type VerifyOptions,
  type VerifyReport,
} from "./verify.ts";
export { openRecordWriter, RecordWriter } from "./writer.ts";

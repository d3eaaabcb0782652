/**
 * lib/record: the log of everything that was seen, decided and done.
 *
 * Owns: the canonical text and hash of an entry, the Merkle tree over all of them, the key and the checkpoints that it
 * signs, the one writer with its group commits and its bounded queue, the protocol that lets the writer live in a
 * thread of its own, readers, queries, proofs, verification.
 * Never: decides, looks into an action beyond what is indexed, drops anything without an entry that says so, writes
 * beside another writer.
 * Errors: `AgentguardError` with `busy` (another writer), `tamper` (the record does not verify), `config` (the key file
 * or the origin cannot be used), `usage` (a malformed public key), `io`, `unsupported`, `not_found`, `overflow`,
 * `closed`, `cancelled`. While the disk refuses, nothing is thrown at producers: the writer reports `stalled` with the
 * reason, `flush` rejects, and what was appended waits.
 * Lifetimes: a `RecordWriter` from `openRecordWriter` to `close`; it holds the record's lock. A `RecordReader`, a
 * `RemoteSink` and a `ServedProducer` until closed. All are disposable, and closing twice is harmless.
 */
export { anchoredNotes } from "./anchor_file.ts";
export {
  type Anchor,
  type AnchoredLog,
  anchoredLog,
  type AnchorNote,
  type AnchorSettings,
  type AnchorStatus,
} from "./anchor_types.ts";
export { Anchors, type AnchorsOptions, makeAnchor } from "./anchors.ts";
export { notesIn } from "./known_notes.ts";
export { localWitnessKey, Witness, type WitnessAnswer } from "./witness.ts";
export {
  EXPORT_FORMATS,
  type ExportFormat,
  exportLines,
  type ExportOptions,
  OCSF_PROFILES,
  type OcsfProfile,
} from "./export/mod.ts";
export type {
  JsonLinesMetrics,
  JsonLinesOptions,
  JsonLinesStrategy,
  LineConsumer,
  SyncPolicy,
} from "./jsonl_options.ts";
export type { JsonLinesTarget, RotationOptions } from "./jsonl_output.ts";
export { JsonLinesSink, openJsonLinesSink } from "./jsonl_sink.ts";
export { type LineSinkMetrics, type LineSinkParts, LineSinks, type LineSinkSettings } from "./line_sinks.ts";
export { localPublicKey } from "./local_key.ts";
export { type LogState, noteOf, type RecordHead, type StoredCheckpoint, type StoredKey } from "./log_state.ts";
export { ENTRY_BYTES_MAX, FIRST_PREV, leafHash, parseEntry } from "./entry.ts";
export { openCheckpoint, type ParsedCheckpoint, parsePublicKey, PublicKey, type TreeHead } from "./note.ts";
export type { OnTamper } from "./open.ts";
export { messagePort, type MessagePortLike, type PortLike } from "./port.ts";
export {
  type CheckedProof,
  checkProof,
  type ConsistencyProof,
  type EntryProof,
  parseProof,
  PROOF_BYTES_MAX,
  ProofChecker,
  proveConsistency,
  proveEntry,
} from "./proof.ts";
export type { EntryFilter } from "./query.ts";
export { entryOf, type EntryQuery, openRecordReader, RecordReader, type StoredEntry } from "./reader.ts";
export type { CommitListener, CommittedEntry, RecorderState, RecorderStats, RecordWriterOptions } from "./recorder.ts";
export { openGrantKey, openRedactKey } from "./redact_key.ts";
export {
  createRedactor,
  findSecrets,
  type RedactLimits,
  type Redactor,
  type RedactorOptions,
  type SecretPlace,
} from "./redact/mod.ts";
export { RemoteSink, type RemoteSinkOptions } from "./remote_sink.ts";
export { RECORD_FILE, RECORD_LOCK_FILE } from "./layout.ts";
export { type Hold, holdProblem } from "./holds.ts";
export { readKeepRequest } from "./keep_request.ts";
export type { KeepReport, KeepRequest, KeepSettings } from "./keep_types.ts";
export { Keeper, type KeeperOptions } from "./keeper.ts";
export type { PrunedEntries } from "./pruned.ts";
export { KEY_FILE } from "./signing_key.ts";
export { type RepairOptions, repairRecord, type RepairReport } from "./repair.ts";
export { rotateKey, type Rotation } from "./rotate.ts";
export { type ServedProducer, serveRecorder } from "./serve.ts";
export type { Timers } from "./timers.ts";
export type { VerifyOptions } from "./verify.ts";
export {
  describeFault,
  type FaultReason,
  type RecordFault,
  type VerifiedRecord,
  type VerifyReport,
} from "./verify_report.ts";
export { openRecordWriter, RecordWriter } from "./writer.ts";

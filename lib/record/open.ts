/** Opening a record for writing: the lock first, then the file, its key, and a look at its end. */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { AgentguardError, type Clock, type EntryDraft, errorMessage, formatTime, type Log } from "../core/mod.ts";
import { openStore, type Store, WriterLock } from "../store/mod.ts";
import { putCheckpoint, putKey } from "./committer.ts";
import { knownNotesFault } from "./known_notes.ts";
import { RECORD_FILE, RECORD_LOCK_FILE } from "./layout.ts";
import { readLogState } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { TileTree } from "./merkle.ts";
import { originProblem } from "./note.ts";
import { RECORD_SCHEMA } from "./schema.ts";
import { defaultOrigin, signCheckpoint, type Signer } from "./signer.ts";
import {
  createSigningKey,
  dropNewSigningKey,
  KEY_FILE,
  NEW_KEY_FILE,
  promoteSigningKey,
  readSigningKey,
  type SigningKey,
} from "./signing_key.ts";
import { TextReader } from "./text_reader.ts";
import { verifyStore } from "./verify.ts";
import { describeFault } from "./verify_report.ts";

/** Entries at the end that are verified before the writer goes on after them. */
const TAIL_ENTRIES = 8_192;

/** Steps back of the clock that are not worth an entry, microseconds. */
const CLOCK_BACK_US = 1_000_000;

/** What to do with a record that does not verify: refuse to open it, or record an alarm and go on. */
export type OnTamper = "refuse" | "alarm";

/** How to open. */
export interface OpenOptions {
  readonly clock: Clock;
  /** The kernel's boot, as `/proc/sys/kernel/random/boot_id` names it. */
  readonly boot_id: string;
  /** Name of the log in its checkpoints, fixed when the record is made; made of host and key by default. */
  readonly origin?: string;
  /** `refuse` by default. */
  readonly on_tamper?: OnTamper;
  /** Checkpoints that were kept elsewhere: the record must go on from its own ones among them. */
  readonly known_notes?: readonly string[];
}

/** An opened record that nobody else writes. */
export interface OpenedRecord {
  readonly store: Store;
  readonly lock: WriterLock;
  readonly signer: Signer;
  /** What happened to the record, to be written as its next entries. */
  readonly notices: readonly EntryDraft[];
}

/**
 * Opens for writing; makes the record and its key where there is none. Throws `busy`, `tamper`, `config` (the key or
 * the origin), `io`, `unsupported`; then nothing stays open.
 */
export function openForWriting(directory: string, options: OpenOptions): OpenedRecord {
  const path = join(directory, RECORD_FILE);
  const lock = new WriterLock(join(directory, RECORD_LOCK_FILE), path);
  try {
    return openLocked(directory, lock, options);
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

/** Notes in the record that its writer is closing it in order. */
export function markClosed(store: Store): void {
  store.transaction(() => store.exec("UPDATE writer SET clean = 1 WHERE id = 1"));
}

/** As `markClosed`; a failure is logged: without the mark the next start only says more than it must. */
export function tryMarkClosed(store: Store, log: Log): void {
  try {
    markClosed(store);
  } catch (thrown) {
    log.warn("mark the record as closed failed", { error: errorMessage(thrown) });
  }
}

function openLocked(directory: string, lock: WriterLock, options: OpenOptions): OpenedRecord {
  const path = join(directory, RECORD_FILE);
  const alarms: EntryDraft[] = [];
  const tolerant = options.on_tamper === "alarm";
  for (let attempt = 0;; attempt++) {
    let store: Store | undefined;
    try {
      store = openStore(path, { mode: "write", schema: RECORD_SCHEMA, synced: "by_sync" });
      const signer = signerOf(store, directory, options);
      const fault = tailFault(store, signer) ?? knownNotesFault(store, options.known_notes ?? []);
      if (fault !== undefined && !tolerant) throw tampered(store.path, fault);
      if (fault !== undefined) {
        requireWholeTree(store);
        alarms.push(alarm(options.clock, `${fault}; the record goes on after it`));
      }
      const notices = [...recovery(store, options), ...clockNotice(store, options), ...alarms];
      markOpened(store, options.boot_id);
      return { store, lock, signer, notices };
    } catch (thrown) {
      store?.close();
      const broken = thrown instanceof AgentguardError && thrown.code === "tamper";
      if (!broken || !tolerant || attempt > 0) throw thrown;
      const kept = setAside(path, options.clock);
      alarms.push(alarm(options.clock, `${thrown.message}; it was kept as ${kept} and a new record begun`));
    }
  }
}

/** The key that signs, checked against what it has signed. */
function signerOf(store: Store, directory: string, options: OpenOptions): Signer {
  const current = readSigningKey(directory, KEY_FILE);
  const made = readSigningKey(directory, NEW_KEY_FILE);
  const state = readLogState(store);
  if (state === undefined) return firstSigner(store, directory, { current, made, origin: options.origin });
  const { origin, keys, newest } = state;
  if (options.origin !== undefined && options.origin !== origin) {
    throw new AgentguardError(
      "config",
      `open ${store.path}: its origin is ${origin}, not ${options.origin}; remove the setting, or begin a new record`,
    );
  }
  const stored = keys.find((each) => each.id === newest.key_id);
  const signs = (key: SigningKey | undefined): key is SigningKey => {
    return key !== undefined && stored !== undefined && key.public_key.equals(stored.key);
  };
  if (signs(current)) {
    // A rotation that ended before its entry was durable.
    if (made !== undefined) dropNewSigningKey(directory);
    return { origin, key: current, key_id: newest.key_id };
  }
  if (signs(made)) {
    // One that ended after.
    promoteSigningKey(directory);
    return { origin, key: made, key_id: newest.key_id };
  }
  if (current === undefined) {
    throw new AgentguardError(
      "tamper",
      `open ${store.path}: its signing key ${
        join(directory, KEY_FILE)
      } is missing; restore it from a backup, or move the ` +
        "record away to begin a new one",
    );
  }
  throw tampered(store.path, `it is signed by another key than ${join(directory, KEY_FILE)}`);
}

/** The first checkpoint: of an empty record, or of one of the first form, which had none. */
function firstSigner(
  store: Store,
  directory: string,
  { current, made, origin }: {
    readonly current: SigningKey | undefined;
    readonly made: SigningKey | undefined;
    readonly origin: string | undefined;
  },
): Signer {
  const size = new TextReader(store).end() - 1;
  if (size > 0 && current !== undefined) {
    throw tampered(store.path, `entry 1 does not verify: unsigned (it has ${size} entries, a key and no checkpoint)`);
  }
  const problem = origin === undefined ? undefined : originProblem(origin);
  if (problem !== undefined) throw new AgentguardError("config", `open ${store.path}: ${problem}`);
  const key = current ?? made ?? createSigningKey(directory);
  const signer: Signer = { origin: origin ?? defaultOrigin(key), key, key_id: 1 };
  const root = new TileTree(storedTiles(store)).root(size);
  store.transaction(() => {
    store.prepare("INSERT OR REPLACE INTO log (id, origin) VALUES (1, ?)").run(signer.origin);
    putKey(store, { key_id: signer.key_id, public_key: signer.key.public_key }, 0);
    putCheckpoint(store, signCheckpoint(signer, size, root));
  });
  if (current === undefined) promoteSigningKey(directory);
  return signer;
}

/** Going on after a damaged end would bury the damage; so would starting again from one. */
function tailFault(store: Store, signer: Signer): string | undefined {
  const size = readLogState(store)?.newest.size ?? 0;
  const from_seq = Math.max(1, size - TAIL_ENTRIES + 1);
  const report = verifyStore(store, { from_seq, key: signer.key.public_key });
  return report.ok ? undefined : describeFault(report);
}

/** A record whose tree is not whole cannot be continued at all. */
function requireWholeTree(store: Store): void {
  const newest = readLogState(store)?.newest;
  if (newest === undefined) return;
  const report = verifyStore(store, { from_seq: newest.size + 1 });
  if (!report.ok) throw tampered(store.path, describeFault(report));
}

function recovery(store: Store, { clock }: OpenOptions): readonly EntryDraft[] {
  const row = store.prepare("SELECT pid, boot_id, clean, opened_size FROM writer WHERE id = 1").get();
  const size = readLogState(store)?.newest.size ?? 0;
  if (row === undefined || row["clean"] === 1) return [];
  const detail =
    `the last writer (pid ${String(row["pid"])}, boot ${String(row["boot_id"])}) did not close the record; ` +
    `it wrote from entry ${Number(row["opened_size"]) + 1} on, and entries up to ${size} are whole and signed`;
  return [{ time_us: clock.wallUs(), kind: "guard", action: { type: "guard.recovered", detail } }];
}

/** Entries keep the order of their numbers; whoever reads their times must know that the clock was set back. */
function clockNotice(store: Store, { clock }: OpenOptions): readonly EntryDraft[] {
  const newest_us = store.prepare("SELECT time_max FROM spans ORDER BY block DESC LIMIT 1").get()?.["time_max"];
  const time_us = clock.wallUs();
  if (typeof newest_us !== "number" || time_us >= newest_us - CLOCK_BACK_US) return [];
  const detail = `the clock went back: it is ${formatTime(time_us)}, the newest entries are of ${
    formatTime(newest_us)
  }`;
  return [{ time_us, kind: "guard", action: { type: "guard.degraded", detail } }];
}

function markOpened(store: Store, boot_id: string): void {
  const size = readLogState(store)?.newest.size ?? 0;
  store.transaction(() => {
    store.prepare("INSERT OR REPLACE INTO writer (id, pid, boot_id, opened_size, clean) VALUES (1, ?, ?, ?, 0)")
      .run(process.pid, boot_id, size);
  });
}

/** Moves a damaged record out of the way, with its log; gives the new name. */
function setAside(path: string, clock: Clock): string {
  const kept = `${path}.tampered-${formatTime(clock.wallUs()).replaceAll(":", "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
  }
  return kept;
}

function alarm(clock: Clock, detail: string): EntryDraft {
  return { time_us: clock.wallUs(), kind: "guard", action: { type: "guard.tamper", detail } };
}

function tampered(path: string, what: string): AgentguardError {
  return new AgentguardError(
    "tamper",
    `open ${path}: ${what}; run agentguard audit verify to see more; agentguard audit repair keeps a copy as ` +
      "evidence and lets the record go on",
  );
}

/** Repairing a record: what is broken is set aside, what is sound goes on, and the record says what is missing. */
import { closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  AgentguardError,
  type Clock,
  type EntryDraft,
  errorMessage,
  formatTime,
  type IdGenerator,
} from "../core/mod.ts";
import { openStore, Store, WriterLock } from "../store/mod.ts";
import { Committer } from "./committer.ts";
import { RECORD_FILE, RECORD_LOCK_FILE } from "./layout.ts";
import { localPublicKey } from "./local_key.ts";
import { type LogState, readLogState, type StoredCheckpoint } from "./log_state.ts";
import { markClosed, openForWriting } from "./open.ts";
import type { SeqRange } from "./ranges.ts";
import { type Loss, makeSoundFile, type Sound, soundPart } from "./repair_file.ts";
import { Salvage } from "./salvage.ts";
import { RECORD_SCHEMA } from "./schema.ts";
import { defaultOrigin, type Signer } from "./signer.ts";
import { KEY_FILE, NEW_KEY_FILE, readSigningKey } from "./signing_key.ts";
import { verifyStore } from "./verify.ts";
import { describeFault } from "./verify_report.ts";

/** What a repair works with. */
export interface RepairOptions {
  readonly boot_id: string;
  readonly clock: Clock;
  readonly ids: IdGenerator;
}

/** What was done. */
export interface RepairReport {
  /** What was wrong; absent where nothing was: then nothing was done. */
  readonly fault?: string;
  /** The copy of the damaged database. */
  readonly kept_as?: string;
  /** False where the record could not go on, and a new one was begun. */
  readonly continued: boolean;
  /** Entries of the record now, those that say what happened included. */
  readonly size: number;
  /** Entries without text from now on. */
  readonly lost: number;
  readonly ranges: readonly SeqRange[];
  /** Entries after the last sound signature, which were left out. */
  readonly unsigned: number;
  readonly origin: string;
}

/** Runs of lost entries that one entry names. */
const RANGES_MAX = 1_000;
const ORIGIN_CHARS_MAX = 200;

/**
 * Verifies the whole record and, where that fails, makes it sound: entries that do not fit their hashes lose their
 * text, index and tree are made again, what nobody signed is left out. A record that does not lead to what was signed
 * last cannot go on: a new one is begun under another origin. The damaged files are kept first, and nothing is
 * deleted but what is in that copy. After a crash the next repair begins again. Throws `busy` while a guard writes
 * the record, `not_found`, `config` for a key file that cannot be used, `unsupported`, `io`.
 */
export function repairRecord(directory: string, options: RepairOptions): RepairReport {
  const path = join(directory, RECORD_FILE);
  if (!existsSync(path)) {
    throw new AgentguardError("not_found", `repair ${path}: no such file; check the directory`);
  }
  const lock = new WriterLock(join(directory, RECORD_LOCK_FILE), path);
  let repaired: { readonly sound: boolean; readonly report: RepairReport };
  try {
    const fault = diagnose(path, directory);
    if ("whole" in fault) return fault.whole;
    repaired = repairLocked(directory, fault.fault, options);
  } finally {
    lock.release();
  }
  if (repaired.sound) return repaired.report;
  return beginAgain(directory, repaired.report, options);
}

function diagnose(path: string, directory: string): { readonly fault: string } | { readonly whole: RepairReport } {
  let store: Store | undefined;
  try {
    store = openStore(path, { mode: "read", schema: RECORD_SCHEMA });
    const state = readLogState(store);
    const key = localPublicKey(directory, state);
    const report = verifyStore(store, { structure: true, ...(key === undefined ? undefined : { key }) });
    if (!report.ok) return { fault: describeFault(report) };
    if (state !== undefined && signerOf(directory, state, state.newest) === undefined) {
      return { fault: `its signing key ${join(directory, KEY_FILE)} is missing or another one` };
    }
    const { head_seq: size } = report;
    return { whole: { continued: true, size, lost: 0, ranges: [], unsigned: 0, origin: state?.origin ?? "" } };
  } catch (thrown) {
    const code = thrown instanceof AgentguardError ? thrown.code : "io";
    if (code !== "tamper" && code !== "io") throw thrown;
    return { fault: errorMessage(thrown) };
  } finally {
    store?.close();
  }
}

function repairLocked(
  directory: string,
  fault: string,
  options: RepairOptions,
): { readonly sound: boolean; readonly report: RepairReport } {
  const path = join(directory, RECORD_FILE);
  const kept_as = `${path}.damaged-${formatTime(options.clock.wallUs()).replaceAll(":", "")}`;
  for (const suffix of ["", "-wal"]) keepCopy(path + suffix, kept_as + suffix);
  const source = openDamaged(kept_as);
  try {
    const salvage = source === undefined ? undefined : new Salvage(source);
    const sound = salvage === undefined ? undefined : soundPart(salvage);
    const last = sound?.checkpoints.at(-1);
    const signer = sound === undefined || last === undefined ? undefined : signerOf(directory, sound.found.state, last);
    const report = {
      ...{ fault, kept_as, continued: false, size: 0, lost: 0, ranges: [], unsigned: 0 },
      origin: sound?.found.state.origin ?? salvage?.state()?.state.origin ?? "",
    };
    if (salvage === undefined || sound === undefined || signer === undefined) {
      const signed = salvage?.state()?.checkpoints.at(-1)?.size ?? 0;
      return { sound: false, report: { ...report, lost: Math.max(signed, salvage?.lastText() ?? 0) } };
    }
    const unsigned = Math.max(0, salvage.lastText() - sound.size);
    const made = writeSound(path, { salvage, sound, signer, report: { ...report, unsigned }, options });
    return { sound: true, report: made };
  } finally {
    source?.close();
    rmSync(`${kept_as}-shm`, { force: true });
  }
}

/** Builds the sound file beside the damaged one and puts it in its place. */
function writeSound(
  path: string,
  { salvage, sound, signer, report, options }: {
    readonly salvage: Salvage;
    readonly sound: Sound;
    readonly signer: Signer;
    readonly report: RepairReport;
    readonly options: RepairOptions;
  },
): RepairReport {
  const made = `${path}.repaired`;
  for (const suffix of ["", "-wal", "-shm"]) rmSync(made + suffix, { force: true });
  const { store, loss } = makeSoundFile(made, salvage, sound);
  let size: number;
  try {
    const committer = new Committer(store, signer, options);
    committer.commit(statements({ ...report, continued: true, lost: loss.entries }, loss, options.clock));
    size = committer.head.seq;
  } finally {
    store.close();
  }
  // The log beside the damaged file belongs to that file; both are in the copy.
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  renameSync(made, path);
  syncPath(dirname(path));
  return { ...report, continued: true, size, lost: loss.entries, ranges: loss.ranges };
}

/** A new record in the place of one that cannot go on. */
function beginAgain(directory: string, report: RepairReport, options: RepairOptions): RepairReport {
  const path = join(directory, RECORD_FILE);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
  const key = readSigningKey(directory, KEY_FILE);
  const before = report.origin !== "" ? report.origin : key === undefined ? "agentguard" : defaultOrigin(key);
  // Under the old name the new record would contradict every checkpoint of the old one.
  const time = formatTime(options.clock.wallUs()).replaceAll(/[-:]|\..*/g, "");
  const origin = `${before.slice(0, ORIGIN_CHARS_MAX)}/after-${time}`;
  const { store, lock, signer, notices } = openForWriting(directory, { ...options, origin });
  try {
    const committer = new Committer(store, signer, options);
    const none: Loss = { ranges: [], entries: 0, from: undefined, to: undefined };
    committer.commit([...notices, ...statements(report, none, options.clock)]);
    markClosed(store);
    return { ...report, size: committer.head.seq, origin };
  } finally {
    store.close();
    lock.release();
  }
}

/** What the record says of its repair: signed entries that name every lost one, and a gap. */
function statements(report: RepairReport, loss: Loss, clock: Clock): readonly EntryDraft[] {
  const { fault, kept_as, unsigned } = report;
  const time_us = clock.wallUs();
  const kept = `the damaged database is kept as ${kept_as ?? ""}`;
  const going = report.continued ? "" : "the record could not go on and this one is new; ";
  const what = `${going}${report.lost} entries are lost, ${unsigned} unsigned ones left out`;
  const drafts: EntryDraft[] = [];
  for (let at = 0; at === 0 || at < loss.ranges.length; at += RANGES_MAX) {
    const detail = `${fault ?? ""}; ${what}; ${kept}`;
    const ranges = loss.ranges.slice(at, at + RANGES_MAX);
    drafts.push({ time_us, kind: "guard", action: { type: "guard.record.repaired", detail, ranges } });
  }
  const { from, to } = loss;
  const count = report.lost + unsigned;
  if (count === 0) return drafts;
  const gap = {
    source: "record",
    type: "damaged",
    count,
    ...(from === undefined ? undefined : { from }),
    ...(to === undefined ? undefined : { to }),
  };
  return [...drafts, { time_us, kind: "gap", gap }];
}

/** The key that goes on signing; `undefined` where the one that signed last is not there. */
function signerOf(directory: string, { origin, keys }: LogState, last: StoredCheckpoint): Signer | undefined {
  const stored = keys.find(({ id }) => id === last.key_id);
  // The second is in force where a rotation ended before it could take the first one's place: the next start does that.
  for (const name of [KEY_FILE, NEW_KEY_FILE]) {
    const key = readSigningKey(directory, name);
    if (key !== undefined && stored !== undefined && key.public_key.equals(stored.key)) {
      return { origin, key, key_id: stored.id };
    }
  }
  return undefined;
}

/** The copy, opened as far as it can be. */
function openDamaged(path: string): Store | undefined {
  try {
    return new Store(path, "read");
  } catch {
    // No database any more: nothing of it can be read, which is what the caller is told.
    return undefined;
  }
}

function keepCopy(from: string, to: string): void {
  if (!existsSync(from)) return;
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
    syncPath(to);
  } catch (thrown) {
    throw new AgentguardError("io", `keep a copy of ${from}: ${errorMessage(thrown)}; nothing was changed`, {
      cause: thrown,
    });
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

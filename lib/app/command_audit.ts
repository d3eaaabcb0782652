/** `agentguard audit ...`: the record in the state directory, whether a guard runs or not. */
import { readFileSync } from "node:fs";
import { AgentguardError, assertNever, type Clock, IdGenerator } from "../core/mod.ts";
import {
  describeFault,
  entryOf,
  type EntryQuery,
  localPublicKey,
  noteOf,
  openRecordReader,
  parseProof,
  PROOF_BYTES_MAX,
  ProofChecker,
  proveConsistency,
  proveEntry,
  type PrunedEntries,
  type PublicKey,
  type RecordReader,
  rotateKey,
  type VerifyReport,
} from "../record/mod.ts";
import { EXIT } from "./command.ts";
import { readCheckpoint, readPublicKey, readTextFile } from "./command_audit_files.ts";
import type {
  AuditCheckpointCommand,
  AuditCheckProofCommand,
  AuditCommand,
  AuditConsistencyCommand,
  AuditFilter,
  AuditProveCommand,
  AuditQueryCommand,
  AuditRotateKeyCommand,
  AuditVerifyCommand,
  TimePoint,
} from "./command_audit_types.ts";
import { commandAuditKeep } from "./command_audit_keep.ts";
import { commandAuditAnchor } from "./command_audit_anchor.ts";
import { commandAuditRepair } from "./command_audit_repair.ts";
import { configOf } from "./command_config.ts";
import { commandAuditExport } from "./command_export.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatEntry } from "./format_entry.ts";
import { escapeMessage, escapeText, painter } from "./format_text.ts";

/** Prunings that a verification shows one by one, and how much of what they say, characters. */
const STATEMENTS_SHOWN = 10;
const DETAIL_CHARS_MAX = 400;

/** Carries out one of the `audit` commands. Exit 1 if the answer is no or the record cannot be read. */
export function commandAudit(command: AuditCommand, io: CommandIo): Promise<number> {
  switch (command.kind) {
    case "audit.query":
      return commandAuditQuery(command, io);
    case "audit.export":
      return commandAuditExport({ ...command, query: queryOf(command.filter, io.clock) }, io);
    case "audit.prune":
    case "audit.erase":
    case "audit.hold.add":
    case "audit.hold.list":
    case "audit.hold.release":
      return commandAuditKeep(command, io);
    case "audit.repair":
      return commandAuditRepair(command, io);
    case "audit.anchor":
      return commandAuditAnchor(command, io);
    case "audit.verify":
      return commandAuditVerify(command, io);
    case "audit.prove":
      return prove(command, io);
    case "audit.check-proof":
      return checkProofFiles(command, io);
    case "audit.consistency":
      return consistency(command, io);
    case "audit.checkpoint":
      return checkpoint(command, io);
    case "audit.rotate-key":
      return rotate(command, io);
    default:
      return assertNever(command);
  }
}

/** Prints the entries that match, one per line. Exit 1 if there is no record or it cannot be read. */
export function commandAuditQuery(command: AuditQueryCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const format = { paint: painter(io), columns: io.columns };
    const query = queryOf(command.filter, io.clock);
    const out = new LineWriter(io.stdout);
    using reader = openRecordReader(config.state_dir.value);
    for (const stored of reader.query(query)) {
      // As stored, so that what is printed is what was hashed.
      await out.line(config.json.value ? stored.line : formatEntry(entryOf(stored), format));
    }
    await out.flush();
    return EXIT.ok;
  });
}

/** Verifies the record and its database, whole or from a known checkpoint on. Exit 0 only if nothing is wrong. */
export function commandAuditVerify(command: AuditVerifyCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const out = new LineWriter(io.stdout);
    using reader = openRecordReader(config.state_dir.value);
    const key = keyFor(command.key, config.state_dir.value, reader);
    const from = command.from === undefined ? undefined : readCheckpoint(command.from, requireKey(key, reader));
    const report = reader.verify({
      // A look at every page takes as long as a whole verification, which --from is there to spare.
      structure: from === undefined,
      ...(key === undefined ? undefined : { key }),
      ...(from === undefined ? undefined : { from }),
    });
    if (config.json.value) await out.line(JSON.stringify({ ...report, path: reader.path }));
    else for (const line of verdictLines(report, reader)) await out.line(line);
    await out.flush();
    return report.ok ? EXIT.ok : EXIT.failed;
  });
}

function verdictLines(report: VerifyReport, reader: RecordReader): readonly string[] {
  const path = escapeText(reader.path);
  if (!report.ok) return [`TAMPERED: ${path}: ${escapeMessage(describeFault(report))}`];
  const head = report.head_seq === 0 ? "" : `, head ${report.head_seq} ${report.head_hash}`;
  const lines = [`ok: ${report.entries} entries of ${path} verify${head}`];
  if (report.root === undefined) return lines;
  lines.push(`signed: ${report.checkpoints} checkpoints, the last by key ${report.key_id ?? ""}, root ${report.root}`);
  lines.push(...prunedLines(report.pruned));
  if (!report.key_trusted) lines.push("the key was compared with none: give the one that you trust with --key");
  return lines;
}

/** What is not there any more, since when, and which entries say so. */
function prunedLines(pruned: PrunedEntries | undefined): readonly string[] {
  if (pruned === undefined) return [];
  const { entries, lost, statements } = pruned;
  const said = (of_lost: boolean): readonly string[] => {
    const all = statements.filter((statement) => statement.lost === of_lost);
    const shown = all.slice(-STATEMENTS_SHOWN);
    return [
      ...(all.length > shown.length ? [`  ${all.length - shown.length} earlier entries say so, see --json`] : []),
      ...shown.map(({ seq, time, detail }) =>
        `  since ${time.slice(0, 19).replace("T", " ")}, entry ${seq}: ${escapeText(detail, DETAIL_CHARS_MAX)}`
      ),
    ];
  };
  return [
    ...(lost === 0 ? [] : [`LOST: ${lost} entries were found damaged, as the record says:`, ...said(true)]),
    ...(entries === lost
      ? []
      : [`pruned: ${entries - lost} entries have no text any more, as the record says:`, ...said(false)]),
  ];
}

/** Prints the proof of one entry, one JSON document. */
function prove(command: AuditProveCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    using reader = openRecordReader(configOf(io, command.flags).state_dir.value);
    await io.stdout.write(`${JSON.stringify(proveEntry(reader, command.entry_id), undefined, 2)}\n`);
    return EXIT.ok;
  });
}

/** Checks a proof with a key alone. Exit 1 if it does not hold. */
function checkProofFiles(command: AuditCheckProofCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const { json: { value: json } } = configOf(io, command.flags);
    const checker = new ProofChecker(readPublicKey(command.key));
    let all_hold = true;
    for (const name of command.files) {
      const parsed = parseProof(readTextFile(name, "proof", PROOF_BYTES_MAX));
      const checked = parsed.ok ? checker.check(parsed.value) : parsed;
      const file = command.files.length > 1 ? { file: name } : undefined;
      if (!checked.ok) {
        all_hold = false;
        const text = json
          ? JSON.stringify({ ok: false, ...file, detail: checked.error })
          : `FALSE: ${escapeText(name)}: ${escapeMessage(checked.error)}`;
        await io.stdout.write(`${text}\n`);
        continue;
      }
      const { seq, entry_id, line, checkpoint: { origin, size } } = checked.value;
      if (json) await io.stdout.write(`${JSON.stringify({ ok: true, ...file, seq, entry_id, origin, size })}\n`);
      else {
        const entry = formatEntry(entryOf({ seq, line }), { paint: painter(io), columns: io.columns });
        await io.stdout.write(`ok: entry ${seq} of ${size} in ${escapeText(origin)}\n${entry}\n`);
      }
    }
    return all_hold ? EXIT.ok : EXIT.failed;
  });
}

/** Proves from the record that one checkpoint extends another. Exit 1 if it does not. */
function consistency(command: AuditConsistencyCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    using reader = openRecordReader(config.state_dir.value);
    const key = requireKey(keyFor(command.key, config.state_dir.value, reader), reader);
    const [older, newer] = [readCheckpoint(command.older, key), readCheckpoint(command.newer, key)];
    const proof = proveConsistency(reader, older, newer);
    if (config.json.value) {
      const answer = proof.ok ? { ok: true, ...proof.value } : { ok: false, detail: proof.error };
      await io.stdout.write(`${JSON.stringify(answer)}\n`);
    } else if (proof.ok) {
      const { old_size, size, path } = proof.value;
      await io.stdout.write(
        `ok: the first ${old_size} of ${size} entries are the same; ${path.length} hashes prove it\n`,
      );
    } else await io.stdout.write(`INCONSISTENT: ${escapeMessage(proof.error)}\n`);
    return proof.ok ? EXIT.ok : EXIT.failed;
  });
}

/** Prints the newest checkpoint, and on request the origin and the public key, alone on the last line. */
function checkpoint(command: AuditCheckpointCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    using reader = openRecordReader(config.state_dir.value);
    const state = reader.state();
    if (state === undefined) {
      throw new AgentguardError(
        "not_found",
        `read ${reader.path}: nothing was signed in it yet; guard something first`,
      );
    }
    const { origin, keys, newest } = state;
    const note = noteOf(state, newest);
    const key = keys.find((each) => each.id === newest.key_id)?.key;
    const public_key = key?.text ?? "";
    const verifier_key = key?.verifierKey(origin) ?? "";
    if (config.json.value) {
      const shown = command.show_key ? { origin, verifier_key, public_key } : {};
      await io.stdout.write(`${JSON.stringify({ checkpoint: note, size: newest.size, ...shown })}\n`);
    } else {
      const shown = command.show_key ? `\norigin: ${origin}\nverifier key: ${verifier_key}\n${public_key}\n` : "";
      await io.stdout.write(note + shown);
    }
    return EXIT.ok;
  });
}

/** Puts a new signing key in force. */
function rotate(command: AuditRotateKeyCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    // Opening for writing would make a record where there is none.
    openRecordReader(config.state_dir.value).close();
    const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const options = { boot_id, clock: io.clock, ids: new IdGenerator(io.clock) };
    const { origin, seq, old_key, new_key } = rotateKey(config.state_dir.value, options);
    const [old_id, new_id] = [old_key.idFor(origin).toHex(), new_key.idFor(origin).toHex()];
    await io.stdout.write(
      config.json.value
        ? `${JSON.stringify({ seq, origin, old_key: old_key.text, public_key: new_key.text })}\n`
        : `entry ${seq} hands over from key ${old_id} to key ${new_id}; the new public key is\n${new_key.text}\n`,
    );
    return EXIT.ok;
  });
}

/** The key given, or that of the state directory itself. */
function keyFor(given: string | undefined, directory: string, reader: RecordReader): PublicKey | undefined {
  return given === undefined ? localPublicKey(directory, reader.state()) : readPublicKey(given);
}

/** A checkpoint means nothing without a key. */
function requireKey(key: PublicKey | undefined, reader: RecordReader): PublicKey {
  if (key !== undefined) return key;
  throw new AgentguardError(
    "usage",
    `check a checkpoint of ${reader.path}: there is no key file beside it; give --key`,
  );
}

function queryOf(filter: AuditFilter, clock: Clock): EntryQuery {
  const { since, until, newest, ...same } = filter;
  const given = Object.fromEntries(Object.entries(same).filter(([, value]) => value !== undefined));
  return {
    ...given,
    ...(since === undefined ? {} : { since_us: timeOf(since, clock) }),
    ...(until === undefined ? {} : { until_us: timeOf(until, clock) }),
    newest,
  };
}

function timeOf(point: TimePoint, clock: Clock): number {
  return point.kind === "at" ? point.time_us : clock.wallUs() - point.age_us;
}

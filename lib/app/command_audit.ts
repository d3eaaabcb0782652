/** `agentguard audit query|verify`: the record in the state directory, whether a guard runs or not. */
import type { Clock } from "../core/mod.ts";
import { describeFault, entryOf, type EntryQuery, openRecordReader } from "../record/mod.ts";
import { type AuditFilter, type AuditQueryCommand, type AuditVerifyCommand, EXIT, type TimePoint } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatEntry } from "./format_entry.ts";
import { escapeMessage, escapeText, painter } from "./format_text.ts";

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

/** Verifies the whole record and its database. Exit 0 only if nothing is wrong. */
export function commandAuditVerify(command: AuditVerifyCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const out = new LineWriter(io.stdout);
    using reader = openRecordReader(config.state_dir.value);
    const report = reader.verify({ structure: true });
    if (config.json.value) await out.line(JSON.stringify({ ...report, path: reader.path }));
    else if (report.ok) {
      const head = report.entries === 0 ? "" : `, head ${report.head_seq} ${report.head_hash}`;
      await out.line(`ok: ${report.entries} entries of ${escapeText(reader.path)} verify${head}`);
    } else await out.line(`TAMPERED: ${escapeText(reader.path)}: ${escapeMessage(describeFault(report))}`);
    await out.flush();
    return report.ok ? EXIT.ok : EXIT.failed;
  });
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

/** `agentguard audit export`: entries of the record in the format of another system, on stdout. */
import { type EntryQuery, type ExportFormat, exportLines, type OcsfProfile, openRecordReader } from "../record/mod.ts";
import { EXIT } from "./command.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";

/** What is exported, and as what. */
export interface ExportRequest {
  /** Directory of the record. */
  readonly directory: string;
  /** Which entries; oldest first unless it says otherwise. */
  readonly query: EntryQuery;
  readonly format: ExportFormat;
  /** Version of OCSF; for the other formats it means nothing. */
  readonly profile: OcsfProfile;
  /** The host whose record it is, as the exported lines name it. */
  readonly host: string;
  readonly product_version: string;
}

/**
 * Writes the entries that match, line by line as they are read. Exit 1 if there is no record, or it cannot be read, or
 * the text of an entry is none; what was written before that is whole lines.
 */
export function commandAuditExport(request: ExportRequest, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const { directory, query, ...options } = request;
    const out = new LineWriter(io.stdout);
    using reader = openRecordReader(directory);
    try {
      for (const line of exportLines(reader.query(query), options)) await out.line(line);
    } finally {
      await out.flush();
    }
    return EXIT.ok;
  });
}

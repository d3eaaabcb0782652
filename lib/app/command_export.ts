/** `agentguard audit export`: entries of the record in the format of another system. */
import { hostname } from "node:os";
import { type EntryQuery, exportLines, openRecordReader } from "../record/mod.ts";
import { BUILD_INFO } from "./build_info.ts";
import { EXIT } from "./command.ts";
import type { AuditExportCommand } from "./command_audit_types.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { WholeFile } from "./whole_file.ts";

/** What is exported, and as what. */
export type ExportRequest = Omit<AuditExportCommand, "kind" | "filter"> & {
  /** Which entries; oldest first unless it says otherwise. */
  readonly query: EntryQuery;
};

/**
 * Writes the entries that match, line by line as they are read. Exit 1 if there is no record, it or the output cannot
 * be used, or the text of an entry is none: then stdout has whole lines, and a file is as it was before.
 */
export function commandAuditExport(request: ExportRequest, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const { query, format, profile, output, flags } = request;
    using reader = openRecordReader(configOf(io, flags).state_dir.value);
    using file = output === undefined ? undefined : new WholeFile(output);
    const out = new LineWriter(file ?? io.stdout);
    const host = request.host ?? hostname();
    try {
      const options = { format, profile, host, product_version: BUILD_INFO.version };
      for (const line of exportLines(reader.query(query), options)) await out.line(line);
    } finally {
      await out.flush();
    }
    file?.commit();
    return EXIT.ok;
  });
}

/**
 * lib/record/export: entries in the formats of other systems.
 *
 * Owns: the mappings to JSON lines (the text that was hashed), OCSF, CEF and OTLP/JSON, each a table of fields in a
 * file of its own, and the escapes that keep a line one line and inert on a terminal.
 * Never: reads the record itself, leaves an entry out, invents a value that the entry does not have.
 * Errors: `tamper` for a stored text that is no entry; `invariant` for a batch size out of range.
 * Lifetimes: an export is a generator; it holds one batch at most, and for OCSF 1.9 the agents of the last sessions.
 */
export {
  EXPORT_FORMATS,
  type ExportFormat,
  exportLines,
  type ExportOptions,
  OCSF_PROFILES,
  type OcsfProfile,
} from "./exporter.ts";

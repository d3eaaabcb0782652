/** A stream of stored entries becomes a stream of lines in one of the formats. */
import { invariant } from "../../core/mod.ts";
import { entryOf, type StoredEntry } from "../reader.ts";
import { cefLine } from "./cef.ts";
import { ocsfEvent } from "./ocsf.ts";
import { OcsfChain } from "./ocsf_chain.ts";
import { type OtlpItem, otlpLine } from "./otlp.ts";
import { safeJson } from "./safe_text.ts";

/** Formats: JSON lines as stored, OCSF events, CEF lines, OTLP/JSON batches. */
export type ExportFormat = "jsonl" | "ocsf" | "cef" | "otlp";

/** The formats by name. */
export const EXPORT_FORMATS: readonly ExportFormat[] = ["jsonl", "ocsf", "cef", "otlp"];

/** Versions of OCSF: 1.8, or 1.9 with the agent and a chain of fingerprints. */
export type OcsfProfile = "1.8" | "1.9";

/** The versions by name. */
export const OCSF_PROFILES: readonly OcsfProfile[] = ["1.8", "1.9"];

/** How entries are exported. */
export interface ExportOptions {
  readonly format: ExportFormat;
  /** Version of this product, for the formats that name it. */
  readonly product_version: string;
  /** Name of the host whose record it is. */
  readonly host: string;
  /** For OCSF; 1.8 by default. */
  readonly profile?: OcsfProfile;
  /** For OCSF 1.9: the name of the chain; by default the host and the first entry's id. */
  readonly chain_uid?: string;
  /** For OTLP: entries in one line, 1 to 10,000; 512 by default. */
  readonly batch_entries?: number;
}

const BATCH_ENTRIES = 512;
const BATCH_ENTRIES_MAX = 10_000;
/** A batch ends early when the texts in it are longer than this: collectors take a few megabytes. */
const BATCH_CHARS_MAX = 1_048_576;

/**
 * Yields lines without their ends, in the order of the entries; each format holds every entry, also those of types that
 * are not known here. Throws `tamper` at an entry whose text is none, naming its number, and whatever the entries
 * throw.
 */
export function* exportLines(entries: Iterable<StoredEntry>, options: ExportOptions): Generator<string, void, void> {
  switch (options.format) {
    case "jsonl":
      for (const stored of entries) yield stored.line;
      return;
    case "cef":
      for (const stored of entries) yield cefLine(entryOf(stored), options);
      return;
    case "ocsf":
      yield* ocsfLines(entries, options);
      return;
    case "otlp":
      yield* otlpLines(entries, options);
      return;
  }
}

function* ocsfLines(entries: Iterable<StoredEntry>, options: ExportOptions): Generator<string, void, void> {
  const chain = options.profile === "1.9" ? new OcsfChain(options.host, options.chain_uid) : undefined;
  for (const stored of entries) {
    const entry = entryOf(stored);
    const event = ocsfEvent(entry, options);
    yield safeJson(chain === undefined ? event : chain.add(entry, event));
  }
}

function* otlpLines(entries: Iterable<StoredEntry>, options: ExportOptions): Generator<string, void, void> {
  const max = options.batch_entries ?? BATCH_ENTRIES;
  invariant(max >= 1 && max <= BATCH_ENTRIES_MAX, "export OTLP: give batches of 1 to 10,000 entries");
  let batch: OtlpItem[] = [];
  let chars = 0;
  for (const stored of entries) {
    batch.push({ entry: entryOf(stored), line: stored.line });
    chars += stored.line.length;
    if (batch.length < max && chars < BATCH_CHARS_MAX) continue;
    yield otlpLine(batch, options);
    batch = [];
    chars = 0;
  }
  if (batch.length > 0) yield otlpLine(batch, options);
}

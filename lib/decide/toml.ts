/** From bytes to a TOML table with places, within limits. Never throws. */
import { parse, TomlError } from "smol-toml";
import { errorMessage, LIMITS } from "../core/mod.ts";
import type { Diagnostics, Position } from "./diagnostic.ts";
import { SourceMap, SourcePath } from "./source_path.ts";

/** A policy file as handed in: its name for messages, and its bytes. */
export interface PolicySource {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** A TOML table. Made by the parser without a prototype, so any key is safe. */
export type Table = Readonly<Record<string, unknown>>;

/** A parsed text: values, and where they stand. */
export interface Document {
  readonly table: Table;
  readonly path: SourcePath;
}

/** Nesting of lists and inline tables; the language needs four. */
const DEPTH_MAX = 32;

/** True for a TOML table (not a list, not a date). */
export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Reads one file; on failure adds one error that names the limit or the place, and gives `undefined`. */
export function readDocument(source: PolicySource, diagnostics: Diagnostics): Document | undefined {
  const { file, bytes } = source;
  const start: Position = { file, line: 1, column: 1 };
  if (bytes.length > LIMITS.policy_bytes_max) {
    diagnostics.error(
      start,
      `policy has ${bytes.length} bytes, the limit (policy_bytes_max) is ${LIMITS.policy_bytes_max}`,
      "split it into layers",
    );
    return undefined;
  }
  const text = decode(source, diagnostics);
  if (text === undefined) return undefined;
  try {
    const table: unknown = parse(text, { maxDepth: DEPTH_MAX });
    if (!isTable(table)) {
      diagnostics.error(start, "policy is not a TOML table");
      return undefined;
    }
    return { table, path: new SourcePath(new SourceMap(file, text)) };
  } catch (thrown) {
    const at = thrown instanceof TomlError ? { file, line: thrown.line, column: thrown.column } : start;
    diagnostics.error(at, syntaxMessage(thrown));
    return undefined;
  }
}

function decode(source: PolicySource, diagnostics: Diagnostics): string | undefined {
  const { file, bytes } = source;
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    diagnostics.error(placeOfByte(source, nul), `NUL byte at offset ${nul}`, "a policy is UTF-8 text");
    return undefined;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const offset = firstInvalidByte(bytes);
    diagnostics.error(
      placeOfByte({ file, bytes }, offset),
      `invalid UTF-8 at byte offset ${offset}`,
      "save it as UTF-8",
    );
    return undefined;
  }
}

/** Line and byte column of an offset in bytes that are not text. */
function placeOfByte(source: PolicySource, offset: number): Position {
  let line = 1;
  let start = 0;
  for (let i = 0; i < offset; i++) {
    if (source.bytes[i] === 10) {
      line++;
      start = i + 1;
    }
  }
  return { file: source.file, line, column: offset - start + 1 };
}

/** Offset of the first byte that is not part of well-formed UTF-8 (Unicode 15, table 3-7). */
function firstInvalidByte(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0;
    const more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0) return at;
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    for (let i = 1; i <= more; i++) {
      const byte = bytes[at + i] ?? 0;
      if (byte < (i === 1 ? low : 0x80) || byte > (i === 1 ? high : 0xbf)) return at;
    }
    at += 1 + more;
  }
  return at;
}

/** The parser's message without its drawing of the source. */
function syntaxMessage(thrown: unknown): string {
  const [first = ""] = errorMessage(thrown).split("\n");
  return first.replace(/^Invalid TOML document: /, "invalid TOML: ");
}

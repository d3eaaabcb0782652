/**
 * Recordings that commands read: the record of a state directory, or lines of `audit query --json` from a file or
 * stdin.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { AgentguardError, type Entry, errorMessage } from "../core/mod.ts";
import { ENTRY_BYTES_MAX, entryOf, openRecordReader, parseEntry, RECORD_FILE } from "../record/mod.ts";

/** How SQLite files begin (sqlite.org/fileformat.html, section 1.3). */
const SQLITE_MAGIC = "SQLite format 3\0";

/**
 * Yields every entry in order. `source` is a directory with a record, its `record.db`, a file of JSON lines, or `-` for
 * JSON lines on stdin. Throws `AgentguardError`: `io`, `not_found`, or `usage` for a line that is no entry.
 */
export async function* readRecording(source: string): AsyncGenerator<Entry, void, void> {
  if (source === "-") return yield* readLines(Bun.stdin.stream(), "stdin");
  const directory = recordDirectory(source);
  if (directory === undefined) return yield* readLines(Bun.file(source).stream(), source);
  using reader = openRecordReader(directory);
  for (const stored of reader.query()) yield entryOf(stored);
}

/** The directory of the record that `source` names; `undefined` if it is a file of lines. */
function recordDirectory(source: string): string | undefined {
  try {
    if (statSync(source).isDirectory()) return source;
  } catch (error) {
    throw new AgentguardError("not_found", `open recording ${source}: ${errorMessage(error)}; check the path`, {
      cause: error,
    });
  }
  if (basename(source) === RECORD_FILE) return dirname(source);
  if (!beginsWith(source, SQLITE_MAGIC)) return undefined;
  throw new AgentguardError(
    "usage",
    `read recording ${source}: name the directory in which it is called ${RECORD_FILE}`,
  );
}

function beginsWith(file: string, magic: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    throw new AgentguardError("io", `open recording ${file}: ${errorMessage(error)}`, { cause: error });
  }
  try {
    // A pipe would lose what is read here; only files can be records.
    if (!statSync(file).isFile()) return false;
    const bytes = new Uint8Array(magic.length);
    return readSync(fd, bytes) === bytes.length && new TextDecoder().decode(bytes) === magic;
  } finally {
    closeSync(fd);
  }
}

/** Entries of a stream of JSON lines; empty lines are skipped. */
async function* readLines(stream: ReadableStream<Uint8Array>, name: string): AsyncGenerator<Entry, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  let number = 0;
  const entry = (line: string): Entry => {
    const found = parseEntry(line);
    if (found !== undefined) return found;
    throw new AgentguardError(
      "usage",
      `read recording ${name}: line ${number} is no entry; give the output of agentguard audit query --json`,
    );
  };
  for await (const chunk of chunksOf(stream, name)) {
    rest += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
      const line = rest.slice(from, end);
      from = end + 1;
      number++;
      if (line.trim() !== "") yield entry(line);
    }
    rest = rest.slice(from);
    if (rest.length > ENTRY_BYTES_MAX) {
      throw new AgentguardError("usage", `read recording ${name}: line ${number + 1} is longer than any entry`);
    }
  }
  number++;
  if (rest.trim() !== "") yield entry(rest);
}

async function* chunksOf(stream: ReadableStream<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    throw new AgentguardError("io", `read recording ${name}: ${errorMessage(error)}`, { cause: error });
  }
}

/** Reads the `[record]` table of a policy file. */
import { LIMITS } from "../core/mod.ts";
import { quote } from "./diagnostic.ts";
import { DURATION_HINT, parseDuration, parseSize } from "./duration.ts";
import type { TableReader } from "./reader.ts";
import {
  NO_RECORD_CONFIG,
  type RecordAnchorConfig,
  type RecordConfig,
  type RecordSinkConfig,
  type SinkStrategy,
} from "./record_config.ts";

const RECORD_KEYS: readonly string[] = [
  ...["origin", "on_tamper", "sink", "keep", "max_bytes", "keep_sessions", "anchor", "anchor_every", "witness_for"],
];
const SINK_KEYS: readonly string[] = [
  ...["path", "decisions", "observations", "fallback", "rotate_size", "rotate_age", "rotate_keep", "sync", "queue"],
];
const STRATEGIES: readonly SinkStrategy[] = ["block", "drop", "fallback"];
/** Sinks, anchors and logs of one file. */
const LIST_MAX = 16;
/** A record has tiles and an index that no pruning removes. */
const RECORD_BYTES_MIN = 1_048_576;
const FILE_BYTES_MIN = 4_096;
const QUEUE_LINES_MAX = 1_000_000;
const SESSIONS_MAX = 1_000_000;
/** Rules of NATS for the subject of a message; wildcards are for subscribers. */
const SUBJECT = /^[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,15}$/;

/** Reads the table; what is wrong with it is in the reader's diagnostics. */
export function parseRecord(reader: TableReader | undefined): RecordConfig {
  if (reader === undefined) return NO_RECORD_CONFIG;
  reader.refuseUnknown(RECORD_KEYS);
  return {
    origin: reader.string("origin"),
    on_tamper: reader.word("on_tamper", ["refuse", "alarm"] as const),
    keep_ms: duration(reader, "keep"),
    max_bytes: bytes(reader, "max_bytes", RECORD_BYTES_MIN),
    keep_sessions: reader.integer("keep_sessions", { min: 1, max: SESSIONS_MAX }),
    anchor_every_ms: duration(reader, "anchor_every"),
    sinks: list(reader, "sink").flatMap((sink) => parseSink(sink) ?? []),
    anchors: list(reader, "anchor").flatMap((anchor) => parseAnchor(anchor) ?? []),
    witness_for: parseLogs(reader),
  };
}

function parseSink(reader: TableReader): RecordSinkConfig | undefined {
  reader.refuseUnknown(SINK_KEYS);
  const path = absolutePath(reader, "path");
  const decisions = reader.word("decisions", STRATEGIES);
  const observations = reader.word("observations", STRATEGIES);
  const fallback = reader.has("fallback") ? absolutePath(reader, "fallback") : undefined;
  const falls_back = decisions === "fallback" || observations === "fallback";
  if (falls_back && !reader.has("fallback")) {
    reader.context.diagnostics.error(reader.position, "sink falls back to nothing", 'add fallback = "/path"');
  }
  if (!falls_back && reader.has("fallback")) {
    reader.error("fallback", "fallback has no effect", 'set decisions or observations to "fallback"');
  }
  if (fallback !== undefined && fallback === path) reader.error("fallback", "a sink cannot fall back to itself");
  if (path === undefined) return undefined;
  return {
    path,
    decisions: decisions,
    observations: observations,
    fallback: fallback,
    rotate_bytes: bytes(reader, "rotate_size", FILE_BYTES_MIN),
    rotate_age_ms: duration(reader, "rotate_age"),
    rotate_keep: reader.integer("rotate_keep", { min: 1, max: 1_000 }),
    sync: parseSync(reader),
    queue_lines: reader.integer("queue", { min: 1, max: QUEUE_LINES_MAX }),
  };
}

function parseSync(reader: TableReader): RecordSinkConfig["sync"] {
  const text = reader.string("sync");
  if (text === undefined || text === "never" || text === "batch") return text;
  const interval_ms = parseDuration(text);
  if (interval_ms !== undefined) return { interval_ms };
  reader.error("sync", `sync is ${quote(text)}, neither never nor batch nor a duration`, DURATION_HINT);
  return undefined;
}

function parseAnchor(reader: TableReader): RecordAnchorConfig | undefined {
  const kinds = ["file", "witness", "nats"].filter((kind) => reader.has(kind));
  if (kinds.length !== 1) {
    reader.context.diagnostics.error(reader.position, "anchor is not exactly one of file, witness, nats");
    return undefined;
  }
  switch (kinds[0]) {
    case "file": {
      reader.refuseUnknown(["file"]);
      const path = absolutePath(reader, "file");
      return path === undefined ? undefined : { kind: "file", path };
    }
    case "witness":
      return parseWitness(reader);
    default:
      return parseNats(reader);
  }
}

function parseWitness(reader: TableReader): RecordAnchorConfig | undefined {
  reader.refuseUnknown(["witness", "key"]);
  const url = reader.string("witness");
  const key = reader.string("key");
  if (url !== undefined && !url.startsWith("/") && !/^https?:\/\/[^\s/]+/.test(url)) {
    reader.error("witness", `witness is ${quote(url)}, neither a socket's absolute path nor an http(s) address`);
    return undefined;
  }
  if (key === undefined && !reader.has("key")) {
    const fix = "add key, as 'agentguard audit anchor --show-key' prints it on the witness";
    reader.context.diagnostics.error(reader.position, "anything could sign in the witness's name", fix);
  }
  if (key !== undefined) requireVerifierKey(reader, "key", key);
  return url === undefined || key === undefined ? undefined : { kind: "witness", url, key };
}

function parseNats(reader: TableReader): RecordAnchorConfig | undefined {
  reader.refuseUnknown(["nats", "subject", "credentials", "ca"]);
  const url = reader.string("nats");
  const subject = reader.string("subject");
  const credentials = reader.has("credentials") ? absolutePath(reader, "credentials") : undefined;
  const ca = reader.has("ca") ? absolutePath(reader, "ca") : undefined;
  if (ca !== undefined && url?.startsWith("tls:") === false) {
    reader.error("ca", "ca is given without TLS", 'write nats = "tls://HOST:PORT"');
  }
  if (url !== undefined && !/^(?:nats|tls):\/\/[^\s/@]+$/.test(url)) {
    reader.error("nats", `nats is ${quote(url)}, not nats://HOST:PORT or tls://HOST:PORT`);
  }
  if (subject === undefined && !reader.has("subject")) {
    reader.context.diagnostics.error(
      reader.position,
      "anchor has no subject",
      'add subject = "agentguard.checkpoints"',
    );
  }
  if (subject !== undefined && !SUBJECT.test(subject)) {
    reader.error("subject", `subject ${quote(subject)} is not names of A-Z a-z 0-9 _ - with dots between`);
  }
  if (url === undefined || subject === undefined) return undefined;
  return { kind: "nats", url, subject, credentials, ca };
}

function parseLogs(reader: TableReader): readonly string[] {
  if (!reader.has("witness_for")) return [];
  const keys = (reader.strings("witness_for") ?? []).map(({ value }) => value);
  for (const key of keys) requireVerifierKey(reader, "witness_for", key);
  if (keys.length > LIST_MAX) {
    reader.error("witness_for", `witness_for has ${keys.length} keys, the limit is ${LIST_MAX}`);
  }
  return keys;
}

/** The form of C2SP signed-note; what the parts mean is checked where the key is used. */
function requireVerifierKey(reader: TableReader, name: string, text: string): void {
  if (/^[^\s+]{1,256}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/.test(text)) return;
  reader.error(name, `${quote(text)} is no verifier key`, "it reads NAME+8 hex digits+44 characters of base64");
}

function list(reader: TableReader, key: string): readonly TableReader[] {
  const found = reader.children(key);
  if (found.length <= LIST_MAX) return found;
  reader.error(key, `[[record.${key}]] is there ${found.length} times, the limit is ${LIST_MAX}`);
  return [];
}

function absolutePath(reader: TableReader, key: string): string | undefined {
  const path = reader.string(key);
  if (path === undefined) {
    if (!reader.has(key)) reader.context.diagnostics.error(reader.position, `${key} is missing`);
    return undefined;
  }
  const sound = /^\/[^\0]*[^/\0]$/.test(path) && Buffer.byteLength(path) <= LIMITS.path_bytes_max;
  if (!sound) reader.error(key, `${key} is ${quote(path)}, not the absolute path of a file`);
  return sound ? path : undefined;
}

function duration(reader: TableReader, key: string): number | undefined {
  const text = reader.string(key);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) reader.error(key, `${key} is ${quote(text)}, not a duration`, DURATION_HINT);
  return ms;
}

/** A number of bytes as a person writes it: `100MB`, `2GiB`. */
function bytes(reader: TableReader, key: string, least: number): number | undefined {
  const text = reader.string(key);
  if (text === undefined) return undefined;
  const value = parseSize(text);
  if (value !== undefined && value >= least) return value;
  reader.error(key, `${key} is ${quote(text)}, not a size of at least ${least} bytes`, 'write "100MB" or "2GiB"');
  return undefined;
}

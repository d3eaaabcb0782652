/**
 * Messages between a producer's thread and the recorder's. Each is one string, but for the memory that they may share:
 * posting a string between threads is far cheaper than posting objects, and a batch is one message.
 */
import { AgentguardError, type ErrorCode, errorMessage } from "../core/mod.ts";
import type { FilledBlock } from "./draft_blocks.ts";
import { type QueuedDraft, readDraftLines, writeDraftLines } from "./draft_line.ts";
import type { CommittedEntry, RecorderState } from "./recorder.ts";

/** From a producer. */
export type ProducerMessage =
  | { readonly op: "append"; readonly drafts: readonly QueuedDraft[] }
  // Blocks of drafts will lie in it.
  | { readonly op: "memory"; readonly memory: SharedArrayBuffer }
  // As `append`, from there.
  | ({ readonly op: "block" } & FilledBlock)
  | { readonly op: "flush"; readonly id: number }
  | { readonly op: "subscribe" };

/** From the recorder. */
export type RecorderMessage =
  // So many more of this producer's drafts are durable, or dropped and counted.
  | { readonly op: "settled"; readonly count: number }
  | { readonly op: "flushed"; readonly id: number }
  | { readonly op: "flush_failed"; readonly id: number; readonly code: string; readonly message: string }
  | { readonly op: "state"; readonly state: RecorderState }
  | { readonly op: "committed"; readonly first_seq: number; readonly lines: readonly string[] };

/** Begins a message of committed lines, which are sent as they are: canonical JSON holds no line break. */
const COMMITTED_PREFIX = "committed ";

/** Begins a message of drafts, a line each behind it. */
const APPEND_HEAD = "append";

/** A producer's message as it is posted; drafts are not empty. Never fails. */
export function encodeProducerMessage(message: ProducerMessage): string | SharedArrayBuffer {
  if (message.op === "memory") return message.memory;
  if (message.op !== "append") return JSON.stringify(message);
  return writeDraftLines(APPEND_HEAD, message.drafts);
}

/** The text of a recorder's message about itself or a flush. */
export function encodeRecorderMessage(message: Exclude<RecorderMessage, { op: "committed" }>): string {
  return JSON.stringify(message);
}

/** The text of one committed batch, not empty. */
export function encodeCommitted(entries: readonly CommittedEntry[]): string {
  return `${COMMITTED_PREFIX}${entries[0]?.seq ?? 0}\n${entries.map((entry) => entry.line).join("\n")}`;
}

/** Reads a producer's message. Throws `invariant` for anything else: both ends are this program. */
export function decodeProducerMessage(data: unknown): ProducerMessage {
  if (typeof data === "string" && data.startsWith(APPEND_HEAD)) {
    const drafts = readDraftLines(data, APPEND_HEAD.length);
    if (drafts === undefined || drafts.length === 0) throw unknownMessage("a producer", data);
    return { op: "append", drafts };
  }
  if (data instanceof SharedArrayBuffer) return { op: "memory", memory: data };
  const message = parse(data);
  if (isObject(message) && "op" in message) {
    const { op } = message;
    if (op === "flush" && "id" in message && typeof message.id === "number") return { op, id: message.id };
    if (op === "subscribe") return { op };
    if (op === "block" && isFilledBlock(message)) return { ...message, op };
  }
  throw unknownMessage("a producer", data);
}

/** Reads a recorder's message. Throws `invariant` for anything else: both ends are this program. */
export function decodeRecorderMessage(data: unknown): RecorderMessage {
  if (typeof data === "string" && data.startsWith(COMMITTED_PREFIX)) {
    const [head, ...lines] = data.split("\n");
    return { op: "committed", first_seq: Number(head?.slice(COMMITTED_PREFIX.length)), lines };
  }
  const message = parse(data);
  if (isObject(message) && "op" in message) {
    const { op } = message;
    if (op === "settled" && "count" in message && typeof message.count === "number") {
      return { op, count: message.count };
    }
    if (op === "state" && "state" in message && isState(message.state)) return { op, state: message.state };
    if ("id" in message && typeof message.id === "number") {
      const { id } = message;
      if (op === "flushed") return { op, id };
      if (op === "flush_failed" && "code" in message && "message" in message) {
        return { op, id, code: String(message.code), message: String(message.message) };
      }
    }
  }
  throw unknownMessage("the recorder", data);
}

/** An error that has crossed threads, with its code where it is one that a full or failing record has. */
export function flushError(code: string, message: string): AgentguardError {
  const known: readonly ErrorCode[] = ["io", "busy", "tamper", "overflow", "closed", "invariant"];
  return new AgentguardError(known.find((candidate) => candidate === code) ?? "io", message);
}

/** Code and message of anything that a flush threw. */
export function flushFailure(id: number, thrown: unknown): Exclude<RecorderMessage, { op: "committed" }> {
  const code = thrown instanceof AgentguardError ? thrown.code : "io";
  return { op: "flush_failed", id, code, message: errorMessage(thrown) };
}

function parse(data: unknown): unknown {
  if (typeof data !== "string") return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isFilledBlock(value: object): value is FilledBlock {
  return "block" in value && typeof value.block === "number" && "bytes" in value && typeof value.bytes === "number" &&
    "classes" in value && typeof value.classes === "string";
}

function isState(value: unknown): value is RecorderState {
  if (!isObject(value) || !("status" in value)) return false;
  return value.status === "writing" ||
    (value.status === "stalled" && "reason" in value && typeof value.reason === "string");
}

function unknownMessage(from: string, data: unknown): AgentguardError {
  const shown = typeof data === "string" ? data.slice(0, 80) : typeof data;
  return new AgentguardError("invariant", `read a message from ${from}: unknown form: ${shown}`);
}

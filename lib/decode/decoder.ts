/** Bytes to actions: one table from record type to decoder, and the joining of long argument lists. */
import {
  AgAbi,
  AgClose,
  AgCoverage,
  AgDecided,
  AgDns,
  AgExec,
  AgExecArgs,
  AgExecFailed,
  AgExit,
  AgFork,
  AgLimit,
  AgMove,
  AgNet,
  AgOp,
  AgOpen,
  AgPath,
  AgRecord,
  AgRefused,
  AgScopeChange,
  AgUnix,
} from "../../probes/abi.gen.ts";
import {
  type Action,
  type DecodeError,
  err,
  type Facts,
  type KernelVerdict,
  type Observed,
  ok,
  type Result,
  splitTexts,
} from "../core/mod.ts";
import { decodeDns } from "./dns.ts";
import { decodeClose, decodeMove, decodeOpen, decodePath } from "./file.ts";
import { Frame } from "./frame.ts";
import { decodeCoverage, decodeNet, decodeUnix } from "./network.ts";
import { decodeRefused } from "./refused.ts";
import {
  decodeDecided,
  decodeExec,
  decodeExecArgs,
  decodeExecFailed,
  decodeExit,
  decodeFork,
  decodeScope,
  type ExecBody,
} from "./process.ts";

interface Body {
  readonly action?: Action | undefined;
  readonly kernel?: KernelVerdict | undefined;
  readonly held?: Observed["held"];
  readonly facts: Facts;
}

interface Entry {
  readonly size: number;
  readonly decode: (frame: Frame) => Body | undefined;
}

/** By record type; `EXEC` and `EXEC_ARGS` are joined by the decoder itself. */
const TABLE: readonly (Entry | undefined)[] = table([
  [AgOp.EXEC_FAILED, AgExecFailed.SIZE, decodeExecFailed],
  [AgOp.FORK, AgFork.SIZE, decodeFork],
  [AgOp.EXIT, AgExit.SIZE, decodeExit],
  [AgOp.OPEN, AgOpen.SIZE, decodeOpen],
  [AgOp.CLOSE, AgClose.SIZE, decodeClose],
  [AgOp.PATH, AgPath.SIZE, decodePath],
  [AgOp.MOVE, AgMove.SIZE, decodeMove],
  [AgOp.NET, AgNet.SIZE, decodeNet],
  [AgOp.UNIX, AgUnix.SIZE, decodeUnix],
  [AgOp.DNS, AgDns.SIZE, decodeDns],
  [AgOp.COVERAGE, AgCoverage.SIZE, decodeCoverage],
  [AgOp.SCOPE, AgScopeChange.SIZE, decodeScope],
  [AgOp.DECIDED, AgDecided.SIZE, decodeDecided],
  [AgOp.REFUSED, AgRefused.SIZE, decodeRefused],
]);

function table(rows: readonly (readonly [number, number, Entry["decode"]])[]): readonly (Entry | undefined)[] {
  const made: (Entry | undefined)[] = [];
  for (const [op, size, decode] of rows) made[op] = { size, decode };
  return made;
}

/** An exec that waits for the rest of its argv. */
interface Waiting {
  readonly body: ExecBody;
  readonly head: Omit<Observed, "action" | "kernel" | "facts">;
  readonly parts: Buffer[];
  /** argv bytes in `parts`. */
  bytes: number;
  /** Ends of batches since the record came. */
  age: number;
}

/** Execs that wait at once: one per CPU is usual, since the pieces follow each other. */
const WAITING_MAX = 256;
/** Whole batches after which the missing pieces of an argv are lost. */
const AGE_LOST = 3;

/**
 * Decodes records of one source. `undefined` in the result means: part of a longer record, nothing yet.
 * Never throws; never keeps a view of the source's memory.
 */
export class Decoder {
  readonly #frame = new Frame();
  readonly #waiting: Map<string, Waiting> = new Map();

  /** Decodes the record of `size` bytes at offset `at`. */
  decode(view: DataView, bytes: Uint8Array, at: number, size: number): Result<Observed | undefined, DecodeError> {
    if (size < AgRecord.SIZE || at + size > bytes.length) return err({ reason: "short", op: 0 });
    const frame = this.#frame;
    frame.attach(view, bytes);
    frame.at = at;
    frame.size = size;
    const op = frame.op;
    if (frame.u8(AgRecord.abi) !== AgAbi.VERSION) return err({ reason: "abi", op });
    // Rings round sizes up: the record says how long it really is.
    const own = frame.u32(AgRecord.size);
    if (own > size || own < AgRecord.SIZE) return err({ reason: "size", op });
    frame.size = own;
    if (op === AgOp.EXEC) return this.#exec(frame);
    if (op === AgOp.EXEC_ARGS) return this.#execArgs(frame);
    const entry = TABLE[op];
    if (entry === undefined) return err({ reason: "op", op });
    if (own < entry.size) return err({ reason: "short", op });
    const body = entry.decode(frame);
    if (body === undefined) return err({ reason: "field", op });
    return ok(finish(frame, body));
  }

  /** Ends a batch: gives the execs whose remaining arguments were lost, with what there is of them. */
  endBatch(emit: (observed: Observed) => void): void {
    for (const [key, waiting] of this.#waiting) {
      waiting.age++;
      if (waiting.age >= AGE_LOST) emit(this.#complete(key, waiting, { truncated: true }));
    }
  }

  /** Gives every exec that still waits, when no more records come. */
  finish(emit: (observed: Observed) => void): void {
    for (const [key, waiting] of this.#waiting) emit(this.#complete(key, waiting, { truncated: true }));
  }

  #exec(frame: Frame): Result<Observed | undefined, DecodeError> {
    if (frame.size < AgExec.SIZE) return err({ reason: "short", op: AgOp.EXEC });
    const body = decodeExec(frame);
    if (!body.more) return ok(finish(frame, body));
    const { action: _action, kernel: _kernel, facts: _facts, ...head } = finish(frame, body);
    const oldest = this.#waiting.size >= WAITING_MAX ? this.#waiting.entries().next() : undefined;
    const evicted = oldest === undefined || oldest.done
      ? undefined
      : this.#complete(oldest.value[0], oldest.value[1], { truncated: true });
    this.#waiting.set(keyOf(frame, body.exec_id), {
      body,
      head,
      parts: [body.argv],
      bytes: body.argv.length,
      age: 0,
    });
    return ok(evicted);
  }

  #execArgs(frame: Frame): Result<Observed | undefined, DecodeError> {
    if (frame.size < AgExecArgs.SIZE) return err({ reason: "short", op: AgOp.EXEC_ARGS });
    const piece = decodeExecArgs(frame);
    const key = keyOf(frame, piece.exec_id);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return err({ reason: "field", op: AgOp.EXEC_ARGS });
    // A piece before this one was lost: what follows must not look as if it were joined to it.
    if (piece.offset !== waiting.bytes) return ok(this.#complete(key, waiting, { truncated: true }));
    waiting.parts.push(piece.bytes);
    waiting.bytes += piece.bytes.length;
    if (!piece.last && waiting.parts.length <= AgLimit.ARGS_CHUNKS_MAX) return ok(undefined);
    const cut = waiting.bytes < waiting.body.argv_bytes_wanted;
    return ok(this.#complete(key, waiting, { truncated: cut }));
  }

  #complete(key: string, waiting: Waiting, options: { readonly truncated: boolean }): Observed {
    this.#waiting.delete(key);
    const { action, kernel, facts } = waiting.body;
    const flags = action.flags ?? [];
    const cut = options.truncated && !flags.includes("args_truncated");
    return {
      ...waiting.head,
      action: {
        ...action,
        argv: splitTexts(Buffer.concat(waiting.parts)),
        ...(cut ? { flags: ["args_truncated", ...flags] } : undefined),
      },
      ...(kernel === undefined ? undefined : { kernel }),
      facts,
    };
  }
}

/** Two CPUs may exec in the same nanosecond: the process tells them apart. */
function keyOf(frame: Frame, exec_id: string): string {
  return `${frame.u32(AgRecord.pid)}:${exec_id}`;
}

/** The calls of the task are held. */
const HELD: NonNullable<Observed["held"]> = Object.freeze({});

function finish(frame: Frame, body: Body): Observed {
  const scope = frame.u32(AgRecord.scope);
  return {
    scope: scope & AgLimit.SCOPE_MASK,
    boot_us: frame.u64(AgRecord.time_ns) / 1000,
    pid: frame.u32(AgRecord.pid),
    tid: frame.u32(AgRecord.tid),
    start_low: frame.u32(AgRecord.start_ns),
    start_high: frame.u32(AgRecord.start_ns + 4),
    action: body.action,
    kernel: body.kernel,
    held: body.held ?? (scope > AgLimit.SCOPE_MASK ? HELD : undefined),
    facts: body.facts,
  };
}

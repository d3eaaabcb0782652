/** What a command may touch of the outside: two writers, the environment, the clock. */
import { writeSync } from "node:fs";
import { AgentguardError, type Clock, systemClock } from "../core/mod.ts";
import { EXIT } from "./command.ts";
import { escapeMessage } from "./format_text.ts";

/**
 * Takes text for a file descriptor. Resolves when it is written; rejects with `PipeClosed` when nobody reads any more.
 */
export interface Writer {
  write(text: string): Promise<void>;
}

/** Everything that a command may touch beside its ports. */
export interface CommandIo {
  readonly stdout: Writer;
  readonly stderr: Writer;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if stdout is a terminal. */
  readonly isTty: boolean;
  /** Width of the terminal; 0 if it is none. */
  readonly columns: number;
  readonly uid: number;
  readonly cwd: string;
  readonly clock: Clock;
}

/** The reader of our output has gone, as in `agentguard audit query | head`. */
export class PipeClosed extends Error {}

/** Text that is collected before it is written: one system call per line would be slow. */
const BATCH_CHARS = 65_536;

/** Writes lines in batches. Call `flush` at the end, and whenever a reader waits for what is there. */
export class LineWriter {
  readonly #writer: Writer;
  #text = "";

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  /** Adds one line; the newline is added here. */
  async line(text: string): Promise<void> {
    this.#text += `${text}\n`;
    if (this.#text.length >= BATCH_CHARS) await this.flush();
  }

  /** Writes what was collected. */
  async flush(): Promise<void> {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    await this.#writer.write(text);
  }
}

/**
 * Runs a command to its exit code. A closed pipe ends it quietly with 0; an `AgentguardError` becomes one line on
 * stderr and 1, or 2 for usage, configuration and policy. Other exceptions are defects and go through.
 */
export async function exitCodeOf(io: CommandIo, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof PipeClosed) return EXIT.ok;
    if (!(thrown instanceof AgentguardError) || thrown.code === "invariant") throw thrown;
    return await failWith(io, thrown.message, exitCodeFor(thrown));
  }
}

function exitCodeFor(error: AgentguardError): number {
  return ["usage", "config", "policy"].includes(error.code) ? EXIT.usage : EXIT.failed;
}

/** Says one line on stderr and returns the exit code. That nobody reads stderr changes nothing. */
export async function failWith(io: CommandIo, message: string, code: number): Promise<number> {
  try {
    await io.stderr.write(`agentguard: ${escapeMessage(message)}\n`);
  } catch (thrown) {
    if (!(thrown instanceof PipeClosed)) throw thrown;
  }
  return code;
}

/** The real outside of this process. */
export function processIo(): CommandIo {
  return {
    stdout: new StreamWriter(process.stdout),
    stderr: new StreamWriter(process.stderr),
    env: process.env,
    isTty: process.stdout.isTTY === true,
    columns: process.stdout.isTTY === true ? process.stdout.columns : 0,
    uid: process.geteuid?.() ?? 0,
    cwd: process.cwd(),
    clock: systemClock,
  };
}

/**
 * The outside of a guarded run. The streams of the runtime are not touched: they make pipes non-blocking, for the
 * guarded command too, because it shares them. Only stderr is written, at once.
 */
export function guardIo(): CommandIo {
  const stderr = new DescriptorWriter(2);
  return {
    stdout: stderr,
    stderr,
    env: process.env,
    isTty: false,
    columns: 0,
    uid: process.geteuid?.() ?? 0,
    cwd: process.cwd(),
    clock: systemClock,
  };
}

/**
 * Writes to a descriptor without a stream. A reader that is gone or does not read loses the text: nothing waits for it.
 */
class DescriptorWriter implements Writer {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(text: string): Promise<void> {
    try {
      writeSync(this.#fd, text);
    } catch {
      // EPIPE or EAGAIN: a notice is not worth the command's life.
    }
    return Promise.resolve();
  }
}

/** A writer on a stream of the process. */
export class StreamWriter implements Writer {
  readonly #stream: NodeJS.WritableStream;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    // The stream emits each error a second time, after the callback got it; without a listener that would end the
    // process.
    stream.on("error", () => {});
  }

  /** Resolves when the system took the text, so a slow reader slows the command down. */
  write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(text, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(writeError(error));
      });
    });
  }
}

function writeError(cause: Error): Error {
  const code = "code" in cause ? cause.code : undefined;
  if (code === "EPIPE" || code === "ERR_STREAM_DESTROYED") {
    return new PipeClosed("stop writing: the reader has gone", { cause });
  }
  return new AgentguardError("io", `write output failed (${cause.message})`, { cause });
}

/** Asks the running guard through its control socket. */
import { AgentguardError, type Entry, errorMessage } from "../core/mod.ts";
import { controlSocketPath, type GuardStatus, type Lag, type SessionView } from "../publish/mod.ts";
import type { KeepReport, KeepRequest } from "../record/mod.ts";
import { isApiErrorBody, isEntry, isGuardStatus, isKeepReport, isLag, isSessionView } from "./client_types.ts";

/** Largest answer that is not a stream, bytes: a thousand sessions of a few kilobytes. */
const ANSWER_BYTES_MAX = 16_777_216;

/** Longest line of a stream, characters: an entry with 64 KiB of argv, each byte escaped. */
const LINE_CHARS_MAX = 1_048_576;

/** Longest wait for an answer that is not a stream, milliseconds. Killing a session may take its time. */
const ANSWER_MS_MAX = 30_000;

/** What `events` asks for. */
export interface EventRequest {
  readonly follow: boolean;
  readonly session_id?: string;
  readonly type?: string;
}

/**
 * A client of one guard. Every method throws `AgentguardError`: `not_found` where no guard runs or the session is
 * unknown, `permission`, `timeout`, `io`, or the code that the guard answered with.
 */
export class ControlClient {
  readonly #socket: string;

  /** `socket` is another one than the control socket of that directory. */
  constructor(runtime_dir: string, socket: string = controlSocketPath(runtime_dir)) {
    this.#socket = socket;
  }

  /** `GET /v1/status` */
  async status(): Promise<GuardStatus> {
    return expectShape(await this.ask("GET", "/v1/status"), isGuardStatus);
  }

  /** `POST /v1/record/keep` */
  async keep(request: KeepRequest): Promise<KeepReport> {
    return expectShape(await this.ask("POST", "/v1/record/keep", JSON.stringify(request)), isKeepReport);
  }

  /** `GET /v1/sessions` */
  async sessions(): Promise<readonly SessionView[]> {
    return expectShape(await this.ask("GET", "/v1/sessions"), isSessionList).sessions;
  }

  /** `GET /v1/sessions/:id` */
  async session(id: string): Promise<SessionView> {
    return expectShape(await this.ask("GET", `/v1/sessions/${encodeURIComponent(id)}`), isSessionView);
  }

  /** `POST /v1/sessions/:id/kill`, `pause` or `resume`; the session afterwards. */
  async command(verb: "kill" | "pause" | "resume", id: string): Promise<SessionView> {
    return expectShape(await this.ask("POST", `/v1/sessions/${encodeURIComponent(id)}/${verb}`), isSessionView);
  }

  /** `GET /v1/events`: ends when the guard ends the stream. */
  async *events(request: EventRequest): AsyncGenerator<Entry | Lag, void, void> {
    const query = new URLSearchParams();
    if (request.follow) query.set("follow", "1");
    if (request.session_id !== undefined) query.set("session", request.session_id);
    if (request.type !== undefined) query.set("type", request.type);
    for await (const item of this.stream(`/v1/events?${query.toString()}`)) {
      if (!isLag(item) && !isEntry(item)) {
        throw new AgentguardError("io", "update agentguard: the guard sent an unknown line");
      }
      yield item;
    }
  }

  /** The JSON values of a stream, one for each line, until the guard ends it, or `io` when the signal does. */
  async *stream(path: string, signal?: AbortSignal): AsyncGenerator<unknown, void, void> {
    const response = await this.#fetch("GET", path, signal === undefined ? {} : { signal });
    if (!response.ok) throw apiError(await readAnswer(response), response.status);
    for await (const line of linesOf(response)) yield parseJson(line);
  }

  /** The JSON answer to one request. */
  async ask(method: "GET" | "POST", path: string, body?: string): Promise<unknown> {
    const response = await this.#fetch(method, path, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      body: body ?? null,
    });
    const answer = await readAnswer(response);
    if (!response.ok) throw apiError(answer, response.status);
    return answer;
  }

  async #fetch(
    method: "GET" | "POST",
    path: string,
    options: Pick<RequestInit, "signal" | "body"> = {},
  ): Promise<Response> {
    const socket = this.#socket;
    try {
      // Bun's fetch would end a quiet stream after five minutes.
      return await fetch(`http://agentguard${path}`, {
        method,
        unix: socket,
        timeout: false,
        ...options,
      });
    } catch (cause) {
      throw connectError(cause, socket);
    }
  }
}

function connectError(cause: unknown, socket: string): AgentguardError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR" || code === "FailedToOpenSocket") {
    const message = `start a guard first (agentguard --policy FILE), or name its directory with --runtime: ` +
      `no guard answers at ${socket}`;
    return new AgentguardError("not_found", message, { cause });
  }
  if (code === "EACCES" || code === "EPERM") {
    const message = `ask as the user who runs the guard, or as root: ${socket} admits nobody else ` +
      "([approval.socket] of the policy opens a socket for approvers)";
    return new AgentguardError("permission", message, { cause });
  }
  if (cause instanceof Error && cause.name === "TimeoutError") {
    return new AgentguardError("timeout", `look into the guard's log: it did not answer at ${socket} in time`, {
      cause,
    });
  }
  return new AgentguardError("io", `ask the guard at ${socket} failed (${errorMessage(cause)})`, { cause });
}

function apiError(answer: unknown, status: number): AgentguardError {
  if (!isApiErrorBody(answer)) {
    return new AgentguardError("io", `ask the guard again: it answered with status ${status}`);
  }
  return new AgentguardError(answer.error.code === "not_found" ? "not_found" : "io", answer.error.message);
}

async function readAnswer(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new AgentguardError("overflow", `read answer: more than ${ANSWER_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString());
}

async function* linesOf(response: Response): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
      text = lines.pop() ?? "";
      if (text.length > LINE_CHARS_MAX) throw new AgentguardError("overflow", "read events: a line is too long");
      yield* lines;
    }
  } catch (cause) {
    if (cause instanceof AgentguardError) throw cause;
    throw new AgentguardError("io", `start the guard again: it broke off the stream (${errorMessage(cause)})`, {
      cause,
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentguardError("io", "update agentguard: the guard's answer is not JSON", { cause });
  }
}

function expectShape<T>(value: unknown, is: (value: unknown) => value is T): T {
  if (is(value)) return value;
  throw new AgentguardError("io", "update agentguard: the guard's answer has an unknown shape");
}

function isSessionList(value: unknown): value is { readonly sessions: readonly SessionView[] } {
  return typeof value === "object" && value !== null && "sessions" in value && Array.isArray(value.sessions) &&
    value.sessions.every(isSessionView);
}

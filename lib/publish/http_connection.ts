/** One connection: one request, one response, and the end. */
import { errorMessage, type Log } from "../core/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { parseHead, type RequestHead } from "./http_request.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import type { Peer } from "./types.ts";

/** Answers a request of a peer. */
export type HttpHandler = (request: Request, peer: Peer) => Response | Promise<Response>;

/** What a connection needs of its socket. */
export interface ConnectionSocket {
  /** Bytes that were taken; fewer than given: `drained` follows. -1 on a closed socket. */
  write(bytes: Uint8Array): number;
  /** Ends the writing side once everything is sent; what still comes is read. */
  shutdown(): void;
  terminate(): void;
}

/** Everything that a connection needs. */
export interface ConnectionParts {
  readonly socket: ConnectionSocket;
  readonly peer: Peer;
  readonly handler: HttpHandler;
  readonly log: Log;
}

const LIMITS = { head_bytes_max: CONTROL_LIMITS.head_bytes_max, body_bytes_max: CONTROL_LIMITS.body_bytes_max };

/** Reads one request and writes its response; the events of the socket drive it. */
export class HttpConnection {
  readonly #parts: ConnectionParts;
  /** Ends the reading of a response that nobody waits for any more. */
  readonly #gone = new AbortController();
  #bytes: Uint8Array = new Uint8Array();
  #state: "reading" | "answering" | "done" = "reading";
  #drained: (() => void) | undefined;
  #deadline: Disposable | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#deadline = systemTimers.after(CONTROL_LIMITS.request_ms_max, () => this.end(), { unref: true });
  }

  /** True until the whole request is here. */
  get reading(): boolean {
    return this.#state === "reading";
  }

  /** Bytes came. What comes after the request is given up. */
  receive(bytes: Uint8Array): void {
    if (this.#state !== "reading") return;
    this.#bytes = this.#bytes.length === 0 ? bytes.slice() : Buffer.concat([this.#bytes, bytes]);
    const head = parseHead(this.#bytes, LIMITS);
    if (head === undefined) return;
    if (!head.ok) {
      const { status, message } = head.error;
      return this.#answer(() => Response.json({ error: { code: "usage", message } }, { status }));
    }
    const { head_bytes, body_bytes } = head.value;
    if (this.#bytes.length < head_bytes + body_bytes) return;
    const body = this.#bytes.slice(head_bytes, head_bytes + body_bytes);
    this.#answer(() => this.#parts.handler(requestOf(head.value, body), this.#parts.peer));
  }

  /** There is room for more. */
  drained(): void {
    this.#drained?.();
    this.#drained = undefined;
  }

  /** The socket is closed. */
  closed(): void {
    this.#state = "done";
    this.#deadline?.[Symbol.dispose]();
    this.#gone.abort();
    this.drained();
    this.#parts.peer[Symbol.dispose]();
  }

  /** Closes at once. */
  end(): void {
    this.#parts.socket.terminate();
  }

  #answer(make: () => Response | Promise<Response>): void {
    this.#state = "answering";
    this.#bytes = new Uint8Array();
    this.#deadline?.[Symbol.dispose]();
    // Settles on its own: a client that is gone, or the handler's failure, ends the connection.
    void this.#respond(make).catch((thrown: unknown) => {
      if (!this.#gone.signal.aborted) this.#parts.log.error("answer control request", { error: errorMessage(thrown) });
      this.end();
    });
  }

  async #respond(make: () => Response | Promise<Response>): Promise<void> {
    const response = await make();
    const head = [`HTTP/1.1 ${response.status} ${response.statusText || "Status"}`];
    response.headers.forEach((value, name) => {
      if (!["connection", "content-length", "transfer-encoding"].includes(name)) head.push(`${name}: ${value}`);
    });
    // The end of the chunks tells a client that it has everything; a connection that breaks off does not.
    head.push("transfer-encoding: chunked", "connection: close", "", "");
    await this.#write(Buffer.from(head.join("\r\n"), "latin1"));
    if (response.body !== null) await this.#stream(response.body);
    await this.#write(Buffer.from("0\r\n\r\n"));
    if (this.#state === "done") return;
    this.#parts.socket.shutdown();
    // The client may still be sending: closing now would take the answer away from it.
    this.#deadline = systemTimers.after(CONTROL_LIMITS.linger_ms_max, () => this.end(), { unref: true });
  }

  async #stream(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const cancel = (): void => void reader.cancel().catch(() => {});
    this.#gone.signal.addEventListener("abort", cancel, { once: true });
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (part.value.length === 0) continue;
      await this.#write(
        Buffer.concat([Buffer.from(`${part.value.length.toString(16)}\r\n`), part.value, Buffer.from("\r\n")]),
      );
    }
  }

  /** Writes all of it, at the pace of the client. */
  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0 && this.#state !== "done";) {
      const written = this.#parts.socket.write(rest);
      if (written < 0) return this.end();
      rest = rest.subarray(written);
      if (rest.length === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      await promise;
    }
  }
}

function requestOf(head: RequestHead, body: Uint8Array<ArrayBuffer>): Request {
  const { method, target, headers } = head;
  return new Request(`http://agentguard${target}`, { method, headers, ...(body.length === 0 ? {} : { body }) });
}

/**
 * HTTP on a socket whose peers can be asked who they are. Bun's own server gives no descriptor of a connection, and
 * without one the kernel cannot be asked who is at the other end.
 */
import type { Log } from "../core/mod.ts";
import { HttpConnection, type HttpHandler } from "./http_connection.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import type { PeerPort } from "./types.ts";

/** Where to listen: a path, or an address of this host. Port 0 takes a free one. */
export type ListenAt = { readonly unix: string } | { readonly hostname: string; readonly port: number };

/** What a listener needs. */
export interface ListenerParts {
  readonly at: ListenAt;
  readonly peers: PeerPort;
  readonly handler: HttpHandler;
  readonly log: Log;
}

/** A socket that listens, with its connections. Dispose it. */
export class HttpListener implements Disposable {
  readonly #listener: Bun.SocketListener<HttpConnection | undefined>;
  readonly #connections: Set<HttpConnection> = new Set();

  /** Binds and serves. Throws what binding throws. */
  constructor(parts: ListenerParts) {
    const socket: Bun.SocketHandler<HttpConnection | undefined> = {
      open: (opened) => this.#open(opened, parts),
      data: (opened, bytes) => opened.data?.receive(bytes),
      drain: (opened) => opened.data?.drained(),
      close: (opened) => this.#closed(opened.data),
      // `close` follows.
      error: (opened) => void opened.terminate(),
    };
    const options = { socket, data: undefined, allowHalfOpen: true };
    this.#listener = "unix" in parts.at
      ? Bun.listen<HttpConnection | undefined>({ ...options, unix: parts.at.unix })
      : Bun.listen<HttpConnection | undefined>({ ...options, hostname: parts.at.hostname, port: parts.at.port });
  }

  /** The TCP port; 0 on a unix socket. */
  get port(): number {
    return "port" in this.#listener && typeof this.#listener.port === "number" ? this.#listener.port : 0;
  }

  /** Takes no more connections, and ends those that have asked nothing yet. */
  stopTaking(): void {
    this.#listener.stop(false);
    for (const connection of this.#connections) if (connection.reading) connection.end();
  }

  /** Settles when every connection is closed. */
  async idle(): Promise<void> {
    while (this.#connections.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      await promise;
    }
  }

  /** Ends every connection. */
  [Symbol.dispose](): void {
    this.#listener.stop(true);
    for (const connection of this.#connections) connection.end();
  }

  #idle: (() => void) | undefined;

  #open(socket: Bun.Socket<HttpConnection | undefined>, parts: ListenerParts): void {
    const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
    if (this.#connections.size >= CONTROL_LIMITS.connections_max) return void socket.terminate();
    const { remoteAddress: address, remotePort: port } = socket;
    const remote = "unix" in parts.at ? undefined : { address, port };
    const { peers, handler, log } = parts;
    const connection = new HttpConnection({ socket, peer: peers.open(fd, remote), handler, log });
    socket.data = connection;
    this.#connections.add(connection);
  }

  #closed(connection: HttpConnection | undefined): void {
    if (connection === undefined) return;
    this.#connections.delete(connection);
    connection.closed();
    if (this.#connections.size > 0) return;
    this.#idle?.();
    this.#idle = undefined;
  }
}

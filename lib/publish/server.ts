/** The control API on its unix socket. */
import { lstatSync, rmSync } from "node:fs";
import { AgentguardError, type Log } from "../core/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { HttpListener } from "./http_listener.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import { controlRoutes } from "./routes.ts";
import {
  bindPrivately,
  controlSocketPath,
  prepareRuntimeDir,
  publishSocket,
  removeOwnSocket,
  temporaryPath,
} from "./socket.ts";
import type { ControlPorts, Peer, PeerPort } from "./types.ts";

/** Where the server listens and what it reports to. */
export interface ControlServerOptions {
  /** Absolute; made with mode 0700 if it is missing. */
  readonly runtime_dir: string;
  /** Effective user id that must own the directory. */
  readonly uid: number;
  readonly log: Log;
  /** Finds out who connects. */
  readonly peers: PeerPort;
}

interface Running {
  readonly listener: HttpListener;
  /** Inode of the socket: the name is removed only while it is still this one. */
  readonly inode: number;
  readonly streams: AbortController;
}

/**
 * Serves the control API. One living server per runtime directory: a second one is refused with `busy`. Only this user
 * and root can connect, by the permissions of directory and socket; who it is that commands is asked of the kernel.
 */
export class ControlServer implements AsyncDisposable {
  readonly #ports: ControlPorts;
  readonly #options: ControlServerOptions;
  #running: Running | undefined;

  constructor(ports: ControlPorts, options: ControlServerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Path of the socket. */
  get path(): string {
    return controlSocketPath(this.#options.runtime_dir);
  }

  /** Binds and serves. Errors: `busy` (a guard answers there), `permission`, `config`, `io`. */
  async start(): Promise<void> {
    if (this.#running !== undefined) throw new AgentguardError("invariant", "start control server once");
    const { runtime_dir, uid } = this.#options;
    prepareRuntimeDir(runtime_dir, uid);
    const temporary = temporaryPath(this.path);
    const streams = new AbortController();
    const listener = bindPrivately(temporary, () => this.#listen(temporary, streams.signal));
    try {
      const inode = lstatSync(temporary).ino;
      await publishSocket(this.path, temporary);
      this.#running = { listener, inode, streams };
    } catch (thrown) {
      listener[Symbol.dispose]();
      rmSync(temporary, { force: true });
      throw thrown;
    }
    this.#options.log.debug("serve control API", { path: this.path });
  }

  /**
   * Removes the socket, ends every stream, gives answers on their way `stop_grace_ms` and then closes every connection:
   * a client that reads nothing, or only stays connected, cannot hold up the end. Safe to call twice.
   */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    removeOwnSocket(this.path, running.inode);
    running.streams.abort();
    running.listener.stopTaking();
    const { promise: passed, resolve } = Promise.withResolvers<void>();
    using _grace = systemTimers.after(CONTROL_LIMITS.stop_grace_ms, resolve);
    await Promise.race([running.listener.idle(), passed]);
    running.listener[Symbol.dispose]();
  }

  /** Same as `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #listen(path: string, signal: AbortSignal): HttpListener {
    const { log, peers } = this.#options;
    const app = controlRoutes(this.#ports, { log, signal });
    const handler = (request: Request, peer: Peer): Response | Promise<Response> => app.fetch(request, { peer });
    return new HttpListener({ at: { unix: path }, peers, handler, log });
  }
}

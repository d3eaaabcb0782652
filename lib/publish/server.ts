/** The control API on its unix socket. */
import { lstatSync, unlinkSync } from "node:fs";
import { AgentguardError, type Log } from "../core/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import { controlRoutes } from "./routes.ts";
import { bindPrivately, controlSocketPath, prepareRuntimeDir, publishSocket, temporaryPath } from "./socket.ts";
import type { ControlPorts } from "./types.ts";

/** Where the server listens and what it reports to. */
export interface ControlServerOptions {
  /** Absolute; made with mode 0700 if it is missing. */
  readonly runtime_dir: string;
  /** Effective user id that must own the directory. */
  readonly uid: number;
  readonly log: Log;
}

/**
 * Without this Bun 1.4 cuts a response after 10 s without a byte, and a followed event stream may be quiet for hours.
 * It works on unix sockets although the type of the options omits it there, hence the wide type. Only this user and
 * root can connect, so idle connections are no danger.
 */
const NO_IDLE_LIMIT: object = { idleTimeout: 0 };

interface Running {
  readonly server: Bun.Server<undefined>;
  /** Inode of the socket: the name is removed only while it is still this one. */
  readonly inode: number;
  readonly streams: AbortController;
}

/**
 * Serves the control API. One living server per runtime directory: a second one is refused with `busy`. Only this user
 * and root can connect, by the permissions of directory and socket alone (Bun offers no `SO_PEERCRED`).
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
    const suffix = crypto.getRandomValues(new Uint8Array(4)).toHex();
    const temporary = temporaryPath(runtime_dir, suffix);
    const streams = new AbortController();
    const server = bindPrivately(temporary, () => this.#listen(temporary, streams.signal));
    try {
      const inode = lstatSync(temporary).ino;
      await publishSocket(runtime_dir, temporary);
      this.#running = { server, inode, streams };
    } catch (thrown) {
      // Stopping also removes the private name.
      await server.stop(true);
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
    removeOwn(this.path, running.inode);
    running.streams.abort();
    {
      const { promise: passed, resolve } = Promise.withResolvers<void>();
      using _grace = systemTimers.after(CONTROL_LIMITS.stop_grace_ms, resolve);
      await Promise.race([running.server.stop(false), passed]);
    }
    await running.server.stop(true);
  }

  /** Same as `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #listen(path: string, signal: AbortSignal): Bun.Server<undefined> {
    const app = controlRoutes(this.#ports, { log: this.#options.log, signal });
    return Bun.serve({
      unix: path,
      // The routes answer up to twice their bound with a JSON error; beyond it Bun ends the request by itself.
      maxRequestBodySize: CONTROL_LIMITS.body_bytes_max * 2,
      development: false,
      fetch: (request) => app.fetch(request),
      ...NO_IDLE_LIMIT,
    });
  }
}

function removeOwn(path: string, inode: number): void {
  try {
    if (lstatSync(path).ino === inode) unlinkSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
  }
}

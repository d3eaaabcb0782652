/**
 * A unix socket for approvers who are neither root nor the guard's user. The file modes say who may connect, the peer
 * port says who may answer, and there is nothing but questions and grants behind it.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AgentguardError, errorMessage, type Log } from "../core/mod.ts";
import { approverRoutes } from "./approver_routes.ts";
import { HttpListener } from "./http_listener.ts";
import { bindPrivately, publishSocket, removeOwnSocket, temporaryPath } from "./socket.ts";
import type { ApprovalDesk, Peer, PeerPort } from "./types.ts";

/** Who may connect: the members of one group, or one user. */
export type SocketAccess = { readonly gid: number } | { readonly uid: number };

/** Where it listens and whom it lets in. */
export interface ApproverSocketOptions {
  /** Absolute; its directory is made where it is missing. */
  readonly path: string;
  readonly access: SocketAccess;
  /** Effective user id, which owns the directory. */
  readonly uid: number;
  readonly log: Log;
  /** Finds out who connects, and says in `inside` why somebody may answer nothing. */
  readonly peers: PeerPort;
}

/** Serves from `start` until disposed. */
export class ApproverSocket implements Disposable {
  readonly #desk: ApprovalDesk;
  readonly #options: ApproverSocketOptions;
  readonly #end = new AbortController();
  #running: { readonly listener: HttpListener; readonly inode: number } | undefined;

  constructor(desk: ApprovalDesk, options: ApproverSocketOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** Binds and serves. Errors: `busy` (somebody answers there), `permission`, `io`. */
  async start(): Promise<void> {
    const { path, access, uid, log, peers } = this.#options;
    prepareDirectory(dirname(path), access, uid);
    const app = approverRoutes(this.#desk, { log, signal: this.#end.signal });
    const handler = (request: Request, peer: Peer): Response | Promise<Response> => app.fetch(request, { peer });
    const temporary = temporaryPath(path);
    const listener = bindPrivately(temporary, () => new HttpListener({ at: { unix: temporary }, peers, handler, log }));
    try {
      // Until now only the guard's own user could connect.
      if ("gid" in access) chownSync(temporary, uid, access.gid);
      else chownSync(temporary, access.uid, -1);
      chmodSync(temporary, "gid" in access ? 0o660 : 0o600);
      const inode = lstatSync(temporary).ino;
      await publishSocket(path, temporary);
      this.#running = { listener, inode };
    } catch (thrown) {
      listener[Symbol.dispose]();
      rmSync(temporary, { force: true });
      if (thrown instanceof AgentguardError) throw thrown;
      throw new AgentguardError("io", `open ${path} to approvers: ${errorMessage(thrown)}`, { cause: thrown });
    }
  }

  /** Removes the socket and ends every connection. Doing it twice is harmless. */
  [Symbol.dispose](): void {
    this.#end.abort();
    if (this.#running === undefined) return;
    removeOwnSocket(this.#options.path, this.#running.inode);
    this.#running.listener[Symbol.dispose]();
    this.#running = undefined;
  }
}

/**
 * The directory belongs to the guard's user, and nobody else may write there: who could, could put another socket in
 * the place of this one. A group may list it; a single user only passes through.
 */
function prepareDirectory(directory: string, access: SocketAccess, uid: number): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) {
      throw new AgentguardError("io", `make ${directory} for approvers: ${errorMessage(cause)}`, { cause });
    }
  }
  const stats = lstatSync(directory);
  if (!stats.isDirectory() || stats.uid !== uid) {
    throw new AgentguardError("permission", `remove ${directory}: it is no directory of uid ${uid}`);
  }
  if ("gid" in access) chownSync(directory, uid, access.gid);
  chmodSync(directory, "gid" in access ? 0o750 : 0o711);
}

/**
 * Questions and answers on a TCP port of this host: for a tool that cannot open the control socket, and for answers of
 * webhooks. Everybody on the host can connect, so a token says who may ask anything at all.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { AgentguardError, errorMessage, type Log } from "../core/mod.ts";
import { approverRoutes } from "./approver_routes.ts";
import { HttpListener } from "./http_listener.ts";
import { type ApiContext, fail } from "./route_answers.ts";
import type { ApprovalDesk, Peer, PeerPort } from "./types.ts";

/** Where it listens and whom it lets in. */
export interface ApproverServerOptions {
  /** A loopback address. */
  readonly hostname: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly token: string;
  readonly log: Log;
  readonly peers: PeerPort;
}

/** Signed by the webhook itself. */
const CALLBACK = /^\/v1\/approvals\/[^/]+\/callback$/;

/** Serves until stopped. */
export class ApproverServer implements Disposable {
  readonly #desk: ApprovalDesk;
  readonly #options: ApproverServerOptions;
  readonly #end = new AbortController();
  #listener: HttpListener | undefined;

  constructor(desk: ApprovalDesk, options: ApproverServerOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** The port that it listens on; 0 before it does. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Binds and serves. Throws `io` with the fix. */
  start(): void {
    const { hostname, port, log, peers, token } = this.#options;
    const app = approverRoutes(this.#desk, {
      log,
      signal: this.#end.signal,
      refuse: (context) => refuse(context, token),
    });
    const handler = (request: Request, peer: Peer): Response | Promise<Response> => app.fetch(request, { peer });
    try {
      this.#listener = new HttpListener({ at: { hostname, port }, peers, handler, log });
    } catch (cause) {
      const message = `listen for approvers on ${hostname}:${port} failed (${errorMessage(cause)}); ` +
        "choose another [approval] listen address";
      throw new AgentguardError("io", message, { cause });
    }
  }

  /** Ends every connection. Doing it twice is harmless. */
  [Symbol.dispose](): void {
    this.#end.abort();
    this.#listener?.[Symbol.dispose]();
    this.#listener = undefined;
  }
}

/** No page of a browser may speak here, and nobody without the token. */
function refuse(context: ApiContext, token: string): Response | undefined {
  const host = context.req.header("host")?.replace(/:\d+$/, "") ?? "";
  if (context.req.header("origin") !== undefined || !/^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/.test(host)) {
    return fail(context, 403, { code: "permission", message: "call this port by its own address, not from a page" });
  }
  if (CALLBACK.test(new URL(context.req.url).pathname)) return undefined;
  const given = /^Bearer (.{1,1024})$/.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
  // Hashes have one length: the time of the comparison tells nothing.
  if (timingSafeEqual(sha256(given), sha256(token))) return undefined;
  return fail(context, 401, { code: "permission", message: "send the token: Authorization: Bearer TOKEN" });
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

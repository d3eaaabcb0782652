/** Checkpoints as messages on a NATS subject, for whoever keeps them. */
import { readFile } from "node:fs/promises";
import { AgentguardError, errorMessage } from "../core/mod.ts";
import type { Anchor, AnchorNote } from "./anchor_types.ts";

/** Longest wait for the server, milliseconds. */
const CONNECT_MS_MAX = 3_000;

/** Where to publish. */
export interface NatsTarget {
  /** `nats://HOST:PORT`, or `tls://HOST:PORT` to require TLS. */
  readonly url: string;
  readonly subject: string;
  /** File of NATS credentials. */
  readonly credentials: string | undefined;
  /** File of certificates, PEM, that the server's must come from; those that the runtime trusts by default. */
  readonly ca: string | undefined;
}

/** A subject; a connection lasts for one message, as there is one a minute. */
export class NatsAnchor implements Anchor {
  readonly name: string;
  readonly #target: NatsTarget;

  constructor(target: NatsTarget) {
    this.#target = target;
    this.name = `nats ${target.url} ${target.subject}`;
  }

  /** Settles once the server has the message: what it does with it is its subscribers' and its streams' matter. */
  async put({ note }: AnchorNote): Promise<string> {
    const { url, subject, credentials, ca } = this.#target;
    try {
      // Loaded when it is needed: most guards have no such anchor, and starting must be quick.
      const { connect, credsAuthenticator } = await import("@nats-io/transport-node");
      const connection = await connect({
        servers: url.replace(/^\w+:\/\//, ""),
        name: "agentguard",
        reconnect: false,
        timeout: CONNECT_MS_MAX,
        ...(url.startsWith("tls:") ? { tls: ca === undefined ? {} : { ca: await readFile(ca, "utf8") } } : undefined),
        ...(credentials === undefined ? undefined : { authenticator: credsAuthenticator(await readFile(credentials)) }),
      });
      try {
        connection.publish(subject, note);
        await connection.flush();
      } finally {
        await connection.close();
      }
      return "";
    } catch (thrown) {
      throw new AgentguardError("io", `publish to ${url}: ${errorMessage(thrown)}`, { cause: thrown });
    }
  }
}

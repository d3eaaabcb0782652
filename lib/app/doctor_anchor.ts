/** Whether a cut end of the record would be found: second places for checkpoints, each tried. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { errorMessage } from "../core/mod.ts";
import type { RecordAnchorConfig, RecordConfig } from "../decide/mod.ts";
import type { Check } from "./command_doctor.ts";

const NAME = "find a record whose end was cut off";
/** Longest wait for a place that is reached by a socket, milliseconds. */
const CONNECT_MS_MAX = 2_000;

/** One check for each place of the policy, or one that says that there is none. */
export async function anchorChecks(record: RecordConfig | undefined, state_dir: string): Promise<readonly Check[]> {
  const anchors = record?.anchors ?? [];
  if (anchors.length > 0) return await Promise.all(anchors.map((anchor) => anchorCheck(anchor, state_dir)));
  const where = record === undefined ? "no policy was given" : "the policy names no anchor";
  return [{
    id: "record.anchor",
    name: NAME,
    state: "degraded",
    detail: `${where}: edits are found, an end cut back to an earlier checkpoint of this host is not`,
    fix: "add [[record.anchor]] with file, witness or nats to the policy, or keep what `agentguard audit checkpoint` " +
      "prints on another machine",
  }];
}

async function anchorCheck(anchor: RecordAnchorConfig, state_dir: string): Promise<Check> {
  const named = (name: string, rest: Pick<Check, "state" | "detail" | "fix">): Check => ({
    id: `record.anchor.${anchor.kind}`,
    name: `${NAME}: ${name}`,
    ...rest,
  });
  if (anchor.kind === "file") return named(anchor.path, fileState(anchor.path, state_dir));
  try {
    await reach(anchor.url);
    return named(anchor.url, { state: "ok", detail: "connected" });
  } catch (error) {
    const fix = "start it, or correct its address in the policy";
    return named(anchor.url, { state: "missing", detail: errorMessage(error), fix });
  }
}

function fileState(path: string, state_dir: string): Pick<Check, "state" | "detail" | "fix"> {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    const same = existsSync(state_dir) && statSync(dirname(path)).dev === statSync(state_dir).dev;
    if (!same) return { state: "ok", detail: "can be written, on another file system than the record" };
    const detail = "can be written, but is on the file system of the record: who can cut the one can cut the other";
    return { state: "degraded", detail, fix: "name a file on another file system, or a witness on another machine" };
  } catch (error) {
    return { state: "missing", detail: errorMessage(error), fix: "make its directory, writable for the guard" };
  }
}

/** Connects and lets go. Rejects with the system's error. */
function reach(url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = url.startsWith("/") ? connect({ path: url }) : connect(addressOf(url));
  socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy(new Error(`no answer within ${CONNECT_MS_MAX} ms`)));
  socket.once("connect", () => {
    socket.destroy();
    resolve();
  });
  socket.once("error", reject);
  return promise;
}

const PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "nats:": 4222, "tls:": 4222 };

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? PORTS[protocol] ?? 0 : Number(port) };
}

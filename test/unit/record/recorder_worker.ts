/** Hosts a recorder in its own thread for one producer. */
import { silentLog } from "../../../lib/core/mod.ts";
import { messagePort, type MessagePortLike, serveRecorder } from "../../../lib/record/mod.ts";
import { openWriter } from "./support.ts";

declare const self: Worker;

interface Start {
  readonly directory: string;
  readonly port: MessagePortLike;
}

self.onmessage = (event: MessageEvent<Start>) => {
  const { directory, port } = event.data;
  serveRecorder(messagePort(port), openWriter(directory), { log: silentLog });
};

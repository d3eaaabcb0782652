/** Entry of the thread that answers held calls. Its first message brings its port to the recorder. */
import { systemClock } from "../core/mod.ts";
import { messagePort, RemoteSink } from "../record/mod.ts";
import { HolderHost } from "./holder_host.ts";
import type { HolderMessage, HolderRequest } from "./holder_protocol.ts";
import { TallySink } from "./tally_sink.ts";
import { answerCall, type ThreadCall } from "./thread_calls.ts";

declare const self: Worker;

const post = (message: HolderMessage): void => self.postMessage(message);

self.onmessage = (event: MessageEvent<{ readonly recorder: MessagePort }>): void => {
  const host = new HolderHost({
    clock: systemClock,
    sink: new TallySink(new RemoteSink(messagePort(event.data.recorder))),
    emit: post,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
  });
  self.onmessage = (next: MessageEvent<ThreadCall<HolderRequest>>): void => {
    void answerCall(next.data, (request) => host.handle(request)).then(post);
  };
};

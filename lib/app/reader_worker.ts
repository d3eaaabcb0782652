/** Entry of the kernel reader thread. It loads the probes, is given its port to the recorder, then takes requests. */
import { systemClock } from "../core/mod.ts";
import { messagePort, RemoteSink } from "../record/mod.ts";
import { type LoadedKernel, loadKernel } from "./loaded_kernel.ts";
import { ReaderHost } from "./reader_host.ts";
import type { ReaderConnect, ReaderMessage, ReaderRequest, ReaderStart } from "./reader_protocol.ts";
import { compileLater } from "./runtime_threads.ts";
import { TallySink } from "./tally_sink.ts";
import { answerCall, type ThreadCall } from "./thread_calls.ts";

declare const self: Worker;

compileLater();

const post = (message: ReaderMessage): void => self.postMessage(message);

self.onmessage = (event: MessageEvent<ReaderStart>): void => {
  const kernel = loadKernel(event.data.self_pid);
  self.onmessage = (next: MessageEvent<ReaderConnect>): void => serve(kernel, next.data.recorder);
};

function serve(kernel: LoadedKernel, recorder: MessagePort): void {
  const host = new ReaderHost({
    clock: systemClock,
    sink: new TallySink(new RemoteSink(messagePort(recorder), { shared: true })),
    kernel,
    emit: post,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
  });
  self.onmessage = (next: MessageEvent<ThreadCall<ReaderRequest>>): void => {
    void answerCall(next.data, (request) => host.handle(request)).then(post);
  };
}

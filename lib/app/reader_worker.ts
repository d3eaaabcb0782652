/** Entry of the kernel reader thread. It loads the probes, is given its port to the recorder, then takes requests. */
import { AgentguardError, errorMessage, systemClock } from "../core/mod.ts";
import { messagePort, RemoteSink } from "../record/mod.ts";
import { type LoadedKernel, loadKernel } from "./loaded_kernel.ts";
import { ReaderHost } from "./reader_host.ts";
import type { ReaderConnect, ReaderMessage, ReaderRequest, ReaderStart } from "./reader_protocol.ts";
import { TallySink } from "./tally_sink.ts";

declare const self: Worker;

const post = (message: ReaderMessage): void => self.postMessage(message);

self.onmessage = (event: MessageEvent<ReaderStart>): void => {
  const kernel = loadKernel(event.data.self_pid);
  self.onmessage = (next: MessageEvent<ReaderConnect>): void => serve(kernel, next.data.recorder);
};

function serve(kernel: LoadedKernel, recorder: MessagePort): void {
  const host = new ReaderHost({
    clock: systemClock,
    sink: new TallySink(new RemoteSink(messagePort(recorder))),
    kernel,
    emit: post,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
  });
  self.onmessage = (next: MessageEvent<{ readonly id: number; readonly request: ReaderRequest }>): void => {
    const { id, request } = next.data;
    host.handle(request).then(
      (value) => post({ id, ok: true, value }),
      (error: unknown) => {
        const code = error instanceof AgentguardError ? error.code : "invariant";
        post({ id, ok: false, code, message: errorMessage(error) });
      },
    );
  };
}

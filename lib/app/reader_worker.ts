/** Entry of the kernel reader thread. Its first message brings the port to the recorder; then come requests. */
import { AgentguardError, errorMessage, systemClock } from "../core/mod.ts";
import { messagePort, RemoteSink } from "../record/mod.ts";
import { ReaderHost } from "./reader_host.ts";
import type { ReaderMessage, ReaderRequest } from "./reader_protocol.ts";

declare const self: Worker;

/** First message. */
interface ReaderStart {
  readonly recorder: MessagePort;
  readonly self_pid: number;
}

const post = (message: ReaderMessage): void => self.postMessage(message);

self.onmessage = (event: MessageEvent<ReaderStart>): void => {
  const { recorder, self_pid } = event.data;
  const host = new ReaderHost({
    clock: systemClock,
    sink: new RemoteSink(messagePort(recorder)),
    self_pid,
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
};

/** The recorder's end of the thread protocol. */
import { assertNever, errorMessage, invariant, type Log } from "../core/mod.ts";
import { SharedDrafts } from "./draft_blocks.ts";
import type { QueuedDraft } from "./draft_line.ts";
import type { PortLike } from "./port.ts";
import type { RecorderState } from "./recorder.ts";
import {
  decodeProducerMessage,
  encodeCommitted,
  encodeRecorderMessage,
  flushFailure,
  type ProducerMessage,
} from "./wire.ts";
import type { RecordWriter } from "./writer.ts";

/** What one served producer costs: stop it when its thread ends. */
export interface ServedProducer extends Disposable {
  /** Tells this producer that the recorder stalls or works again. */
  tellState(state: RecorderState): void;
  /** Stops listening and answering. What the producer had sent stays appended. */
  close(): void;
}

/**
 * Feeds `writer` from one producer's port until closed; call it once per producer. The order of one producer is kept. A
 * message that is none, or comes after the writer's end, is logged, and from then on this producer's flushes fail with
 * that reason: what it carried is not in the record.
 */
export function serveRecorder(port: PortLike, writer: RecordWriter, options: { readonly log: Log }): ServedProducer {
  let stopListening: (() => void) | undefined;
  let open = true;
  let failure: unknown;
  let shared: SharedDrafts | undefined;
  const post = (text: string): void => {
    if (open) port.postMessage(text);
  };
  const append = (drafts: readonly QueuedDraft[]): void => {
    for (const draft of drafts) writer.append(draft);
    writer.whenSettled(() => post(encodeRecorderMessage({ op: "settled", count: drafts.length })));
  };
  const handle = (message: ProducerMessage): void => {
    switch (message.op) {
      case "append":
        return append(message.drafts);
      case "memory":
        shared = new SharedDrafts(message.memory);
        return;
      case "block": {
        const drafts = shared?.read(message);
        invariant(drafts !== undefined && drafts.length > 0, `read drafts from block ${message.block}: there are none`);
        return append(drafts);
      }
      case "flush":
        if (failure !== undefined) return post(encodeRecorderMessage(flushFailure(message.id, failure)));
        writer.flush().then(
          () => post(encodeRecorderMessage({ op: "flushed", id: message.id })),
          (thrown: unknown) => post(encodeRecorderMessage(flushFailure(message.id, thrown))),
        );
        return;
      case "subscribe":
        stopListening ??= writer.onCommit((entries) => post(encodeCommitted(entries)));
        return;
      default:
        assertNever(message);
    }
  };
  port.onmessage = (event) => {
    try {
      handle(decodeProducerMessage(event.data));
    } catch (thrown) {
      failure ??= thrown;
      options.log.error("message to the recorder failed", { error: errorMessage(thrown) });
    }
  };
  const close = (): void => {
    open = false;
    port.onmessage = null;
    stopListening?.();
  };
  return {
    tellState: (state) => post(encodeRecorderMessage({ op: "state", state })),
    close,
    [Symbol.dispose]: close,
  };
}

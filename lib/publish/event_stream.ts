/** The body of `GET /v1/events`: newline-delimited JSON, one entry or `{"lagged": n}` per line. */
import { type Entry, errorMessage, type Log } from "../core/mod.ts";
import { ClientQueue } from "./client_queue.ts";
import { eventFilterMatches } from "./filter.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import type { EventFilter, EventPort, Lag } from "./types.ts";

/** What a stream needs beside its source. */
export interface EventStreamOptions {
  readonly log: Log;
  /** Called once when the stream is over, whoever ended it. */
  readonly onEnd: () => void;
  /** Ends the stream from the guard's side. */
  readonly signal: AbortSignal;
}

/**
 * Subscribes and streams. The first line of a followed stream is `{"lagged":0}`: it makes the server send its headers
 * at once, so the client knows that it is subscribed. The subscription is drained as fast as it gives, into a bounded
 * queue, so the source never waits for the client.
 */
export function eventStream(
  port: EventPort,
  filter: EventFilter,
  options: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const queue = new ClientQueue({
    lines_max: CONTROL_LIMITS.queue_lines_max,
    chars_max: CONTROL_LIMITS.queue_chars_max,
  });
  const client = new AbortController();
  const signal = AbortSignal.any([options.signal, client.signal]);
  const encoder = new TextEncoder();
  if (filter.follow) queue.lag(0);
  // Settles on its own: it ends with the subscription, the signal, or an error that goes to the log.
  void pump(port, filter, { queue, signal, options });
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const text = await queue.take(CONTROL_LIMITS.chunk_chars_max);
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
    cancel(): void {
      client.abort();
    },
  }, { highWaterMark: 0 });
}

async function pump(
  port: EventPort,
  filter: EventFilter,
  to: { readonly queue: ClientQueue; readonly options: EventStreamOptions; readonly signal: AbortSignal },
): Promise<void> {
  const matches = eventFilterMatches(filter);
  // An iterator that is waiting does not see the abort by itself; the client must not wait for it.
  to.signal.addEventListener("abort", () => to.queue.end(), { once: true });
  try {
    for await (const item of port.subscribe(filter, to.signal)) {
      if (to.signal.aborted) break;
      if (isLag(item)) to.queue.lag(item.lagged);
      else if (matches(item)) to.queue.push(`${JSON.stringify(item)}\n`);
    }
  } catch (thrown) {
    if (!to.signal.aborted) to.options.log.error("end event stream", { error: errorMessage(thrown) });
  } finally {
    to.queue.end();
    to.options.onEnd();
  }
}

function isLag(item: Entry | Lag): item is Lag {
  return "lagged" in item;
}

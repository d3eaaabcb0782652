/** Bounds of the control API. */

/** Every bound, with its unit and reason. */
export const CONTROL_LIMITS = {
  /** A request body, bytes: an answer to a question with its reason and its pattern. */
  body_bytes_max: 8_192,
  /** Request line and header fields, bytes. */
  head_bytes_max: 16_384,
  /** Connections at once; each holds a descriptor. */
  connections_max: 256,
  /** How long a client may take to send its request, milliseconds. */
  request_ms_max: 10_000,
  /** How long what a client still sends is read after its answer, milliseconds. */
  linger_ms_max: 1_000,
  /** Path and query of a request, characters. */
  url_chars_max: 2_048,
  /** Event streams at once; each holds a queue. */
  streams_max: 32,
  /** Lines waiting for one slow client. */
  queue_lines_max: 4_096,
  /** Characters waiting for one slow client: an entry can carry 64 KiB of argv. */
  queue_chars_max: 4_194_304,
  /** Characters handed to the socket at once. */
  chunk_chars_max: 65_536,
  /** Time for answers on their way when the server stops, milliseconds. */
  stop_grace_ms: 500,
} as const;

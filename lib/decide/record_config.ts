/** The `[record]` table: where entries go beside the record, how long they are kept, who else vouches for them. */

/** What happens to an entry that a sink has no room for. */
export type SinkStrategy = "block" | "drop" | "fallback";

/** One `[[record.sink]]`: committed entries as JSON lines; `undefined` was not set. */
export interface RecordSinkConfig {
  /** Absolute; `/dev/stdout` and `/dev/stderr` are the guard's own. */
  readonly path: string;
  readonly decisions: SinkStrategy | undefined;
  readonly observations: SinkStrategy | undefined;
  /** Absolute path of the second sink. */
  readonly fallback: string | undefined;
  readonly rotate_bytes: number | undefined;
  readonly rotate_age_ms: number | undefined;
  readonly rotate_keep: number | undefined;
  readonly sync: "never" | "batch" | { readonly interval_ms: number } | undefined;
  readonly queue_lines: number | undefined;
}

/** One `[[record.anchor]]`: a second place for checkpoints. */
export type RecordAnchorConfig =
  | { readonly kind: "file"; readonly path: string }
  /** `url`: a unix socket's absolute path, or http(s); `key`: the witness's verifier key (C2SP signed-note). */
  | { readonly kind: "witness"; readonly url: string; readonly key: string }
  | {
    readonly kind: "nats";
    readonly url: string;
    readonly subject: string;
    readonly credentials: string | undefined;
    readonly ca: string | undefined;
  };

/** The table; `undefined` was not set. */
export interface RecordConfig {
  readonly origin: string | undefined;
  readonly on_tamper: "refuse" | "alarm" | undefined;
  readonly sinks: readonly RecordSinkConfig[];
  /** Entries older than this are pruned, milliseconds. */
  readonly keep_ms: number | undefined;
  /** The oldest entries are pruned while the database holds more, bytes. */
  readonly max_bytes: number | undefined;
  /** Ended sessions beyond so many newer ones are pruned. */
  readonly keep_sessions: number | undefined;
  readonly anchors: readonly RecordAnchorConfig[];
  readonly anchor_every_ms: number | undefined;
  /** Verifier keys of the logs that this guard is a witness for. */
  readonly witness_for: readonly string[];
}

/** No table. */
export const NO_RECORD_CONFIG: RecordConfig = Object.freeze({
  origin: undefined,
  on_tamper: undefined,
  sinks: [],
  keep_ms: undefined,
  max_bytes: undefined,
  keep_sessions: undefined,
  anchors: [],
  anchor_every_ms: undefined,
  witness_for: [],
});

/**
 * The tables of all layers as one. A later layer only tightens: it adds sinks, anchors and logs and cannot take one
 * away, what is kept longest is kept, and `refuse` wins. The origin is that of the last layer that names one.
 */
export function mergeRecordConfigs(layers: readonly RecordConfig[]): RecordConfig {
  const on_tamper = layers.flatMap((layer) => layer.on_tamper ?? []);
  const every_ms = layers.flatMap((layer) => layer.anchor_every_ms ?? []);
  const longest = (field: "keep_ms" | "max_bytes" | "keep_sessions"): number | undefined => {
    const values = layers.flatMap((layer) => layer[field] ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  return Object.freeze({
    origin: layers.findLast((layer) => layer.origin !== undefined)?.origin,
    on_tamper: on_tamper.includes("refuse") ? "refuse" : on_tamper[0],
    sinks: distinct(layers.flatMap((layer) => layer.sinks), (sink) => sink.path),
    keep_ms: longest("keep_ms"),
    max_bytes: longest("max_bytes"),
    keep_sessions: longest("keep_sessions"),
    anchors: distinct(layers.flatMap((layer) => layer.anchors), (anchor) => JSON.stringify(anchor)),
    anchor_every_ms: every_ms.length === 0 ? undefined : Math.min(...every_ms),
    witness_for: distinct(layers.flatMap((layer) => layer.witness_for), (key) => key),
  });
}

/** Of those with the same name the first stays. */
function distinct<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const name = nameOf(item);
    return !seen.has(name) && seen.add(name) !== undefined;
  });
}

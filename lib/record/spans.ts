/** Between which times and ids the entries of a block lie: the index by time. */
import type { Store } from "../store/mod.ts";

/** Between which times and ids the entries of a block lie. */
export interface Span {
  readonly block: number;
  readonly time_min: number;
  readonly time_max: number;
  readonly id_min: number;
  readonly id_max: number;
}

/** The span of a block; `undefined` where it has none. */
export function readSpan(store: Store, block: number): Span | undefined {
  const row = store.prepare("SELECT time_min, time_max, id_min, id_max FROM spans WHERE block = ?").get(block);
  if (row === undefined) return undefined;
  const { time_min, time_max, id_min, id_max } = row;
  if (typeof time_min !== "number" || typeof time_max !== "number") return undefined;
  if (typeof id_min !== "number" || typeof id_max !== "number") return undefined;
  return { block, time_min, time_max, id_min, id_max };
}

/** The span with one entry more. */
export function widen(
  span: Span | undefined,
  { block, time_us, id }: { readonly block: number; readonly time_us: number; readonly id: number },
): Span {
  return joined(span, { block, time_min: time_us, time_max: time_us, id_min: id, id_max: id });
}

/** Two spans of one block. */
export function joined(span: Span | undefined, other: Span): Span {
  if (span === undefined) return other;
  return {
    block: other.block,
    time_min: Math.min(span.time_min, other.time_min),
    time_max: Math.max(span.time_max, other.time_max),
    id_min: Math.min(span.id_min, other.id_min),
    id_max: Math.max(span.id_max, other.id_max),
  };
}

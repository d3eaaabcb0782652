/** What a proposal rests on. */
import type { Entry } from "../core/mod.ts";

/** Entries of a recording that speak for one pattern or rule. */
export interface Evidence {
  /** Actions. */
  readonly count: number;
  readonly first_seq: number;
  readonly last_seq: number;
  /** Id of the first entry. */
  readonly entry_id: string;
}

/** The evidence of one entry; a merged entry stands for several actions. */
export function evidenceOf({ seq, entry_id, action }: Entry): Evidence {
  const count = action !== undefined && "count" in action ? action.count ?? 1 : 1;
  return { count, first_seq: seq, last_seq: seq, entry_id };
}

/** Both together. Numbers of different recordings are not comparable; the first recording names the entry. */
export function joinEvidence(one: Evidence | undefined, other: Evidence): Evidence {
  if (one === undefined) return other;
  return {
    count: one.count + other.count,
    first_seq: Math.min(one.first_seq, other.first_seq),
    last_seq: Math.max(one.last_seq, other.last_seq),
    entry_id: other.first_seq < one.first_seq ? other.entry_id : one.entry_id,
  };
}

/** `12 actions, seq 5-40, entry 01J...`, for a comment. */
export function evidenceText({ count, first_seq, last_seq, entry_id }: Evidence): string {
  const actions = count === 1 ? "1 action" : `${count} actions`;
  const seqs = first_seq === last_seq ? `seq ${first_seq}` : `seq ${first_seq}-${last_seq}`;
  return `${actions}, ${seqs}, entry ${entry_id.replace(/[^0-9A-Za-z]/g, "")}`;
}

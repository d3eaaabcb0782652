/** Drafts become numbered, chained, hashed entries, a block at a time: the recorder's busiest place. */
import { RECORD_BLOCK, recordCalls } from "../../ffi/mod.ts";
import { type EntryDraft, type IdGenerator, invariant, type WallUs } from "../core/mod.ts";
import { draftOf, draftPieces, type QueuedDraft } from "./draft_line.ts";
import { Sealer } from "./entry.ts";
import { BLOCK_ENTRIES } from "./layout.ts";
import { HASH_BYTES } from "./merkle.ts";
import { SealedBatch, type SealedPart } from "./sealed_batch.ts";
import { storedText } from "./stored_text.ts";
import { idKey, indexedOf, type TermField, termField } from "./terms.ts";

/** Removes what must not be recorded; pure. A draft that makes it throw is replaced by a gap. */
export interface Redact {
  (draft: EntryDraft): EntryDraft;
  /** See `Redactor`: native code may tell what is plain by itself. */
  readonly keeps_plain?: true;
}

/** What stays the same for every entry of one writer. */
export interface SealOptions {
  /** The kernel's boot, as `/proc/sys/kernel/random/boot_id` names it. */
  readonly boot_id: string;
  readonly ids: IdGenerator;
  readonly redact?: Redact;
}

/** Where a batch goes. */
export interface BatchPlace {
  readonly first_seq: number;
  /** Hash of the entry before. */
  readonly prev: Uint8Array;
  /** Used where a draft's own time is no time. */
  readonly now_us: WallUs;
}

/** A row of `texts` is ended when it has this many bytes: an entry of the greatest size, or a block of usual ones. */
export const TEXT_BYTES_MAX = 1_048_576;
/** Room at first, bytes: a block of usual drafts, a batch of their entries. It grows. */
const INPUT_BYTES = 131_072;
const OUTPUT_BYTES = 524_288;
/** Drafts are put together up to so many characters; a longer one stands alone. */
const INPUT_CHARS_MAX = 1_048_576;
const ID_BYTES = 26;
const LF = 10;
/** Memories that wait for the next batches: for as many as a pump has written and not yet told, and one at hand. */
const SPARE_MAX = 5;

/** What is gathered of one part. */
interface PartWork {
  readonly terms: [TermField, string][];
  readonly decisions: number[];
  time_min: number;
  time_max: number;
}

/**
 * Seals batches. Native code does what is plain; a draft that it leaves is redacted and written by `Sealer`, to the
 * same form. Its buffers serve every batch: memory that nobody has touched yet is dear.
 */
export class BatchSealer {
  readonly #options: SealOptions;
  readonly #sealer: Sealer = new Sealer();
  readonly #ids: Buffer = Buffer.alloc(RECORD_BLOCK * ID_BYTES);
  readonly #boot: Buffer;
  #input: Buffer = Buffer.allocUnsafe(INPUT_BYTES);
  #input_bytes = 0;
  #output: Buffer = Buffer.alloc(0);
  #used = 0;
  readonly #spare: Buffer[] = [];

  constructor(options: SealOptions) {
    this.#options = options;
    this.#boot = Buffer.from(JSON.stringify(options.boot_id));
  }

  /** Seals drafts, not empty. */
  seal(drafts: readonly QueuedDraft[], place: BatchPlace): SealedBatch {
    const parts: SealedPart[] = [];
    this.#used = 0;
    this.#output = this.#spare.pop() ?? Buffer.allocUnsafe(OUTPUT_BYTES);
    for (let done = 0; done < drafts.length;) {
      const first_seq = place.first_seq + done;
      const block_rest = BLOCK_ENTRIES - (first_seq - 1) % BLOCK_ENTRIES;
      const part = this.#part(drafts.slice(done, done + block_rest), first_seq, place);
      parts.push(part);
      done += part.entries;
    }
    // The batch keeps them: what is committed is told after the next one has been sealed.
    const memory = this.#output;
    const texts = memory.subarray(0, this.#used);
    const leaves = new Uint8Array(drafts.length * HASH_BYTES);
    const { first_seq, prev } = place;
    const hashed = recordCalls().chain(texts, leaves, { first_seq, prev });
    invariant(hashed === drafts.length, `seal ${drafts.length} entries from ${first_seq}: ${hashed} were hashed`);
    return new SealedBatch({ first_seq, prev, texts, memory, leaves, parts });
  }

  /** Takes a batch's memory back for later ones; neither the batch nor an entry of it may be used any more. */
  giveBack({ memory }: SealedBatch): void {
    if (memory !== undefined && this.#spare.length < SPARE_MAX) this.#spare.push(memory);
  }

  /** As many of the drafts, which are of one block, as go into one row. */
  #part(drafts: readonly QueuedDraft[], first_seq: number, { now_us }: BatchPlace): SealedPart {
    const { ids, redact } = this.#options;
    const redacted = redact?.keeps_plain === true;
    const kept = redact === undefined || redacted ? drafts : drafts.map((draft) => redactedOr(redact, draft, now_us));
    const count = this.#encode(kept);
    ids.fill(this.#ids, count);
    const work: PartWork = { terms: [], decisions: [], time_min: Infinity, time_max: -Infinity };
    const from = this.#used;
    let [done, input_at] = [0, 0];
    while (done < count && this.#used - from < TEXT_BYTES_MAX) {
      const written = this.#write(count - done, { done, input_at, from, redacted, work });
      done += written.entries;
      input_at = written.input_at;
      if (written.end === "full") this.#grow();
      invariant(written.end !== "done" || written.entries > 0, "seal entries: none was written");
      if (written.end !== "other") continue;
      this.#seal(kept[done], { seq: first_seq + done, id: this.#id(done), now_us, work, redacted });
      input_at = this.#input.indexOf(LF, input_at) + 1;
      done++;
    }
    return {
      first_seq,
      entries: done,
      from,
      to: this.#used,
      time_min: work.time_min,
      time_max: work.time_max,
      id_min: idKey(this.#id(0)),
      id_max: idKey(this.#id(done - 1)),
      terms: work.terms,
      decisions: work.decisions,
    };
  }

  #id(index: number): string {
    return this.#ids.toString("latin1", index * ID_BYTES, (index + 1) * ID_BYTES);
  }

  /** Puts drafts into the input, a line each; gives how many. What is no JSON becomes an empty line. */
  #encode(drafts: readonly QueuedDraft[]): number {
    const { pieces, count, chars } = draftPieces(drafts, INPUT_CHARS_MAX);
    // A UTF-16 unit is at most three bytes of UTF-8.
    if (this.#input.length < chars * 3) this.#input = Buffer.allocUnsafe(chars * 3);
    let at = 0;
    for (const piece of pieces) {
      if (typeof piece === "string") at += this.#input.write(piece, at, "utf8");
      else {
        this.#input.set(piece, at);
        at += piece.length;
      }
      this.#input[at++] = LF;
    }
    this.#input_bytes = at;
    return count;
  }

  #write(
    entries_max: number,
    { done, input_at, from, redacted, work }: {
      readonly done: number;
      readonly input_at: number;
      readonly from: number;
      readonly redacted: boolean;
      readonly work: PartWork;
    },
  ): ReturnType<ReturnType<typeof recordCalls>["write"]> {
    const calls = recordCalls();
    const written = calls.write({
      input: this.#input,
      input_bytes: this.#input_bytes,
      input_at,
      output: this.#output,
      output_at: this.#used,
      entries_max,
      row_bytes_max: TEXT_BYTES_MAX - (this.#used - from),
      redacted,
      ids: this.#ids.subarray(done * ID_BYTES),
      boot: this.#boot,
    });
    this.#used = written.output_at;
    if (written.entries === 0) return written;
    for (const [field, at, bytes] of calls.terms()) {
      const name = termField(field);
      if (name !== undefined) work.terms.push([name, this.#text(at, bytes)]);
    }
    work.decisions.push(...calls.decisions());
    work.time_min = Math.min(work.time_min, written.time_min);
    work.time_max = Math.max(work.time_max, written.time_max);
    return written;
  }

  /** A JSON string of the input, given without its quotes. */
  #text(at: number, bytes: number): string {
    const text = this.#input.toString("utf8", at, at + bytes);
    return text.includes("\\") ? String(JSON.parse(`"${text}"`)) : text;
  }

  /** A draft that cannot be read or redacted must cost neither the batch nor its own trace. */
  #seal(
    queued: QueuedDraft | undefined,
    { seq, id, now_us, work, redacted }: {
      readonly seq: number;
      readonly id: string;
      readonly now_us: WallUs;
      readonly work: PartWork;
      readonly redacted: boolean;
    },
  ): void {
    const place = { seq, entry_id: id, boot_id: this.#options.boot_id, now_us };
    const { redact } = this.#options;
    let sealed: ReturnType<Sealer["write"]>;
    try {
      invariant(queued !== undefined, "seal an entry: no draft");
      const draft = draftOf(queued);
      sealed = this.#sealer.write(redacted && redact !== undefined ? redact(draft) : draft, place);
    } catch {
      sealed = this.#sealer.write(unreadable(now_us), place);
    }
    const stored = storedText(sealed.parts);
    while (this.#output.length - this.#used < stored.length * 3) this.#grow();
    this.#used += this.#output.write(stored, this.#used, "utf8");
    const { terms, decision_key } = indexedOf(sealed.draft);
    for (const [field, value] of terms) work.terms.push([field, value]);
    if (decision_key !== undefined) work.decisions.push(decision_key);
    work.time_min = Math.min(work.time_min, sealed.draft.time_us);
    work.time_max = Math.max(work.time_max, sealed.draft.time_us);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(this.#output.length * 2);
    this.#output.copy(larger, 0, 0, this.#used);
    this.#output = larger;
  }
}

function redactedOr(redact: Redact, draft: QueuedDraft, now_us: WallUs): EntryDraft {
  try {
    return redact(draftOf(draft));
  } catch {
    return unreadable(now_us);
  }
}

/** What takes the place of a draft that nobody could read. */
function unreadable(time_us: WallUs): EntryDraft {
  return { time_us, kind: "gap", gap: { source: "recorder", type: "record", count: 1 } };
}

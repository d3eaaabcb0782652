/** Reading the stored texts of entries, block by block, beside a live writer. */
import type { Store } from "../store/mod.ts";
import { BLOCK_ENTRIES, blockOf, firstOf } from "./layout.ts";
import { ENTRY_END, storedEntries } from "./stored_text.ts";

/** The stored entries of a part of one block. */
export interface TextRun {
  readonly first_seq: number;
  /** In order; `undefined` for one that is not UTF-8. */
  readonly entries: readonly (string | undefined)[];
}

/** The stored texts of a part of one block. */
export interface TextBytes {
  readonly first_seq: number;
  readonly data: Uint8Array;
}

/** Where the text behind the first `count` entries begins; negative where there are fewer. */
export function afterEntries(data: Uint8Array, count: number): number {
  let at = 0;
  for (let n = 0; n < count && at >= 0; n++) at = data.indexOf(LF, at) < 0 ? -1 : data.indexOf(LF, at) + 1;
  return at;
}

const LF = ENTRY_END.charCodeAt(0);

/** Reads texts. A row may become part of a larger one between two reads: then what was read already is left out. */
export class TextReader {
  readonly #store: Store;
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(store: Store) {
    this.#store = store;
  }

  /** The rows of one block, in order. Throws what the store throws. */
  block(block: number): readonly TextRun[] {
    return this.rows(block).map(({ first_seq, data }) => ({ first_seq, entries: this.decode(data) }));
  }

  /** The same as it lies in the file. */
  rows(block: number): readonly TextBytes[] {
    const first = firstOf(block);
    return this.#store.prepare(
      "SELECT first_seq, data FROM texts WHERE first_seq >= ? AND first_seq < ? " +
        "ORDER BY first_seq",
    ).all(first, first + BLOCK_ENTRIES).map(({ first_seq, data }) => ({
      first_seq: typeof first_seq === "number" ? first_seq : 0,
      data: data instanceof Uint8Array ? data : new Uint8Array(),
    }));
  }

  /** The stored text of one entry; `undefined` where there is none. */
  entry(seq: number): string | undefined {
    for (const run of this.block(blockOf(seq))) {
      const text = run.entries[seq - run.first_seq];
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** The number after the last stored text, as the rows have it; 1 for none. */
  end(): number {
    const row = this.#store.prepare("SELECT first_seq, data FROM texts ORDER BY first_seq DESC LIMIT 1").get();
    const { first_seq, data } = row ?? {};
    if (typeof first_seq !== "number" || !(data instanceof Uint8Array)) return 1;
    return first_seq + this.decode(data).length;
  }

  /** The stored entries of a row. Fast where all is UTF-8, which it is unless the file was changed. */
  decode(data: Uint8Array): readonly (string | undefined)[] {
    try {
      return storedEntries(this.#decoder.decode(data));
    } catch {
      const entries: (string | undefined)[] = [];
      for (let at = 0; at < data.length;) {
        const end = data.indexOf(LF, at);
        const to = end < 0 ? data.length : end;
        entries.push(this.#decodeOne(data.subarray(at, to)));
        at = to + 1;
      }
      return entries;
    }
  }

  #decodeOne(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }
}

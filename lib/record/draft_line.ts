/** Drafts as text: what comes from another thread stays as it came, as most of it is never taken apart. */
import { canonicalJson, type EntryDraft, invariant, type WallUs } from "../core/mod.ts";
import { isEntryKind } from "./entry.ts";

/** What must be known of a draft while it waits: one character before its JSON. */
const CLASSES = { observation: "o", seen: "s", other: "x" } as const;
type DraftClass = keyof typeof CLASSES;

/** How a line of each class begins, with the line break before it. */
const LINE_BEGINS: Readonly<Record<DraftClass, string>> = { observation: "\no", seen: "\ns", other: "\nx" };

/** A draft that waits to be recorded, in either form. */
export type QueuedDraft = EntryDraft | DraftLine;

/** A draft as one line of JSON, within the text in which it came. */
export class DraftLine {
  readonly #text: string;
  /** Where its class stands, and behind its JSON. */
  readonly #from: number;
  readonly #to: number;

  /** Made by `readDraftLines`. */
  constructor(text: string, from: number, to: number) {
    this.#text = text;
    this.#from = from;
    this.#to = to;
  }

  /** Its JSON. */
  get json(): string {
    return this.#text.slice(this.#from + 1, this.#to);
  }

  /** Characters of its line. */
  get chars(): number {
    return this.#to - this.#from;
  }

  /** True for an observation. */
  get is_observation(): boolean {
    return this.#text.charAt(this.#from) === CLASSES.observation;
  }

  /** See `isMerelySeen`. */
  get is_merely_seen(): boolean {
    return this.#text.charAt(this.#from) !== CLASSES.other;
  }

  /** Read for the few that are lost; 0 where it is none. */
  get time_us(): WallUs {
    try {
      return this.draft().time_us;
    } catch {
      return 0;
    }
  }

  /** The draft itself. Throws for a line that holds none. */
  draft(): EntryDraft {
    const value: unknown = JSON.parse(this.json);
    invariant(isDraft(value), "read a draft: it has no time or kind");
    return value;
  }

  /** True if this line follows `before` in one text. */
  follows(before: DraftLine): boolean {
    return this.#text === before.#text && this.#from === before.#to + 1;
  }

  /** The lines from this one to `last`, which follows it in the same text, as they came. */
  upTo(last: DraftLine): string {
    return this.#text.slice(this.#from, last.#to);
  }
}

/** The draft itself. Throws as `DraftLine.draft`. */
export function draftOf(queued: QueuedDraft): EntryDraft {
  return queued instanceof DraftLine ? queued.draft() : queued;
}

/** True for what goes first when a queue is full. */
export function isObservation(queued: QueuedDraft): boolean {
  return queued instanceof DraftLine ? queued.is_observation : queued.kind === "observation";
}

/** True for what had no effect that the record must be ahead of: things seen, and bytes that went through files. */
export function isMerelySeen(queued: QueuedDraft): boolean {
  if (queued instanceof DraftLine) return queued.is_merely_seen;
  const { kind, outcome } = queued;
  return kind === "observation" || (kind === "outcome" && outcome?.label === "observed");
}

/** A line for each draft, behind `head`. Never fails: what the engine's serializer refuses is written canonically. */
export function writeDraftLines(head: string, drafts: readonly QueuedDraft[]): string {
  // One flat text at once: what is put together of texts that are put together is copied as often.
  const pieces = [head];
  for (const queued of drafts) {
    const kind: DraftClass = isObservation(queued) ? "observation" : isMerelySeen(queued) ? "seen" : "other";
    pieces.push(LINE_BEGINS[kind], queued instanceof DraftLine ? queued.json : jsonOf(queued));
  }
  return pieces.join("");
}

/** The drafts of the lines behind a head of `head_chars`; `undefined` where one is no such line. */
export function readDraftLines(text: string, head_chars: number): readonly DraftLine[] | undefined {
  const drafts: DraftLine[] = [];
  for (let at = head_chars; at < text.length;) {
    const next = text.indexOf("\n", at + 1);
    const end = next < 0 ? text.length : next;
    // A line break, the class, an object.
    if (!"osx".includes(text.charAt(at + 1)) || text.charAt(at) !== "\n" || text.charAt(at + 2) !== "{") {
      return undefined;
    }
    drafts.push(new DraftLine(text, at + 1, end));
    at = end;
  }
  return drafts;
}

/** Texts that hold the drafts in order, some of them many: each line is a draft's JSON, or that behind its class. */
export interface DraftPieces {
  readonly pieces: readonly string[];
  /** How many drafts are in them. */
  readonly count: number;
  /** Characters, with a line break behind each piece. */
  readonly chars: number;
}

/**
 * As many of the drafts as have together `chars_max` characters, the first in any case. What came in one text stays in
 * one piece. What is no JSON becomes an empty line.
 */
export function draftPieces(drafts: readonly QueuedDraft[], chars_max: number): DraftPieces {
  const pieces: string[] = [];
  let run: { readonly first: DraftLine; last: DraftLine } | undefined;
  let [count, chars] = [0, 0];
  const endRun = (): void => {
    if (run !== undefined) pieces.push(run.first.upTo(run.last));
    run = undefined;
  };
  for (const queued of drafts) {
    const json = queued instanceof DraftLine ? undefined : jsonOrNothing(queued);
    const more = 1 + (queued instanceof DraftLine ? queued.chars : json?.length ?? 0);
    if (count > 0 && chars + more > chars_max) break;
    count++;
    chars += more;
    if (queued instanceof DraftLine && run !== undefined && queued.follows(run.last)) {
      run.last = queued;
      continue;
    }
    endRun();
    if (queued instanceof DraftLine) run = { first: queued, last: queued };
    else pieces.push(json ?? "");
  }
  endRun();
  return { pieces, count, chars };
}

function jsonOrNothing(draft: EntryDraft): string {
  try {
    return JSON.stringify(draft);
  } catch {
    return "";
  }
}

function jsonOf(draft: EntryDraft): string {
  try {
    return JSON.stringify(draft);
  } catch {
    return canonicalJson(draft);
  }
}

function isDraft(value: unknown): value is EntryDraft {
  return typeof value === "object" && value !== null && "time_us" in value && "kind" in value &&
    isEntryKind(value.kind);
}

/** Drafts as text: what comes from another thread stays as it came, as most of it is never taken apart. */
import { canonicalJson, type EntryDraft, invariant, type WallUs } from "../core/mod.ts";
import { isEntryKind } from "./entry.ts";

/** What must be known of a draft while it waits: one character before its JSON. */
const CLASSES = { observation: "o", seen: "s", other: "x" } as const;
const CLASS_CHARS = "osx";
const LF = 10;
/** `{` */
const OBJECT = 0x7b;

/** A draft that waits to be recorded, in either form. */
export type QueuedDraft = EntryDraft | DraftLine;

/** A draft as one line of JSON, among others in whatever it came in. */
export abstract class DraftLine {
  /** Its JSON. */
  abstract get json(): string;
  /** Characters of its line, or the bytes of them. */
  abstract get size(): number;
  /** One of `CLASSES`. */
  protected abstract get class_char(): string;
  /** True if this line stands behind `before`. */
  abstract follows(before: DraftLine): boolean;
  /** The lines from this one to `last`, which comes after it in the same, as they are there. */
  abstract upTo(last: DraftLine): string | Uint8Array;

  /** True for an observation. */
  get is_observation(): boolean {
    return this.class_char === CLASSES.observation;
  }

  /** See `isMerelySeen`. */
  get is_merely_seen(): boolean {
    return this.class_char !== CLASSES.other;
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
}

/** A line of a text. */
class TextLine extends DraftLine {
  readonly #text: string;
  /** Where its class stands, and behind its JSON. */
  readonly #from: number;
  readonly #to: number;

  constructor(text: string, from: number, to: number) {
    super();
    this.#text = text;
    this.#from = from;
    this.#to = to;
  }

  get json(): string {
    return this.#text.slice(this.#from + 1, this.#to);
  }

  get size(): number {
    return this.#to - this.#from;
  }

  protected get class_char(): string {
    return this.#text.charAt(this.#from);
  }

  follows(before: DraftLine): boolean {
    return before instanceof TextLine && this.#text === before.#text && this.#from === before.#to + 1;
  }

  upTo(last: DraftLine): string {
    return this.#text.slice(this.#from, last instanceof TextLine ? last.#to : this.#to);
  }
}

/** A line in memory that two threads share. */
class MemoryLine extends DraftLine {
  readonly #memory: Buffer;
  readonly #from: number;
  readonly #to: number;
  protected readonly class_char: string;

  constructor(memory: Buffer, from: number, to: number, class_char: string) {
    super();
    this.#memory = memory;
    this.#from = from;
    this.#to = to;
    this.class_char = class_char;
  }

  get json(): string {
    return this.#memory.toString("utf8", this.#from, this.#to);
  }

  get size(): number {
    return this.#to - this.#from;
  }

  follows(before: DraftLine): boolean {
    return before instanceof MemoryLine && this.#memory === before.#memory && this.#from === before.#to + 1;
  }

  upTo(last: DraftLine): Uint8Array {
    return this.#memory.subarray(this.#from, last instanceof MemoryLine ? last.#to : this.#to);
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
    pieces.push(`\n${classOf(queued)}`, draftJson(queued));
  }
  return pieces.join("");
}

/** What must be known of a draft while it waits, one character. */
export function classOf(queued: QueuedDraft): string {
  return CLASSES[isObservation(queued) ? "observation" : isMerelySeen(queued) ? "seen" : "other"];
}

/** A draft's JSON, without a line break. Never fails: what the engine's serializer refuses is written canonically. */
export function draftJson(queued: QueuedDraft): string {
  return queued instanceof DraftLine ? queued.json : jsonOf(queued);
}

/** The drafts in memory up to `to`, each ended by a line break, of these classes; `undefined` where they are others. */
export function readDraftMemory(memory: Buffer, to: number, classes: string): readonly DraftLine[] | undefined {
  const drafts: DraftLine[] = [];
  let at = 0;
  for (const class_char of classes) {
    const end = memory.indexOf(LF, at);
    if (end < 0 || end >= to || memory[at] !== OBJECT || !CLASS_CHARS.includes(class_char)) return undefined;
    drafts.push(new MemoryLine(memory, at, end, class_char));
    at = end + 1;
  }
  return at === to ? drafts : undefined;
}

/** The drafts of the lines behind a head of `head_chars`; `undefined` where one is no such line. */
export function readDraftLines(text: string, head_chars: number): readonly DraftLine[] | undefined {
  const drafts: DraftLine[] = [];
  for (let at = head_chars; at < text.length;) {
    const next = text.indexOf("\n", at + 1);
    const end = next < 0 ? text.length : next;
    // A line break, the class, an object.
    if (!CLASS_CHARS.includes(text.charAt(at + 1)) || text.charAt(at) !== "\n" || text.charAt(at + 2) !== "{") {
      return undefined;
    }
    drafts.push(new TextLine(text, at + 1, end));
    at = end;
  }
  return drafts;
}

/** Texts that hold the drafts in order, some of them many: each line is a draft's JSON, or that behind its class. */
export interface DraftPieces {
  readonly pieces: readonly (string | Uint8Array)[];
  /** How many drafts are in them. */
  readonly count: number;
  /** Characters, or bytes of them, with a line break behind each piece. */
  readonly chars: number;
}

/**
 * As many of the drafts as have together `chars_max` characters, the first in any case. What came together stays in one
 * piece. What is no JSON becomes an empty line.
 */
export function draftPieces(drafts: readonly QueuedDraft[], chars_max: number): DraftPieces {
  const pieces: (string | Uint8Array)[] = [];
  let run: { readonly first: DraftLine; last: DraftLine } | undefined;
  let [count, chars] = [0, 0];
  const endRun = (): void => {
    if (run !== undefined) pieces.push(run.first.upTo(run.last));
    run = undefined;
  };
  for (const queued of drafts) {
    const json = queued instanceof DraftLine ? undefined : jsonOrNothing(queued);
    const more = 1 + (queued instanceof DraftLine ? queued.size : json?.length ?? 0);
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

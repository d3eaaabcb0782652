/** Drafts as text: what comes from another thread stays as it came, as most of it is never taken apart. */
import { canonicalJson, type EntryDraft, invariant, type WallUs } from "../core/mod.ts";
import { isEntryKind } from "./entry.ts";

/** What must be known of a draft while it waits: one character before its JSON. */
const CLASSES = { observation: "o", seen: "s", other: "x" } as const;
type DraftClass = keyof typeof CLASSES;

/** A draft that waits to be recorded, in either form. */
export type QueuedDraft = EntryDraft | DraftLine;

/** A draft as one line of JSON. */
export class DraftLine {
  readonly json: string;
  readonly #class: string;

  /** Made by `readDraftLine`. */
  constructor(line: string) {
    this.#class = line.charAt(0);
    this.json = line.slice(1);
  }

  /** True for an observation. */
  get is_observation(): boolean {
    return this.#class === CLASSES.observation;
  }

  /** See `isMerelySeen`. */
  get is_merely_seen(): boolean {
    return this.#class !== CLASSES.other;
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

/** One line for a draft. Never fails: what the engine's serializer refuses is written canonically. */
export function writeDraftLine(queued: QueuedDraft): string {
  const kind: DraftClass = isObservation(queued) ? "observation" : isMerelySeen(queued) ? "seen" : "other";
  return `${CLASSES[kind]}${queued instanceof DraftLine ? queued.json : jsonOf(queued)}`;
}

/** The draft of a line; `undefined` for what is no such line. */
export function readDraftLine(line: string): DraftLine | undefined {
  return /^[osx]\{/.test(line) ? new DraftLine(line) : undefined;
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

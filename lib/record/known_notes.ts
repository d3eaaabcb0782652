/** Comparing a record with checkpoints that were kept elsewhere. */
import type { Store } from "../store/mod.ts";
import { readLogState } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { TileTree } from "./merkle.ts";
import { openCheckpoint, parseCheckpoint, type ParsedCheckpoint } from "./note.ts";
import { sameBytes } from "./tree_proof.ts";

/** A checkpoint with its signatures. */
const NOTE = /[^\n]+\n\d+\n[^\n]+\n(?:[^\n]+\n)*\n(?:\u2014 [^\n]+\n)+/g;

/** The notes in a text that may hold other things between them, in order. */
export function notesIn(text: string): readonly string[] {
  return text.match(NOTE) ?? [];
}

/**
 * Why the record does not go on from the greatest of the checkpoints that are its own; `undefined` where it does, and
 * where none is. One that no key of the record signed is not its own. Throws what the store throws.
 */
export function knownNotesFault(store: Store, notes: readonly string[]): string | undefined {
  const state = readLogState(store);
  if (state === undefined) return undefined;
  let known: ParsedCheckpoint | undefined;
  for (const note of notes) {
    const parsed = parseCheckpoint(note);
    if (!parsed.ok || parsed.value.origin !== state.origin || parsed.value.size < (known?.size ?? 0)) continue;
    if (state.keys.some(({ key }) => openCheckpoint(note, key).ok)) known = parsed.value;
  }
  if (known === undefined) return undefined;
  const { size, root } = known;
  if (size > state.newest.size) {
    return `entry ${state.newest.size + 1} does not verify: cut (a checkpoint that was kept elsewhere covers ${size} ` +
      `entries, the record has ${state.newest.size})`;
  }
  if (sameBytes(new TileTree(storedTiles(store)).root(size), root)) return undefined;
  return `entry ${Math.max(1, size)} does not verify: fork (the first ${size} entries are not those of a checkpoint ` +
    "that was kept elsewhere)";
}

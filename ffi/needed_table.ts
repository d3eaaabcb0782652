/** What native code compares names and objects with (`make_table` in ffi/native/needed_names.h). */
import { type ActionType, FILE_ACTION_TYPES } from "../lib/core/mod.ts";

/** `enum ag_needed_kind`. */
const KINDS = { exact: 1, tree: 2, base: 3, component: 4, extension: 5 } as const;
/** `enum ag_watch_table_flag`. */
const FLAG = { floating: 1, linked: 2 } as const;

/** What a rule needs in a name. */
export interface NeededEntry {
  readonly kind: keyof typeof KINDS;
  readonly text: string;
  /** What the rule is about; of files. */
  readonly actions: readonly ActionType[];
}

/** An object, as stat(2) tells it. */
export interface NeededObject {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** What is looked at, and not let go on by itself. */
export interface NeededTable {
  /** Actions about which every name counts. */
  readonly all: readonly ActionType[];
  /** Rules have names that may stand anywhere: a file with several names is looked at each time. */
  readonly floating: boolean;
  /** `objects` has those below the trees that have several names. */
  readonly linked: boolean;
  readonly texts: readonly NeededEntry[];
  readonly objects: readonly NeededObject[];
}

/** A place below which a command may change files: `write`, or only write those that are there. */
export interface PlaceEntry {
  readonly kind: keyof typeof PLACES;
  readonly path: string;
}

/** `enum ag_hold_place` of ffi/native/hold.h. */
const PLACES = { write: 1, write_files: 2 } as const;

/** What program starts are compared with before anybody decides them, see `neededStarts` of lib/decide. */
export interface StartTable {
  readonly all: boolean;
  readonly wrappers: boolean;
  readonly texts: readonly Pick<NeededEntry, "kind" | "text">[];
}

/** `enum ag_start_flag` of ffi/native/hold_start_names.h. */
const START_FLAG = { wrappers: 1 } as const;
/** What the texts of a start are about: there is one action. */
const STARTS = 1;

/** Bytes before the first text, before the bytes of one, and of an object. */
const [HEADER, TEXT, OBJECT] = [16, 12, 16];

interface Text {
  readonly kind: keyof typeof KINDS;
  readonly text: string;
  readonly bits: number;
}

/** The table as the native code reads it. */
export function encodeNeededTable({ all, floating, linked, texts, objects }: NeededTable): Uint8Array {
  const flags = (floating ? FLAG.floating : 0) | (linked ? FLAG.linked : 0);
  const entries = texts.map(({ kind, text, actions }) => ({ kind, text, bits: bitsOf(actions) }));
  return encode({ flags, all: bitsOf(all) }, entries, objects);
}

/** Places in the same form: trees, the root as the empty text. */
export function encodePlaces(places: readonly PlaceEntry[]): Uint8Array {
  const entries = places.map(({ kind, path }) =>
    ({ kind: "tree", text: path === "/" ? "" : path, bits: PLACES[kind] }) as const
  );
  return encode({ flags: 0, all: 0 }, entries, []);
}

/** The same for program starts. */
export function encodeStartTable({ all, wrappers, texts }: StartTable): Uint8Array {
  const entries = texts.map(({ kind, text }) => ({ kind, text, bits: STARTS }));
  return encode({ flags: wrappers ? START_FLAG.wrappers : 0, all: all ? STARTS : 0 }, entries, []);
}

function encode(
  { flags, all }: { readonly flags: number; readonly all: number },
  texts: readonly Text[],
  objects: NeededTable["objects"],
): Uint8Array {
  const encoder = new TextEncoder();
  const encoded = texts.map(({ kind, text, bits }) => ({ kind: KINDS[kind], bits, bytes: encoder.encode(text) }));
  const length = encoded.reduce((sum, { bytes }) => sum + TEXT + bytes.length, HEADER + OBJECT * objects.length);
  const table = new Uint8Array(length);
  const view = new DataView(table.buffer);
  for (const [i, value] of [flags, all, encoded.length, objects.length].entries()) view.setUint32(4 * i, value, true);
  let at = HEADER;
  for (const { kind, bits, bytes } of encoded) {
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, bits, true);
    view.setUint32(at + 8, bytes.length, true);
    table.set(bytes, at + TEXT);
    at += TEXT + bytes.length;
  }
  for (const { dev, ino } of objects) {
    view.setBigUint64(at, dev, true);
    view.setBigUint64(at + 8, ino, true);
    at += OBJECT;
  }
  return table;
}

/** `enum ag_file_action`. */
function bitsOf(actions: readonly ActionType[]): number {
  return actions.reduce((bits, action) => {
    const index = FILE_ACTION_TYPES.indexOf(action);
    return index < 0 ? bits : bits | 1 << index;
  }, 0);
}

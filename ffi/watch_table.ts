/** What the thread that watches opens compares names and objects with (`make_table` in ffi/native/watch_names.h). */

/** `enum ag_watch_kind`. */
const KINDS = { exact: 1, tree: 2, base: 3, component: 4, extension: 5 } as const;
/** `enum ag_watch_table_flag`. */
const FLAG = { all: 1, floating: 2, linked: 4 } as const;

/** What a rule needs in a name. */
export interface WatchText {
  readonly kind: keyof typeof KINDS;
  readonly text: string;
}

/** What opens wait for. */
export interface WatchTable {
  /** Every open waits. */
  readonly all: boolean;
  /** Rules have names that may stand anywhere: a file with several names is looked at each time. */
  readonly floating: boolean;
  /** `objects` has those below the trees that have several names. */
  readonly linked: boolean;
  readonly texts: readonly WatchText[];
  /** As stat(2) tells them. */
  readonly objects: readonly { readonly dev: bigint; readonly ino: bigint }[];
}

/** The table as the native code reads it. */
export function encodeWatchTable({ all, floating, linked, texts, objects }: WatchTable): Uint8Array {
  const encoder = new TextEncoder();
  const encoded = texts.map(({ kind, text }) => ({ kind: KINDS[kind], bytes: encoder.encode(text) }));
  const length = encoded.reduce((sum, { bytes }) => sum + 8 + bytes.length, 12 + 16 * objects.length);
  const table = new Uint8Array(length);
  const view = new DataView(table.buffer);
  view.setUint32(0, (all ? FLAG.all : 0) | (floating ? FLAG.floating : 0) | (linked ? FLAG.linked : 0), true);
  view.setUint32(4, encoded.length, true);
  view.setUint32(8, objects.length, true);
  let at = 12;
  for (const { kind, bytes } of encoded) {
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, bytes.length, true);
    table.set(bytes, at + 8);
    at += 8 + bytes.length;
  }
  for (const { dev, ino } of objects) {
    view.setBigUint64(at, dev, true);
    view.setBigUint64(at + 8, ino, true);
    at += 16;
  }
  return table;
}

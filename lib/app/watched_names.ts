/**
 * What opens of a session wait for, by names and by objects: rules speak of names, and what they mean has others, too:
 * hard links, symbolic links, second mounts.
 */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type ActionType, type Event, isWithin, type Ruling } from "../core/mod.ts";
import { type NeededNames, neededNames, type PolicySnapshot } from "../decide/mod.ts";
import type { NeededTable, WatchedOpen } from "../../ffi/mod.ts";
import { linkedFiles, objectKey, objectOfKey } from "./linked_files.ts";
import { type Mount, otherPlaces } from "./mount_table.ts";

/** Other names of places that are kept; with more of them everything is looked at. */
const OTHERS_MAX = 4_096;
/** The action that is meant. */
const READ: readonly ActionType[] = ["file.read"];

/** Another name of a place that rules speak of, or of something below it. */
interface OtherName {
  readonly path: string;
  /** The name that rules know it by. */
  readonly stands_for: string;
}

/** The names of one policy in one mount namespace. */
export class WatchedNames {
  readonly #snapshot: PolicySnapshot;
  readonly #needed: NeededNames;
  readonly #others: readonly OtherName[];
  /** By `device:inode`: the name that a rule knows it by. */
  readonly #objects: ReadonlyMap<string, string>;
  /** Searched for once, when a file with several names is first met: the session cannot make more of them. */
  #linked: ReadonlyMap<string, string> | undefined;

  /** `home`: what `~` stands for. */
  constructor(snapshot: PolicySnapshot, home: string | undefined, mounts: readonly Mount[]) {
    this.#snapshot = snapshot;
    this.#needed = neededNames(snapshot, home, READ);
    const places = this.#needed.texts.filter(({ kind }) => kind === "exact" || kind === "tree");
    this.#others = places.flatMap(({ text }) => otherNames(text, mounts));
    const exact = places.filter(({ kind }) => kind === "exact").map(({ text }) => text);
    this.#objects = new Map(exact.flatMap((path) => objectOf(path)));
  }

  /** What the thread that watches compares with. */
  table(): NeededTable {
    const { all, floating, texts } = this.#needed;
    const objects = [...this.#objects.keys(), ...(this.#linked?.keys() ?? [])].map((key) => objectOfKey(key));
    return {
      all: this.#others.length > OTHERS_MAX ? READ : all,
      floating,
      linked: this.#linked !== undefined,
      texts: [...texts, ...this.#others.map(({ path }) => ({ kind: "tree" as const, text: path, actions: READ }))],
      objects,
    };
  }

  /** Looks for files that have several names, where `open` is the first of them; true if the table is another now. */
  learn({ links, directory }: WatchedOpen): boolean {
    if (this.#linked !== undefined || links < 2 || directory) return false;
    const trees = this.#needed.texts.filter(({ kind }) => kind === "tree").map(({ text }) => text);
    this.#linked = linkedFiles(trees);
    return true;
  }

  /** The strictest thing that other names of what is opened give reason for; `undefined` where none does. */
  ruling(event: Event, { dev, ino }: WatchedOpen): Ruling | undefined {
    const { action } = event;
    if (!("path" in action)) return undefined;
    const object = objectKey({ dev, ino });
    const names = new Set(
      this.#others.filter(({ path }) => isWithin(action.path, path))
        .map(({ path, stands_for }) => `${stands_for}${action.path.slice(path === "/" ? 0 : path.length)}`),
    );
    for (const known of [this.#objects.get(object), this.#linked?.get(object)]) {
      if (known !== undefined) names.add(known);
    }
    names.delete(action.path);
    let strictest: Ruling | undefined;
    for (const name of names) {
      const ruling = this.#snapshot.evaluate({ ...event, action: { ...action, path: name } });
      if (rank(ruling) <= rank(strictest)) continue;
      strictest = { ...ruling, reason: `it is also ${name}: ${ruling.reason}` };
    }
    return strictest;
  }
}

function rank(ruling: Ruling | undefined): number {
  return ruling?.verdict === "deny" ? 2 : ruling?.verdict === "ask" ? 1 : 0;
}

/** The resolved name of a place, and the names that second mounts give to it. */
function otherNames(place: string, mounts: readonly Mount[]): readonly OtherName[] {
  if (!place.startsWith("/")) return [];
  const real = resolved(place);
  const others = real === place
    ? otherPlaces(mounts, place)
    : [{ path: real, below: "" }, ...otherPlaces(mounts, place), ...otherPlaces(mounts, real)];
  return others.map(({ path, below }) => ({ path, stands_for: `${place === "/" ? "" : place}${below}` }));
}

/** The name with the links of what exists of it followed. */
function resolved(path: string): string {
  for (let at = path; at !== "/"; at = dirname(at)) {
    try {
      const real = realpathSync(at);
      return `${real === "/" ? "" : real}${path.slice(at.length)}`;
    } catch {
      // not there, or not now: the directory above is
    }
  }
  return path;
}

function objectOf(path: string): readonly (readonly [string, string])[] {
  try {
    return [[objectKey(statSync(path, { bigint: true })), path]];
  } catch {
    return []; // nothing has that name now
  }
}

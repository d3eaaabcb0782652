/**
 * What a rule about a name says of a change that reaches, or would give away, the same object by another name: hard
 * links, renames of a protected file or of a directory above it, and files put in the place of a protected one.
 */
import { statSync } from "node:fs";
import type { Action, Clock, Event, Ruling } from "../core/mod.ts";
import { type PolicySnapshot, type ProtectedPlace, protectedPlaces } from "../decide/mod.ts";
import type { HeldChange, NeededObject } from "../../ffi/mod.ts";
import { linkedFiles, objectKey, objectOfKey } from "./linked_files.ts";

/** How long it is remembered which object has a protected name, milliseconds. */
const OBJECTS_MS = 1_000;

/** What is needed beside a policy. */
export interface OtherNamesOptions {
  /** What `~` stands for. */
  readonly home: string | undefined;
  readonly clock: Clock;
  /** Called before files are looked at: the thread may be acting for somebody else. */
  readonly settle: () => void;
  /** Hears of every object that has a protected name, and for how long nobody will look again. */
  readonly known: (objects: readonly NeededObject[], lasts_ms: number) => void;
}

/** The places of one policy. */
export class OtherNames {
  readonly #snapshot: PolicySnapshot;
  readonly #options: OtherNamesOptions;
  readonly #places: readonly ProtectedPlace[];
  readonly #speaks_of_files: boolean;
  #objects: ReadonlyMap<string, string> = new Map();
  #objects_until_us = -Infinity;
  /** Searched for once, when a file with several names is first met: the session cannot make more of them. */
  #linked_below: ReadonlyMap<string, string> | undefined;

  constructor(snapshot: PolicySnapshot, options: OtherNamesOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#places = protectedPlaces(snapshot, options.home);
    this.#speaks_of_files = snapshot.rules.some((rule) => rule.actions.some((action) => action.startsWith("file.")));
  }

  /** The strictest thing that another name gives reason for; `undefined` where none does. */
  ruling(event: Event, change: HeldChange): Ruling | undefined {
    if (this.#places.length === 0 && !this.#speaks_of_files) return undefined;
    const { kind } = change;
    const found: (Ruling | undefined)[] = [];
    if (kind === "link" || kind === "rename") {
      found.push(this.#as(event, "file.read", change.path), this.#as(event, "file.write", change.path));
      found.push(this.#as(event, change.new_exists ? "file.write" : "file.create", change.new_path));
    }
    if (kind === "rename" && change.directory) found.push(this.#above(change.path));
    if (kind === "symlink") found.push(this.#as(event, "file.create", change.new_path));
    if (change.exists && !change.directory && change.links > 1) found.push(this.#linked(event, change));
    return found.reduce((a, b) => rank(b) > rank(a) ? b : a, undefined);
  }

  /** What the policy would say of an open of that name. */
  #as(event: Event, type: "file.read" | "file.write" | "file.create", path: string): Ruling | undefined {
    const action: Action = { type, path, result: "0" };
    const ruling = this.#snapshot.evaluate({ ...event, action });
    if (ruling.rule === undefined || rank(ruling) === 0) return undefined;
    return { ...ruling, reason: `another name would take its place: ${ruling.reason}` };
  }

  /** A directory above a protected place would take it along. */
  #above(path: string): Ruling | undefined {
    const place = this.#places.find((each) => each.path === path || each.path.startsWith(`${path}/`));
    if (place === undefined) return undefined;
    const { verdict, rule, rule_index } = place;
    const reason = `rule "${rule}" is about ${place.path}, which would have another name`;
    return { verdict, rule, rule_index, reason, mode: "enforce" };
  }

  /** The object has several names: one of them may be protected. */
  #linked(event: Event, { dev, ino, path }: HeldChange): Ruling | undefined {
    const object = objectKey({ dev, ino });
    this.#options.settle();
    this.#lookAgain();
    const name = this.#objects.get(object) ?? this.#linked_below?.get(object);
    if (name === undefined || name === path) return undefined;
    if (!("path" in event.action)) return undefined;
    const ruling = this.#snapshot.evaluate({ ...event, action: { ...event.action, path: name } });
    if (rank(ruling) === 0) return undefined;
    return { ...ruling, reason: `it is also ${name}: ${ruling.reason}` };
  }

  /** Finds out which objects have protected names, where that is not known well enough. */
  #lookAgain(): void {
    const { clock, known } = this.#options;
    const now_us = clock.monotonicUs();
    if (now_us < this.#objects_until_us) return;
    this.#linked_below ??= linkedFiles(this.#places.filter((each) => !each.exact).map((each) => each.path));
    const objects = new Map<string, string>();
    for (const { path, exact } of this.#places) {
      if (!exact) continue;
      const info = statSync(path, { bigint: true, throwIfNoEntry: false });
      if (info !== undefined) objects.set(objectKey(info), path);
    }
    this.#objects = objects;
    this.#objects_until_us = now_us + OBJECTS_MS * 1_000;
    known([...objects.keys(), ...this.#linked_below.keys()].map((key) => objectOfKey(key)), OBJECTS_MS);
  }
}

function rank(ruling: Ruling | undefined): number {
  return ruling?.verdict === "deny" ? 2 : ruling?.verdict === "ask" ? 1 : 0;
}

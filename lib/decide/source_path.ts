/** Places of keys and list elements that are looked up when somebody asks: a policy without a finding pays nothing. */
import type { Position } from "./diagnostic.ts";
import { LineIndex, type Place, scanPlaces } from "./positions.ts";

/** The places of one text, which is scanned at the first question. */
export class SourceMap {
  readonly file: string;
  readonly #text: string;
  #root: Place | undefined;
  #lines: LineIndex | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
  }

  /** The tree of places. */
  get root(): Place {
    return this.#root ??= scanPlaces(this.#text);
  }

  /** The position of an offset. */
  position(offset: number): Position {
    this.#lines ??= new LineIndex(this.file, this.#text);
    return this.#lines.position(offset);
  }
}

/** A key or list element, named by the road to it from the top of its file. It is a position that is looked up late. */
export class SourcePath implements Position {
  readonly #map: SourceMap;
  readonly #parent: SourcePath | undefined;
  readonly #step: string | number;
  #found: Position | undefined;

  /** The top of a file has neither parent nor step. */
  constructor(map: SourceMap, parent?: SourcePath, step: string | number = "") {
    this.#map = map;
    this.#parent = parent;
    this.#step = step;
  }

  get file(): string {
    return this.#map.file;
  }

  /** From 1. What has no place of its own (a key written with escapes, say) has that of what it lies in. */
  get line(): number {
    return this.#position().line;
  }

  /** From 1, in UTF-16 units. */
  get column(): number {
    return this.#position().column;
  }

  /** A key of this table, or an element of this list. */
  below(step: string | number): SourcePath {
    return new SourcePath(this.#map, this, step);
  }

  #position(): Position {
    return this.#found ??= this.#map.position(this.#place().place.offset);
  }

  /** The nearest place that is known, and whether it is this one. */
  #place(): { readonly place: Place; readonly own: boolean } {
    if (this.#parent === undefined) return { place: this.#map.root, own: true };
    const above = this.#parent.#place();
    if (!above.own) return above;
    const found = typeof this.#step === "number" ? above.place.item(this.#step) : above.place.key(this.#step);
    return found === undefined ? { place: above.place, own: false } : { place: found, own: true };
  }
}

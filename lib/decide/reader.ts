/** Reads values out of a TOML table, with the place of each and an error for each that does not fit. */
import { type ActionType, LIMITS } from "../core/mod.ts";
import { type Diagnostics, type Position, quote } from "./diagnostic.ts";
import type { SourcePath } from "./source_path.ts";
import { didYouMean } from "./suggest.ts";
import { isTable, type Table } from "./toml.ts";

/** Elements of one list. */
const ELEMENTS_MAX = 20_000;

/** A value with its place. */
export interface Located<T> {
  readonly value: T;
  readonly position: Position;
}

/** What an action pattern stands for; `named` are the types that it writes out. */
export interface ParsedActions {
  readonly all: readonly ActionType[];
  readonly named: readonly ActionType[];
}

/** What all readers of one file share. */
export interface ReadContext {
  readonly diagnostics: Diagnostics;
  /** Action patterns already expanded: many rules share a few. */
  readonly actions: Map<string, ParsedActions>;
  /** Patterns that the file may still have, after braces are expanded. */
  readonly budget: PatternBudget;
}

/** Counts the patterns of one file, so that memory stays in proportion to a sensible file. */
export class PatternBudget {
  #left: number;

  /** `max` patterns are allowed. */
  constructor(max: number) {
    this.#left = max;
  }

  /** Takes `count`; false once nothing is left. */
  take(count: number): boolean {
    this.#left -= count;
    return this.#left >= 0;
  }

  /** True if more was asked for than there was. */
  get exceeded(): boolean {
    return this.#left < 0;
  }
}

/** One table. Each getter reports a wrong type once and then behaves as if the key were absent. */
export class TableReader {
  readonly table: Table;
  readonly context: ReadContext;
  /** Where the table begins. */
  readonly position: SourcePath;

  constructor(table: Table, path: SourcePath, context: ReadContext) {
    this.table = table;
    this.position = path;
    this.context = context;
  }

  /** Where a key stands. */
  at(key: string): SourcePath {
    return this.position.below(key);
  }

  /** True if the key is there. */
  has(key: string): boolean {
    return Object.hasOwn(this.table, key);
  }

  /** Reports every key that is not among `known`; `explain` may give a better message for some. */
  refuseUnknown(known: readonly string[], explain?: (key: string) => string | undefined): void {
    for (const key of Object.keys(this.table)) {
      if (known.includes(key)) continue;
      if (this.context.diagnostics.full) {
        this.error(key, "unknown key");
        continue;
      }
      const better = explain?.(key);
      if (better === undefined) this.error(key, `unknown key ${quote(key)}`, didYouMean(key, known));
      else this.error(key, better);
    }
  }

  /** Adds an error at a key. */
  error(key: string, message: string, suggestion?: string): void {
    this.context.diagnostics.error(this.at(key), message, suggestion);
  }

  /** A string. */
  string(key: string): string | undefined {
    const value = this.table[key];
    if (value === undefined) return undefined;
    if (typeof value === "string") return value;
    this.error(key, `${key} is ${typeName(value)}, not a string`);
    return undefined;
  }

  /** A whole number within bounds. */
  integer(key: string, bounds: { readonly min: number; readonly max: number }): number | undefined {
    const value = this.table[key];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= bounds.min && value <= bounds.max) {
      return value;
    }
    const found = typeof value === "number" ? String(value) : typeName(value);
    this.error(key, `${key} is ${found}, not a whole number from ${bounds.min} to ${bounds.max}`);
    return undefined;
  }

  /** One of a few words. */
  word<Word extends string>(key: string, words: readonly Word[]): Word | undefined {
    const value = this.string(key);
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    if (found === undefined) {
      this.error(key, `${key} is ${quote(value)}, not one of ${words.join(", ")}`, didYouMean(value, words));
    }
    return found;
  }

  /** A string or a list of strings, each with its place. An empty list is an error: it would never match. */
  strings(key: string): readonly Located<string>[] | undefined {
    const single = this.table[key];
    if (typeof single === "string") return [{ value: single, position: this.at(key) }];
    const found: Located<string>[] = [];
    const elements = this.elements(key);
    for (const { value, position } of elements ?? []) {
      if (typeof value === "string") found.push({ value, position });
      else this.context.diagnostics.error(position, `${key} has ${typeName(value)} where a string belongs`);
    }
    return elements === undefined ? undefined : found;
  }

  /** The elements of a list, or the value itself as the only one. An empty list is an error. */
  elements(key: string): readonly Located<unknown>[] | undefined {
    const value = this.table[key];
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return [{ value, position: this.at(key) }];
    if (value.length === 0) this.error(key, `${key} is an empty list, which never matches`, "leave the key out");
    if (value.length > ELEMENTS_MAX) {
      this.error(key, `${key} has ${value.length} elements, the limit is ${ELEMENTS_MAX}`, "split the rule");
      return [];
    }
    const list = this.at(key);
    return value.map((element: unknown, i) => ({ value: element, position: list.below(i) }));
  }

  /** A table. */
  child(key: string): TableReader | undefined {
    const value = this.table[key];
    if (value === undefined) return undefined;
    if (isTable(value)) return new TableReader(value, this.at(key), this.context);
    this.error(key, `${key} is ${typeName(value)}, not a table`);
    return undefined;
  }

  /** A table, or a list of tables. */
  children(key: string): readonly TableReader[] {
    const value = this.table[key];
    if (value === undefined) return [];
    const path = this.at(key);
    if (isTable(value)) return [new TableReader(value, path, this.context)];
    if (!Array.isArray(value)) {
      this.error(key, `${key} is ${typeName(value)}, not a table or a list of tables`);
      return [];
    }
    return value.flatMap((element: unknown, i) => {
      const position = path.below(i);
      if (isTable(element)) return [new TableReader(element, position, this.context)];
      this.context.diagnostics.error(position, `${key} has ${typeName(element)} where a table belongs`);
      return [];
    });
  }
}

/** Reports a text over the pattern limit; true if it fits. */
export function fitsPattern(text: string, position: Position, diagnostics: Diagnostics): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8, so short texts need no count.
  if (text.length * 3 <= LIMITS.pattern_bytes_max) return true;
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= LIMITS.pattern_bytes_max) return true;
  diagnostics.error(
    position,
    `pattern has ${bytes} bytes, the limit (pattern_bytes_max) is ${LIMITS.pattern_bytes_max}`,
  );
  return false;
}

/** A TOML type for messages, with its article. */
export function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  switch (typeof value) {
    case "string":
      return "a string";
    case "number":
      return "a number";
    case "bigint":
      return "a number";
    case "boolean":
      return "a boolean";
    default:
      return "a table";
  }
}

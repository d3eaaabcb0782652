/** Values of an action as a person gives them: in a rule, in a suite, on a command line. */
import type { FactValues } from "./said_facts.ts";
import type { Table } from "./toml.ts";

/** Why the values make no event; `key` is the value to blame, where there is one. */
export interface FieldProblem {
  readonly key?: string;
  readonly message: string;
}

/** Without the keys whose value is `undefined`. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in fields) {
    const value = fields[key];
    if (isDefined(value)) kept[key] = value;
  }
  return kept;
}

function isDefined<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined;
}

/** Typed access to the values; the first problem is kept. */
export class FieldValues implements FactValues {
  readonly #fields: Table;
  readonly #home: string;
  /** The values are from a command line, which gives texts only: they are read. */
  readonly #texts: boolean;
  problem: FieldProblem | undefined;

  constructor(fields: Table, { home, texts }: { readonly home: string; readonly texts: boolean }) {
    this.#fields = fields;
    this.#home = home;
    this.#texts = texts;
  }

  fail(problem: string): void {
    this.problem ??= { message: problem };
  }

  refuse(key: string, message: string): void {
    this.problem ??= { key, message };
  }

  text(key: string): string | undefined {
    const value = this.#fields[key];
    if (value === undefined || typeof value === "string") return value;
    this.refuse(key, `${key} is not a string`);
    return undefined;
  }

  number(key: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#fields[key];
    if (value === undefined) return undefined;
    const number = this.#texts && typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= max) return number;
    this.refuse(key, `${key} is not a whole number from 0 to ${max}`);
    return undefined;
  }

  list(key: string): readonly string[] {
    const value = this.#fields[key];
    if (value === undefined) return [];
    if (typeof value === "string") return [value];
    if (Array.isArray(value) && value.every((element) => typeof element === "string")) return value;
    this.refuse(key, `${key} is not a list of strings`);
    return [];
  }

  /** A path, with `~` as the home directory. */
  path(key: string): string | undefined {
    const text = this.text(key);
    return text !== undefined && /^~(?:\/|$)/.test(text) ? this.#home + text.slice(1) : text;
  }

  /** A path, or the bare name of a program in /usr/bin. */
  program(key: string): string | undefined {
    const path = this.path(key);
    return path === undefined || path.includes("/") ? path : `/usr/bin/${path}`;
  }

  /** A value of any form; on a command line a text is read as JSON where it is JSON. */
  value(key: string): unknown {
    const value = this.#fields[key];
    if (typeof value !== "string" || !this.#texts) return value;
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  }

  needPath(key: string): string {
    return this.path(key) ?? this.need(key);
  }

  need(key: string): string {
    this.problem ??= { message: `it needs ${key}` };
    return "";
  }
}

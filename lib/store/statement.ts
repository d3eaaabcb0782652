/** A prepared statement whose failures name the file. */
import type { Statement as BunStatement } from "bun:sqlite";
import { storeError } from "./errors.ts";

/** What a column holds and a parameter takes. Integers beyond 2^53 come back rounded. */
export type SqlValue = string | number | Uint8Array | null;

/** One row by column name. */
export type Row = Readonly<Record<string, SqlValue>>;

/** A prepared statement of a `Store`; usable until the store is closed. Every method throws what `storeError` makes. */
export class Statement {
  readonly #native: BunStatement<Row, SqlValue[]>;
  readonly #path: string;

  /** Made by `Store.prepare`. */
  constructor(native: BunStatement<Row, SqlValue[]>, path: string) {
    this.#native = native;
    this.#path = path;
  }

  /** Runs it; gives the number of changed rows. */
  run(...parameters: SqlValue[]): number {
    try {
      return this.#native.run(...parameters).changes;
    } catch (thrown) {
      throw storeError(thrown, "write", this.#path);
    }
  }

  /** The first row. */
  get(...parameters: SqlValue[]): Row | undefined {
    try {
      return this.#native.get(...parameters) ?? undefined;
    } catch (thrown) {
      throw storeError(thrown, "read", this.#path);
    }
  }

  /** All rows; the statement's own LIMIT is what bounds them. */
  all(...parameters: SqlValue[]): readonly Row[] {
    try {
      return this.#native.all(...parameters);
    } catch (thrown) {
      throw storeError(thrown, "read", this.#path);
    }
  }

  /** Frees it. The store does this at its own end. */
  finalize(): void {
    this.#native.finalize();
  }
}

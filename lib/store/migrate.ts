/** The schema's versions: an ordered literal list, each step one transaction, counted in `PRAGMA user_version`. */
import { AgentguardError } from "../core/mod.ts";
import type { Store } from "./store.ts";

/**
 * What leads from version n to n + 1, where n is the step's index in the list: statements, and functions for what
 * statements cannot say, in order and in one transaction. Never edited once shipped.
 */
export type Migration = readonly (string | ((store: Store) => void))[];

/** What a schema consists of. */
export interface Schema {
  /** Marks the file as this product's and of this kind (`PRAGMA application_id`), 1 to 2^31 - 1. */
  readonly application_id: number;
  /** Names the kind in messages, for example `record`. */
  readonly name: string;
  readonly migrations: readonly Migration[];
}

/**
 * Brings the file to the newest version. Throws `unsupported` for a version that this program does not know, `tamper`
 * for a database of another kind, and what the statements throw (then that step is undone and the ones before it stay).
 */
export function migrate(target: Store, schema: Schema): void {
  for (let version = checkedVersion(target, schema); version < schema.migrations.length; version++) {
    target.transaction(() => {
      for (const step of schema.migrations[version] ?? []) {
        if (typeof step === "string") target.exec(step);
        else step(target);
      }
      target.exec(`PRAGMA application_id = ${schema.application_id}`);
      target.exec(`PRAGMA user_version = ${version + 1}`);
    });
  }
}

/**
 * Checks that the file can be read as it is, without changing it. Throws `not_found` for an empty database,
 * `unsupported` for a version that is older or newer than this program's, `tamper` for a database of another kind.
 */
export function requireCurrent(target: Store, schema: Schema): void {
  const version = checkedVersion(target, schema);
  if (version === schema.migrations.length) return;
  if (version === 0) {
    throw new AgentguardError("not_found", `open ${target.path}: the ${schema.name} is empty; guard something first`);
  }
  throw new AgentguardError(
    "unsupported",
    `open ${target.path}: schema ${version} is older than ${schema.migrations.length}, which this version reads; ` +
      "start the guard on it once to bring it up to date",
  );
}

function checkedVersion(target: Store, schema: Schema): number {
  const version = target.integer("PRAGMA user_version");
  const kind = target.integer("PRAGMA application_id");
  const fresh = version === 0 && kind === 0 && target.integer("SELECT count(*) FROM sqlite_schema") === 0;
  if (!fresh && kind !== schema.application_id) {
    throw new AgentguardError(
      "tamper",
      `open ${target.path}: it is a database, but not a ${schema.name}; move it away, or name another directory`,
    );
  }
  if (version > schema.migrations.length) {
    throw new AgentguardError(
      "unsupported",
      `open ${target.path}: schema ${version} is newer than ${schema.migrations.length}, the newest that this ` +
        `version knows; use the version of agentguard that wrote it`,
    );
  }
  return version;
}

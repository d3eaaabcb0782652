/** The standing grants of one guard: kept in a file of their own, verified when it is opened, found by question. */
import { AgentguardError, errorMessage, type GrantView, type WallUs } from "../core/mod.ts";
import { openStore, type Schema, type Store } from "../store/mod.ts";
import { answers, type Grant, grantBody, grantMac, type GrantQuestion, grantView, openGrant } from "./grant.ts";
import { APPROVAL_LIMITS } from "./limits.ts";

/** File name in the state directory. */
export const GRANTS_FILE = "grants.db";

/** `body` is canonical JSON, `mac` its signature under the state directory's key. */
const GRANTS_SCHEMA: Schema = {
  application_id: 0x41474150,
  name: "file of grants",
  migrations: [[
    "CREATE TABLE grants (grant_id TEXT PRIMARY KEY, body TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID",
  ]],
};

/** What is needed to open them. */
export interface GrantsParts {
  /** Absolute path of the file. */
  readonly path: string;
  /** 32 bytes that only the guard's user can read. */
  readonly key: Uint8Array;
  readonly now_us: WallUs;
  /** Told of each stored grant that is not as it was signed, and is therefore ignored. */
  readonly onTampered: (detail: string) => void;
}

/** Grants that hold beyond their session are durable when `add` returns. Dispose it. */
export class Grants implements Disposable {
  readonly #store: Store;
  readonly #key: Uint8Array;
  readonly #grants: Map<string, Grant> = new Map();
  readonly #uses: Map<string, number> = new Map();

  /** Opens the file, made with mode 0600 where it is missing. Throws what opening a store throws. */
  constructor(parts: GrantsParts) {
    this.#key = parts.key;
    this.#store = openStore(parts.path, { mode: "write", schema: GRANTS_SCHEMA });
    try {
      this.#load(parts);
    } catch (thrown) {
      this.#store.close();
      throw thrown;
    }
  }

  /** The first grant that answers the question; its use is counted. */
  use(question: GrantQuestion, wall_us: WallUs): Grant | undefined {
    for (const grant of this.#grants.values()) {
      if (!answers(grant, question, wall_us)) continue;
      this.#uses.set(grant.grant_id, (this.#uses.get(grant.grant_id) ?? 0) + 1);
      return grant;
    }
    return undefined;
  }

  /** True if there is room for another one, after those that expired are gone. */
  hasRoom(wall_us: WallUs): boolean {
    this.#purge(wall_us);
    return this.#grants.size < APPROVAL_LIMITS.grants_max;
  }

  /** Takes a grant; durable when this returns unless it is of one session. Throws `overflow`, and as storing does. */
  add(grant: Grant): void {
    if (this.#grants.size >= APPROVAL_LIMITS.grants_max) {
      throw new AgentguardError("overflow", `revoke a standing grant first: there are ${APPROVAL_LIMITS.grants_max}`);
    }
    if (grant.session_id === undefined) {
      const body = grantBody(grant);
      this.#store.prepare("INSERT INTO grants (grant_id, body, mac) VALUES (?, ?, ?)")
        .run(grant.grant_id, body, grantMac(this.#key, body));
    }
    this.#grants.set(grant.grant_id, grant);
  }

  /** Ends a grant; durable when this returns. The grant that it was, or `undefined` where there is none. */
  revoke(grant_id: string): Grant | undefined {
    const grant = this.#grants.get(grant_id);
    if (grant === undefined) return undefined;
    this.#delete([grant]);
    return grant;
  }

  /** Ends the grants of a session that has ended. */
  endSession(session_id: string): void {
    for (const grant of this.#grants.values()) if (grant.session_id === session_id) this.#forget(grant.grant_id);
  }

  /** Those that hold now, oldest first. */
  list(wall_us: WallUs): readonly GrantView[] {
    this.#purge(wall_us);
    const sorted = [...this.#grants.values()].sort((a, b) => a.grant_id < b.grant_id ? -1 : 1);
    return sorted.map((grant) => grantView(grant, this.#uses.get(grant.grant_id) ?? 0));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#store.close();
  }

  #load(parts: GrantsParts): void {
    const rows = this.#store.all("SELECT grant_id, body, mac FROM grants ORDER BY grant_id LIMIT ?", [
      APPROVAL_LIMITS.grants_max,
    ]);
    for (const row of rows) {
      const { grant_id, body, mac } = row;
      const grant = typeof body === "string" && mac instanceof Uint8Array ? this.#open(body, mac) : undefined;
      if (grant === undefined || grant.grant_id !== grant_id) {
        parts.onTampered(`the standing grant ${String(grant_id).slice(0, 64)} is not as it was signed: it is ignored`);
      } else this.#grants.set(grant.grant_id, grant);
    }
    this.#purge(parts.now_us);
  }

  #open(body: string, mac: Uint8Array): Grant | undefined {
    try {
      return openGrant(this.#key, body, mac);
    } catch (thrown) {
      // Signed, and yet no JSON: only a damaged file or another version can be the cause, and neither is to be used.
      if (thrown instanceof SyntaxError) return undefined;
      throw new AgentguardError("io", `read a standing grant: ${errorMessage(thrown)}`, { cause: thrown });
    }
  }

  #purge(wall_us: WallUs): void {
    const over = [...this.#grants.values()].filter(({ expires_us }) =>
      expires_us !== undefined && wall_us >= expires_us
    );
    if (over.length > 0) this.#delete(over);
  }

  #delete(grants: readonly Grant[]): void {
    const statement = this.#store.prepare("DELETE FROM grants WHERE grant_id = ?");
    this.#store.transaction(() => {
      for (const { grant_id } of grants) statement.run(grant_id);
    });
    for (const { grant_id } of grants) this.#forget(grant_id);
  }

  #forget(grant_id: string): void {
    this.#grants.delete(grant_id);
    this.#uses.delete(grant_id);
  }
}

/** Which one-time codes were used, in a file: neither a reload of the policy nor a restart makes one count again. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { openStore, type Schema, type Store } from "../store/mod.ts";

/** File name in the state directory; made when a policy first asks for codes. */
export const CODES_FILE = "codes.db";

/** `secret_id` and `mac` are made with the state directory's key: the file tells nothing of the secret. */
const CODES_SCHEMA: Schema = {
  application_id: 0x4147434f,
  name: "file of used codes",
  migrations: [[
    "CREATE TABLE codes (secret_id TEXT PRIMARY KEY, step INTEGER NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID",
  ]],
};

/** What is needed to open it. */
export interface UsedCodesParts {
  /** Absolute path of the file. */
  readonly path: string;
  /** 32 bytes that only the guard's user can read. */
  readonly key: Uint8Array;
  /** Told of a line that is not as it was signed. */
  readonly onTampered: (detail: string) => void;
}

/** Time steps of the last used codes, by secret. Dispose it. */
export class UsedCodes implements Disposable {
  readonly #parts: UsedCodesParts;
  readonly #store: Store;

  /** Opens the file, made with mode 0600 where it is missing. Throws what opening a store throws. */
  constructor(parts: UsedCodesParts) {
    this.#parts = parts;
    this.#store = openStore(parts.path, { mode: "write", schema: CODES_SCHEMA });
  }

  /**
   * The step of the last code of a secret that was used, -1 for none. Of a line that somebody changed nobody can tell:
   * it becomes and gives `unknown`, the step that the caller takes for the last one then.
   */
  last(secret: Uint8Array, unknown: number): number {
    const id = this.#idOf(secret);
    const [row] = this.#store.all("SELECT step, mac FROM codes WHERE secret_id = ?", [id]);
    if (row === undefined) return -1;
    const { step, mac } = row;
    if (typeof step === "number" && mac instanceof Uint8Array) {
      const expected = this.#mac(`${id} ${step}`);
      if (mac.length === expected.length && timingSafeEqual(mac, expected)) return step;
    }
    this.#parts.onTampered("the time of the last one-time code is not as it was signed: codes up to now do not count");
    this.use(secret, unknown);
    return unknown;
  }

  /** A code of this step was used; durable when this returns. Throws as storing does. */
  use(secret: Uint8Array, step: number): void {
    const id = this.#idOf(secret);
    this.#store.prepare("INSERT OR REPLACE INTO codes (secret_id, step, mac) VALUES (?, ?, ?)")
      .run(id, step, this.#mac(`${id} ${step}`));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#store.close();
  }

  #idOf(secret: Uint8Array): string {
    return this.#mac(Buffer.concat([Buffer.from("secret "), secret])).toString("hex");
  }

  #mac(of: string | Uint8Array): Buffer {
    return createHmac("sha256", this.#parts.key).update("agentguard used code v1\n").update(of).digest();
  }
}

/** Opening a record for writing: the lock first, then the file, then a look at its end. */
import { join } from "node:path";
import { AgentguardError } from "../core/mod.ts";
import { openStore, type Store, WriterLock } from "../store/mod.ts";
import { RECORD_FILE, RECORD_LOCK_FILE, RECORD_SCHEMA } from "./schema.ts";
import { describeFault, verifyStore } from "./verify.ts";
import { readHead } from "./committer.ts";

/** Entries at the end that are verified before the writer goes on after them. */
const TAIL_ENTRIES = 1_024;

/** An opened record that nobody else writes. */
export interface OpenedRecord {
  readonly store: Store;
  readonly lock: WriterLock;
}

/** Opens for writing. Throws `busy`, `tamper`, `io`, `unsupported`; then nothing stays open. */
export function openForWriting(directory: string): OpenedRecord {
  const path = join(directory, RECORD_FILE);
  const lock = new WriterLock(join(directory, RECORD_LOCK_FILE), path);
  let store: Store | undefined;
  try {
    store = openStore(path, { mode: "write", schema: RECORD_SCHEMA });
    requireSoundEnd(store);
    return { store, lock };
  } catch (thrown) {
    store?.close();
    lock.release();
    throw thrown;
  }
}

/** Going on after a damaged end would bury the damage; so would starting again from one. */
function requireSoundEnd(store: Store): void {
  const from_seq = Math.max(1, readHead(store).seq - TAIL_ENTRIES + 1);
  const report = verifyStore(store, { from_seq });
  if (report.ok) return;
  throw new AgentguardError(
    "tamper",
    `open ${store.path}: ${describeFault(report)}; run agentguard audit verify, keep a copy as evidence, ` +
      "and move the file away to begin a new record",
  );
}

/** Makes the record that the golden vectors describe: fixed key, clock, ids and drafts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { IdGenerator } from "../../../lib/core/mod.ts";
import { entryOf, KEY_FILE, leafHash, openRecordReader, proveEntry, rotateKey } from "../../../lib/record/mod.ts";
import { noteOf } from "../../../lib/record/log_state.ts";
import { decision, observation, openWriter, storedTextOf, TestClock } from "./support.ts";

/** The seed of the key, 32 bytes. */
export const GOLDEN_SEED: Uint8Array = Uint8Array.from({ length: 32 }, (_, n) => n);
/** Entries of the record. */
export const GOLDEN_ENTRIES = 7;
/** Number of the entry that is proved. */
export const PROVED_SEQ = 3;

/** Everything that is compared. */
export interface GoldenVectors {
  /** Canonical texts, in order. */
  readonly lines: readonly string[];
  /** Texts as stored, without their ends. */
  readonly stored: readonly string[];
  /** Leaf hashes, hex. */
  readonly leaves: readonly string[];
  /** Roots of the trees of 0 to 7 entries, hex. */
  readonly roots: readonly string[];
  readonly public_key: string;
  readonly verifier_key: string;
  readonly checkpoint: string;
  /** Consistency proof from 3 to 7 entries, base64. */
  readonly consistency: readonly string[];
  readonly proof: unknown;
}

/** Writes the record into `directory`, which exists and is empty, and gives its vectors. */
export async function writeGolden(directory: string): Promise<GoldenVectors> {
  writeFileSync(join(directory, KEY_FILE), GOLDEN_SEED, { mode: 0o600 });
  const writer = openWriter(directory, { origin: "example.com/agentguard" });
  for (let n = 1; n < GOLDEN_ENTRIES; n++) writer.append(n % 2 === 0 ? decision(n) : observation(n));
  writer.append(observation(9, { principal: "caf\u00e9 \ud83d\ude00", action: ODD_CALL }));
  await writer.close();
  using reader = openRecordReader(directory);
  const lines = [...reader.query()].map((entry) => entry.line);
  const state = reader.state();
  const key = state?.keys[0]?.key;
  if (state === undefined || key === undefined) throw new Error("nothing was signed");
  const tree = reader.tree();
  const proved = entryOf({ seq: PROVED_SEQ, line: lines[PROVED_SEQ - 1] ?? "" });
  return {
    lines,
    stored: lines.map((_, n) => storedTextOf(directory, n + 1)),
    leaves: lines.map((line) => leafHash(line).toHex()),
    roots: Array.from({ length: GOLDEN_ENTRIES + 1 }, (_, size) => tree.root(size).toHex()),
    public_key: key.text,
    verifier_key: key.verifierKey(state.origin),
    checkpoint: noteOf(state, state.newest),
    consistency: tree.consistency(PROVED_SEQ, GOLDEN_ENTRIES).map((hash) => hash.toBase64()),
    proof: proveEntry(reader, proved.entry_id),
  };
}

/** Rotates the key of a record, with a new random one. */
export function rotate(directory: string): void {
  const clock = new TestClock();
  rotateKey(directory, { boot_id: "boot", clock, ids: new IdGenerator(clock) });
}

/** Numbers, escapes and keys that a careless serializer writes otherwise. */
const ODD_CALL = {
  type: "tool.call",
  tool: "t",
  source: "mcp",
  args: {
    "": 1,
    "10": 1e21,
    "9": 1e-7,
    "\u00e9": '\u0007\u001e\n"\\/\u2028',
    prev: "x",
    seq: -0,
    z: [null, true, 0.1],
  },
} as const;

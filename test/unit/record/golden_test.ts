/** Golden vectors of the record's format, and the second verifier, which shares no code with this one, on them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatTime, silentLog } from "../../../lib/core/mod.ts";
import {
  checkProof,
  type EntryProof,
  Keeper,
  openCheckpoint,
  openRecordReader,
  parseProof,
  parsePublicKey,
} from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { PYTHON, TempDir } from "../../support/mod.ts";
import golden from "./golden.json" with { type: "json" };
import { type GoldenVectors, rotate, writeGolden } from "./golden_record.ts";
import { openWriter, recordFile, rewriteText, START_US, tamper, TestClock } from "./support.ts";

// Starting python3 takes seconds on a busy machine.
setDefaultTimeout(60_000);

const VERIFIER = join(import.meta.dir, "../../../docs/verify_record.py");

let dir: TempDir;
let made: GoldenVectors;
beforeAll(async () => {
  dir = await TempDir.create();
  made = await writeGolden(dir.path);
});
afterAll(() => dir[Symbol.asyncDispose]());

/** Runs the second verifier; gives its exit code and what it says. */
function python(...argv: readonly string[]): { readonly code: number; readonly said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([PYTHON, VERIFIER, ...argv]);
  return { code: exitCode, said: `${stdout}${stderr}` };
}

function proofFile(proof: unknown): string {
  const file = dir.join("proof.json");
  writeFileSync(file, JSON.stringify(proof));
  return file;
}

test.each(Object.keys(golden))("%s: as in the vectors", (name) => {
  expect(Object.entries(made).find(([key]) => key === name)?.[1]).toEqual(
    Object.entries(golden).find(([key]) => key === name)?.[1],
  );
});

test("this verifier takes the golden proof and checkpoint", () => {
  const key = parsePublicKey(golden.verifier_key);
  const proof = parseProof(JSON.stringify(golden.proof));
  if (!key.ok || !proof.ok) throw new Error("vectors are malformed");
  expect(openCheckpoint(golden.checkpoint, key.value)).toMatchObject({ ok: true, value: { size: 7 } });
  expect(checkProof(proof.value, key.value)).toMatchObject({ ok: true, value: { seq: 3 } });
});

test("the second verifier is short, and needs nothing but python3", async () => {
  const source = await Bun.file(VERIFIER).text();
  expect(source.trimEnd().split("\n").length).toBeLessThan(150);
  const imports = [...source.matchAll(/^(?:import|from) (.*)$/gm)].flatMap(([, names]) => (names ?? "").split(", "));
  const standard = ["argparse", "base64", "hashlib", "json", "os", "re", "sqlite3", "sys", "urllib.parse"];
  expect(imports.sort()).toEqual(standard);
});

test("the second verifier takes the golden proof", () => {
  const { code, said } = python("--key", golden.public_key, proofFile(golden.proof));
  expect([code, said]).toEqual([0, "ok: entry 3 of 7 in example.com/agentguard\n"]);
});

const { proof } = golden;
test.each<[string, EntryProof | Record<string, unknown>, string]>([
  ["another entry", { ...proof, entry: proof.entry.replace("/w/3", "/w/4") }, "does not lead to the signed root"],
  ["another number", { ...proof, seq: 4 }, "another number"],
  ["another place", { ...proof, leaf_index: 3 }, "another number"],
  ["another id", { ...proof, entry_id: "01KDYAK3480000000000000009" }, "number or id"],
  ["another size", { ...proof, tree_size: 6 }, "size"],
  ["a shorter path", { ...proof, inclusion_path: proof.inclusion_path.slice(1) }, "does not lead to the signed root"],
  ["a turned path", { ...proof, inclusion_path: proof.inclusion_path.toReversed() }, "does not lead to"],
  ["another root", { ...proof, checkpoint: proof.checkpoint.replace("\n7\n", "\n8\n") }, "signature"],
  ["another name", { ...proof, checkpoint: proof.checkpoint.replace("example", "exemple") }, "not signed by"],
])("both verifiers refuse a proof with %s", (_name, changed, why) => {
  const { code, said } = python("--key", golden.public_key, proofFile(changed));
  expect(code).toBe(1);
  expect(said).toContain("FALSE: ");
  const [key, parsed] = [parsePublicKey(golden.public_key), parseProof(JSON.stringify(changed))];
  if (!key.ok || !parsed.ok) throw new Error("vectors are malformed");
  const checked = checkProof(parsed.value, key.value);
  expect(checked.ok ? "" : checked.error).toContain(why);
});

test("both verifiers refuse another key", () => {
  const other = new Uint8Array(32).fill(1).toBase64();
  expect(python("--key", other, proofFile(golden.proof)).said).toContain("not signed by the key");
  expect(python("--key", other, "--db", recordFile(dir.path))).toMatchObject({ code: 1 });
});

test("the second verifier takes the whole record, also after a key change and against a kept checkpoint", async () => {
  await using copy = await TempDir.create();
  for (const name of ["record.db", "signing.key"]) copyFileSync(dir.join(name), copy.join(name));
  const kept = copy.join("kept.txt");
  writeFileSync(kept, golden.checkpoint);
  const argv = ["--key", golden.public_key, "--db", recordFile(copy.path), "--from", kept];
  expect(python(...argv)).toMatchObject({ code: 0, said: "ok: 7 entries, 2 checkpoints of example.com/agentguard\n" });
  rotate(copy.path);
  expect(python(...argv)).toMatchObject({ code: 0, said: "ok: 8 entries, 3 checkpoints of example.com/agentguard\n" });
});

test.each<[string, (directory: string) => void, string]>([
  ["an edited text", (at) => rewriteText(at, 3, (text) => text.replace("/w/3", "/w/4")), "entry 3, or"],
  ["a removed entry", (at) => rewriteText(at, 3, () => undefined), "entry 3, or"],
  ["no texts", (at) => tamper(at, "DELETE FROM texts"), "the record has 0 entries"],
  ["another root", (at) => tamper(at, "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 7"), "up to 7"],
  ["another signature", (at) => tamper(at, "UPDATE checkpoints SET signature = zeroblob(64)"), "signature is wrong"],
  ["an older end", (at) => tamper(at, "DELETE FROM checkpoints WHERE size = 7"), "covers another number"],
])("the second verifier finds %s", async (_name, change, why) => {
  await using copy = await TempDir.create();
  copyFileSync(recordFile(dir.path), recordFile(copy.path));
  change(copy.path);
  const { code, said } = python("--key", golden.public_key, "--db", recordFile(copy.path));
  expect(code).toBe(1);
  expect(said).toContain(why);
});

describe("a record of which entries were pruned", () => {
  /** Entries 1 to 6 of 7 go: entry 8 says so. */
  async function prunedCopy(): Promise<TempDir> {
    const copy = await TempDir.create();
    for (const name of ["record.db", "signing.key"]) copyFileSync(dir.join(name), copy.join(name));
    const clock = new TestClock();
    await using writer = openWriter(copy.path, { clock });
    const keep = { keep_ms: undefined, max_bytes: undefined, keep_sessions: undefined };
    using keeper = new Keeper(writer, { clock, timers: systemTimers, log: silentLog, keep });
    const until = formatTime(START_US + 6);
    await keeper.request({ op: "erase", terms: { until }, reason: undefined, dry_run: false });
    return copy;
  }

  test("both verifiers accept it and say how many", async () => {
    await using copy = await prunedCopy();
    const said = "ok: 8 entries, 3 checkpoints of example.com/agentguard, 6 pruned\n";
    expect(python("--key", golden.public_key, "--db", recordFile(copy.path))).toMatchObject({ code: 0, said });
    using reader = openRecordReader(copy.path);
    expect(reader.verify({ structure: true })).toMatchObject({ ok: true, pruned: { entries: 6, ranges: [[1, 6]] } });
  });

  test.each<[string, (directory: string) => void, string]>([
    ["one more text that is gone", (at) => rewriteText(at, 7, () => ""), "the text of entry 7 is gone"],
    ["no entry that says so", (at) => rewriteText(at, 8, () => ""), "the text of entry 1 is gone"],
    [
      "another hash in a pruned place",
      (at) => tamper(at, "UPDATE tiles SET data = CAST(substr(data, 1, 32) || x'00' || substr(data, 34) AS BLOB)"),
      "entries up to",
    ],
  ])("both refuse %s", async (_name, change, why) => {
    await using copy = await prunedCopy();
    change(copy.path);
    const { code, said } = python("--key", golden.public_key, "--db", recordFile(copy.path));
    expect(code).toBe(1);
    expect(said).toContain(why);
    using reader = openRecordReader(copy.path);
    expect(reader.verify().ok).toBe(false);
  });
});

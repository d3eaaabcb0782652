/** Opening for writing: the key, what happened before, and what does not verify. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { AgentguardError } from "../../../lib/core/mod.ts";
import { entryOf, KEY_FILE, openRecordReader, RECORD_FILE, rotateKey } from "../../../lib/record/mod.ts";
import { createSigningKey, NEW_KEY_FILE, readSigningKey } from "../../../lib/record/signing_key.ts";
import { TempDir } from "../../support/mod.ts";
import { KeptLog, observation, openWriter, rewriteText, tamper, TestClock, testIds } from "./support.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

async function write(count: number, directory: string = dir.path): Promise<void> {
  const writer = openWriter(directory);
  for (let n = 1; n <= count; n++) writer.append(observation(n));
  await writer.close();
}

function catchError(body: () => unknown): AgentguardError | undefined {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AgentguardError) return thrown;
    throw thrown;
  }
  return undefined;
}

/** What each entry of the guard says. */
function notices(): string[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query({ kind: "guard" })].map((stored) => {
    const { action } = entryOf(stored);
    return action !== undefined && "detail" in action ? `${action.type}: ${action.detail}` : "";
  });
}

function keyFile(): string {
  return dir.join(KEY_FILE);
}

test("a new record has a key of its own, private from its first moment, and a checkpoint of nothing", async () => {
  await write(0);
  const { mode, size } = statSync(keyFile());
  expect([mode & 0o7777, size, existsSync(dir.join(NEW_KEY_FILE))]).toEqual([0o600, 32, false]);
  using reader = openRecordReader(dir.path);
  const state = reader.state();
  expect(state?.newest.size).toBe(0);
  expect(state?.origin).toMatch(/^agentguard\/[A-Za-z0-9._-]+\/[0-9a-f]{8}$/);
  expect(state?.keys.map(({ since_seq }) => since_seq)).toEqual([0]);
});

test("the mode of a key does not come from the umask", async () => {
  const before = process.umask(0);
  try {
    await write(0);
  } finally {
    process.umask(before);
  }
  expect(statSync(keyFile()).mode & 0o7777).toBe(0o600);
});

test.each<[string, () => void, RegExp]>([
  ["too short", () => writeFileSync(keyFile(), new Uint8Array(31)), /has 31 bytes, not 32; restore the key/],
  ["too long", () => writeFileSync(keyFile(), new Uint8Array(33)), /has 33 bytes, not 32; restore the key/],
  ["readable by others", () => chmodSync(keyFile(), 0o640), /its mode is 0640: .*; rotate the key after chmod 600 /],
  ["a directory", () => void (rmSync(keyFile()), Bun.spawnSync(["mkdir", keyFile()])), /it is no regular file/],
  [
    "a symbolic link",
    () => void (renameSync(keyFile(), dir.join("elsewhere")), symlinkSync(dir.join("elsewhere"), keyFile())),
    /make it a regular file/,
  ],
])("a key file that is %s is refused with the fix", async (_name, change, message) => {
  await write(1);
  change();
  const thrown = catchError(() => openWriter(dir.path));
  expect(thrown?.message).toMatch(message);
  expect(thrown?.message).toContain(keyFile());
});

test.skipIf(process.getuid?.() !== 0)(
  "a key file of another user is refused (needs root to change the owner)",
  async () => {
    await write(1);
    Bun.spawnSync(["chown", "12345", keyFile()]);
    expect(catchError(() => openWriter(dir.path))?.message).toContain("its owner is uid 12345, not 0; chown 0 ");
  },
);

test("a key that is missing, or another one, does not continue the record", async () => {
  await write(2);
  renameSync(keyFile(), dir.join("kept"));
  expect(catchError(() => openWriter(dir.path))).toMatchObject({
    code: "tamper",
    message: expect.stringContaining("is missing; restore it from a backup"),
  });
  expect(existsSync(keyFile())).toBe(false);
  writeFileSync(keyFile(), new Uint8Array(32).fill(7), { mode: 0o600 });
  expect(catchError(() => openWriter(dir.path))).toMatchObject({
    code: "tamper",
    message: expect.stringContaining("it is signed by another key"),
  });
});

test("a key that was there before the record is used", async () => {
  writeFileSync(keyFile(), new Uint8Array(32).fill(7), { mode: 0o400 });
  const writer = openWriter(dir.path, { origin: "example.com/log" });
  writer.append(observation(1));
  await writer.close();
  using reader = openRecordReader(dir.path);
  const key = readSigningKey(dir.path, KEY_FILE)?.public_key;
  if (key === undefined) throw new Error("no key");
  expect(reader.verify({ key })).toMatchObject({ ok: true, key_trusted: true });
  expect(reader.state()?.origin).toBe("example.com/log");
});

test("the origin of a record is fixed, and must be a name", async () => {
  expect(catchError(() => openWriter(dir.path, { origin: "a b" }))?.code).toBe("config");
  await openWriter(dir.path, { origin: "a" }).close();
  await openWriter(dir.path, { origin: "a" }).close();
  expect(catchError(() => openWriter(dir.path, { origin: "b" }))).toMatchObject({
    code: "config",
    message: expect.stringContaining("its origin is a, not b"),
  });
});

test("a writer that did not close is told by the next one, once", async () => {
  const script = `import { observation, openWriter } from ${JSON.stringify(`${import.meta.dir}/support.ts`)};
    const writer = openWriter(${JSON.stringify(dir.path)});
    writer.append(observation(1));
    await writer.flush();
    process.kill(process.pid, "SIGKILL");`;
  const child = Bun.spawnSync([process.execPath, "-e", script]);
  expect(child.signalCode).toBe("SIGKILL");
  const log = new KeptLog();
  await openWriter(dir.path, { log }).close();
  await write(1);
  expect(notices()).toEqual([
    `guard.recovered: the last writer (pid ${child.pid}, boot boot) did not close the record; it wrote from entry 1 ` +
    "on, and entries up to 1 are whole and signed",
  ]);
  expect(log.lines).toHaveLength(1);
});

test("an alarm instead of a refusal: what is only edited is told, and the record goes on", async () => {
  await write(3);
  rewriteText(dir.path, 2, (stored) => stored.replace("/w/2", "/w/9"));
  expect(catchError(() => openWriter(dir.path))?.message).toContain("entry 2 does not verify: edited");
  const writer = openWriter(dir.path, { on_tamper: "alarm" });
  expect(writer.head().seq).toBe(4);
  await writer.close();
  expect(notices()).toEqual([
    expect.stringMatching(/^guard\.tamper: entry 2 does not verify: edited \(.*\); the record goes on after it$/),
  ]);
  using reader = openRecordReader(dir.path);
  expect(reader.verify()).toMatchObject({ ok: false, seq: 2, why: "edited" });
});

test.each<[string, () => void]>([
  ["its tree is gone", () => tamper(dir.path, "DELETE FROM tiles")],
  ["its signature is wrong", () => tamper(dir.path, "UPDATE checkpoints SET signature = zeroblob(64)")],
  ["its key is missing", () => rmSync(keyFile())],
  ["it is no database", () => writeFileSync(dir.join(RECORD_FILE), "no database".repeat(1_000))],
])("an alarm where the record cannot go on because %s: it is kept aside and a new one begun", async (_name, change) => {
  await write(3);
  change();
  const damaged = readFileSync(dir.join(RECORD_FILE));
  expect(catchError(() => openWriter(dir.path))?.code).toBe("tamper");
  await openWriter(dir.path, { on_tamper: "alarm" }).close();
  expect(notices()).toEqual([expect.stringMatching(/^guard\.tamper: .*; it was kept as .* and a new record begun$/)]);
  const kept = readdirSync(dir.path).filter((name) => /^record\.db\.tampered-\S+Z$/.test(name));
  expect(kept).toHaveLength(1);
  expect(readFileSync(dir.join(kept[0] ?? "")).length).toBe(damaged.length);
});

test("a rotation that was cut off is finished or undone by the next start", async () => {
  await write(2);
  const clock = new TestClock();
  const options = { boot_id: "boot", clock, ids: testIds(clock) };
  // Cut before its entry was durable: the new key goes.
  createSigningKey(dir.path);
  await write(1);
  expect(existsSync(dir.join(NEW_KEY_FILE))).toBe(false);
  // Cut between the entry and the renaming: the new key comes into force.
  copyFileSync(keyFile(), dir.join("old"));
  const { new_key } = rotateKey(dir.path, options);
  renameSync(keyFile(), dir.join(NEW_KEY_FILE));
  copyFileSync(dir.join("old"), keyFile());
  await write(1);
  expect(existsSync(dir.join(NEW_KEY_FILE))).toBe(false);
  expect(readSigningKey(dir.path, KEY_FILE)?.public_key.equals(new_key)).toBe(true);
  using reader = openRecordReader(dir.path);
  expect(reader.verify({ key: new_key, structure: true })).toMatchObject({ ok: true, entries: 5 });
});

test("keys that were rotated more than once vouch for each other, and for nobody else", async () => {
  await write(1);
  const clock = new TestClock();
  const options = { boot_id: "boot", clock, ids: testIds(clock) };
  const rotations = [rotateKey(dir.path, options), rotateKey(dir.path, options)];
  await write(1);
  using reader = openRecordReader(dir.path);
  for (const { old_key, new_key } of rotations) {
    for (const key of [old_key, new_key]) expect(reader.verify({ key })).toMatchObject({ ok: true, entries: 4 });
  }
  await using other = await TempDir.create();
  await write(1, other.path);
  const foreign = readSigningKey(other.path, KEY_FILE)?.public_key;
  if (foreign === undefined) throw new Error("no key");
  expect(reader.verify({ key: foreign })).toMatchObject({ ok: false, seq: 1, why: "foreign_key" });
});

test.each([
  ["another new key", "UPDATE keys SET public = (SELECT public FROM keys WHERE id = 1) WHERE id = 2"],
  ["a later beginning", "UPDATE keys SET since_seq = 3 WHERE id = 2"],
  ["an earlier beginning", "UPDATE keys SET since_seq = 1 WHERE id = 2"],
])("a hand-over with %s is found", async (_name, sql) => {
  await write(1);
  const clock = new TestClock();
  rotateKey(dir.path, { boot_id: "boot", clock, ids: testIds(clock) });
  await write(1);
  tamper(dir.path, sql);
  using reader = openRecordReader(dir.path);
  expect(reader.verify()).toMatchObject({ ok: false, why: "foreign_key" });
});

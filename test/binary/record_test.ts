/** The record: what it holds after a run, and that a change of it is found. */
import { describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { about, EXECUTABLE, GuardSetup, IS_ROOT, run } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const MARK = "a-name-that-occurs-nowhere-else";

/** Flips one bit in each place of the state directory's files that holds the text; returns how many there were. */
async function flipNear(state: string, text: string): Promise<number> {
  let places = 0;
  for (const item of await readdir(state, { recursive: true, withFileTypes: true })) {
    if (!item.isFile()) continue;
    const path = join(item.parentPath, item.name);
    const bytes = await readFile(path);
    const before = places;
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
      bytes[at + 3] = (bytes[at + 3] ?? 0) ^ 1;
      places++;
    }
    if (places > before) await writeFile(path, bytes);
  }
  return places;
}

describe.skipIf(!IS_ROOT)("the record", () => {
  test("holds the session's beginning, its actions and its end, in order", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", `: > ${MARK}; cat ${MARK}`]);
    const entries = await setup.entries();
    const session = entries.filter((entry) => entry.session_id !== undefined);
    const types = session.map((entry) => entry.action?.type);
    expect(types[0]).toBe("session.start");
    expect(types.at(-1)).toBe("session.end");
    expect(new Set(session.map((entry) => entry.session_id)).size).toBe(1);
    expect(about(session, "exec").map((entry) => entry.action.argv[0])).toEqual(["/bin/sh", "cat"]);
    const path = join(setup.work, MARK);
    expect(about(session, "file.create").map((entry) => entry.action.path)).toEqual([path]);
    expect(about(session, "file.read").map((entry) => entry.action.path)).toContain(path);
    expect(entries.every((entry) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(entry.time))).toBe(true);
    expect(entries[0]?.prev).toBe("0".repeat(64));
    const times = entries.map((entry) => entry.entry_id);
    expect(times).toEqual([...times].sort());
  }, LIMIT_MS);

  test("verifies, with the number of its entries", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    const done = await setup.verify();
    expect(done.exit_code).toBe(0);
    expect(done.stdout).toContain(String((await setup.entries()).length));
  }, LIMIT_MS);

  test("a flipped bit is found, with its place", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", `: > ${MARK}`]);
    const changed = about(await setup.entries(), "file.create").find((entry) => entry.action.path.endsWith(MARK));
    expect(await flipNear(setup.state, `${setup.work}/${MARK}`)).toBeGreaterThan(0);
    const done = await setup.verify();
    expect(done.exit_code).toBe(1);
    // The shell's command line names the file too and comes before: the place found is that or an earlier one.
    const said = /\b(?:seq|entry)\D{0,3}(\d+)/i.exec(done.stdout + done.stderr)?.[1];
    expect(Number(said)).toBeGreaterThan(0);
    expect(Number(said)).toBeLessThanOrEqual(changed?.seq ?? 0);
  }, LIMIT_MS);

  test("is private to its owner", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    const done = await run(["find", setup.state, setup.runtime, "-perm", "/077"]);
    expect([done.exit_code, done.stdout]).toEqual([0, ""]);
  }, LIMIT_MS);

  test("a query takes filters and the environment's directory", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", `: > ${MARK}`]);
    const done = await setup.command(["audit", "query", "--json", "--type", "file.create"]);
    const lines = done.stdout.trim().split("\n").map((line) => JSON.parse(line));
    expect(lines.map((entry) => entry.action.path)).toEqual([join(setup.work, MARK)]);
    const plain = await setup.command(["audit", "query", "--type", "file.create"]);
    expect(plain.stdout).toContain(MARK);
    const none = await run([EXECUTABLE, "audit", "query", "--state", setup.state, "--json", "--type", "net.connect"]);
    expect([none.exit_code, none.stdout]).toEqual([0, ""]);
  }, LIMIT_MS);

  test("a query says what it reads, and nothing of the terminal's own", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/usr/bin/touch", "escape-\x1b[31m-name"]);
    const plain = await setup.command(["audit", "query"]);
    expect(plain.exit_code).toBe(0);
    expect(plain.stdout).toContain("-name");
    expect(plain.stdout).not.toContain("\x1b");
  }, LIMIT_MS);

  test("is exported for other systems, each entry once", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", `: > ${MARK}`]);
    const count = (await setup.entries()).length;
    const lines = async (...options: string[]): Promise<string[]> => {
      const done = await setup.command(["audit", "export", ...options]);
      expect([done.exit_code, done.stderr]).toEqual([0, ""]);
      return done.stdout.trim().split("\n");
    };
    const stored = (await setup.command(["audit", "query", "--json"])).stdout.trim().split("\n");
    expect(await lines("--format", "jsonl")).toEqual(stored);
    const ocsf = (await lines("--format", "ocsf", "--type", "file.*")).map((line) => JSON.parse(line));
    expect(ocsf.filter((event) => event.file?.path === join(setup.work, MARK))).not.toEqual([]);
    expect(ocsf[0]).toMatchObject({ class_uid: 1001, metadata: { version: "1.8.0" } });
    const chained = (await lines("--format", "ocsf", "--ocsf-profile", "1.9")).map((line) => JSON.parse(line));
    expect(chained.filter((event) => event.attestation_list?.length === 1)).toHaveLength(count);
    expect((await lines("--format", "cef")).filter((line) => line.startsWith("CEF:"))).toHaveLength(count);
    const [otlp] = (await lines("--format", "otlp")).map((line) => JSON.parse(line));
    expect(otlp.resourceLogs[0].scopeLogs[0].logRecords).toHaveLength(count);
    const file = join(setup.work, "today.jsonl");
    await lines("--format", "jsonl", "--output", file);
    expect((await readFile(file, "utf8")).trim().split("\n")).toEqual(stored);
    expect((await setup.command(["audit", "export"])).exit_code).toBe(2);
  }, LIMIT_MS);
});

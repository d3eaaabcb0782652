/** A damaged record: the guard does not start on it, `audit repair` lets it go on, and verify says what is missing. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { about, GuardSetup, IS_ROOT, run } from "../support/mod.ts";

const LIMIT_MS = 90_000;
const VERIFIER = join(import.meta.dir, "../../docs/verify_record.py");

async function exists(path: string): Promise<boolean> {
  return await Bun.file(path).exists();
}

describe.skipIf(!IS_ROOT)("a damaged record", () => {
  test("exit 3 with the place and nothing started; repaired, it goes on and says what is lost", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", ": > a-name-of-the-first"]);
    const made = about(await setup.entries(), "file.create").find((entry) => entry.action.path.includes("a-name"));
    {
      using database = new Database(join(setup.state, "record.db"));
      database.run(
        "UPDATE texts SET data = CAST(replace(CAST(data AS TEXT), '/a-name-of-the-first\"', '/b\"') AS BLOB)",
      );
    }
    const refused = await setup.guard(["/usr/bin/touch", "started"]);
    expect(refused.exit_code).toBe(3);
    expect(refused.stderr).toMatch(/entry \d+ does not verify: edited/);
    expect(refused.stderr).toContain("audit repair");
    expect(await exists(join(setup.work, "started"))).toBe(false);
    const key = (await setup.command(["audit", "checkpoint", "--show-key"])).stdout.trimEnd().split("\n").at(-1) ?? "";
    const before = join(setup.work, "before");
    await Bun.write(before, (await setup.command(["audit", "checkpoint"])).stdout);

    const repaired = await setup.command(["audit", "repair"]);
    expect([repaired.exit_code, repaired.stderr]).toEqual([0, ""]);
    expect(repaired.stdout).toMatch(/^found: entry \d+ does not verify: edited/);
    expect(repaired.stdout).toMatch(/^lost: [12] entries; left out because nobody signed them: 0$/m);
    const kept = (await readdir(setup.state)).filter((name) => /^record\.db\.damaged-.*Z$/.test(name));
    expect(kept).toHaveLength(1);

    expect((await setup.guard(["/usr/bin/touch", "started"])).exit_code).toBe(0);
    expect(await exists(join(setup.work, "started"))).toBe(true);
    const verified = await setup.command(["audit", "verify", "--key", key]);
    expect(verified.exit_code).toBe(0);
    expect(verified.stdout).toMatch(/^LOST: [12] entries were found damaged/m);
    expect(verified.stdout).toMatch(/^ {2}since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, entry \d+: entry \d+ does not verify/m);
    // What was signed before the damage is still what the record begins with.
    expect((await setup.command(["audit", "verify", "--key", key, "--from", before])).exit_code).toBe(0);
    const entries = await setup.entries();
    expect(entries.some((entry) => entry.seq === made?.seq)).toBe(false);
    const gap = entries.find((entry) => entry.gap?.source === "record")?.gap;
    expect(gap).toMatchObject({ type: "damaged", from: expect.stringMatching(/Z$/), to: expect.stringMatching(/Z$/) });
    const python = await run(["python3", VERIFIER, "--key", key, "--db", join(setup.state, "record.db")]);
    expect([python.exit_code, python.stderr]).toEqual([0, ""]);
    expect((await setup.command(["audit", "repair"])).stdout).toMatch(/^nothing to repair: \d+ entries verify\n$/);
  }, LIMIT_MS);
});

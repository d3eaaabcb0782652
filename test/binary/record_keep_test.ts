/** Retention in the executable: by the policy, by command, with holds. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { about, ALLOW_ALL, GuardSetup, IS_ROOT, run, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;
const VERIFIER = join(import.meta.dir, "../../docs/verify_record.py");

async function key(setup: GuardSetup): Promise<string> {
  return (await setup.command(["audit", "checkpoint", "--show-key"])).stdout.trimEnd().split("\n").at(-1) ?? "";
}

describe.skipIf(!IS_ROOT)("retention", () => {
  test(
    "commands: a hold keeps a session from erasure; what goes is said by verify, and by the second verifier",
    async () => {
      await using setup = await GuardSetup.create();
      await setup.guard(["/bin/sh", "-c", ": > a-name-of-the-first"]);
      await setup.guard(["/bin/sh", "-c", ": > a-name-of-the-second"]);
      const starts = about(await setup.entries(), "session.start").map((entry) => entry.session_id ?? "");
      const [first, second] = [starts[0] ?? "", starts[1] ?? ""];
      const done = async (...words: string[]): Promise<string> => {
        const { exit_code, stdout, stderr } = await setup.command(["audit", ...words]);
        expect([exit_code, stderr]).toEqual([0, ""]);
        return stdout;
      };
      expect(await done("hold", "add", "case-1", "--session", second)).toContain("is in force");
      expect(await done("erase", "--session", first, "--reason", "request 17")).toContain("entries pruned");
      expect(await done("erase", "--session", second)).toMatch(/^0 entries pruned.* stay because of a hold/);
      expect(await done("hold", "list")).toContain("case-1");
      const entries = await setup.entries();
      expect(entries.some((entry) => entry.session_id === first)).toBe(false);
      expect(entries.some((entry) => entry.session_id === second)).toBe(true);
      expect((await run(["grep", "-c", "a-name-of-the-first", join(setup.state, "record.db")])).stdout).toBe("0\n");
      const verified = await done("verify");
      expect(verified).toContain("ok: ");
      expect(verified).toMatch(/pruned: \d+ entries have no text any more/);
      expect(verified).toContain("erased on request, entries of one session: request 17");
      const python = await run([
        "python3",
        VERIFIER,
        "--key",
        await key(setup),
        "--db",
        join(setup.state, "record.db"),
      ]);
      expect([python.exit_code, python.stdout]).toEqual([0, expect.stringMatching(/^ok: .*, \d+ pruned\n$/)]);
    },
    LIMIT_MS,
  );

  test("the policy: what is older goes by itself, and the guard starts again on what is left", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", ": > a-name-of-the-first"]);
    await Bun.write(setup.policy, `${ALLOW_ALL}\n[record]\nkeep = "1s"\n`);
    const guard = setup.start(["/bin/sleep", "30"]);
    await using _guard = guard;
    await waitUntil("the first session to go", async () => {
      const entries = await setup.entries();
      return about(entries, "guard.record.pruned").length > 0 &&
        !entries.some((entry) => JSON.stringify(entry).includes("a-name-of-the-first"));
    }, { detail: () => guard.stderr.slice(-500) });
    expect((await setup.verify()).stdout).toContain("pruned: ");
    guard.process.kill("SIGTERM");
    expect(await guard.ended()).toBe(143);
    await Bun.write(setup.policy, ALLOW_ALL);
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);
});

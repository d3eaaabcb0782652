/** Held changes of objects that have several names, of which one may be protected. */
import { describe, expect, test } from "bun:test";
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decided, GuardSetup, IS_ROOT, python, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 120_000;

/** `alone` is closed to changes, and also `free/hard`. */
async function prepare(): Promise<GuardSetup> {
  const setup = await GuardSetup.create();
  const rule = `[[rules]]\nname = "keep"\naction = ["file.write", "file.chmod"]\npath = "${setup.work}/alone"\n`;
  const head = 'version = 1\nname = "linked"\nmode = "enforce"\n[default]\n"*" = "allow"\n';
  await writeFile(setup.policy, `${head}${rule}verdict = "deny"\n`);
  await mkdir(join(setup.work, "free"));
  for (const name of ["alone", "free/a"]) {
    await writeFile(join(setup.work, name), "as it was");
    await chmod(join(setup.work, name), 0o644);
  }
  await link(join(setup.work, "alone"), join(setup.work, "free", "hard"));
  return setup;
}

describe.skipIf(!IS_ROOT)("an object with several names is not changed", () => {
  test("by any of several names, also where the protected one came later and from outside", async () => {
    await using setup = await prepare();
    const [file, alone] = [join(setup.work, "free", "b"), join(setup.work, "alone")];
    await writeFile(file, "of nobody");
    await link(file, join(setup.work, "free", "c"));
    // Every tenth of a second, as nothing but the names of the object changes: it is done by the native code meanwhile.
    const program = `
import os, time
for i in range(100):
    try: os.chmod('free/b', 0o600 + i % 2 * 0o40); print('done', flush=True)
    except PermissionError: print('refused', flush=True); break
    time.sleep(0.1)
`;
    await using guard = setup.start(python(program));
    await waitUntil("changes by a name of nobody", () => guard.stdout.split("done").length > 10);
    await rm(alone);
    await link(file, alone);
    await waitUntil("the refusal", () => guard.stdout.includes("refused"));
    await guard.ended();
    expect(await readFile(alone, "utf8")).toBe("of nobody");
    const { decision } = decided(await setup.entries()).find((each) => each.decision.decision?.verdict === "deny") ??
      {};
    expect(decision?.decision?.reason).toContain(`it is also ${alone}`);
  }, LIMIT_MS);

  test("by the other name of a protected one each time, between changes of objects that are nobody's", async () => {
    await using setup = await prepare();
    await link(join(setup.work, "free", "a"), join(setup.work, "free", "b"));
    // What is nobody's makes known which objects are somebody's: from then on native code tells them apart.
    const program = `
import os
refused = 0
for i in range(200):
    os.chmod('free/b', 0o600 + i % 2 * 0o40)
    try: os.chmod('free/hard', 0o600)
    except PermissionError: refused += 1
print(refused)
`;
    expect((await setup.guard(python(program))).stdout).toBe("200\n");
    expect((await stat(join(setup.work, "alone"))).mode & 0o777).toBe(0o644);
  }, LIMIT_MS);
});

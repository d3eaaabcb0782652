/** What the executable embeds is used without a file that somebody else could have put there. */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { EXECUTABLE } from "../support/paths.ts";
import { TempDir } from "../support/temp.ts";

test("libraries and the launcher run from memory: nothing is extracted to the temporary directory", async () => {
  await using dir = await TempDir.create();
  const child = Bun.spawn([EXECUTABLE, "doctor", "--json"], {
    env: { ...process.env, TMPDIR: dir.path, BUN_TMPDIR: dir.path, TMP: dir.path },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [text] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  // It has come as far as loading what it embeds.
  expect(text).toContain("probes.process");
  expect(await readdir(dir.path)).toEqual([]);
}, 60_000);

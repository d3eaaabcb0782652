import { expect, test } from "bun:test";
import { linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { linkedFiles } from "../../../lib/app/linked_files.ts";
import { TempDir } from "../../support/mod.ts";

test("finds files with a second name, at any depth, and nothing else", async () => {
  await using dir = await TempDir.create();
  mkdirSync(dir.join("closed/deep"), { recursive: true });
  writeFileSync(dir.join("closed/alone"), "");
  writeFileSync(dir.join("closed/deep/twice"), "");
  linkSync(dir.join("closed/deep/twice"), dir.join("outside"));
  symlinkSync(dir.join("closed/alone"), dir.join("closed/symbolic"));
  const { dev, ino } = statSync(dir.join("outside"));
  expect([...linkedFiles([dir.join("closed"), dir.join("missing")])]).toEqual([
    [`${dev}:${ino}`, dir.join("closed/deep/twice")],
  ]);
});

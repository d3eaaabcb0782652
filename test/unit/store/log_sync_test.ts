import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { errorMessage } from "../../../lib/core/mod.ts";
import { LogSync } from "../../../lib/store/log_sync.ts";
import { TempDir } from "../../support/mod.ts";

/** A file that opens and cannot be synced. */
const UNSYNCABLE = "/dev/null";

test("a file is synced at once or later, as often as asked, without folding", async () => {
  await using dir = await TempDir.create();
  const path = dir.join("log");
  writeFileSync(path, "x");
  let folded = 0;
  const sync = new LogSync(path, () => folded++);
  sync.now();
  await Promise.all([sync.later(), sync.later()]);
  sync.now();
  expect(folded).toBe(0);
  sync.close();
  sync.close();
});

test.each([[UNSYNCABLE, "EINVAL"], ["/dev/null/log", "ENOTDIR"]])(
  "after a sync of %s that failed, folding counts",
  async (path, errno) => {
    for (const later of [false, true]) {
      let folds = 0;
      const fates = ["fails", "works", "works"];
      const sync = new LogSync(path, () => {
        folds++;
        if (fates.shift() === "fails") throw new Error("fold failed");
      });
      const attempt = (): Promise<string> => {
        return Promise.try(() => later ? sync.later() : sync.now()).then(() => "synced", errorMessage);
      };
      expect(await attempt()).toContain(errno);
      expect(folds).toBe(0);
      expect(await attempt()).toBe("fold failed");
      expect(await attempt()).toBe("synced");
      expect(folds).toBe(2);
      // What was folded is safe; the file is tried again.
      expect(await attempt()).toContain(errno);
      expect(folds).toBe(2);
      sync.close();
    }
  },
);

test("a file is let go of only when nothing is under way on it", async () => {
  await using dir = await TempDir.create();
  const path = dir.join("log");
  writeFileSync(path, "x");
  const sync = new LogSync(path, () => {});
  const under_way = sync.later();
  sync.close();
  await under_way;
});

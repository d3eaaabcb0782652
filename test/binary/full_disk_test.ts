/** A disk without room for the record. */
import { describe, expect, test } from "bun:test";
import { exists, mkdir } from "node:fs/promises";
import { GuardSetup, IS_ROOT, python, run } from "../support/mod.ts";

const LIMIT_MS = 120_000;

/** A small file system in memory at a directory, taken away at the end of the scope. */
class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async mount(path: string, size: string): Promise<SmallDisk> {
    await mkdir(path);
    await must(["mount", "-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", path]);
    return new SmallDisk(path);
  }

  /** Makes it larger, so that what is on it can be read by a program that needs room. */
  async grow(size: string): Promise<void> {
    await must(["mount", "-o", `remount,size=${size}`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must(["umount", "-l", this.path]);
  }
}

async function must(argv: readonly string[]): Promise<void> {
  const done = await run(argv);
  if (done.exit_code !== 0) throw new Error(`run ${argv.join(" ")}: ${done.stderr}`);
}

describe.skipIf(!IS_ROOT)("a full disk", () => {
  test("at the start: 125, one line, nothing runs", async () => {
    await using setup = await GuardSetup.create();
    await using disk = await SmallDisk.mount(setup.state, "64k");
    await run(["/bin/sh", "-c", 'cat /dev/zero > "$1/filler"', "sh", disk.path]);
    const done = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    expect(done.exit_code).toBe(125);
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
    expect(done.stderr).toContain(setup.state);
    expect(await exists(`${setup.work}/marker`)).toBe(false);
  }, LIMIT_MS);

  test("while it runs: said, and what was recorded verifies", async () => {
    await using setup = await GuardSetup.create();
    await using disk = await SmallDisk.mount(setup.state, "4m");
    const program = "for i in range(40000):\n    open(f'file-{i:05}', 'w').close()\nprint('done')";
    const done = await setup.guard(python(program));
    expect(done.stderr).toMatch(/full|no space|ENOSPC/i);
    await disk.grow("256m");
    expect((await setup.verify()).exit_code).toBe(0);
    // Either everything is there or the loss is said in the record itself or at the end.
    const entries = await setup.entries();
    const created = entries.filter((entry) => entry.action?.type === "file.create" && entry.kind === "observation");
    const lost = entries.some((entry) => entry.kind === "gap" && entry.gap?.source === "recorder");
    expect(created.length === 40_000 || lost || /lost/i.test(done.stderr)).toBe(true);
  }, LIMIT_MS);
});

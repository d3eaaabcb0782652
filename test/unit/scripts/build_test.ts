import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { foreignLibraries } from "../../../scripts/build/executable.ts";
import { collectNotices } from "../../../scripts/licenses.ts";
import { runStep, type Step } from "../../../scripts/support/step.ts";

const ROOT = join(import.meta.dir, "..", "..", "..");

let directory = "";
beforeEach(() => {
  mkdirSync(join(ROOT, "test", "tmp"), { recursive: true });
  directory = mkdtempSync(join(ROOT, "test", "tmp", "step-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("runStep()", () => {
  const path = (name: string): string => join(directory, name);

  /** A step that copies `in.txt` to `out.txt`. */
  function copyStep(key: readonly string[] = []): Step {
    return {
      name: "copy",
      inputs: [`${relative(ROOT, directory)}/in*.txt`],
      key,
      outputs: [relative(ROOT, path("out.txt"))],
      action: (): Promise<void> => {
        writeFileSync(path("out.txt"), readFileSync(path("in.txt")));
        return Promise.resolve();
      },
    };
  }
  const run = async (step: Step): Promise<boolean> => await runStep(step, path("stamps"));

  test("runs once, then again only for new content, a new file, a new key or a lost output", async () => {
    writeFileSync(path("in.txt"), "one");
    expect(await run(copyStep())).toBe(true);
    expect(await run(copyStep())).toBe(false);
    writeFileSync(path("in.txt"), "one");
    expect(await run(copyStep())).toBe(false);

    writeFileSync(path("in.txt"), "two");
    expect(await run(copyStep())).toBe(true);
    expect(readFileSync(path("out.txt"), "utf8")).toBe("two");

    writeFileSync(path("in_more.txt"), "");
    expect(await run(copyStep())).toBe(true);
    expect(await run(copyStep(["-O2"]))).toBe(true);
    rmSync(path("out.txt"));
    expect(await run(copyStep(["-O2"]))).toBe(true);
    expect(existsSync(path("out.txt"))).toBe(true);
  });

  test("a failed step is not fresh afterwards", async () => {
    writeFileSync(path("in.txt"), "one");
    await run(copyStep());
    writeFileSync(path("in.txt"), "two");
    const failing: Step = { ...copyStep(), action: () => Promise.reject(new Error("no")) };
    await expect(run(failing)).rejects.toThrow("no");
    writeFileSync(path("in.txt"), "one");
    expect(await run(copyStep())).toBe(true);
  });

  test("refuses a step without inputs and one that makes nothing", async () => {
    await expect(run(copyStep())).rejects.toThrow("no file matches");
    writeFileSync(path("in.txt"), "one");
    const idle: Step = { ...copyStep(), action: () => Promise.resolve() };
    await expect(run(idle)).rejects.toThrow("ended without making");
  });
});

describe("foreignLibraries()", () => {
  test("accepts the C library and the loader", () => {
    const ldd = `	linux-vdso.so.1 (0x00007ffd)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
	/lib64/ld-linux-x86-64.so.2 (0x00007f)
	libpthread.so.0 => /lib/x86_64-linux-gnu/libpthread.so.0 (0x00007f)
	libdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)
`;
    expect(foreignLibraries(ldd)).toEqual([]);
  });

  test("names anything else, found or not", () => {
    const ldd = `	libbpf.so.1 => not found
	libstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
`;
    expect(foreignLibraries(ldd)).toEqual(["libbpf.so.1", "libstdc++.so.6"]);
  });
});

describe("collectNotices()", () => {
  const components = [
    "agentguard",
    "commander",
    "hono",
    "smol-toml",
    "Bun",
    "libbpf1",
    "libelf1",
    "zlib1g",
    "musl-dev",
  ];

  test.each(components)("has the notice of %s", async (component) => {
    const rule = "=".repeat(80);
    const sections = (await collectNotices()).split(`${rule}\n`);
    const title = sections.findIndex((section) =>
      section.split(/[ \n]/)[0] === component && section.split("\n").length === 2
    );
    expect(title).toBeGreaterThan(0);
    expect(sections[title + 1]?.length).toBeGreaterThan(300);
  });
});

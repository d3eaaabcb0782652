/** Rules about the whole tree that no linter knows: words, waivers, widths, documentation, the scripts' own help. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** Where sources live, besides single files in the root; nothing here is built or installed. */
const FOLDERS = "{lib,ffi,probes,test,scripts,examples,docs,.ci}";

const TEXT = /\.(ts|c|h|sh|py|md|toml|json|txt|conf)$|\/run$|^LICENSE$|\.clang-format$/;

/** All text files of the repository, without generated and vendored ones. */
const FILES: readonly string[] = [
  ...glob(`${FOLDERS}/**/*`),
  ...glob("*"),
].filter((path) => TEXT.test(path) && !path.startsWith("test/tmp/")).sort();

const SOURCES: readonly string[] = FILES.filter((path) => /\.(ts|c|h)$/.test(path) && !path.endsWith(".gen.ts"));

function glob(pattern: string): readonly string[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: ROOT, dot: true, onlyFiles: true })];
}

function linesOf(path: string): readonly string[] {
  return readFileSync(join(ROOT, path), "utf8").split("\n");
}

/** `file:line: text` of each line that the predicate takes. */
function findLines(paths: readonly string[], takes: (line: string, index: number) => boolean): readonly string[] {
  return paths.flatMap((path) =>
    linesOf(path).flatMap((line, index) => takes(line, index) ? [`${path}:${index + 1}: ${line.trim()}`] : [])
  );
}

/** Words are assembled here, so that this file does not contain them. */
function words(...parts: readonly (readonly string[])[]): RegExp {
  return new RegExp(parts.map((part) => part.join("")).join("|"));
}

describe("text", () => {
  test("the tree is there at all", () => {
    expect(FILES).toContain("lib/core/mod.ts");
    expect(SOURCES.length).toBeGreaterThan(50);
  });

  test("no note to oneself", () => {
    const notes = words(["\\bTO", "DO\\b"], ["\\bFIX", "ME\\b"], ["\\bXX", "X\\b"]);
    expect(findLines(FILES, (line) => notes.test(line))).toEqual([]);
  });

  test("no path of one machine, no registry's host", () => {
    const foreign = words(["/work/", "(main|shared|\\.library)\\b"], ["registry\\.", "npmjs"], [
      "\\bdeb\\.",
      "debian\\.",
    ], [
      "\\bjsr",
      "\\.io\\b",
    ]);
    expect(findLines(FILES, (line) => foreign.test(line))).toEqual([]);
  });

  test("no fixed temporary path in the product and its scripts", () => {
    const product = FILES.filter((path) => /^(lib|ffi|scripts)\//.test(path));
    const fixed = words(["[\"'`]/tm", "p/"]);
    expect(findLines(product, (line) => fixed.test(line))).toEqual([]);
  });

  test("no line over 120 columns in TypeScript and C, a tab counting 8", () => {
    const width = (line: string): number =>
      [...line].reduce((at, char) => char === "\t" ? at + 8 - (at % 8) : at + 1, 0);
    expect(findLines(SOURCES, (line) => width(line) > 120)).toEqual([]);
  });

  test("no long dash", () => {
    const dash = new RegExp(String.fromCodePoint(0x2014));
    expect(findLines(FILES, (line) => dash.test(line))).toEqual([]);
  });
});

describe("waivers", () => {
  const marker = ["deno-lint", "ignore"].join("-");

  test("no ignore comment for a whole file or for a rule of our own", () => {
    const banned = new RegExp(`${marker}(-file\\b|.*\\bagentguard/)`);
    expect(findLines(SOURCES, (line) => banned.test(line))).toEqual([]);
  });

  test("every other ignore comment says why after a dash or a colon", () => {
    const bare = new RegExp(`${marker}(?!-file)(\\s+[\\w-]+)*\\s*(\\*/)?$`);
    expect(findLines(SOURCES, (line) => bare.test(line))).toEqual([]);
  });

  test("no type-checker waiver", () => {
    const banned = new RegExp(`@ts-${"(ignore|nocheck|expect-error)"}`);
    expect(findLines(SOURCES.filter((path) => path !== "test/tidy_test.ts"), (line) => banned.test(line))).toEqual([]);
  });
});

describe("tests", () => {
  const tests = SOURCES.filter((path) => path.startsWith("test/") && path.endsWith("_test.ts"));

  test("none runs alone", () => {
    const alone = new RegExp(`\\b(test|it|describe)\\.${"only"}\\b`);
    expect(findLines(tests, (line) => alone.test(line))).toEqual([]);
  });

  test("one that is switched off says why: `skip: reason` beside it, or a condition", () => {
    const off = new RegExp(`\\b(test|it|describe)\\.(${["skip", "todo", "failing"].join("|")})\\(`);
    const unexplained = tests.flatMap((path) => {
      const lines = linesOf(path);
      return findLines([path], (line, index) => {
        const nearby = lines.slice(Math.max(0, index - 2), index + 1).join("\n");
        return off.test(line) && !/\bskip: *\S/.test(nearby);
      });
    });
    expect(unexplained).toEqual([]);
  });

  test("every test file tests something", () => {
    const silent = tests.filter((path) => !/\b(expect|assert)\w*\b\s*[.(]/.test(linesOf(path).join("\n")));
    expect(silent).toEqual([]);
  });
});

describe("documentation", () => {
  test("every TypeScript file of lib/ and ffi/ begins with a doc comment", () => {
    const sources = SOURCES.filter((path) => /^(lib|ffi)\/.*\.ts$/.test(path));
    expect(sources.filter((path) => linesOf(path)[0]?.startsWith("/**") !== true)).toEqual([]);
  });

  test("every C file begins with its licence", () => {
    const sources = SOURCES.filter((path) => /^(probes|ffi)\/.*\.[ch]$/.test(path));
    expect(sources.filter((path) => linesOf(path)[0]?.includes("SPDX-License-Identifier:") !== true)).toEqual([]);
  });

  test("every mod.ts begins with its folder's name and what the folder owns", () => {
    const mods = SOURCES.filter((path) => /^(lib|ffi)\/.*mod\.ts$/.test(path));
    const without = mods.filter((path) => {
      const folder = path.replace(/\/mod\.ts$/, "");
      const start = linesOf(path).slice(0, 2).join(" ").replace(/^\/\*\*\s*\**\s*/, "");
      return !start.startsWith(`${folder}: `) && !start.startsWith(`\`${folder}\`: `);
    });
    expect(without).toEqual([]);
  });

  test("the licence is Apache-2.0, whole", () => {
    const text = linesOf("LICENSE").join("\n");
    expect(text).toContain("Apache License");
    expect(text).toContain("END OF TERMS AND CONDITIONS");
  });
});

describe("scripts answer --help", () => {
  const scripts = FILES.filter((path) => /^scripts\/[^/]+\.(ts|sh)$/.test(path) && !/lint_plugin/.test(path));

  // run.sh hands its arguments to the executable, whose own help is tested with it.
  test.each(scripts.filter((path) => path !== "scripts/run.sh"))("%s", async (path) => {
    const argv = path.endsWith(".ts") ? [process.execPath, path, "--help"] : ["bash", path, "--help"];
    const child = Bun.spawn(argv, { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect(stdout).toContain("usage:");
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });
});

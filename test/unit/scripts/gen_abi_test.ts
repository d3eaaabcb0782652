import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateAbi } from "../../../scripts/gen_abi.ts";

const ROOT = join(import.meta.dir, "..", "..", "..");
const directory = mkdtempSync(join(tmpdir(), "agentguard-gen-abi-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Generates from C text; the first line, which names the file, is left out. */
async function generate(source: string): Promise<string> {
  const file = join(directory, "sample.c");
  writeFileSync(file, source);
  return (await generateAbi(file)).split("\n").slice(2).join("\n");
}

const TYPES = "typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long long u64;\n";

describe("generateAbi()", () => {
  test("gives sizes, offsets and lengths, padding included", async () => {
    const source = `${TYPES}struct ag_point { u8 kind; u32 x; u64 y; u8 name[16]; u32 lost[2][3]; } keep;`;
    expect(await generate(source)).toBe(
      `/** Layout of C type \`ag_point\`: its size and the offset of each field in bytes; LENGTH counts elements. */
export const AgPoint = {
  SIZE: 56,
  kind: 0,
  x: 4,
  y: 8,
  name: 16,
  lost: 32,
  LENGTH: {
    name: 16,
    lost: [2, 3],
  },
} as const;
`,
    );
  });

  test("keeps a nested named struct as one field and emits it by itself, in order of names", async () => {
    const source = `${TYPES}struct ag_inner { u32 a; u32 b; };
      struct ag_aouter { u64 first; struct ag_inner inner; struct ag_inner many[3]; } keep;`;
    const text = await generate(source);
    expect(text).toContain(
      "AgAouter = {\n  SIZE: 40,\n  first: 0,\n  inner: 8,\n  many: 16,\n  LENGTH: {\n    many: 3,\n  },\n}",
    );
    expect(text).toContain("AgInner = {\n  SIZE: 8,\n  a: 0,\n  b: 4,\n}");
    expect(text.indexOf("AgAouter")).toBeLessThan(text.indexOf("AgInner"));
  });

  test("flattens anonymous unions and structs, with their name as prefix where they have one", async () => {
    const source =
      `${TYPES}struct ag_value { u32 tag; union { u32 word; u8 bytes[4]; }; struct { u32 a; u32 b; } pair; } keep;`;
    expect(await generate(source)).toContain(
      "SIZE: 16,\n  tag: 0,\n  word: 4,\n  bytes: 4,\n  pair: 8,\n  pair_a: 8,\n  pair_b: 12,\n" +
        "  LENGTH: {\n    bytes: 4,\n  },",
    );
  });

  test("does not give a flexible array a length", async () => {
    const text = await generate(`${TYPES}struct ag_tail { u32 size; u8 data[]; } keep;`);
    expect(text).toContain("SIZE: 4,\n  size: 0,\n  data: 4,\n} as const;");
  });

  test("follows const and typedef to an array", async () => {
    const text = await generate(`${TYPES}typedef u8 name_t[8]; struct ag_named { const name_t name; } keep;`);
    expect(text).toContain("name: 0,\n  LENGTH: {\n    name: 8,");
  });

  test("makes an enum an object and a union type, without the prefix that its name gives", async () => {
    expect(await generate("enum ag_coverage_kind { AG_COVERAGE_I386 = 1, AG_COVERAGE_X32 = 7 } keep;")).toBe(
      `/** C enum \`ag_coverage_kind\`; its values begin with AG_COVERAGE_ there. */
export const AgCoverageKind = {
  I386: 1,
  X32: 7,
} as const;

/** One value of {@link AgCoverageKind}. */
export type AgCoverageKind = (typeof AgCoverageKind)[keyof typeof AgCoverageKind];
`,
    );
  });

  test("keeps a name whole if its rest would begin with a digit", async () => {
    expect(await generate("enum ag_bits { AG_BITS_32 = 32 } keep;")).toContain("  BITS_32: 32,");
  });

  test("makes the members of an anonymous enum constants", async () => {
    expect(await generate("enum { AG_LIMIT = 4096 } keep;")).toBe("export const AG_LIMIT = 4096;\n");
  });

  const refused: readonly { readonly name: string; readonly source: string; readonly message: string }[] = [
    { name: "a bit field", source: "struct ag_x { unsigned a : 3; } k;", message: "replace the bit field ag_x.a" },
    { name: "a negative enum value", source: "enum ag_x { AG_X_A = -1 } k;", message: "keep the values of enum ag_x" },
    {
      name: "a 64-bit enum value",
      source: "enum ag_x { AG_X_A = 0x100000000ULL } k;",
      message: "keep the values of enum ag_x",
    },
    {
      name: "two types with one name",
      source: "struct ag_x { int a; } k; enum ag_X { AG_X_A = 1 } e;",
      message: "both become AgX",
    },
    {
      name: "C that does not compile",
      source: "struct ag_x { missing a; } k;",
      message: "unknown type name 'missing'",
    },
  ];
  test.each([...refused])("refuses $name", async ({ source, message }) => {
    await expect(generate(source)).rejects.toThrow(message);
  });
});

describe("gen_abi.ts", () => {
  async function run(...args: readonly string[]): Promise<{ code: number; stderr: string }> {
    const argv = [process.execPath, join(ROOT, "scripts", "gen_abi.ts"), ...args];
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
    return { code, stderr };
  }

  test("--check fails with the difference, and passes once the file is written", async () => {
    const input = join(directory, "check.c");
    const output = join(directory, "check.gen.ts");
    writeFileSync(input, "struct ag_one { int a; } keep;");
    expect((await run("--input", input, "--output", output)).code).toBe(0);
    expect(await run("--check", "--input", input, "--output", output)).toEqual({ code: 0, stderr: "" });

    const before = readFileSync(output, "utf8");
    writeFileSync(input, "struct ag_one { int a; int b; } keep;");
    const changed = await run("--check", "--input", input, "--output", output);
    expect(changed.code).toBe(1);
    expect(changed.stderr).toContain("-  SIZE: 4,\n+  SIZE: 8,\n   a: 0,\n+  b: 4,\n");
    expect(readFileSync(output, "utf8")).toBe(before);
  });
});

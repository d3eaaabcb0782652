/** Generates probes/abi.gen.ts, the TypeScript side of the kernel ABI, from the BTF of probes/abi.c. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseBtf } from "./abi/btf.ts";
import { renderAbi } from "./abi/render.ts";
import { runScript } from "./support/cli.ts";
import { mustRun, runCommand } from "./support/command.ts";
import { inRoot, ROOT } from "./support/paths.ts";

const HELP = `
Generates the TypeScript side of the kernel ABI from C.

usage: bun scripts/gen_abi.ts [--check] [--input FILE.c] [--output FILE.ts]

  --check    write nothing; exit 1 and show the difference if the output is not what the input gives
  --input    C file, default probes/abi.c; each shared type needs a global variable of it there
  --output   TypeScript file, default probes/abi.gen.ts

struct ag_x becomes AgX with SIZE, one offset per field and LENGTH per array; fields of nested anonymous types are
flattened. enum ag_y becomes the object and the union type AgY. Members of an anonymous enum become plain constants.
`;

/** Compiles the C file for BPF, reads its BTF and returns the generated TypeScript. */
export async function generateAbi(input: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "agentguard-abi-"));
  try {
    const object = join(directory, "abi.o");
    const includes = `-I${inRoot("probes", "include")}`;
    await mustRun(["clang", "-g", "-O0", "-target", "bpf", "-Wall", "-Werror", includes, "-c", input, "-o", object]);
    const json = await mustRun(["bpftool", "-j", "btf", "dump", "file", object]);
    return renderAbi(parseBtf(json), relative(ROOT, input));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function main(input: string, output: string, check: boolean): Promise<number> {
  const generated = await generateAbi(input);
  const committed = existsSync(output) ? readFileSync(output, "utf8") : "";
  if (generated === committed) return 0;
  if (!check) {
    writeFileSync(output, generated);
    console.error(`wrote ${relative(ROOT, output)}`);
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), "agentguard-abi-"));
  const fresh = join(directory, "generated.ts");
  writeFileSync(fresh, generated);
  const { stdout } = await runCommand(["diff", "-u", existsSync(output) ? output : "/dev/null", fresh]);
  rmSync(directory, { recursive: true });
  console.error(
    `${stdout}run "bun scripts/gen_abi.ts" and commit ${relative(ROOT, output)}: it differs from ${
      relative(ROOT, input)
    }`,
  );
  return 1;
}

if (import.meta.main) {
  await runScript({ help: HELP, options: { check: "flag", input: "value", output: "value" } }, async (options) => {
    const path = (name: string, fallback: string): string => {
      const given = options[name];
      return typeof given === "string" ? resolve(given) : inRoot(fallback);
    };
    return await main(path("input", "probes/abi.c"), path("output", "probes/abi.gen.ts"), options["check"] === true);
  });
}

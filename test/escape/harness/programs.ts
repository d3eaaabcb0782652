/** The C programs of the cases: built once, or taken from where another machine built them. */
import { existsSync, readdirSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Compiler } from "../../support/mod.ts";

const SOURCES = join(import.meta.dir, "..", "programs");

/** Builds every program into `directory`, which is made. */
export async function buildPrograms(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await using compiler = await Compiler.create();
  for (const source of readdirSync(SOURCES).filter((name) => name.endsWith(".c")).sort()) {
    const name = source.slice(0, -".c".length);
    await copyFile(await compiler.compile(join(SOURCES, source), name, { static_link: true }), join(directory, name));
  }
}

/** Path of one program in a directory that `buildPrograms` filled. Throws where there is none. */
export function programIn(directory: string, name: string): string {
  const path = resolve(directory, name);
  if (!existsSync(path)) {
    throw new Error(`no program ${name} in ${directory}: is there test/escape/programs/${name}.c?`);
  }
  return path;
}

/** Asks a program of fixtures/ about cases: native code that answers for itself whether a rule could be about them. */
import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Compiler, run, TempDir } from "../../support/mod.ts";

const SANITIZED = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** `0` or `1` for each case, whose parts are what `fixture` reads; five of them. */
export async function nativeAnswers(fixture: string, cases: readonly (readonly Uint8Array[])[]): Promise<string> {
  await using compiler = await Compiler.create();
  await using dir = await TempDir.create();
  const source = join(import.meta.dir, "fixtures", `${fixture}.c`);
  const program = await compiler.compile(source, fixture, { flags: SANITIZED });
  const parts = cases.flat().flatMap((part) => [new Uint8Array(Uint32Array.of(part.length).buffer), part]);
  await writeFile(dir.join("input"), Buffer.concat(parts));
  const { stdout, stderr, exit_code } = await run(["/bin/sh", "-c", 'exec "$0" < "$1"', program, dir.join("input")]);
  expect([exit_code, stderr]).toEqual([0, ""]);
  expect(stdout.length).toBe(cases.length);
  return stdout;
}

/** Every case of the escape suite on this host; the table of the same run is printed by `bun test/escape/main.ts`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { IS_ROOT, TempDir } from "../support/mod.ts";
import { escapeCases } from "./cases/mod.ts";
import { buildPrograms, casesFor, type EscapeResult, hostChecks, runCases } from "./harness/mod.ts";

const LIMIT_MS = 900_000;
const HOST: ReadonlySet<string> = IS_ROOT ? await hostChecks() : new Set();
const CASES = casesFor(escapeCases(), HOST);

describe.skipIf(!IS_ROOT)("escapes", () => {
  let own: TempDir;
  let results: ReadonlyMap<string, EscapeResult>;

  beforeAll(async () => {
    own = await TempDir.create();
    await buildPrograms(own.join("programs"));
    const found = await runCases(CASES, { programs: own.join("programs"), host: HOST });
    results = new Map(found.map((result) => [result.id, result]));
  }, LIMIT_MS);

  afterAll(async () => {
    await own[Symbol.asyncDispose]();
  });

  test.each(CASES.map(({ id, escape }) => [id, escape]))("%s: %s", (id) => {
    expect(results.get(id)?.problems).toEqual([]);
  });
});

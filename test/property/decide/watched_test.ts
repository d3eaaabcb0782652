/** What opens wait for against the policy: what goes on without being asked about, no rule can be about. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import type { Event, SessionId, SessionInfo } from "../../../lib/core/mod.ts";
import { type NeededNames, neededNames, PolicySnapshot } from "../../../lib/decide/mod.ts";
import { encodeWatchTable } from "../../../ffi/watch_table.ts";
import { Compiler, run, TempDir } from "../../support/mod.ts";
import { event, pathName, policy, policyText } from "./arbitraries.ts";
import { load } from "./load.ts";

const POLICIES = 300;
const LIMIT_MS = 60_000;
const HOMES = ["/home/u", "/", undefined] as const;

const SESSION: SessionInfo = {
  session_id: "01J00000000000000000000000" as SessionId,
  agent: "a",
  principal: "p",
  root: { pid: 1, start: "1" },
};

interface Case {
  readonly snapshot: PolicySnapshot;
  readonly needed: NeededNames;
  readonly event: Event;
  readonly path: string;
}

/** Absolute and normal, as fanotify shows names. */
const resolved = pathName.filter((name) => name.startsWith("/") && !/\/\/|\/\.\.?(?:\/|$)|.\/$/.test(name));

/** Reads of several names under one policy. */
const cases: fc.Arbitrary<readonly Case[]> = fc.record({
  text: policy.map((data) => policyText(data)),
  home: fc.constantFrom(...HOMES),
  event,
  paths: fc.array(resolved, { minLength: 10, maxLength: 10 }),
}).map(({ text, home, event: { base: _base, session, ...rest }, paths }) => {
  const snapshot = load(text);
  const needed = neededNames(snapshot, home);
  const { home: _home, ...unhoused } = session ?? SESSION;
  const known = home === undefined ? unhoused : { ...unhoused, home };
  return paths.map((path) => ({
    snapshot,
    needed,
    event: { ...rest, session: known, action: { type: "file.read", path } },
    path,
  }));
});

test("a read that may be refused waits", async () => {
  await using compiler = await Compiler.create();
  await using dir = await TempDir.create();
  const named = await compiler.compile(join(import.meta.dir, "fixtures", "named.c"), "named");
  const sampled = fc.sample(cases, POLICIES).flat();
  const parts = sampled.flatMap(({ needed, path }) => {
    const { all, floating, texts } = needed;
    const table = encodeWatchTable({ all: all !== undefined, floating, linked: false, texts, objects: [] });
    return [table, new TextEncoder().encode(path)];
  });
  const input = dir.join("input");
  await writeFile(
    input,
    Buffer.concat(parts.flatMap((part) => [new Uint8Array(Uint32Array.of(part.length).buffer), part])),
  );
  const { stdout, exit_code } = await run(["/bin/sh", "-c", 'exec "$0" < "$1"', named, input]);
  expect(exit_code).toBe(0);
  expect(stdout.length).toBe(sampled.length);
  let refused = 0;
  sampled.forEach(({ snapshot, event, path }, i) => {
    const { verdict, mode, rule } = snapshot.evaluate(event);
    if (verdict !== "deny" && verdict !== "ask") return;
    refused++;
    const detail = { path, home: event.session?.home, rule, mode, waits: stdout[i] };
    expect(detail).toEqual({ ...detail, waits: "1" });
  });
  // The comparison is about something: some are refused, and some go on.
  expect(refused).toBeGreaterThan(0);
  expect(stdout).toContain("0");
}, LIMIT_MS);

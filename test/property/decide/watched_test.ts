/** What native code lets go by itself against the policy: no rule can be about it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Event, FILE_ACTION_TYPES, type SessionId, type SessionInfo } from "../../../lib/core/mod.ts";
import { type NeededNames, neededNames, PolicySnapshot } from "../../../lib/decide/mod.ts";
import { encodeNeededTable } from "../../../ffi/needed_table.ts";
import { event, pathName, policy, policyText } from "./arbitraries.ts";
import { load } from "./load.ts";
import { nativeAnswers } from "./native_answers.ts";

const POLICIES = 300;
const LIMIT_MS = 60_000;
const HOMES = ["/home/u", "/", undefined] as const;

const SESSION: SessionInfo = {
  session_id: "01J00000000000000000000000" as SessionId,
  agent: "a",
  principal: "p",
  root: { pid: 1, start: "1" },
};

/** Whose names are looked at one by one; of the others both ends are, each as this. */
const TYPES = [
  "file.read",
  "file.write",
  "file.create",
  "file.truncate",
  "file.delete",
  "file.mkdir",
  "file.rmdir",
  "file.chmod",
  "file.chown",
  "file.mknod",
] as const;

interface Case {
  readonly snapshot: PolicySnapshot;
  readonly needed: NeededNames;
  readonly event: Event;
  readonly path: string;
  readonly base: string;
  readonly requested: string;
}

/** Absolute and normal, as the kernel shows names. */
const resolved = pathName.filter((name) => name.startsWith("/") && !/\/\/|\/\.\.?(?:\/|$)|.\/$/.test(name));
/** As a caller may write them. */
const written = fc.oneof(
  fc.constant(""),
  pathName,
  pathName.map((name) => `..${name}`),
  pathName.map((name) => name.replaceAll("/", "/./")),
  pathName.map((name) => `x/../${name}//`),
);

/** Actions on several names under one policy. */
const cases: fc.Arbitrary<readonly Case[]> = fc.record({
  text: policy.map((data) => policyText(data)),
  home: fc.constantFrom(...HOMES),
  event,
  names: fc.array(fc.record({ path: resolved, base: resolved, requested: written, type: fc.constantFrom(...TYPES) }), {
    minLength: 10,
    maxLength: 10,
  }),
}).map(({ text, home, event: { base: _base, session, ...rest }, names }) => {
  const snapshot = load(text);
  const needed = neededNames(snapshot, home, FILE_ACTION_TYPES);
  const { home: _home, ...unhoused } = session ?? SESSION;
  const known = home === undefined ? unhoused : { ...unhoused, home };
  return names.map(({ path, base, requested, type }) => ({
    snapshot,
    needed,
    event: {
      ...rest,
      ...(requested === "" || requested.startsWith("/") ? undefined : { base }),
      session: known,
      action: { type, path, ...(requested === "" ? undefined : { requested_path: requested }) },
    },
    path,
    base,
    requested,
  }));
});

/** What the native code reads of one case. */
function partsOf({ needed, event, path, base, requested }: Case): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  const bits = 1 << FILE_ACTION_TYPES.indexOf(event.action.type);
  return [
    encodeNeededTable({ ...needed, linked: false, objects: [] }),
    new Uint8Array(Uint32Array.of(bits).buffer),
    ...[path, base, requested].map((text) => encoder.encode(text)),
  ];
}

test("what may be refused is nobody's to answer alone", async () => {
  const sampled = fc.sample(cases, POLICIES).flat();
  const waits = await nativeAnswers("named", sampled.map((each) => partsOf(each)));
  const refused = new Set<string>();
  sampled.forEach(({ snapshot, event: asked, path, base, requested }, i) => {
    const { verdict, mode, rule } = snapshot.evaluate(asked);
    if (verdict !== "deny" && verdict !== "ask") return;
    refused.add(asked.action.type);
    const detail = { type: asked.action.type, path, base, requested, home: asked.session?.home, rule, mode };
    expect({ ...detail, waits: waits[i] }).toEqual({ ...detail, waits: "1" });
  });
  // The comparison is about something: of every kind some are refused, and some go on.
  expect(refused.size).toBe(TYPES.length);
  expect(sampled.filter(({ requested }, i) => requested !== "" && waits[i] === "0").length).toBeGreaterThan(100);
}, LIMIT_MS);

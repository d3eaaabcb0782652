/** What native code lets start by itself against the policy: no rule can be about it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Event, ExecAction, SessionId, SessionInfo } from "../../../lib/core/mod.ts";
import { type NeededStarts, neededStarts, PolicySnapshot } from "../../../lib/decide/mod.ts";
import { encodeStartTable } from "../../../ffi/needed_table.ts";
import { event, pathName, policy, policyText } from "./arbitraries.ts";
import { load } from "./load.ts";
import { nativeAnswers } from "./native_answers.ts";

const POLICIES = 600;
const LIMIT_MS = 60_000;
const HOMES = ["/home/u", "/", undefined] as const;

const SESSION: SessionInfo = {
  session_id: "01J00000000000000000000000" as SessionId,
  agent: "a",
  principal: "p",
  root: { pid: 1, start: "1" },
};

/** Rules that may be about what has no start of its own: builtins, and what the dynamic loader runs. */
const rules: fc.Arbitrary<string> = fc.record({
  exe: fc.constantFrom('"kill"', '["cd", "a"]', '"**/cd"', '"/bin/cd"', '"[k]ill"', '"b"', '"*.so.2"', '"/a/b"'),
  argv: fc.constantFrom("", 'argv = ["..."]', 'argv = ["a", "..."]'),
  verdict: fc.constantFrom("deny", "ask"),
}).map(({ exe, argv, verdict }) =>
  `\n[[rules]]\nname = "of-builtins"\naction = "exec"\nexe = ${exe}\n${argv}\nverdict = "${verdict}"`
);

/** Absolute and normal, as the kernel shows names. */
const resolved = fc.oneof(
  { weight: 3, arbitrary: pathName.filter((name) => name.startsWith("/") && !/\/\/|\/\.\.?(?:\/|$)|.\/$/.test(name)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["/bin/sh", "/a/bash", "/usr/bin/python3.12", "/usr/bin/env", "/usr/bin/busybox", "/usr/bin/systemd-run"],
      ...["/lib/ld-linux-x86-64.so.2", "/lib/ld-2.31.so", "/lib/ld-musl-x86_64.so.1"],
    ),
  },
);
/** As a caller may write them. */
const written = fc.oneof(
  pathName,
  pathName.map((name) => `..${name}`),
  pathName.map((name) => name.replaceAll("/", "/./")),
  pathName.map((name) => `x/../${name}//`),
);
const argv = fc.oneof(
  fc.array(fc.constantFrom("a", "b", "ab", "kill"), { maxLength: 4 }),
  fc.constantFrom(
    ["sh", "-c", "kill a"],
    ["sh", "-c", "cd a; b a"],
    ["bash", "-ec", "'k'ill a && a"],
    ["python3", "-c", "import os; os.system('kill a')"],
    ["env", "X=1", "sh", "-c", "cd a"],
    ["kill", "a"],
    ["ld.so", "/a/b", "a"],
    ["ld.so", "--argv0", "x", "a"],
    ["systemd-run", "--user", "b", "a"],
    ["systemd-run", "/a/b", "a"],
  ),
);

/** Programs that start others, with what they start. */
const wrapped = fc.constantFrom(
  { path: "/usr/bin/systemd-run", argv: ["systemd-run", "--user", "b", "a"] },
  { path: "/usr/bin/systemd-run", argv: ["systemd-run", "/a/b", "a"] },
  { path: "/lib/ld-linux-x86-64.so.2", argv: ["ld.so", "/a/b", "a"] },
  { path: "/lib/ld-2.31.so", argv: ["ld.so", "--argv0", "x", "b", "a"] },
  { path: "/bin/dash", argv: ["sh", "-c", "kill a"] },
  { path: "/usr/bin/python3.12", argv: ["python3", "-c", "import os; os.system('cd a')"] },
  { path: "/usr/bin/busybox", argv: ["kill", "a"] },
);

interface Case {
  readonly snapshot: PolicySnapshot;
  readonly needed: NeededStarts;
  readonly event: Event;
  readonly action: ExecAction;
}

/** Starts under one policy, as heldExecEvent tells them. */
const cases: fc.Arbitrary<readonly Case[]> = fc.record({
  text: fc.tuple(
    policy.map((data) => policyText({ ...data, rules: data.rules.slice(0, 2) })),
    fc.oneof(fc.constant(""), rules),
  ),
  home: fc.constantFrom(...HOMES),
  event,
  starts: fc.array(
    fc.tuple(
      fc.record({ path: resolved, requested_path: written, argv, cwd: resolved, interpreter: resolved }, {
        requiredKeys: ["path", "argv", "cwd"],
      }),
      fc.option(wrapped, { nil: {} }),
    ).map(([start, line]) => ({ ...start, ...line })),
    { minLength: 10, maxLength: 10 },
  ),
}).map(({ text, home, event: { base: _base, shown: _shown, process, session, ...rest }, starts }) => {
  const snapshot = load(text.join(""));
  const needed = neededStarts(snapshot, home);
  const { home: _home, ...unhoused } = session ?? SESSION;
  return starts.map((start) => {
    const action: ExecAction = { type: "exec", ...start };
    return {
      snapshot,
      needed,
      action,
      event: {
        ...rest,
        process: { ...process ?? { pid: 7, start: "7" }, cwd: start.cwd },
        session: home === undefined ? unhoused : { ...unhoused, home },
        action,
        held: true,
      },
    };
  });
});

/** What the native code reads of one case. */
function partsOf({ needed, action }: Case): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  const { path, cwd = "", requested_path = "", interpreter = "" } = action;
  return [encodeStartTable(needed), ...[path, cwd, requested_path, interpreter].map((text) => encoder.encode(text))];
}

test("a start that may be refused is nobody's to let go alone", async () => {
  const sampled = fc.sample(cases, POLICIES).flat();
  const waits = await nativeAnswers("started", sampled.map((each) => partsOf(each)));
  let [refused, by_rule] = [0, 0];
  sampled.forEach(({ snapshot, event: asked, action, needed }, i) => {
    const { verdict, rule } = snapshot.evaluate(asked);
    if (verdict !== "deny" && verdict !== "ask") return;
    refused++;
    if (!needed.all && rule !== undefined) by_rule++;
    expect({ action, rule, home: asked.session?.home, waits: waits[i] }).toEqual({
      action,
      rule,
      home: asked.session?.home,
      waits: "1",
    });
  });
  // The comparison is about something: some are refused by names that a rule needs, and some go on beside such rules.
  expect(refused).toBeGreaterThan(100);
  expect(by_rule).toBeGreaterThan(20);
  expect(sampled.filter(({ needed }, i) => needed.texts.length > 0 && waits[i] === "0").length).toBeGreaterThan(100);
}, LIMIT_MS);

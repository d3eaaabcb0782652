/**
 * The evaluator and the reader of command lines on anything: never throw, never hang, never allow because of an error.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Event, LIMITS } from "../../../lib/core/mod.ts";
import { readCommandLine, readShellScript, StatefulDecider } from "../../../lib/decide/mod.ts";
import { event, pastPolicy, policy, policyText } from "./arbitraries.ts";
import { load } from "./load.ts";

const TIMEOUT_MS = 120_000;

/** Everything that a policy can ask, each as a deny. */
const ASKING = [
  ...["path", "exe", "by", "cwd", "ancestor"].map((key) => `${key} = ["/a/**", "**/x*", "~/**"]`),
  ...["agent", "principal", "session", "group", "tag", "model", "host", "tool", "server"].map((key) =>
    `${key} = ["a*", "?"]`
  ),
  'argv = ["...", "a*", "..."]',
  'address = ["10.0.0.0/8", "::/0"]',
  'port = [0, "1-65535"]',
  'protocol = "tcp"',
  "user = 0",
  'new_path = "/**"',
  'args = { "$.a[*].b" = "*", "[0]" = "*" }',
  'tokens = { total = "0-", input = "1-" }',
  "declared = false",
  "opaque = true",
  'risk = "0-"',
  'time = { window = "00:00-12:00", zone = "Europe/Oslo" }',
  'rate = { count = 0, per = "1s", key = ["exe", "path", "host", "address", "tool", "server", "user", "process"] }',
  'after = { rule = "mark" }',
];
const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^(?:argv|opaque|exe)/, "exec"],
  [/^(?:host|address|port|protocol)/, "net.*"],
  [/^(?:tool|server|args)/, "tool.call"],
  [/^new_path/, "file.rename"],
];
const EVERYTHING = [
  'version = 1\n[[rules]]\nname = "mark"\naction = "*"\nverdict = "log"',
  ...ASKING.map((line, i) => {
    const type = TYPES.find(([pattern]) => pattern.test(line))?.[1] ?? "*";
    return `[[rules]]\nname = "r${i}"\naction = "${type}"\n${line}\nverdict = "deny"`;
  }),
  ...ASKING.filter((line) => /^(?:argv|opaque|exe)/.test(line)).map((line, i) =>
    `[[rules]]\nname = "t${i}"\naction = "tool.call"\n${line}\nverdict = "deny"`
  ),
].join("\n");

/** A value of any kind in the place of each field of an event, also where the types forbid it. */
const mangled: fc.Arbitrary<Event> = fc.tuple(
  event,
  fc.array(fc.tuple(fc.nat(40), fc.anything({ maxDepth: 1, withNullPrototype: true })), { minLength: 1, maxLength: 3 }),
).map(([each, changes]) => {
  const copy: Event = structuredClone(each);
  for (const [n, value] of changes) {
    const holders: readonly unknown[] = [copy.action, copy.process, copy.session, copy];
    const holder = holders[n % holders.length];
    if (typeof holder !== "object" || holder === null) continue;
    const keys = Object.keys(holder).filter((key) => key !== "type" && key !== "action");
    const key = keys[Math.floor(n / 4) % Math.max(keys.length, 1)];
    if (key !== undefined) Reflect.set(holder, key, value);
  }
  return copy;
});

test("events with anything in any field: no throw; where the engine fails, the answer is deny and says so", () => {
  let failed = 0;
  let decided = 0;
  fc.assert(
    fc.property(fc.oneof(policy, pastPolicy), fc.array(mangled, { minLength: 5, maxLength: 20 }), (data, events) => {
      const enforcing = policyText({ ...data, mode: "enforce" });
      for (const text of [enforcing, EVERYTHING]) {
        const decider = new StatefulDecider(load(text));
        for (const each of events) {
          const ruling = decider.evaluate(each);
          if (/^(?:evaluate policy|remember the action)/.test(ruling.reason)) {
            failed++;
            expect([ruling.verdict, ruling.rule_index]).toEqual(["deny", -1]);
          } else decided++;
        }
        // The engine works on after a failure.
        expect(decider.evaluate({ time_us: 0, action: { type: "guard.start", detail: "" } }).verdict).toBe("allow");
      }
    }),
    { numRuns: 300 },
  );
  // Both happen, or this test says nothing.
  expect(Math.min(failed, decided)).toBeGreaterThan(20);
}, TIMEOUT_MS);

test("a policy that only observes lets pass what the engine fails at, and says deny", () => {
  const decider = new StatefulDecider(load(`${EVERYTHING.replace("version = 1", 'version = 1\nmode = "observe"')}`));
  const broken: Event = { time_us: 0, action: { type: "file.read", path: "/x", result: "0" } };
  Reflect.set(broken.action, "path", 7);
  expect(decider.evaluate(broken)).toMatchObject({ verdict: "allow", would: "deny", mode: "observe" });
});

const PIECES = [
  ..." \t\n;&|()<>$`\"'\\{}[]*?~#!=/-+.abcxyz012".split(""),
  ...["&&", "||", "$(", "${", "$((", "<<", "<<-", "<<<", "<(", ";;", "$'", "]]", "[[", "((", "))"],
  ...["if ", "then ", "fi ", "case ", " in ", "esac ", "for ", "do ", "done ", "function ", "EOF", "\nEOF\n"],
  ...[
    "sh -c ",
    "bash ",
    "sudo ",
    "env ",
    "xargs ",
    "find . -exec ",
    "eval ",
    "python -c ",
    "busybox ",
    "-S ",
    "-c ",
    "\u0000",
  ],
  ...["é😀", "\ud800"],
];

test("scripts of the shell's own pieces: no throw, no hang, within bounds", () => {
  let opaque = 0;
  let understood = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 80 }), (pieces) => {
      const line = readShellScript(pieces.join(""));
      if (line.opaque) opaque++;
      else understood++;
      expect(line.commands.length).toBeLessThanOrEqual(256);
      for (const { argv } of line.commands) expect(argv[0]).not.toBe("");
      expect(readShellScript(pieces.join(""))).toEqual(line);
    }),
    { numRuns: 6_000 },
  );
  expect(Math.min(opaque, understood)).toBeGreaterThan(100);
}, TIMEOUT_MS);

test("any argument list of a program that starts others", () => {
  const program = fc.constantFrom(
    "sh",
    "env",
    "sudo",
    "su",
    "xargs",
    "find",
    "busybox",
    "python3",
    "flock",
    "timeout",
    "nice",
    "perl",
  );
  const argument = fc.oneof(
    fc.constantFrom(
      "-c",
      "-u",
      "--",
      "-",
      "-S",
      "-exec",
      ";",
      "+",
      "-i",
      "--user=x",
      "A=1",
      "-abc",
      "5",
      "--command",
      "",
    ),
    fc.string({ maxLength: 12 }),
  );
  fc.assert(
    fc.property(program, fc.array(argument, { maxLength: 10 }), (name, args) => {
      const line = readCommandLine({ path: `/bin/${name}`, argv: [name, ...args] });
      expect(line).toBeDefined();
    }),
    { numRuns: 4_000 },
  );
}, TIMEOUT_MS);

test("the cost of a script grows with its length, whatever it repeats", () => {
  // At the size limit, anything worse than linear would take minutes.
  const rounds = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(rounds, (pieces) => {
      const piece = pieces.join("");
      readShellScript(piece.repeat(Math.floor(LIMITS.argv_bytes_max / piece.length)));
    }),
    { numRuns: 150 },
  );
}, TIMEOUT_MS);

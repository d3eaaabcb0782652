/** Errors of policy files: place, wording, suggestion; all of them at once. */
import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../../lib/core/mod.ts";
import { loadPolicy } from "../../../lib/decide/mod.ts";
import { enforcing, findings, load } from "./support.ts";

/** A file with one rule whose body begins in line 4. */
function ruleFile(...lines: readonly string[]): string {
  return ["version = 1", "[[rules]]", 'name = "r"', ...lines].join("\n");
}

describe("one error, at its place", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["no version", 'name = "x"', "a.toml:1:1: error: policy has no version (begin with version = 1)"],
    ["another version", "version = 2", "a.toml:1:1: error: version is 2, not a whole number from 1 to 1"],
    ["an unknown key", enforcing('nmae = "x"'), 'a.toml:2:1: error: unknown key "nmae" (did you mean "name"?)'],
    ["a far unknown key", enforcing("completely_else = 1"), 'a.toml:2:1: error: unknown key "completely_else"'],
    ["rule for rules", enforcing("[[rule]]"), 'a.toml:2:3: error: unknown key "rule": rules are written [[rules]]'],
    [
      "an unknown mode",
      enforcing('mode = "enforced"'),
      'a.toml:2:1: error: mode is "enforced", not one of enforce, observe, disabled (did you mean "enforce"?)',
    ],
    ["a wrong type", enforcing("name = 7"), "a.toml:2:1: error: name is a number, not a string"],
    [
      "an unknown class",
      enforcing("[default]", 'nett = "deny"'),
      'a.toml:3:1: error: unknown action class "nett" (did you mean "net"?)',
    ],
    [
      "a class twice",
      enforcing("[default]", 'net = "deny"', '"net.*" = "allow"'),
      'a.toml:4:1: error: classes "net" and "net.*" both cover net.connect (keep one of them)',
    ],
    [
      "a bad duration",
      enforcing("[approval]", 'timeout = "5 minutes"'),
      'a.toml:3:1: error: timeout "5 minutes" is not a duration (write a number with ms, s, m, h or d, as in "5m")',
    ],
    [
      "a bad guard",
      enforcing("[guard]", 'on_loss = "freez"'),
      'a.toml:3:1: error: on_loss is "freez", not one of record, freeze, kill (did you mean "freeze"?)',
    ],
    [
      "an agent without marks",
      enforcing("[[agent]]", 'name = "x"'),
      "a.toml:2:3: error: agent has nothing to be recognised by (add exe, argv, cgroup or pid)",
    ],
    ["no verdict", ruleFile('action = "exec"'), 'a.toml:2:3: error: rule has no verdict (add verdict = "deny")'],
    [
      "no action",
      ruleFile('verdict = "deny"'),
      'a.toml:2:3: error: rule has no action (add action = "exec", or "*" for every action)',
    ],
    [
      "an unknown action in a list over lines",
      ruleFile("action = [", '  "exec",', '  "file.raed",', "]", 'verdict = "deny"'),
      'a.toml:6:3: error: unknown action "file.raed" (did you mean "file.read"?)',
    ],
    [
      "a family for an action",
      ruleFile('action = "net"', 'verdict = "deny"'),
      'a.toml:4:1: error: unknown action "net" (did you mean "net.*"?)',
    ],
    [
      "a glob that matches no action",
      ruleFile('action = "fiel.*"', 'verdict = "deny"'),
      'a.toml:4:1: error: "fiel.*" matches no action type (did you mean "file.*"?)',
    ],
    [
      "a mark that no rule sets",
      ruleFile('action = "exec"', 'after = { rule = "x" }', 'verdict = "deny"'),
      'a.toml:5:1: error: no rule is named "x" (did you mean "r"?)',
    ],
    [
      "a label that no rule sets, in an exception",
      ruleFile('action = "exec"', 'verdict = "deny"', 'except = { label = "x" }'),
      'a.toml:6:12: error: no rule sets label "x" (set it with verdict = "log" and label = [...])',
    ],
    [
      "a rate in an exception",
      ruleFile('action = "exec"', 'verdict = "deny"', 'except = { user = 0, rate = { count = 1, per = "1s" } }'),
      "a.toml:6:22: error: rate belongs to the rule, not to its except: a rule that forbids holds beyond the rate",
    ],
    [
      "a rate without its period",
      ruleFile('action = "exec"', "rate = { count = 1 }", 'verdict = "deny"'),
      'a.toml:5:1: error: rate has no per (write rate = { count = 60, per = "1h", key = "session" })',
    ],
    [
      "an unknown rate key",
      ruleFile('action = "exec"', 'rate = { count = 1, per = "1m", key = "sesion" }', 'verdict = "deny"'),
      'a.toml:5:33: error: unknown rate key "sesion", not one of session, principal, agent, user, process, exe, ' +
      'path, host, address, tool, server, all (did you mean "session"?)',
    ],
    [
      "a window that is none",
      ruleFile('action = "exec"', 'time = { window = "8-18" }', 'verdict = "deny"'),
      'a.toml:5:10: error: window "8-18" is not a time of day (write "08:00-18:00" or "22:00-06:00")',
    ],
    [
      "an unknown time zone",
      ruleFile('action = "exec"', 'time = { zone = "Europe/Olso" }', 'verdict = "deny"'),
      'a.toml:5:10: error: unknown time zone "Europe/Olso" (write an IANA name such as "Europe/Oslo", or "UTC")',
    ],
    [
      "unknown days",
      ruleFile('action = "exec"', 'time = { days = ["mon", "someday"] }', 'verdict = "deny"'),
      'a.toml:5:25: error: unknown days "someday" (write "mon", or "mon-fri")',
    ],
    [
      "a duration without a unit",
      ruleFile('action = "exec"', 'after = { rule = "r", within = "10" }', 'verdict = "deny"'),
      'a.toml:5:23: error: within "10" is neither "session" nor a duration ' +
      '(write a number with ms, s, m, h or d, as in "5m")',
    ],
    [
      "a range that ends before it begins",
      ruleFile('action = "exec"', 'risk = "9-1"', 'verdict = "deny"'),
      'a.toml:5:1: error: risk "9-1" is not a range of numbers (write a number, or a range such as "1000-2000", ' +
      '"1000-" or "-1000")',
    ],
    [
      "a flag that is none",
      ruleFile('action = "exec"', 'opaque = "yes"', 'verdict = "deny"'),
      "a.toml:5:1: error: opaque is a string, not true or false",
    ],
    [
      "opaque where no command line is",
      ruleFile('action = "file.read"', "opaque = true", 'verdict = "deny"'),
      "a.toml:5:1: error: predicate opaque never holds for the actions of this rule " +
      "(opaque belongs to exec, tool.call)",
    ],
    [
      "a place in the arguments that is none",
      ruleFile('action = "tool.call"', 'args = { "a[b" = "x" }', 'verdict = "deny"'),
      'a.toml:5:10: error: "a[b" is not a place in the arguments (at most 16 steps) (write names with dots, [0] ' +
      'or [*], as in "$.files[*].path")',
    ],
    [
      "an unknown action of the SDK runtime",
      '[[rules]]\nname = "r"\nblocked_actions = ["PROCES_EXEC"]',
      'a.toml:3:20: error: unknown action "PROCES_EXEC" in blocked_actions (did you mean "PROCESS_EXEC"?)',
    ],
    [
      "a rule of the SDK runtime with a predicate",
      '[[rules]]\nname = "r"\nblocked_actions = ["PROCESS_EXEC"]\npath = "/x"',
      'a.toml:4:1: error: unknown key "path"',
    ],
    [
      "an empty exception",
      ruleFile('action = "exec"', 'verdict = "deny"', "except = {}"),
      "a.toml:6:1: error: except without a predicate would switch the rule off",
    ],
    [
      "an empty list",
      ruleFile('action = "file.read"', "path = []", 'verdict = "deny"'),
      "a.toml:5:1: error: path is an empty list, which never matches (leave the key out)",
    ],
    [
      "a relative pattern",
      ruleFile('action = "file.read"', 'path = ["/ok", "src/**"]', 'verdict = "deny"'),
      'a.toml:5:16: error: a relative pattern never matches: "src/**"',
    ],
    [
      "a final slash",
      ruleFile('action = "file.read"', 'path = "/etc/"', 'verdict = "deny"'),
      "a.toml:5:1: error: an empty segment never matches",
    ],
    [
      "dots",
      ruleFile('action = "file.read"', 'path = "/etc/../x"', 'verdict = "deny"'),
      "a.toml:5:1: error: the segment .. never matches",
    ],
    [
      "stars within a name",
      ruleFile('action = "file.read"', 'path = "/etc/**.conf"', 'verdict = "deny"'),
      "a.toml:5:1: error: ** must stand alone between slashes",
    ],
    [
      "an open class",
      ruleFile('action = "file.read"', 'path = "/etc/[a"', 'verdict = "deny"'),
      "a.toml:5:1: error: a [ without its ]",
    ],
    [
      "an open brace",
      ruleFile('action = "file.read"', 'path = "/etc/{a"', 'verdict = "deny"'),
      "a.toml:5:1: error: a { without its }",
    ],
    [
      "a bad network",
      ruleFile('action = "net.connect"', 'address = "10.0.0.0/33"', 'verdict = "deny"'),
      'a.toml:5:1: error: bad address "10.0.0.0/33": prefix length "33" is not a number from 0 to 32',
    ],
    [
      "bits after the prefix",
      ruleFile('action = "net.connect"', 'address = "10.0.0.1/8"', 'verdict = "deny"'),
      "10.0.0.1/8 has bits set after its prefix; the network is 10.0.0.0/8",
    ],
    [
      "a bad port",
      ruleFile('action = "net.connect"', "port = [80, 70000]", 'verdict = "deny"'),
      "a.toml:5:13: error: port 70000 is not a whole number from 0 to 65535",
    ],
    [
      "a range backwards",
      ruleFile('action = "net.connect"', 'port = "90-80"', 'verdict = "deny"'),
      'a.toml:5:1: error: port range "90-80" ends before it begins',
    ],
    [
      "an unknown protocol",
      ruleFile('action = "net.connect"', 'protocol = "tpc"', 'verdict = "deny"'),
      'a.toml:5:1: error: unknown protocol "tpc"',
    ],
    [
      "a user name",
      ruleFile('action = "exec"', 'user = "alice"', 'verdict = "deny"'),
      'a.toml:5:1: error: user "alice" is not a numeric user id (write the uid, or "root")',
    ],
    [
      "argv as a text",
      ruleFile('action = "exec"', 'argv = "push"', 'verdict = "deny"'),
      'a.toml:5:1: error: argv is a string, not a list of tokens (write ["push", "..."])',
    ],
    ["wrong TOML", 'version = 1\nname = "x', "a.toml:2:8: error: invalid TOML: "],
    [
      "a predicate that no action has",
      ruleFile('action = "file.read"', 'exe = "cat"', 'verdict = "deny"'),
      "a.toml:5:1: error: predicate exe never holds for the actions of this rule (use by for the program that acts)",
    ],
    [
      "predicates that exclude each other",
      ruleFile('action = "*"', 'exe = "cat"', "port = 80", 'verdict = "deny"'),
      "a.toml:4:1: error: the predicates of this rule exclude each other: it covers no action",
    ],
    [
      "a duplicate name",
      `${ruleFile('action = "exec"', 'verdict = "log"')}\n[[rules]]\naction = "exec"\nverdict = "deny"\nname = "r"`,
      'a.toml:9:1: error: duplicate rule name "r", first in line 3 (rename one of them)',
    ],
  ];
  for (const [name, text, expected] of cases) {
    test(name, () => {
      const [first, ...more] = findings(text);
      expect(first).toContain(expected);
      expect(more).toEqual([]);
    });
  }
});

test("all errors are reported, in the order of the file, those of every layer", () => {
  const first = ruleFile('action = "exce"', 'exes = "git"', 'verdict = "dney"');
  const second = "version = 1\nmode = 7";
  expect(findings(first, second).map((line) => line.split(" error: ")[0])).toEqual([
    "a.toml:4:1:",
    "a.toml:5:1:",
    "a.toml:6:1:",
    "b.toml:2:1:",
  ]);
});

test("the number of findings is bounded and the rest is counted", () => {
  const keys = Array.from({ length: 5_000 }, (_, i) => `k${i} = 1`);
  const found = findings(enforcing(...keys));
  expect(found.length).toBe(1_001);
  expect(found.at(-1)).toContain("4000 more findings left out");
});

describe("limits are named", () => {
  function refusal(bytes: Uint8Array): string {
    const loaded = loadPolicy([{ file: "a.toml", bytes }], { generation: 1 });
    if (loaded.ok) throw new Error("the policy loads");
    return loaded.error.map(({ line, column, message }) => `${line}:${column} ${message}`).join("\n");
  }
  const encoder = new TextEncoder();

  test("bytes", () => {
    const text = `version = 1\n#${"x".repeat(LIMITS.policy_bytes_max)}`;
    expect(refusal(encoder.encode(text))).toContain("(policy_bytes_max) is 4194304");
  });
  test("NUL", () => {
    expect(refusal(encoder.encode('version = 1\nname = "a\0b"'))).toBe("2:10 NUL byte at offset 21");
  });
  test("invalid UTF-8", () => {
    for (const tail of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
      expect(refusal(Uint8Array.of(...encoder.encode("# é\n"), ...tail))).toBe("2:1 invalid UTF-8 at byte offset 5");
    }
  });
  test("pattern", () => {
    const long = "é".repeat(LIMITS.pattern_bytes_max / 2);
    expect(refusal(encoder.encode(ruleFile('action = "exec"', `path = "/${long}"`, 'verdict = "deny"'))))
      .toBe("5:1 pattern has 4097 bytes, the limit (pattern_bytes_max) is 4096");
    load(ruleFile('action = "exec"', `path = "/${long.slice(1)}"`, 'verdict = "deny"'));
  });
  test("rules of one file", () => {
    const text = `version = 1\n${"[[rules]]\n".repeat(LIMITS.policy_rules_max + 1)}`;
    expect(refusal(encoder.encode(text))).toContain("20001 rules, the limit (policy_rules_max) is 20000");
  });
  test("50 MB, 100,000 rules, deep nesting", () => {
    expect(refusal(new Uint8Array(50_000_000).fill(35))).toContain(
      "50000000 bytes, the limit (policy_bytes_max) is 4194304",
    );
    const many = `version = 1\n${"[[rules]]\n".repeat(100_000)}`;
    expect(refusal(encoder.encode(many))).toContain("100000 rules, the limit (policy_rules_max) is 20000");
    const deep = `version = 1\n[config]\nx = ${"[".repeat(40)}${"]".repeat(40)}`;
    expect(refusal(encoder.encode(deep))).toMatch(/nest|depth/i);
  });

  test("marks that rules ask about", () => {
    const rules = Array.from(
      { length: 2_100 },
      (_, i) =>
        `[[rules]]\naction = "exec"\nverdict = "log"\nlabel = "l${i}"\n` +
        `[[rules]]\naction = "exec"\nverdict = "ask"\nafter = "l${i}"`,
    );
    expect(refusal(encoder.encode(`version = 1\n${rules.join("\n")}`))).toContain("more than a session keeps");
  });

  test("rules of all layers together", () => {
    const half = `version = 1\n${'[[rules]]\naction="exec"\nverdict="log"\n'.repeat(LIMITS.policy_rules_max / 2 + 1)}`;
    expect(findings(half, half)[0]).toContain("20002 rules together, the limit (policy_rules_max) is 20000");
  });
});

test("no file, and too many, are errors", () => {
  expect(loadPolicy([], { generation: 1 }).ok).toBe(false);
  expect(findings(...Array.from({ length: 65 }, () => "version = 1"))[0]).toContain("65 files");
});

test("keys named like parts of JavaScript objects are plain unknown keys", () => {
  const found = findings(enforcing("__proto__ = 1", "constructor = 2", "toString = 3"));
  expect(found.map((line) => line.split(" error: ")[1])).toEqual([
    'unknown key "__proto__"',
    'unknown key "constructor"',
    'unknown key "toString"',
  ]);
});

test("config and record are handed out, the rest of the settings merged so that later layers tighten", () => {
  const base = enforcing(
    'name = "base"',
    "[config]",
    'log = "info"',
    "retries = 3",
    "[record]",
    'keep = "30d"',
    "[guard]",
    'on_failure = "open"',
    'on_loss = "freeze"',
    "[approval]",
    'timeout = "5m"',
    'approvers = ["uid:0", "user:b"]',
  );
  const snapshot = load(
    base,
    enforcing(
      'name = "site"',
      "[config]",
      'log = "debug"',
      "[approval]",
      'timeout = "30s"',
      'approvers = ["user:b", "gid:3"]',
    ),
  );
  expect(snapshot.config).toEqual({ log: "debug", retries: 3 });
  expect(snapshot.record).toMatchObject({ keep_ms: 30 * 86_400_000, sinks: [], anchors: [] });
  expect(snapshot.approval).toEqual({ timeout_ms: 30_000, approvers: ["user:b"] });
  expect(snapshot.guard).toMatchObject({ on_failure: "open", on_loss: "freeze" });
  const hard = load(base, enforcing("[guard]", 'on_failure = "deny"', 'on_loss = "record"'));
  expect(hard.guard).toMatchObject({ on_failure: "deny", on_loss: "freeze" });
  expect(load("version = 1").guard).toMatchObject({ on_failure: "deny", on_loss: "record" });
});

test("the digest is SHA-256 of the file, and of the digests for several", () => {
  const sha256 = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");
  expect(load("version = 1").ref).toEqual({ name: "policy", digest: sha256("version = 1"), generation: 3 });
  const both = load("version = 1", 'version = 1\nname = "b"').ref;
  expect(both.digest).toBe(sha256(`${sha256("version = 1")}\n${sha256('version = 1\nname = "b"')}\n`));
  expect(both.name).toBe("policy+b");
});

/** Warnings and inline tests. */
import { describe, expect, test } from "bun:test";
import { formatDiagnostic } from "../../../lib/decide/mod.ts";
import { enforcing, findings, load, rule } from "./support.ts";

function warnings(...layers: readonly string[]): readonly string[] {
  return load(...layers).warnings.map((warning) => formatDiagnostic(warning));
}

describe("rules that never decide", () => {
  const pairs: readonly (readonly [string, string, string, boolean])[] = [
    ["an allow below a deny", 'path = "/etc/**"\nverdict = "deny"', 'path = "/etc/hosts"\nverdict = "allow"', true],
    [
      "an allow of a tree below a deny",
      'path = "/etc/**"\nverdict = "deny"',
      'path = "/etc/x/**"\nverdict = "allow"',
      true,
    ],
    ["an allow above a deny", 'path = "/etc/x"\nverdict = "deny"', 'path = "/etc/**"\nverdict = "allow"', false],
    ["an allow beside a deny", 'path = "/etc/**"\nverdict = "deny"', 'path = "/etcetera"\nverdict = "allow"', false],
    [
      "an exception in the deny",
      'path = "/etc/**"\nexcept = { path = "/etc/hosts" }\nverdict = "deny"',
      'path = "/etc/hosts"\nverdict = "allow"',
      false,
    ],
    [
      "the same rule twice",
      'path = ["/a", "~/b/**"]\nverdict = "deny"',
      'path = ["~/b/**", "/a"]\nverdict = "deny"',
      true,
    ],
    ["a deny below an ask", 'path = "/etc/**"\nverdict = "ask"', 'path = "/etc/hosts"\nverdict = "deny"', false],
    [
      "a deny with one predicate more",
      'path = "/etc/**"\nby = "sh"\nverdict = "deny"',
      'path = "/etc/x"\nverdict = "allow"',
      false,
    ],
    [
      "an allow with one predicate more",
      'path = "/etc/**"\nverdict = "deny"',
      'path = "/etc/x"\nby = "sh"\nverdict = "allow"',
      true,
    ],
    ["a deny without predicates", 'verdict = "deny"', 'by = "sh"\nverdict = "allow"', true],
    ["a wild deny", 'path = "**/.env"\nverdict = "deny"', 'path = "/w/.env"\nverdict = "allow"', true],
    ["a wild deny by extension", 'path = "**/*.pem"\nverdict = "deny"', 'path = "/w/a.pem"\nverdict = "allow"', true],
    [
      "a wild deny in the middle",
      'path = "/w/*/x/**"\nverdict = "deny"',
      'path = "/w/a/x/y/**"\nverdict = "allow"',
      true,
    ],
    ["a log rule and a deny", 'verdict = "deny"', 'path = "/w"\nverdict = "log"', false],
    ["a deny that only observes", 'mode = "observe"\nverdict = "deny"', 'path = "/w"\nverdict = "allow"', false],
  ];
  for (const [name, strong, weak, expected] of pairs) {
    test(`${name}: ${expected ? "shadowed" : "not shadowed"}`, () => {
      const text = enforcing(
        rule("strong", `action = "file.read"\n${strong}`),
        rule("weak", `action = "file.read"\n${weak}`),
      );
      const found = warnings(text);
      expect(found.length).toBe(expected ? 1 : 0);
      if (expected) expect(found[0]).toContain('warning: rule "weak" never decides: ');
    });
  }

  test("networks and ports", () => {
    const text = enforcing(
      rule("strong", 'action = "net.*"\naddress = "10.0.0.0/8"\nport = "1-1000"\nverdict = "deny"'),
      rule(
        "weak",
        'action = "net.connect"\naddress = ["10.1.0.0/16", "10.2.3.4"]\nport = [80, "443-500"]\nverdict = "allow"',
      ),
      rule("other", 'action = "net.connect"\naddress = "11.0.0.1"\nport = 80\nverdict = "allow"'),
    );
    expect(warnings(text)).toEqual([
      'a.toml:8:3: warning: rule "weak" never decides: deny rule "strong" (a.toml:2) covers everything that it covers' +
      " (use except in the other rule)",
    ]);
  });

  test("the same verdict in two layers is no slip", () => {
    const layer = enforcing(rule("r", 'action = "exec"\nexe = "nc"\nverdict = "deny"'));
    expect(warnings(layer, layer)).toEqual([]);
  });

  test("many rules that all might cover each other end the search with a word", () => {
    const rules = Array.from(
      { length: 1_000 },
      (_, i) => rule(`r${i}`, `action = "exec"\nby = "p${i}*"\nverdict = "deny"`),
    );
    expect(warnings(enforcing(...rules)).at(-1)).toContain("the search for shadowed rules ends here");
  });
});

test("a predicate that holds for some of the actions only", () => {
  expect(warnings(enforcing(rule("r", 'action = ["exec", "file.read"]\nexe = "nc"\nverdict = "deny"')))).toEqual([
    "a.toml:5:1: warning: predicate exe never holds for file.read: the rule does not cover it " +
    "(write a rule of its own)",
  ]);
  expect(warnings(enforcing(rule("r", 'action = "*"\nexe = "nc"\nverdict = "deny"')))).toEqual([]);
});

test("an exception that never applies", () => {
  const text = enforcing(rule("r", 'action = "exec"\nexe = "nc"\nverdict = "deny"\nexcept = { port = 80 }'));
  expect(warnings(text)).toEqual([
    'a.toml:2:3: warning: an exception of rule "r" never applies to the rule\'s actions',
  ]);
});

test("an agent written twice", () => {
  const agent = '[[agent]]\nname = "x"\nexe = "x"';
  expect(warnings(enforcing(agent, agent))).toEqual(['a.toml:5:3: warning: agent "x" is written twice']);
});

describe("inline tests", () => {
  const withTests = (...lines: readonly string[]): string =>
    enforcing(rule("r", ['action = ["file.read", "exec", "net.connect"]', 'verdict = "deny"', ...lines].join("\n")));
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ["a match that holds", 'match = [{ action = "file.read", path = "/x" }]', undefined],
    [
      "a match that fails",
      'match = [{ action = "file.read", path = "/x" },\n  { action = "file.write", path = "/y" }]',
      'a.toml:7:3: error: inline test failed: rule "r" does not cover an action that it must cover: ' +
      '{"action":"file.write"',
    ],
    [
      "a not_match that fails",
      'not_match = [{ action = "exec", exe = "x" }]',
      'a.toml:6:14: error: inline test failed: rule "r" covers an action that it must not cover',
    ],
    [
      "a missing action",
      'match = [{ path = "/x" }]',
      'a.toml:6:10: error: inline test of rule "r": it needs an action',
    ],
    [
      "an unknown action",
      'match = [{ action = "file.raed" }]',
      'unknown action "file.raed" (did you mean "file.read"?)',
    ],
    ["an unknown key", 'match = [{ action = "exec", ex = "x" }]', 'unknown value "ex" (did you mean "exe"?)'],
    ["a missing path", 'match = [{ action = "file.read" }]', "it needs path"],
    ["a wrong type", 'match = [{ action = "net.connect", port = "80" }]', "port is not a whole number from 0 to 65535"],
    ["no table", 'match = ["/x"]', "a.toml:6:10: error: match has a string where a table belongs"],
  ];
  for (const [name, line, expected] of cases) {
    test(name, () => {
      if (expected === undefined) expect(warnings(withTests(line))).toEqual([]);
      else expect(findings(withTests(line)).join("\n")).toContain(expected);
    });
  }

  test("every field of a test reaches the event", () => {
    const holds = (predicate: string, fields: string): void => {
      const action = /action = "([^"]*)"/.exec(fields)?.[1] ?? "";
      const body = (list: string): string =>
        enforcing(rule("r", `action = "${action}"\n${predicate}\nverdict = "deny"\n${list} = { ${fields} }`));
      expect(warnings(body("match"))).toEqual([]);
      // The same test the other way round fails, so it was not empty.
      expect(findings(body("not_match")).length).toBe(1);
    };
    holds('path = "~/a"', 'action = "file.read", path = "~/a"');
    holds('path = "/link"', 'action = "file.read", path = "/a", requested_path = "/link"');
    holds('new_path = "/b"', 'action = "file.rename", path = "/a", new_path = "/b"');
    holds('exe = "git"\nargv = ["push", "..."]', 'action = "exec", exe = "git", argv = ["push", "-f"]');
    holds('cwd = "/w"', 'action = "exec", cwd = "/w"');
    holds('by = "sh"', 'action = "file.read", path = "/a", by = "/bin/sh"');
    holds(
      'address = "10.0.0.0/8"\nport = 9\nprotocol = "udp"',
      'action = "net.send", address = "10.0.0.1", port = 9, protocol = "udp"',
    );
    holds('host = "x.example"', 'action = "net.connect", host = "x.example"');
    holds('tool = "t"\nserver = "s"', 'action = "tool.call", tool = "t", server = "s"');
    holds("user = 0", 'action = "exec", user = 0');
    holds('agent = "a"\nprincipal = "p"', 'action = "exec", agent = "a", principal = "p"');
    holds('path = "/run/x"', 'action = "unix.connect", path = "/run/x"');
  });
});

/** What goes into the kernel, and what is said of the rest. */
import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../../lib/core/mod.ts";
import { BASE_MECHANISMS, lower, type LowerOptions, type RuleEnforcement } from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

function lowered(layers: string | readonly string[], options: LowerOptions = {}): ReturnType<typeof lower> {
  return lower(load(...(typeof layers === "string" ? [layers] : layers)), options);
}

/** `mechanism complete|part`, per rule. */
function mechanisms(report: readonly RuleEnforcement[]): readonly string[] {
  return report.map(({ mechanism, complete }) => `${mechanism} ${complete ? "complete" : "part"}`);
}

const ANY = { cidrs: [], ports: [], protocols: [] };
const OPEN = { "net.connect": "allow", "net.send": "allow", "net.bind": "allow" } as const;
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

describe("network rules", () => {
  test("address, port and protocol", () => {
    const { policy, report, in_kernel } = lowered(enforcing(rule(
      "r",
      'action = ["net.connect", "net.send"]\naddress = ["192.0.2.0/24", "2001:db8::/32"]\n' +
        'port = ["1-9", 443]\nprotocol = "udp"\n' +
        'verdict = "deny"',
    )));
    expect(policy).toEqual({
      generation: 3,
      net: [{
        rule_index: 0,
        verdict: "deny",
        actions: ["net.connect", "net.send"],
        match: {
          cidrs: [
            { bytes: bytes(192, 0, 2, 0), prefix_bits: 24 },
            { bytes: bytes(32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), prefix_bits: 32 },
          ],
          ports: [{ from: 1, to: 9 }, { from: 443, to: 443 }],
          protocols: ["udp"],
        },
      }],
      net_default: OPEN,
      exec: [],
      exec_default: "allow",
    });
    expect(report).toMatchObject([{
      rule: "r",
      rule_index: 0,
      file: "a.toml",
      line: 2,
      mechanism: "cgroup",
      mechanisms: ["cgroup"],
      complete: true,
      note: "",
    }]);
    expect([...in_kernel]).toEqual([0]);
  });

  test("an exception; one that is about some actions only; one that takes an action away", () => {
    const body = (except: string): string =>
      enforcing(rule("r", `action = ["net.connect", "net.send"]\nverdict = "deny"\nexcept = ${except}`));
    const exception = { ...ANY, ports: [{ from: 53, to: 53 }] };
    expect(lowered(body("{ port = 53 }")).policy.net).toMatchObject([{
      actions: ["net.connect", "net.send"],
      except: exception,
    }]);
    const split = lowered(body('{ action = "net.send", port = 53 }')).policy.net;
    expect(split).toEqual([
      { rule_index: 0, verdict: "deny", actions: ["net.connect"], match: ANY },
      { rule_index: 0, verdict: "deny", actions: ["net.send"], match: ANY, except: exception },
    ]);
    expect(lowered(body('{ action = "net.send" }')).policy.net.map(({ actions }) => actions)).toEqual([[
      "net.connect",
    ]]);
    const joined = lowered(body("[{ port = 53 }, { port = 80 }]")).policy.net;
    expect(joined[0]?.except?.ports).toEqual([{ from: 53, to: 53 }, { from: 80, to: 80 }]);
  });

  test("what the kernel cannot ask is left to user space, with the reason", () => {
    const note = (body: string): string => {
      const { policy, report } = lowered(enforcing(rule("r", `action = "net.connect"\nverdict = "deny"\n${body}`)));
      expect(policy.net).toEqual([]);
      expect(mechanisms(report)).toEqual(["kill_after part"]);
      const [why, ...rest] = (report[0]?.note ?? "").split("; ");
      expect(rest.slice(0, 1)).toEqual(["ended after the effect"]);
      // Only of what names a host some address may be known otherwise.
      expect(rest.slice(1)).toEqual(/^host = /.test(body) ? [] : ["seccomp would prevent it"]);
      return why ?? "";
    };
    expect(note('host = "x.example"')).toBe("predicate host is decided in user space"); // no programs for names
    expect(note('by = "curl"')).toBe("predicate by is decided in user space");
    expect(note('except = { host = "x.example" }')).toBe("predicate host of the exception is decided in user space");
    expect(note('except = [{ port = 1 }, { address = "10.0.0.1" }]')).toContain("cannot be joined");
    expect(note('protocol = "icmp"')).toBe("the kernel tells only tcp and udp apart");
    expect(note('except = { protocol = "icmp" }')).toBe("the kernel tells only tcp and udp apart");
  });

  test("a rule that only the kernel holds in part says what is left", () => {
    const { policy, report } = lowered(enforcing(
      rule("a", 'action = "net.*"\nverdict = "deny"\nport = 25'),
      rule("b", 'action = "net.connect"\nverdict = "deny"\nprotocol = ["tcp", "icmp"]'),
    ));
    expect(policy.net.map(({ actions }) => actions)).toEqual([["net.connect", "net.send", "net.bind"], [
      "net.connect",
    ]]);
    expect(policy.net[1]?.match.protocols).toEqual(["tcp"]);
    expect(mechanisms(report)).toEqual(["cgroup part", "cgroup part"]);
    expect(report[0]?.note).toBe("net.listen: ended after the effect");
  });

  test("beyond the kernel's number of rules the report says so", () => {
    const count = LIMITS.kernel_net_rules_max + 2;
    const rules = Array.from(
      { length: count },
      (_, i) => rule(`r${i}`, `action = "net.connect"\nport = ${i}\nverdict = "deny"`),
    );
    const { policy, report } = lowered(enforcing(...rules));
    expect(policy.net.length).toBe(LIMITS.kernel_net_rules_max);
    expect(mechanisms(report.slice(-3))).toEqual(["cgroup complete", "kill_after part", "kill_after part"]);
    expect(report.at(-1)?.note).toContain("(kernel_net_rules_max)");
  });
});

describe("host names", () => {
  const NAMES: LowerOptions = { host: { available: BASE_MECHANISMS, names: true } };
  const of = (body: string, ...before: readonly string[]): ReturnType<typeof lower> =>
    lowered(enforcing(...before, rule("r", `action = ["net.connect", "net.send"]\n${body}`)), NAMES);

  test("whole names, and all that end with a text", () => {
    const { policy } = of('host = ["API.example.com.", "*.example.org", ".example.net", "*"]\nverdict = "deny"');
    expect(policy.net[0]?.match.hosts).toEqual([
      { suffix: false, text: "api.example.com" },
      { suffix: true, text: ".example.org" },
      { suffix: true, text: ".example.net" },
      { suffix: false, text: "example.net" },
      { suffix: true, text: "" },
    ]);
    expect(policy.names).toBe(true);
  });

  test.each(["a*.example", "x?", "[ab].example", "*.b*", "b\u00fccher.example"])("%s is left to user space", (host) => {
    const { policy, report } = of(`host = ["a.example", ${JSON.stringify(host)}]\nverdict = "deny"`);
    expect(policy.net).toEqual([]);
    expect(report[0]?.note).toStartWith(`host pattern ${JSON.stringify(host)} is decided in user space`);
    expect(policy.names).toBe(true);
  });

  test("what is forbidden by name is not prevented where the address is known otherwise", () => {
    const { report, in_kernel } = of('host = "bad.example"\nverdict = "deny"');
    expect(mechanisms(report)).toEqual(["cgroup part"]);
    expect(report[0]?.note).toBe("an address that no trusted resolver gave for the name is not known by it");
    // The verdicts are those of user space: a difference is an alarm.
    expect([...in_kernel]).toEqual([0]);
  });

  test("it is where everything without an allowed name is refused by default", () => {
    const allow = (body: string): string => rule("a", `action = "net.*"\nverdict = "allow"\n${body}`);
    const deny = 'host = "bad.example"\nverdict = "deny"';
    const complete = (...before: readonly string[]): string | undefined =>
      mechanisms(of(deny, "[default]", 'net = "deny"', ...before).report).at(-1);
    expect(complete()).toBe("cgroup complete");
    expect(complete(allow('host = "*.example"'))).toBe("cgroup complete");
    expect(complete(allow("port = 443"))).toBe("cgroup part");
    expect(complete(allow('host = "*.example"'), allow("port = 443").replace('"a"', '"b"'))).toBe("cgroup part");
  });

  test("an allow by name lifts the default, an exception by name lifts a rule; nothing is bound by name", () => {
    const lifting = lowered(
      enforcing("[default]", 'net = "deny"', rule("a", 'action = "net.*"\nhost = "a.example"\nverdict = "allow"')),
      NAMES,
    );
    expect(lifting.policy.net_default).toEqual({ "net.connect": "deny", "net.send": "deny", "net.bind": "deny" });
    expect(lifting.policy.net.map(({ actions }) => actions)).toEqual([["net.connect"], ["net.send"]]);
    const excepted = lowered(
      enforcing(rule("r", 'action = "net.*"\nexcept = [{ host = "a.example" }, { host = "*.b" }]\nverdict = "deny"')),
      NAMES,
    );
    expect(excepted.policy.net).toMatchObject([
      {
        actions: ["net.connect", "net.send"],
        except: { hosts: [{ suffix: false, text: "a.example" }, { suffix: true, text: ".b" }] },
      },
      { actions: ["net.bind"] },
    ]);
    expect(excepted.policy.net[1]).not.toHaveProperty("except");
  });

  test("names are watched where somebody asks for them, also one who only observes", () => {
    const watched = (...lines: readonly string[]): boolean => lowered(enforcing(...lines), NAMES).policy.names === true;
    const host = 'action = "net.connect"\nhost = "a.example"\nverdict = "deny"';
    expect(watched(rule("r", host))).toBe(true);
    expect(watched(rule("r", `${host}\nmode = "observe"`))).toBe(true);
    expect(watched('mode = "observe"', rule("r", host))).toBe(true);
    expect(watched('mode = "disabled"', rule("r", host))).toBe(false);
    expect(watched(rule("r", 'action = "net.dns"\nverdict = "log"'))).toBe(true);
    expect(watched(rule("r", 'action = "net.*"\nverdict = "deny"'))).toBe(false);
    expect(watched(rule("r", 'action = "*"\nverdict = "log"'))).toBe(false);
  });

  test("beyond the kernel's number of patterns the report says so", () => {
    const hosts = JSON.stringify(Array.from({ length: LIMITS.kernel_host_patterns_max }, (_, i) => `h${i}.example`));
    const { policy, report } = of(
      'host = "one-more.example"\nverdict = "deny"',
      rule("many", `action = "net.connect"\nhost = ${hosts}\nverdict = "deny"`),
    );
    expect(policy.net).toHaveLength(1);
    expect(report[1]?.note).toContain("(kernel_host_patterns_max)");
  });
});

describe("defaults and what lifts them", () => {
  const allow = (name: string, body: string): string =>
    rule(name, `action = "net.connect"\nverdict = "allow"\n${body}`);
  const refusing = ["[default]", 'net = "deny"'];

  test("a refusing default with allows that the kernel can hold, only for the actions that it refuses", () => {
    const { policy, report } = lowered(
      enforcing(...refusing, allow("a", "port = 443"), rule("b", 'action = "net.*"\nverdict = "allow"\nport = 53')),
    );
    expect(policy.net_default).toEqual({ "net.connect": "deny", "net.send": "deny", "net.bind": "deny" });
    expect(policy.net.map(({ rule_index, verdict, actions }) => [rule_index, verdict, ...actions])).toEqual([
      [0, "allow", "net.connect"],
      [1, "allow", "net.connect"],
      [1, "allow", "net.send"],
      [1, "allow", "net.bind"],
    ]);
    expect(mechanisms(report)).toEqual(["cgroup complete", "cgroup complete"]);
  });

  test("ask refuses like deny, here and in rules", () => {
    const { policy } = lowered(
      enforcing("[default]", 'net = "ask"', 'exec = "ask"', rule("a", 'action = "exec"\nexe = "git"\nverdict = "ask"')),
    );
    expect([policy.net_default["net.send"], policy.exec_default, policy.exec[0]?.verdict]).toEqual([
      "deny",
      "deny",
      "ask",
    ]);
  });

  test("an allow that the kernel cannot hold opens the kernel's default for its action only", () => {
    const { policy, report } = lowered(
      enforcing(...refusing, allow("a", "port = 443"), allow("b", 'host = "x.example"')),
    );
    expect(policy.net_default).toEqual({ "net.connect": "allow", "net.send": "deny", "net.bind": "deny" });
    expect(policy.net).toEqual([]);
    expect(report[1]?.note).toBe(
      "predicate host is decided in user space; " +
        "so the kernel lets net.connect through by default and user space decides",
    );
  });

  test("redact lifts a default too, so it opens the kernel's", () => {
    const { policy } = lowered(enforcing(...refusing, rule("a", 'action = "net.connect"\nverdict = "redact"')));
    expect(policy.net_default["net.connect"]).toBe("allow");
  });

  test("an allow in observe mode lifts nothing", () => {
    const { policy } = lowered(enforcing(...refusing, allow("a", 'mode = "observe"')));
    expect([policy.net_default["net.connect"], policy.net.length]).toEqual(["deny", 0]);
  });

  test("an allow that cannot reach the action does not open its default", () => {
    const { policy } = lowered(
      enforcing("[default]", '"*" = "deny"', rule("a", 'action = "*"\npath = "/w/**"\nverdict = "allow"')),
    );
    expect(policy.net_default["net.connect"]).toBe("deny");
    // The path of a program is not compared in the kernel.
    expect(policy.exec_default).toBe("allow");
  });

  test("an allow of another layer lifts nothing", () => {
    const { policy } = lowered([enforcing(...refusing, allow("a", "port = 443")), enforcing(allow("b", "port = 80"))]);
    expect(policy.net_default["net.connect"]).toBe("deny");
    expect(policy.net.map(({ rule_index }) => rule_index)).toEqual([0]);
  });

  test("two refusing layers with allows: the kernel opens; without allows in one: it refuses", () => {
    const base = enforcing(...refusing, allow("a", "port = 443"));
    const both = lowered([base, enforcing(...refusing, allow("b", "port = 80"))]);
    expect([both.policy.net_default["net.connect"], both.policy.net.length]).toEqual(["allow", 0]);
    expect(both.report[1]?.note).toBe("several layers refuse net.connect by default, so user space decides it");
    const none = lowered([base, enforcing(...refusing)]);
    expect([none.policy.net_default["net.connect"], none.policy.net.length]).toEqual(["deny", 0]);
  });

  test("denies of every layer are lowered", () => {
    const layer = (port: number): string =>
      enforcing(rule(`r${port}`, `action = "net.connect"\nport = ${port}\nverdict = "deny"`));
    expect(lowered([layer(1), layer(2)]).policy.net.map(({ rule_index }) => rule_index)).toEqual([0, 1]);
  });
});

describe("program rules", () => {
  const deny = (body: string): string => enforcing(rule("r", `action = "exec"\nverdict = "deny"\n${body}`));

  test("names, paths, directories and home", () => {
    const { policy, report } = lowered(
      deny('exe = ["nc", "/usr/bin/ncat", "/opt/bad/**", "**/evil", "~/bin/*", "~/bin/x", "~/t/**", "/a/{b,c}"]'),
      { home: "/home/u/" },
    );
    expect(policy.exec).toEqual([{
      rule_index: 0,
      verdict: "deny",
      names: ["nc", "evil"],
      paths: ["/usr/bin/ncat", "/home/u/bin/x", "/a/b", "/a/c"],
      trees: ["/opt/bad", "/home/u/t"],
    }]);
    expect(mechanisms(report)).toEqual(["exec_kill part"]);
    expect(report[0]?.note).toBe(
      'only after the start: "~/bin/*"; seccomp would prevent it',
    );
  });

  test("without a home its patterns are left to user space", () => {
    const { policy, report } = lowered(deny('exe = "~/bin/x"'));
    expect(policy.exec).toEqual([]);
    expect(mechanisms(report)).toEqual(["kill_after part"]);
  });

  test("other predicates, exceptions, wildcards and rules about everything are left to user space", () => {
    for (
      const body of [
        'argv = ["x"]',
        'exe = "a"\ncwd = "/w"',
        'exe = "a"\nexcept = { by = "sh" }',
        'exe = "a*"',
        "",
        'path = "/a"',
      ]
    ) {
      const { policy, report } = lowered(deny(body));
      expect([policy.exec, policy.exec_default, mechanisms(report)]).toEqual([[], "allow", ["kill_after part"]]);
      expect(report[0]?.note).not.toBe("");
    }
  });

  test("a refusing default is lowered with allows that the kernel can hold, and opened by others", () => {
    const policy = (body: string): ReturnType<typeof lower>["policy"] =>
      lowered(enforcing("[default]", 'exec = "deny"', rule("a", `action = "exec"\nverdict = "allow"\n${body}`))).policy;
    expect(policy('exe = ["/usr/bin/**", "git"]')).toMatchObject({
      exec_default: "deny",
      exec: [{ verdict: "allow", trees: ["/usr/bin"], names: ["git"] }],
    });
    expect(policy('exe = ["git", "py*"]')).toMatchObject({ exec_default: "allow", exec: [] });
    expect(policy('argv = ["x"]')).toMatchObject({ exec_default: "allow", exec: [] });
  });
});

test("what observes puts nothing into the kernel", () => {
  const rules = [
    rule("a", 'action = "exec"\nexe = "x"\nverdict = "deny"'),
    rule("b", 'action = "net.connect"\nverdict = "deny"'),
  ];
  const { policy, report } = lowered(enforcing('mode = "observe"', "[default]", '"*" = "deny"', ...rules));
  expect(policy).toEqual({ generation: 3, net: [], net_default: OPEN, exec: [], exec_default: "allow" });
  expect(mechanisms(report)).toEqual(["observe_only complete", "observe_only complete"]);
  const shadow = lowered(enforcing(...rules.map((text) => `${text}\nmode = "observe"`)));
  expect([shadow.policy.net, shadow.policy.exec]).toEqual([[], []]);
});

test("rules of other classes are reported honestly", () => {
  const { report } = lowered(enforcing(
    rule("file", 'action = "file.read"\npath = "/x"\nverdict = "deny"'),
    rule("tool", 'action = "tool.call"\nverdict = "deny"'),
    rule("log", 'action = "exec"\nverdict = "log"'),
    rule("allow", 'action = "exec"\nverdict = "allow"\nexe = "git"'),
    rule("redact", 'action = "tool.call"\ntool = "x"\nverdict = "redact"'),
    rule("mixed", 'action = ["exec", "exec.failed"]\nverdict = "deny"\nexe = "nc"'),
    rule("everything", 'action = "*"\nverdict = "ask"'),
  ));
  expect(mechanisms(report)).toEqual([
    "kill_after part",
    "observe_only part",
    "observe_only complete",
    "observe_only complete",
    "observe_only part",
    "exec_kill part",
    "cgroup part",
  ]);
  expect(report.map(({ note }) => note)).toEqual([
    "ended after the effect; lsm or fanotify or seccomp would prevent it",
    "answers to tool calls are not in this version",
    "a log rule changes no outcome",
    "an allow rule only lifts a default",
    "redaction is not in this version",
    "exec.failed: cannot be prevented",
    [
      "exec: a rule about every program has no kernel form, use [default] exec",
      "ended after the effect",
      "seccomp would hold or refuse it",
      "file.read: ended after the effect",
      "fanotify or seccomp would hold or refuse it",
      "file.write, file.create and 10 more: ended after the effect",
      "seccomp would hold or refuse it",
      "net.connect, net.send, net.bind: cgroup cannot hold: refused without asking",
      "net.listen: ended after the effect",
      "unix.connect: a rule about every file has no kernel form",
      "ended after the effect",
      "tool.call: answers to tool calls are not in this version",
    ].join("; "),
  ]);
});

/** What rules mean, by example. */
import { describe, expect, test } from "bun:test";
import type { Action, Event, Ruling } from "../../../lib/core/mod.ts";
import { BUILTIN_POLICY, loadPolicy } from "../../../lib/decide/mod.ts";
import { bare, connect, enforcing, event, exec, load, read, rule, session } from "./support.ts";

/** The verdict of a policy with these lines. */
function verdict(policy: string, each: Event): string {
  return load(policy).evaluate(each).verdict;
}

function denies(body: string, action: Action | Event): boolean {
  const each = "action" in action ? action : event(action);
  return verdict(enforcing(rule("r", `${body}\nverdict = "deny"`)), each) === "deny";
}

function allows(body: string, action: Action | Event): boolean {
  const each = "action" in action ? action : event(action);
  return verdict(enforcing("[default]", '"*" = "deny"', rule("r", `${body}\nverdict = "allow"`)), each) === "allow";
}

describe("verdicts", () => {
  const everything = (list: string): string =>
    list.split(" ").map((v) => rule(v, `action = "exec"\nverdict = "${v}"`)).join("\n");
  const cases: readonly (readonly [string, string, string, string | undefined])[] = [
    ["allow log redact ask deny", "ask", "deny", "deny"],
    ["allow log redact ask", "deny", "ask", "ask"],
    ["allow log redact", "deny", "redact", "redact"],
    ["allow log", "deny", "log", "log"],
    ["allow", "deny", "allow", "allow"],
    ["log", "deny", "deny", undefined],
    ["log", "ask", "ask", undefined],
    ["log", "allow", "log", "log"],
  ];
  for (const [rules, fallback, expected, name] of cases) {
    test(`${rules}, default ${fallback}: ${expected}`, () => {
      const ruling = load(enforcing("[default]", `exec = "${fallback}"`, everything(rules))).evaluate(
        event(exec("/bin/a")),
      );
      expect([ruling.verdict, ruling.rule]).toEqual([expected, name]);
    });
  }

  test("without default and rule an action passes", () => {
    expect(load("version = 1").evaluate(event(exec("/bin/a")))).toEqual({
      verdict: "allow",
      rule_index: -1,
      reason: "no rule decides; the default for exec is allow",
      mode: "enforce",
    });
  });

  test("the closest class of [default] wins", () => {
    const snapshot = load(
      enforcing("[default]", '"*" = "deny"', '"file.*" = "ask"', '"file.read" = "allow"', 'net = "log"'),
    );
    const of = (action: Action): string => snapshot.evaluate(event(action)).verdict;
    expect(of(read("/x"))).toBe("allow");
    expect(of({ type: "file.write", path: "/x", result: "0" })).toBe("ask");
    expect(of(connect("192.0.2.1"))).toBe("log");
    expect(of(exec("/x"))).toBe("deny");
  });

  test("* speaks of what agents ask for, not of facts and of the guard itself", () => {
    const snapshot = load(enforcing("[default]", '"*" = "deny"', rule("r", 'action = "*"\nverdict = "deny"')));
    const facts: readonly Action[] = [
      { type: "guard.start", detail: "" },
      { type: "process.exit", exit_code: 0 },
      { type: "exec.failed", errno: "ENOENT" },
      { type: "session.end", agent: "x" },
    ];
    for (const action of facts) expect(snapshot.evaluate(event(action)).verdict).toBe("allow");
    expect(denies('action = "exec.failed"', { type: "exec.failed", errno: "ENOENT" })).toBe(true);
  });

  test("of equal verdicts the first rule is named; the reason is the rule's or says what matched", () => {
    const snapshot = load(enforcing(
      rule("a", 'action = "net.*"\naddress = "192.0.2.0/24"\nverdict = "deny"'),
      rule("b", 'action = "net.*"\nport = 9\nverdict = "deny"\nreason = "Not port 9."'),
    ));
    expect(snapshot.evaluate(event(connect("192.0.2.1", 9)))).toEqual({
      verdict: "deny",
      rule: "a",
      rule_index: 0,
      reason: 'rule "a" denies net.connect to 192.0.2.1 port 9',
      mode: "enforce",
    });
    expect(snapshot.evaluate(event(connect("10.0.0.1", 9))).reason).toBe("Not port 9.");
  });
});

describe("paths", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["/a/b", "/a/b", true],
    ["/a/b", "/a/bc", false],
    ["/a/b", "/a/b/c", false],
    ["/a/b/**", "/a/b", true],
    ["/a/b/**", "/a/b/c/d", true],
    ["/a/b/**", "/a/bc", false],
    ["/a/*/c", "/a/x/c", true],
    ["/a/*/c", "/a/x/y/c", false],
    ["/a/**/c", "/a/c", true],
    ["/a/**/c", "/a/x/y/c", true],
    ["/a/*", "/a", false],
    ["**/.env", "/w/.env", true],
    ["**/.env", "/.env", true],
    ["**/.env", "/w/x.env", false],
    ["**/.env", "/w/.env/x", false],
    ["**/.git/**", "/w/.git/config", true],
    ["**/.git/**", "/w/.git", true],
    ["**/*.pem", "/w/a.b.pem", true],
    ["**/*.pem", "/w/.pem", true],
    ["**/*.pem", "/w/pem", false],
    ["**/*.tar.gz", "/w/a.tar.gz", true],
    ["**/*.tar.gz", "/w/a.gz", false],
    ["/a/[xy]?", "/a/yz", true],
    ["/a/[!xy]?", "/a/yz", false],
    ["/a/{b,c{d,e}}", "/a/ce", true],
    ["/a/{b,c{d,e}}", "/a/c", false],
    ["/a/\\\\*", "/a/*", true],
    ["/a/\\\\*", "/a/b", false],
    ["/a/?", "/a/😀", true],
    ["/**", "/", true],
    ["/", "/", true],
    ["/", "/a", false],
    ["~/.ssh/**", "/home/u/.ssh/id", true],
    ["~/.ssh/**", "/home/u/.sshd", false],
    ["~/.ssh/**", "/home/v/.ssh/id", false],
    ["~", "/home/u", true],
    ["**", "anything", true],
  ];
  for (const [pattern, path, expected] of cases) {
    test(`${pattern} ${expected ? "matches" : "does not match"} ${path}`, () => {
      expect(denies(`action = "file.read"\npath = "${pattern}"`, read(path))).toBe(expected);
      expect(allows(`action = "file.read"\npath = "${pattern}"`, read(path))).toBe(expected);
    });
  }

  test("an unknown home is every home for a deny and none for an allow", () => {
    const { home: _, ...homeless } = session();
    const body = 'action = "file.read"\npath = "~/.ssh/**"';
    for (const path of ["/root/.ssh/id", "/home/anyone/.ssh/id"]) {
      for (const each of [event(read(path), { session: homeless }), bare(read(path))]) {
        expect(denies(body, each)).toBe(true);
        expect(allows(body, each)).toBe(false);
      }
    }
    expect(denies(body, bare(read("/srv/u/.ssh/id")))).toBe(false);
  });

  test("the same with homes that are odd", () => {
    const body = 'action = "file.read"\npath = "~/x"';
    expect(denies(body, event(read("/x"), { session: session({ home: "/" }) }))).toBe(true);
    expect(denies(body, event(read("/h/x"), { session: session({ home: "/h//" }) }))).toBe(true);
    expect(denies(body, event(read("/root/x"), { session: session({ home: "" }) }))).toBe(true);
    expect(denies(body, event(read("/root/x"), { session: session({ home: "/home/u" }) }))).toBe(false);
  });

  test("a symbolic link neither hides from a deny nor tricks an allow", () => {
    const body = 'action = "file.read"\npath = "/secret/**"';
    expect(denies(body, read("/secret/a", "/w/link"))).toBe(true);
    expect(denies(body, read("/w/a", "/secret/link"))).toBe(true);
    expect(denies(body, read("/w/a", "/w/link"))).toBe(false);
    const allowed = 'action = "file.read"\npath = "/w/**"';
    expect(allows(allowed, read("/w/a", "/w/link"))).toBe(true);
    expect(allows(allowed, read("/etc/shadow", "/w/link"))).toBe(false);
    expect(allows(allowed, read("/w/a", "/proc/self/root/w/a"))).toBe(false);
  });

  test("a question lifts a stricter default only where every name asks for it", () => {
    const ask = rule("work", 'action = "file.read"\npath = "/work/**"\nverdict = "ask"');
    const snapshot = load(enforcing("[default]", 'file = "deny"', ask));
    expect(snapshot.evaluate(event(read("/work/a")))).toMatchObject({ verdict: "ask", rule: "work" });
    // A link in the working tree does not turn a refusal into a question.
    expect(snapshot.evaluate(event(read("/etc/shadow", "/work/link")))).toMatchObject({
      verdict: "deny",
      rule_index: -1,
    });
    // With a default that is not stricter any name is enough.
    const open = load(enforcing("[default]", 'file = "ask"', ask));
    expect(open.evaluate(event(read("/etc/shadow", "/work/link")))).toMatchObject({ verdict: "ask", rule: "work" });
    // What another rule permits surely is lifted already.
    const both = load(enforcing(
      "[default]",
      'file = "deny"',
      ask,
      rule("etc", 'action = "file.read"\npath = ["/etc/**", "/work/**"]\nverdict = "allow"'),
    ));
    expect(both.evaluate(event(read("/etc/shadow", "/work/link")))).toMatchObject({ verdict: "ask", rule: "work" });
    // An observing rule lifts nothing, and says what it would do.
    const observing = load(enforcing("[default]", 'file = "deny"', `${ask}\nmode = "observe"`));
    expect(observing.evaluate(event(read("/work/a")))).toMatchObject({ verdict: "deny", would: "ask" });
  });

  test("requested names are made absolute and normal", () => {
    const body = 'action = "file.read"\npath = "/w/a"';
    const from = (cwd: string, name: string): Event =>
      event(read("/elsewhere", name), { process: { pid: 7, start: "7", cwd } });
    expect(denies(body, from("/w", "a"))).toBe(true);
    expect(denies(body, from("/w/b/c", ".././../a"))).toBe(true);
    expect(denies(body, from("/", "w//a/"))).toBe(true);
    expect(denies(body, from("/x", "a"))).toBe(false);
  });

  test("an allow does not rest on a requested name that nobody can make absolute", () => {
    const body = 'action = "file.read"\npath = "/w/**"';
    expect(allows(body, bare(read("/w/a", "a")))).toBe(false);
    expect(allows(body, bare(read("/w/a")))).toBe(true);
    // What forbids takes such a name as it is.
    expect(denies('action = "file.read"\npath = "**/.env"', bare(read("/w/a", "x/.env")))).toBe(true);
  });

  test("the exception of a deny must hold for every name, that of an allow for any", () => {
    const secret = 'action = "file.read"\npath = "**/.env"\nexcept = { path = "/w/**" }';
    expect(denies(secret, read("/w/.env"))).toBe(false);
    expect(denies(secret, read("/x/.env", "/w/.env"))).toBe(true);
    const allowed = 'action = "file.read"\npath = "/w/**"\nexcept = { path = "**/.env" }';
    expect(allows(allowed, read("/w/a"))).toBe(true);
    expect(allows(allowed, read("/w/a", "/w/.env"))).toBe(false);
  });
});

describe("actions with two names", () => {
  const move = (path: string, new_path: string, type: "file.rename" | "file.symlink" = "file.rename"): Action => ({
    type,
    path,
    new_path,
    result: "0",
  });

  test("path alone speaks of both: a deny on either, an allow on both", () => {
    const home = 'action = "file.*"\npath = "~/.ssh/**"';
    expect(denies(home, move("/tmp/x", "/home/u/.ssh/authorized_keys"))).toBe(true);
    expect(denies(home, move("/home/u/.ssh/id", "/tmp/x"))).toBe(true);
    expect(allows('action = "file.*"\npath = "/w/**"', move("/w/a", "/w/b"))).toBe(true);
    expect(allows('action = "file.*"\npath = "/w/**"', move("/w/a", "/etc/cron.d/b"))).toBe(false);
  });

  test("with new_path each speaks of its own", () => {
    const body = 'action = "file.rename"\npath = "/w/**"\nnew_path = "/out/**"';
    expect(denies(body, move("/w/a", "/out/a"))).toBe(true);
    expect(denies(body, move("/out/a", "/w/a"))).toBe(false);
    expect(allows(body, move("/w/a", "/out/a"))).toBe(true);
    expect(allows(body, move("/w/a", "/w/b"))).toBe(false);
  });

  test("the target of a symbolic link is relative to the link", () => {
    const body = 'action = "file.symlink"\npath = "/home/u/.ssh/id"';
    expect(denies(body, move("../.ssh/id", "/home/u/w/link", "file.symlink"))).toBe(true);
    expect(denies(body, move(".ssh/id", "/home/u/w/link", "file.symlink"))).toBe(false);
  });
});

describe("programs", () => {
  test("a bare name is the base name of path, interpreter or requested path", () => {
    const body = 'action = "exec"\nexe = "python*"';
    expect(denies(body, exec("/usr/bin/python3.12"))).toBe(true);
    expect(denies(body, exec("/opt/pythons/ruby"))).toBe(false);
    expect(denies(body, { ...exec("/w/run.py"), interpreter: "/usr/bin/python3" } as Action)).toBe(true);
    const linked: Action = { type: "exec", path: "/usr/bin/ruby", requested_path: "./python", argv: [], cwd: "/w" };
    expect(denies(body, linked)).toBe(true);
  });

  test("an allow needs the resolved and the requested name, and does not look at the interpreter", () => {
    const link: Action = { type: "exec", path: "/w/evil", requested_path: "/usr/bin/git", argv: ["git"] };
    expect(allows('action = "exec"\nexe = "git"', link)).toBe(false);
    expect(allows('action = "exec"\nexe = "git"', exec("/usr/bin/git"))).toBe(true);
    const script: Action = { type: "exec", path: "/w/x.py", interpreter: "/usr/bin/python3", argv: [] };
    expect(allows('action = "exec"\nexe = "python3"', script)).toBe(false);
    expect(allows('action = "exec"\nexe = "/w/*.py"', script)).toBe(true);
  });

  const argv: readonly (readonly [string, readonly string[], boolean])[] = [
    ['["push", "..."]', ["push"], true],
    ['["push", "..."]', ["push", "--force", "origin"], true],
    ['["push", "..."]', ["-C", "/w", "push"], false],
    ['["push"]', ["push", "x"], false],
    ['["...", "--force", "..."]', ["push", "--force", "x"], true],
    ['["...", "--force"]', ["--force", "--force"], true],
    ['["...", "a", "...", "b"]', ["a", "b", "a", "b"], true],
    ['["{push,fetch}", "*"]', ["fetch", "origin/x"], true],
    ['["{push,fetch}", "*"]', ["pull", "origin"], false],
    ['[["a"], ["b", "..."]]', ["b", "c"], true],
    ['[""]', [""], true],
    ['["..."]', [], true],
  ];
  for (const [pattern, args, expected] of argv) {
    test(`argv ${pattern} and ${JSON.stringify(args)}: ${expected}`, () => {
      expect(denies(`action = "exec"\nargv = ${pattern}`, exec("/usr/bin/git", ...args))).toBe(expected);
    });
  }

  test("an allow does not rest on arguments that were cut", () => {
    const cut: Action = { type: "exec", path: "/usr/bin/git", argv: ["git", "status"], flags: ["args_truncated"] };
    const body = 'action = "exec"\nargv = ["status", "..."]';
    expect(denies(body, cut)).toBe(true);
    expect(allows(body, cut)).toBe(false);
    expect(allows(body, exec("/usr/bin/git", "status"))).toBe(true);
  });

  test("a deny holds where it could hold behind what was read of the arguments", () => {
    const long = (...words: readonly string[]): Action => ({
      type: "exec",
      path: "/usr/bin/git",
      argv: ["git", ...words, "a".repeat(65_536)],
      flags: ["args_truncated"],
    });
    expect(denies('action = "exec"\nargv = ["push", "...", "--force", "..."]', long("push"))).toBe(true);
    expect(denies('action = "exec"\nargv = ["push"]', long("push"))).toBe(true);
    expect(denies('action = "exec"\nargv = ["push", "..."]', long("pull"))).toBe(false);
    expect(denies('action = "exec"\nargv = ["...", "--force"]', exec("/usr/bin/git", "push"))).toBe(false);
  });
});

describe("the other predicates", () => {
  const process = { pid: 7, start: "7", uid: 1000, exe: "/usr/bin/curl", cwd: "/work/app" };
  const net = (fields: object): Event => event({ ...connect("192.0.2.1", 443), ...fields } as Action, { process });
  const call: Action = { type: "tool.call", tool: "github_push", server: "gh", source: "mcp" };
  const cases: readonly (readonly [string, Event, boolean])[] = [
    ['action = "net.*"\naddress = ["10.0.0.0/8", "192.0.2.0/24"]', net({}), true],
    ['action = "net.*"\naddress = "192.0.3.0/24"', net({}), false],
    ['action = "net.*"\naddress = "192.0.2.0/24"', net({ address: "::ffff:192.0.2.1" }), true],
    ['action = "net.*"\naddress = "::/0"', net({}), false],
    ['action = "net.*"\naddress = "2001:db8::/32"', net({ address: "2001:db8:5::1" }), true],
    ['action = "net.*"\naddress = "0.0.0.0/0"', net({ address: "nonsense" }), false],
    ['action = "net.*"\nport = [80, "440-450"]', net({}), true],
    ['action = "net.*"\nport = "1-442"', net({}), false],
    ['action = "net.*"\nprotocol = "udp"', net({}), false],
    ['action = "net.*"\nprotocol = ["udp", "tcp"]', net({}), true],
    ['action = "net.*"\nhost = "*.example.com"', net({ host: "API.Example.com." }), true],
    ['action = "net.*"\nhost = "*.example.com"', net({ host: "example.com" }), false],
    ['action = "net.*"\nhost = "*.example.com"', net({}), false],
    ['action = "net.*"\nby = "curl"', net({}), true],
    ['action = "net.*"\nby = "/bin/*"', net({}), false],
    ['action = "net.*"\nby = "curl"', bare(connect("192.0.2.1")), false],
    ['action = "net.*"\ncwd = "/work/**"', net({}), true],
    ['action = "net.*"\nuser = [0, 1000]', net({}), true],
    ['action = "net.*"\nuser = "root"', net({}), false],
    ['action = "*"\nagent = "clau*"', net({}), true],
    ['action = "*"\nprincipal = "bob"', net({}), false],
    ['action = "*"\nsession = "01J"', net({}), true],
    ['action = "*"\nagent = "claude"', bare(connect("192.0.2.1")), false],
    ['action = "tool.call"\ntool = "{github,gitlab}_*"', event(call), true],
    ['action = "tool.call"\ntool = "github_push"\nserver = "other"', event(call), false],
    [
      'action = "unix.connect"\npath = "@agent*"',
      event({ type: "unix.connect", path: "@agent/1", result: "0" }),
      false,
    ],
    [
      'action = "unix.connect"\npath = "@agent/**"',
      event({ type: "unix.connect", path: "@agent/1", result: "0" }),
      true,
    ],
  ];
  for (const [body, each, expected] of cases) {
    test(`${body.replace("\n", ", ")} on ${JSON.stringify(each.action)}: ${expected}`, () => {
      expect(denies(body, each)).toBe(expected);
      expect(allows(body, each)).toBe(expected);
    });
  }
});

describe("modes", () => {
  const deny = rule("d", 'action = "exec"\nverdict = "deny"');

  test("a rule in observe mode says what it would do", () => {
    const snapshot = load(
      enforcing(`${deny}\nmode = "observe"`, rule("a", 'action = "exec"\nexe = "git"\nverdict = "ask"')),
    );
    const expected: Ruling = {
      verdict: "allow",
      rule: "d",
      rule_index: 0,
      reason: 'rule "d" denies exec of /bin/a',
      mode: "observe",
      would: "deny",
    };
    expect(snapshot.evaluate(event(exec("/bin/a")))).toEqual(expected);
    expect(snapshot.evaluate(event(exec("/bin/git")))).toEqual({
      verdict: "ask",
      rule: "a",
      rule_index: 1,
      reason: 'rule "a" asks a human about exec of /bin/git [rule "d" in observe mode: deny]',
      mode: "enforce",
      would: "deny",
    });
  });

  test("a file in observe mode, one that is disabled, and --mode", () => {
    const observed = load(enforcing('mode = "observe"', deny));
    expect(observed.mode).toBe("observe");
    expect(observed.evaluate(event(exec("/a")))).toMatchObject({
      verdict: "allow",
      would: "deny",
      rule: "d",
      mode: "observe",
    });
    const disabled = load(enforcing('mode = "disabled"', "[default]", 'exec = "deny"', deny));
    expect(disabled.mode).toBe("disabled");
    expect(disabled.evaluate(event(exec("/a")))).toEqual({
      verdict: "allow",
      rule_index: -1,
      reason: "the policy is disabled",
      mode: "observe",
    });
    const bytes = new TextEncoder().encode(enforcing(deny));
    const forced = loadPolicy([{ file: "a", bytes }], { generation: 1, mode: "observe" });
    expect(forced.ok && forced.value.evaluate(event(exec("/a"))).would).toBe("deny");
  });

  test("the built-in policy observes", () => {
    const loaded = loadPolicy([BUILTIN_POLICY], { generation: 1 });
    if (!loaded.ok) throw new Error("built-in policy does not load");
    expect(loaded.value.warnings).toEqual([]);
    expect(loaded.value.evaluate(event(exec("/bin/rm", "-rf", "/")))).toMatchObject({
      verdict: "allow",
      mode: "observe",
    });
  });
});

describe("layers", () => {
  const base = enforcing(
    'name = "base"',
    "[default]",
    'exec = "deny"',
    rule("git", 'action = "exec"\nexe = "git"\nverdict = "allow"'),
  );
  const site = enforcing('name = "site"', rule("all", 'action = "exec"\nverdict = "allow"'));

  test("an allow of one layer does not lift the default of another", () => {
    expect(load(base, site).evaluate(event(exec("/bin/ls"))).verdict).toBe("deny");
    expect(load(base, site).evaluate(event(exec("/bin/git"))).verdict).toBe("allow");
  });

  test("a later layer tightens", () => {
    const strict = enforcing('name = "site"', rule("no-git", 'action = "exec"\nexe = "git"\nverdict = "deny"'));
    const ruling = load(base, strict).evaluate(event(exec("/bin/git")));
    expect([ruling.verdict, ruling.rule, ruling.rule_index]).toEqual(["deny", "no-git", 1]);
  });

  test("names that clash are qualified", () => {
    const names = (...layers: readonly string[]): readonly string[] => load(...layers).rules.map(({ name }) => name);
    expect(names(base, enforcing('name = "site"', rule("git", 'action = "exec"\nverdict = "log"')))).toEqual([
      "base/git",
      "site/git",
    ]);
    expect(names(base, base)).toEqual(["a.toml/git", "b.toml/git"]);
    expect(names(base, site)).toEqual(["git", "all"]);
  });
});

test("an internal error is a deny that says so, and in a policy that observes an allow that says so", () => {
  const broken = event(read("/x"));
  const event_with_trap: Event = {
    ...broken,
    get session(): never {
      throw new Error("no session today");
    },
  };
  const deny = rule("d", 'action = "file.*"\npath = "~/x"\nverdict = "deny"');
  expect(load(enforcing(deny)).evaluate(event_with_trap)).toEqual({
    verdict: "deny",
    rule_index: -1,
    reason: "evaluate policy: no session today",
    mode: "enforce",
  });
  expect(load(enforcing('mode = "observe"', deny)).evaluate(event_with_trap)).toMatchObject({
    verdict: "allow",
    would: "deny",
  });
});

describe("agents", () => {
  const snapshot = load(enforcing(
    '[[agent]]\nname = "claude"\nexe = ["claude", "~/.claude/**/node"]\nargv = [["..."], ["x"]]',
    '[[agent]]\nname = "box"\ncgroup = "/system.slice/agent-*.service/**"',
    '[[agent]]\nname = "one"\npid = 4711',
    '[[agent]]\nname = "script"\nexe = "node"\nargv = ["*/cli.js", "..."]',
  ));
  const cases: readonly (readonly [Parameters<typeof snapshot.matchAgent>[0], string | undefined])[] = [
    [{ pid: 1, exe: "/usr/bin/claude", argv: ["claude"] }, "claude"],
    [{ pid: 1, exe: "/usr/bin/claude" }, undefined],
    [{ pid: 1, exe: "/root/.claude/local/node", argv: ["node"] }, "claude"],
    [{ pid: 1, exe: "/usr/bin/node", argv: ["node", "/opt/x/cli.js", "-p"] }, "script"],
    [{ pid: 1, exe: "/usr/bin/node", argv: ["node", "/opt/x/other.js"] }, undefined],
    [{ pid: 1, cgroup: "/system.slice/agent-7.service" }, "box"],
    [{ pid: 1, cgroup: "/system.slice/agent-7.service/sub" }, "box"],
    [{ pid: 1, cgroup: "/system.slice/other.service" }, undefined],
    [{ pid: 4711 }, "one"],
  ];
  for (const [process, name] of cases) {
    test(`${JSON.stringify(process)}: ${name ?? "none"}`, () => expect(snapshot.matchAgent(process)?.name).toBe(name));
  }

  test("entries are handed out as data", () => {
    expect(snapshot.agents[3]).toEqual({ name: "script", exe: ["node"], argv: [["*/cli.js", "..."]] });
  });
});

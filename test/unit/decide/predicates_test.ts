/** Predicates about facts, time and the past, and the form of the SDK runtime, by example. */
import { describe, expect, test } from "bun:test";
import type { Action, Event } from "../../../lib/core/mod.ts";
import { PolicyState, StatefulDecider } from "../../../lib/decide/mod.ts";
import { isCounted } from "../../../lib/decide/state.ts";
import { connect, enforcing, event, exec, findings, load, read, rule, session } from "./support.ts";

function denies(body: string, each: Event): boolean {
  return load(enforcing(rule("r", `${body}\nverdict = "deny"`))).evaluate(each).verdict === "deny";
}

function allows(body: string, each: Event): boolean {
  const text = enforcing("[default]", '"*" = "deny"', rule("r", `${body}\nverdict = "allow"`));
  return load(text).evaluate(each).verdict === "allow";
}

function call(args: unknown): Event {
  return event({ type: "tool.call", tool: "write", source: "mcp", args });
}

describe("facts", () => {
  const base = event(read("/x"));
  const cases: readonly (readonly [string, Event, boolean])[] = [
    ['ancestor = "claude"', { ...base, ancestors: ["/usr/bin/bash", "/opt/claude"] }, true],
    ['ancestor = "/opt/**"', { ...base, ancestors: ["/usr/bin/bash", "/opt/x/claude"] }, true],
    ['ancestor = "claude"', { ...base, ancestors: ["/usr/bin/bash"] }, false],
    ['ancestor = "claude"', base, false],
    ['group = ["ops", "dev*"]', { ...base, session: session({ groups: ["x", "developers"] }) }, true],
    ['group = "ops"', base, false],
    ['tag = "ci"', { ...base, session: session({ tags: ["ci"] }) }, true],
    ['tag = "ci"', { ...base, session: session({ tags: ["cis"] }) }, false],
    ['model = "claude-*"', { ...base, llm: { model: "claude-x" } }, true],
    ['model = "claude-*"', { ...base, llm: {} }, false],
    ['tokens = "100-"', { ...base, llm: { input_tokens: 60, output_tokens: 40 } }, true],
    ['tokens = "100-"', { ...base, llm: { input_tokens: 99 } }, false],
    ['tokens = { output = "-5", cached = 7 }', { ...base, llm: { output_tokens: 9, cached_tokens: 7 } }, true],
    ['tokens = { output = "-5" }', { ...base, llm: { cached_tokens: 1 } }, false],
    ['risk = "70-"', { ...base, risk: 70 }, true],
    ['risk = "70-"', { ...base, risk: 69 }, false],
    ['risk = "0-"', base, true],
    ['risk = "1-"', base, false],
    ["declared = true", { ...base, declared: true }, true],
    ["declared = false", { ...base, declared: true }, false],
  ];
  test.each([...cases])("%s", (body, each, expected) => {
    expect(denies(`action = "file.read"\n${body}`, each)).toBe(expected);
    expect(allows(`action = "file.read"\n${body}`, each)).toBe(expected);
  });

  test("an effect that nobody compared with an intent is undeclared for what forbids, unknown for what permits", () => {
    expect(denies('action = "file.read"\ndeclared = false', base)).toBe(true);
    expect(allows('action = "file.read"\ndeclared = false', base)).toBe(false);
    expect(allows('action = "file.read"\ndeclared = true', base)).toBe(false);
  });

  test(".example.com is the name and all below it", () => {
    const to = (host: string): Event =>
      event({ type: "net.connect", address: "192.0.2.1", port: 1, protocol: "tcp", host });
    const body = 'action = "net.connect"\nhost = ".example.com"';
    expect(
      ["example.com", "a.b.Example.com.", "badexample.com", "example.com.evil"].map((host) => denies(body, to(host))),
    )
      .toEqual([true, true, false, false]);
  });
});

describe("arguments of a tool call", () => {
  const cases: readonly (readonly [string, unknown, boolean, boolean])[] = [
    ['"$.path" = "/etc/*"', { path: "/etc/passwd" }, true, true],
    ['path = ["/x", "/etc/*"]', { path: "/etc/a/b" }, true, true],
    ['path = "/etc/*"', { path: "/home" }, false, false],
    ['path = "/etc/*"', {}, false, false],
    ['path = "/etc/*"', { path: ["/etc/x"] }, false, false],
    ['"files[*].path" = "/etc/*"', { files: [{ path: "/etc/x" }, { path: "/home" }] }, true, false],
    ['"files[1].path" = "/etc/*"', { files: [{ path: "/home" }, { path: "/etc/x" }] }, true, true],
    ['a = { b = "1" }', { a: { b: 1 } }, true, true],
    ['"$" = "text*"', "text of it", true, true],
    ['force = "true", path = "/etc/*"', { force: true, path: "/etc/x" }, true, true],
    ['force = "true", path = "/etc/*"', { force: false, path: "/etc/x" }, false, false],
    ['__proto__ = "x"', { path: "x" }, false, false],
  ];
  test.each([...cases])("%s of %j", (args, value, forbidden, permitted) => {
    const body = `action = "tool.call"\nargs = { ${args} }`;
    expect([denies(body, call(value)), allows(body, call(value))]).toEqual([forbidden, permitted]);
  });

  test("more values than can be looked at: forbidden, not permitted", () => {
    const body = 'action = "tool.call"\nargs = { "l[*]" = "a" }';
    const many = call({ l: Array.from({ length: 10_001 }, () => "b") });
    expect([denies(body, many), allows(body, many)]).toEqual([true, false]);
  });
});

describe("time", () => {
  const at = (text: string): Event => ({ ...event(read("/x")), time_us: Date.parse(text) * 1_000 });
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['window = "08:00-18:00"', "2026-01-05T08:00:00Z", true],
    ['window = "08:00-18:00"', "2026-01-05T07:59:59.999Z", false],
    ['window = "08:00-18:00"', "2026-01-05T18:00:00Z", false],
    ['window = "22:00-06:00"', "2026-01-05T23:00:00Z", true],
    ['window = "22:00-06:00"', "2026-01-05T05:59:00Z", true],
    ['window = "22:00-06:00"', "2026-01-05T06:00:00Z", false],
    // 2026-01-05 is a Monday: the window of Sunday night still runs.
    ['window = "22:00-06:00", days = ["sun"]', "2026-01-05T03:00:00Z", true],
    ['window = "22:00-06:00", days = ["mon"]', "2026-01-05T03:00:00Z", false],
    ['days = ["sat-mon"]', "2026-01-05T03:00:00Z", true],
    ['days = ["tue-fri"]', "2026-01-05T03:00:00Z", false],
    ['window = "08:00-09:00", zone = "Europe/Oslo"', "2026-01-05T07:30:00Z", true],
    ['window = "08:00-09:00", zone = "Europe/Oslo"', "2026-07-06T06:30:00Z", true],
    ['window = "08:00-09:00", zone = "Europe/Oslo"', "2026-07-06T07:30:00Z", false],
    ['days = ["tue"], zone = "Asia/Tokyo"', "2026-01-05T20:00:00Z", true],
  ];
  test.each([...cases])("%s at %s", (time, moment, expected) => {
    expect(denies(`action = "file.read"\ntime = { ${time} }`, at(moment))).toBe(expected);
  });
});

/** The verdicts of a story, one second after the other unless said otherwise. */
function tell(policy: string, ...steps: readonly (Action | Event | number)[]): string {
  const decider = new StatefulDecider(load(policy));
  let time_us = 1_700_000_000_000_000;
  const verdicts: string[] = [];
  for (const step of steps) {
    if (typeof step === "number") time_us += step * 1_000_000;
    else verdicts.push(decider.evaluate({ ...("action" in step ? step : event(step)), time_us: ++time_us }).verdict);
  }
  return verdicts.join(" ");
}

const secret = read("/home/u/.ssh/id");
const other = event(connect("192.0.2.1"), {
  session: session({ session_id: "02J" as ReturnType<typeof session>["session_id"] }),
});
const SECRETS = rule("secrets-read", 'action = "file.read"\npath = "~/.ssh/**"\nverdict = "log"\nlabel = ["secret"]');

describe("marks", () => {
  const after = (what: string): string =>
    enforcing(
      SECRETS,
      rule("egress", `action = "net.connect"\n${what}\nexcept = { address = "198.51.100.7" }\nverdict = "deny"`),
    );

  test("a label, a rule and the label predicate see what came before in the session, and only there", () => {
    for (
      const what of ['after = "secret"', 'after = { rule = "secrets-read" }', 'label = "secret"', 'since = "secret"']
    ) {
      expect(tell(after(what), connect("192.0.2.1"), secret, connect("192.0.2.1"), connect("198.51.100.7"), other))
        .toBe(
          "allow log deny allow allow",
        );
    }
  });

  test("after counts from the last time, since from the first", () => {
    const steps = [secret, 50, secret, 50, connect("192.0.2.1"), 20, connect("192.0.2.1")];
    expect(tell(after('after = { label = "secret", within = "1m" }'), ...steps)).toBe("log log deny allow");
    expect(tell(after('since = { label = "secret", within = "1m" }'), ...steps)).toBe("log log allow allow");
  });

  test("the end of the session forgets them", () => {
    expect(tell(after('after = "secret"'), secret, { type: "session.end", agent: "x" }, connect("192.0.2.1"))).toBe(
      "log allow allow",
    );
  });

  test("what forbids counts attempts, what permits counts what passed", () => {
    const denied = rule("no-secrets", 'action = "file.read"\npath = "~/.ssh/**"\nverdict = "deny"');
    expect(tell(`${after('after = "secret"')}\n${denied}`, secret, connect("192.0.2.1"))).toBe("deny deny");
    const permits = enforcing(
      "[default]",
      '"net.*" = "deny"',
      SECRETS,
      rule("a", 'action = "net.*"\nafter = "secret"\nverdict = "allow"'),
    );
    expect(tell(permits, connect("192.0.2.1"), secret, connect("192.0.2.1"))).toBe("deny log allow");
    expect(tell(`${permits}\n${denied}`, connect("192.0.2.1"), secret, connect("192.0.2.1"))).toBe("deny deny deny");
  });

  test("a later layer cannot permit something in an earlier one by setting its label", () => {
    const base = enforcing(
      "[default]",
      '"net.*" = "deny"',
      SECRETS,
      rule("a", 'action = "net.*"\nafter = "secret"\nverdict = "allow"'),
    );
    const layer = enforcing(rule("all", 'action = "*"\nverdict = "log"\nlabel = "secret"'));
    const decider = new StatefulDecider(load(base, layer));
    expect([read("/y"), connect("192.0.2.1")].map((action) => decider.evaluate(event(action)).verdict)).toEqual([
      "log",
      "deny",
    ]);
  });

  test("a rule that only observes leaves nothing that an enforced rule sees", () => {
    const observing = after('after = "secret"').replace('label = ["secret"]', 'label = ["secret"]\nmode = "observe"');
    expect(tell(observing, secret, connect("192.0.2.1"))).toBe("allow allow");
    const all = observing.replace('verdict = "deny"', 'verdict = "deny"\nmode = "observe"');
    const decider = new StatefulDecider(load(all));
    decider.evaluate(event(secret));
    expect(decider.evaluate(event(connect("192.0.2.1")))).toMatchObject({ verdict: "allow", would: "deny" });
  });

  test("survive a reload, as far as somebody still asks", () => {
    const first = new StatefulDecider(load(after('after = "secret"')));
    first.evaluate(event(secret));
    const second = new StatefulDecider(load(after('after = "secret"')), first.state);
    expect(second.evaluate(event(connect("192.0.2.1"))).verdict).toBe("deny");
    const third = new StatefulDecider(load(enforcing(SECRETS)), first.state);
    expect(
      new StatefulDecider(load(after('after = "secret"')), third.state).evaluate(event(connect("192.0.2.1"))).verdict,
    )
      .toBe("allow");
  });
});

describe("rates", () => {
  const limit = (rate: string, verdict: string): string =>
    enforcing(
      "[default]",
      '"net.*" = "deny"',
      rule("few", `action = "net.*"\nrate = { ${rate} }\nverdict = "${verdict}"`),
    )
      .replace('"net.*" = "deny"', verdict === "allow" ? '"net.*" = "deny"' : '"net.*" = "allow"');
  const go = connect("192.0.2.1");

  test("a deny holds beyond the rate and as long as one goes on, an allow up to it", () => {
    expect(tell(limit('count = 2, per = "10s"', "deny"), go, go, go, go, 8, go, 12, go)).toBe(
      "allow allow deny deny deny allow",
    );
    expect(tell(limit('count = 2, per = "10s"', "allow"), go, go, go, 12, go)).toBe("allow allow deny allow");
  });

  test("counts apart by the keys", () => {
    expect(tell(limit('count = 1, per = "1h"', "deny"), go, other, go, other)).toBe("allow allow deny deny");
    expect(tell(limit('count = 1, per = "1h", key = "all"', "deny"), go, other)).toBe("allow deny");
    expect(tell(limit('count = 1, per = "1h", key = ["session", "address"]', "deny"), go, connect("192.0.2.2"), go))
      .toBe(
        "allow allow deny",
      );
  });

  test("only what the rest of the rule covers counts", () => {
    const policy = enforcing(
      rule("r", 'action = "net.*"\nport = 443\nrate = { count = 1, per = "1h" }\nverdict = "deny"'),
    );
    expect(tell(policy, connect("192.0.2.1", 80), connect("192.0.2.1", 80), go, go)).toBe("allow allow allow deny");
  });

  test("keys beyond the bound share a counter: more is refused, never less", () => {
    const decider = new StatefulDecider(load(limit('count = 3, per = "1h", key = "address"', "deny")));
    const to = (i: number): string =>
      decider.evaluate(event(connect(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`))).verdict;
    for (let i = 0; i < 65_600; i++) to(i);
    expect(decider.state.counters).toBeLessThanOrEqual(65_537);
    expect(to(70_000)).toBe("deny");
  }, 60_000);

  test("a period is 32 slices and the one that has begun: never counted too short, never two slices too long", () => {
    const state = new PolicyState();
    const per_us = 32_000_000;
    const at = (seconds: number): { readonly per_us: number; readonly now_us: number } => (
      { per_us, now_us: seconds * 1_000_000 }
    );
    state.count("r", "k", at(100.9));
    const counts = [100, 131.9, 132.9, 133].map((seconds) => state.rateCount("r", "k", at(seconds)));
    expect(counts).toEqual([1, 1, 1, 0]);
    expect([132, 133].map((now) => isCounted(100, now))).toEqual([true, false]);
    // The clock stepped back: what was counted later still counts, and nothing is counted into the past.
    state.count("r", "k", at(50));
    expect([50, 132.9, 133].map((seconds) => state.rateCount("r", "k", at(seconds)))).toEqual([2, 2, 0]);
  });

  test("the state is bounded in sessions", () => {
    const state = new PolicyState();
    for (let i = 0; i < 5_000; i++) state.mark(`s${i}`, "m", 1);
    expect([state.sessions, state.markTime("s0", "m", "last"), state.markTime("s4999", "m", "last")]).toEqual([
      4_096,
      -1,
      1,
    ]);
  });
});

describe("command lines", () => {
  const shell = (script: string): Event => event(exec("/bin/bash", "-c", script));
  const started = (each: Event): Event => ({ ...each, shown: { pid: 7, start: "7" } });
  const push = 'action = "exec"\nexe = "git"\nargv = ["push", "..."]';

  test("a deny on any command inside wins, and says which", () => {
    const snapshot = load(enforcing(rule("r", `${push}\nverdict = "deny"`)));
    expect(snapshot.evaluate(shell("cd x && sudo git push --force; ls"))).toMatchObject({
      verdict: "deny",
      rule: "r",
      reason: 'rule "r" denies exec of git [inside the command line: "git push --force"]',
    });
    for (const script of ["git pull", "echo git push", "git commit -m 'git push'"]) {
      expect(snapshot.evaluate(shell(script)).verdict).toBe("allow");
    }
  });

  test("an allow needs all: the shell and every command inside, builtins apart", () => {
    const allow = (...names: readonly string[]): string =>
      enforcing(
        "[default]",
        'exec = "deny"',
        rule("a", `action = "exec"\nexe = ${JSON.stringify(names)}\nverdict = "allow"`),
      );
    const of = (policy: string, script: string): string => load(policy).evaluate(shell(script)).verdict;
    expect(of(allow("bash", "git", "ls"), "cd x && git status && ls")).toBe("allow");
    expect(of(allow("bash", "git"), "cd x && git status && ls")).toBe("deny");
    expect(of(allow("git", "ls"), "git status && ls")).toBe("deny");
  });

  test("what is inside only tightens: an allow or a log rule there names nothing", () => {
    for (const verdict of ["allow", "log"]) {
      const snapshot = load(enforcing(rule("r", `action = "exec"\nexe = "git"\nverdict = "${verdict}"`)));
      expect(snapshot.evaluate(shell("git push"))).toMatchObject({ verdict: "allow", rule_index: -1 });
    }
  });

  test("a program that has started is not stopped for one that will be decided at its own start", () => {
    const by_name = load(enforcing(rule("r", 'action = "exec"\nexe = "git"\nverdict = "deny"')));
    expect([by_name.evaluate(shell("git push")).verdict, by_name.evaluate(started(shell("git push"))).verdict]).toEqual(
      [
        "deny",
        "allow",
      ],
    );
    const by_arguments = load(enforcing(rule("r", `${push}\nverdict = "deny"`)));
    expect(by_arguments.evaluate(started(shell("git push"))).verdict).toBe("deny");
    const by_default = load(
      enforcing("[default]", 'exec = "deny"', rule("a", 'action = "exec"\nexe = "bash"\nverdict = "allow"')),
    );
    expect([by_default.evaluate(shell("git x")).verdict, by_default.evaluate(started(shell("git x"))).verdict]).toEqual(
      [
        "deny",
        "allow",
      ],
    );
  });

  test("the caller of a command inside is the program whose line it is", () => {
    expect(denies('action = "exec"\nexe = "git"\nby = "bash"', shell("git push"))).toBe(true);
    expect(denies('action = "exec"\nexe = "git"\nby = "node"', shell("git push"))).toBe(false);
  });

  test("opaque can be matched, and what permits by arguments does not rest on it", () => {
    expect(denies('action = "exec"\nopaque = true', shell('eval "$X"'))).toBe(true);
    expect(denies('action = "exec"\nopaque = true', shell("ls"))).toBe(false);
    expect(denies('action = "exec"\nopaque = false', event(exec("/bin/ls")))).toBe(true);
    const argv = 'action = "exec"\nexe = "bash"\nargv = ["-c", "*"]';
    expect(allows(argv, shell(":"))).toBe(true);
    expect(allows(argv, shell("$X"))).toBe(false);
    expect(allows(`${argv}\nopaque = true`, shell("$X"))).toBe(true);
  });

  test("arguments known only at run time match as written, and permit nothing", () => {
    expect(denies(push, shell('git push "$R"'))).toBe(true);
    const policy = enforcing(
      "[default]",
      'exec = "deny"',
      rule("a", 'action = "exec"\nexe = "bash"\nverdict = "allow"'),
      rule("b", 'action = "exec"\nexe = "git"\nargv = ["log", "..."]\nverdict = "allow"'),
    );
    expect(load(policy).evaluate(shell("git log -1")).verdict).toBe("allow");
    expect(load(policy).evaluate(shell("git log $X")).verdict).toBe("deny");
  });
});

describe("the form of the SDK runtime", () => {
  const file = '[[rules]]\nname = "no-shell"\nblocked_actions = ["PROCESS_EXEC", "FILE_OPERATION"]\n' +
    'requires_approval_actions = ["NETWORK_CALL", "PROCESS_EXEC"]\napproval_timeout_secs = 60';

  test("blocks and asks, without a version; a block beats an approval", () => {
    const snapshot = load(file);
    const of = (action: Action): string => snapshot.evaluate(event(action)).verdict;
    expect(
      [exec("/bin/a"), read("/x"), connect("192.0.2.1"), { type: "unix.connect" as const, path: "/s", result: "0" }]
        .map(of),
    )
      .toEqual(["deny", "deny", "ask", "ask"]);
    expect(snapshot.rules.map(({ name, verdict, approval_timeout_ms }) => [name, verdict, approval_timeout_ms]))
      .toEqual([
        ["no-shell", "deny", undefined],
        ["no-shell (approval)", "ask", 60_000],
      ]);
  });

  test("the default timeout is five minutes; empty lists say nothing; unknown types warn", () => {
    const snapshot = load(
      '[[rules]]\nname = "a"\nblocked_actions = []\nrequires_approval_actions = ["TOOL_CALL"]\n' +
        '[[rules]]\nname = "b"\nblocked_actions = ["LLM_CALL"]',
    );
    expect(snapshot.rules.map(({ name, approval_timeout_ms }) => [name, approval_timeout_ms])).toEqual([[
      "a",
      300_000,
    ]]);
    expect(snapshot.warnings.map(({ message }) => message)).toEqual([
      "nothing in this version reports LLM_CALL: the rule never matches it",
    ]);
  });

  test("stands beside rules of our own where the file has a version", () => {
    expect(load(enforcing(file, rule("own", 'action = "tool.call"\nverdict = "ask"'))).rules)
      .toHaveLength(3);
    expect(findings(`${file}\n${rule("own", 'action = "tool.call"\nverdict = "ask"')}`)[0]).toContain(
      "policy has no version",
    );
  });
});

describe("inline tests", () => {
  test("speak of facts, time and the past", () => {
    load(enforcing(
      SECRETS,
      rule(
        "a",
        'action = "exec"\nexe = "git"\nafter = "secret"\nrate = { count = 2, per = "1h" }\n' +
          'time = { window = "08:00-18:00" }\n' +
          'ancestor = "claude"\ngroup = "ops"\nmodel = "m"\ntokens = "5-"\ndeclared = true\nrisk = 9\ntag = "t"\n' +
          'verdict = "deny"\n' +
          'match = [{ exe = "git", label = "secret", earlier = 2, at = "2026-01-05T09:00:00Z", ' +
          'ancestor = "/opt/claude", group = "ops", model = "m", tokens = 5, declared = true, risk = 9, ' +
          'tag = ["t"] }]\n' +
          'not_match = [{ exe = "git", label = "secret", earlier = 1, at = "2026-01-05T09:00:00Z", ' +
          'ancestor = "/opt/claude", group = "ops", model = "m", tokens = 5, declared = true, risk = 9, tag = ["t"] }]',
      ),
      rule(
        "b",
        'action = "tool.call"\nargs = { path = "/etc/*" }\nverdict = "deny"\n' +
          'match = { tool = "w", args = { path = "/etc/x" } }\n' +
          'not_match = { tool = "w", args = { path = "/x" } }',
      ),
      rule(
        "c",
        'action = "exec"\nopaque = true\nverdict = "ask"\nmatch = { exe = "/bin/sh", argv = ["-c", "$X"] }\n' +
          'not_match = { exe = "/bin/sh", argv = ["-c", "ls"] }',
      ),
    ));
    const failing = rule("a", 'action = "exec"\nrisk = 9\nverdict = "deny"\nmatch = { exe = "git", risk = 8 }');
    expect(findings(enforcing(failing))[0]).toContain("inline test failed");
  });
});

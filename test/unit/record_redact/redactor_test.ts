/** Which parts of a draft are read, what stays, and the bounds. */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import type { Action, DecisionId, EntryDraft } from "../../../lib/core/mod.ts";
import { createRedactor } from "../../../lib/record/redact/mod.ts";
import { execDraft, KEY, mark, redactArgv, redactor, redactPath, redactText, textDraft } from "./support.ts";

const PASSWORD_URL = "postgres://u:hunter2@db/x";
const LEFT_URL = `postgres://u:${mark("url_password", "hunter2")}@db/x`;
const decision_id = "01JABCDEFGHJKMNPQRSTVWXYZ3" as DecisionId;

describe("a draft", () => {
  test("without secrets is the same object", () => {
    const drafts: readonly EntryDraft[] = [
      execDraft(["git", "commit", "-m", "fix the parser", "--author=Bob"]),
      { time_us: 1, kind: "observation", action: { type: "file.read", path: "/etc/passwd", result: "0" } },
      { time_us: 1, kind: "gap", gap: { source: "telemetry", type: "record", count: 1 } },
      {
        time_us: 1,
        kind: "decision",
        process: { pid: 1, start: "1", exe: "/bin/ls", argv: ["ls", "-l"], cwd: "/home/u" },
        action: { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 },
        decision: {
          decision_id,
          verdict: "deny",
          reason: "rule no-net",
          mode: "enforce",
          policy: { name: "p", digest: "d", generation: 1 },
        },
        outcome: { decision_id, label: "prevented", mechanism: "cgroup", by: "ops", error: "none" },
      },
      {
        time_us: 1,
        kind: "observation",
        action: { type: "tool.call", tool: "t", source: "hook", args: { a: [1, "x"] } },
      },
    ];
    for (const draft of drafts) expect(redactor()(draft)).toBe(draft);
  });

  test("loses what is carried out in a host name, and keeps names that only look odd", () => {
    const token = `ghp_${"0123456789abcdefghijABCDEFGHIJ012345"}`;
    const left = `${mark("github_token", token)}.evil.example`;
    const connect = (...hosts: readonly string[]): Action => ({
      ...{ type: "net.connect", protocol: "tcp", address: "2001:db8::1", port: 443 },
      ...{ host: hosts[0] ?? "", hosts, host_source: "dns" },
    });
    const dns = (name: string): Action => ({ type: "net.dns", name, answers: ["2001:db8::1"], ttl_s: 60 });
    const kept = (action: Action): Action | undefined => redactor()({ time_us: 1, kind: "observation", action }).action;
    expect(kept(dns(`${token}.evil.example`))).toEqual(dns(left));
    expect(kept(connect("a.example", `${token}.evil.example`))).toEqual(connect("a.example", left));
    for (const name of ["d111111abcdef8.cloudfront.net", "ec2-12-34-56-78.compute-1.amazonaws.com", "_srv._tcp.x.y"]) {
      expect([kept(dns(name)), kept(connect(name, "b.example"))]).toEqual([dns(name), connect(name, "b.example")]);
    }
  });

  test("loses the secrets of every part and keeps the rest", () => {
    const draft: EntryDraft = {
      time_us: 5,
      kind: "decision",
      principal: "p",
      process: { pid: 1, start: "1", exe: "/x", argv: ["psql", PASSWORD_URL], cwd: "/home/b@example.com" },
      action: { type: "exec", path: "/usr/bin/psql", argv: ["psql", PASSWORD_URL], cwd: "/w", flags: ["script"] },
      decision: {
        decision_id,
        verdict: "deny",
        reason: `no ${PASSWORD_URL}`,
        mode: "enforce",
        policy: { name: "p", digest: "d", generation: 1 },
      },
      outcome: { decision_id, label: "failed", mechanism: "none", error: `cannot reach ${PASSWORD_URL}` },
    };
    const copy = structuredClone(draft);
    expect(redactor()(draft)).toEqual({
      ...draft,
      process: {
        pid: 1,
        start: "1",
        exe: "/x",
        argv: ["psql", LEFT_URL],
        cwd: `/home/${mark("email", "b@example.com")}`,
      },
      action: { type: "exec", path: "/usr/bin/psql", argv: ["psql", LEFT_URL], cwd: "/w", flags: ["script"] },
      ...(draft.decision === undefined ? {} : { decision: { ...draft.decision, reason: `no ${LEFT_URL}` } }),
      outcome: { decision_id, label: "failed", mechanism: "none", error: `cannot reach ${LEFT_URL}` },
    });
    expect(draft).toEqual(copy);
  });

  test("an action of a newer version is read value by value", () => {
    const action = { type: "llm.request", prompt: [{ text: PASSWORD_URL }] } as unknown as Action;
    expect(redactor()({ time_us: 1, kind: "observation", action }).action as unknown).toEqual({
      type: "llm.request",
      prompt: [{ text: LEFT_URL }],
    });
  });
});

describe("the arguments of a tool", () => {
  const redactArgs = (args: unknown): unknown => {
    const action: Action = { type: "tool.call", tool: "t", source: "hook", args };
    const kept = redactor()({ time_us: 1, kind: "observation", action }).action;
    return kept?.type === "tool.call" ? kept.args : undefined;
  };

  test("a value under the name of a secret goes whole, at any depth", () => {
    expect(redactArgs({ db: [{ password: "let me in", user: "bob", port: 5432 }] })).toEqual({
      db: [{ password: mark("secret", "let me in"), user: "bob", port: 5432 }],
    });
    expect(redactArgs({ passwords: 1, password: 1234, headers: { Authorization: "Basic eA==" } })).toEqual({
      passwords: 1,
      password: mark("password", "1234"),
      headers: { Authorization: mark("authorization", "Basic eA==") },
    });
  });

  test("a name that is a secret is a secret; two that become one stay two", () => {
    const name = "bob@example.com";
    expect(redactArgs({ [name]: 1, [mark("email", name)]: 2 })).toEqual({
      [mark("email", name)]: 2,
      [`${mark("email", name)}#2`]: 1,
    });
  });

  test("words of a command are read as a command, paths as paths", () => {
    expect(redactArgs({ argv: ["mysql", "-phunter2"], command: "mysql -phunter2", path: "/x/b@example.com" })).toEqual({
      argv: ["mysql", `-p${mark("password", "hunter2")}`],
      command: `mysql -p${mark("password", "hunter2")}`,
      path: `/x/${mark("email", "b@example.com")}`,
    });
  });

  test("nesting and number of values are bounded, also in a circle", () => {
    const circle: Record<string, unknown> = {};
    circle["again"] = circle;
    expect(JSON.stringify(redactArgs(circle))).toEndWith(`"[too deep]"${"}".repeat(63)}`);
    const many = createRedactor({ key: KEY, limits: { values_max: 3 } })({
      time_us: 1,
      kind: "observation",
      action: { type: "tool.call", tool: "t", source: "s", args: [1, 2, 3] },
    });
    expect(JSON.stringify(many.action)).toContain("[too large]");
  });
});

describe("argv", () => {
  test.each<readonly [readonly string[], number, string]>([
    [["app", "--password=ab&cd;e"], 1, `--password=${mark("password", "ab&cd;e")}`],
    [["app", "--token", "abcd"], 2, mark("password", "abcd")],
    [["env", "DB_PASSWORD=a&b c", "x"], 1, `DB_PASSWORD=${mark("password", "a&b c")}`],
    [["/usr/bin/mysql", "-phunter2"], 1, `-p${mark("password", "hunter2")}`],
    [["sudo", "sshpass", "-p", "x y", "ssh"], 3, mark("password", "x y")],
    [["curl", "-ume:pw", "https://h/"], 1, `-ume:${mark("password", "pw")}`],
    [["curl", "-H", "X-Api-Key: abc"], 2, `X-Api-Key: ${mark("secret", "abc")}`],
    [["smbclient", "-U", "bob%pw"], 2, `bob%${mark("password", "pw")}`],
    [["bash", "-c", "mysql -pfoo && ls"], 2, `mysql -p${mark("password", "foo")} && ls`],
  ])("%j", (argv, index, left) => {
    expect(redactArgv(...argv)).toEqual(argv.map((word, at) => at === index ? left : word));
  });

  test.each<readonly [readonly string[]]>([
    [["ssh", "-p", "22", "deploy@prod.example.com"]],
    [["git", "clone", "git@github.com:a/b.git"]],
    [["mkdir", "-p", "/a/b"]],
    [["app", "--password", "--verbose"]],
    [["app", "--password", "$PW"]],
    [["app", "--auth", "basic"]],
  ])("%j stays", (argv) => {
    expect(redactArgv(...argv)).toEqual(argv);
  });
});

describe("paths", () => {
  test.each([
    "/home/u/project/node_modules/charset_normalizer/md.cpython-311-x86_64-linux-gnu.so",
    "/nix/store/0c0ywgvn1x5kdq9z9y8r5xk8b4bz0fqz-bash",
    "/home/u/.git/objects/d6/70460b4b4aece5915caf5c68d12f560a9fe3e4",
    "/var/lib/docker/overlay2/l/ABCDEFGHIJ2KLMNOPQR3TUVWXY",
    "/a/.pnpm/foo@1.2.3_react@18.2.0/node_modules/x",
  ])("%s stays", (path) => {
    expect(redactPath(path)).toBe(path);
  });

  test("a long random name goes", () => {
    const name = "Xk9mQ2vL8pR4tY6wZ1aB3cD5eF7gH0jKaaZZ";
    expect(redactPath(`/x/${name}.json`)).toBe(`/x/${mark("high_entropy", name)}.json`);
  });
});

describe("long texts", () => {
  const cutMark = (text: string): string =>
    `[cut:${text.length}:${createHmac("sha256", KEY).update(text).digest("hex").slice(0, 16)}]`;

  test("are cut to the bound, with a digest of what was cut", () => {
    const text = "ab ".repeat(200);
    const left = redactText(text, { text_chars_max: 256 });
    expect(left).toBe(`${text.slice(0, 220)}${cutMark(text.slice(220))}`);
    expect(left.length).toBeLessThanOrEqual(256);
    expect(redactText(left, { text_chars_max: 256 })).toBe(left);
  });

  test("no half of a secret, of a mark or of a character is left at the cut", () => {
    for (let pad = 150; pad < 260; pad++) {
      const text = `${"a ".repeat(pad / 2)}${PASSWORD_URL} ${"\u{1f600}".repeat(400)}`;
      const left = redactText(text, { text_chars_max: 256 });
      expect(left.length).toBeLessThanOrEqual(256);
      expect(left).not.toContain("hunt");
      expect(left.isWellFormed()).toBe(true);
      expect(left.replaceAll(/\[(?:redacted:[a-z_]+:[0-9a-f]{8}|cut:\d+:[0-9a-f]{16})\]/g, "")).not.toMatch(/\[/);
    }
  });

  test("a secret behind the bound is neither kept nor needed", () => {
    const left = redactText(`${"a ".repeat(500)}${PASSWORD_URL}`, { text_chars_max: 256 });
    expect(left).not.toContain("hunter2");
    expect(left).toMatch(/^(a )+\[cut:\d+:[0-9a-f]{16}\]$/);
  });
});

describe("options", () => {
  test("a short key or a bound out of range is refused", () => {
    expect(() => createRedactor({ key: new Uint8Array(15) })).toThrow("key");
    expect(() => createRedactor({ key: KEY, limits: { text_chars_max: 255 } })).toThrow("longest text");
  });

  test("a key that is changed later changes nothing", () => {
    const key = KEY.slice();
    const redact = createRedactor({ key });
    key.fill(0);
    expect(redact(textDraft("4111111111111111")).action).toEqual({
      type: "guard.ready",
      detail: mark("card", "4111111111111111"),
    });
  });
});

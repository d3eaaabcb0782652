/** `policy check`, `doctor`, `version` on real policy files. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Check, commandDoctor } from "../../../lib/app/command_doctor.ts";
import { commandPolicyCheck } from "../../../lib/app/command_policy.ts";
import { commandVersion } from "../../../lib/app/command_version.ts";
import { configTables, loadPolicyFiles } from "../../../lib/app/policy_files.ts";
import { LIMITS } from "../../../lib/core/mod.ts";
import { type MemoryIo, memoryIo, TempDir } from "./support.ts";

const NET = `version = 1
name = "net"
mode = "enforce"

[default]
"*" = "allow"

[[rules]]
name = "no-test-net"
action = "net.connect"
address = "192.0.2.0/24"
verdict = "deny"
reason = "no"
`;
const FILES = NET.replace('name = "net"', 'name = "files"') + `
[[rules]]
name = "secrets"
action = "unix.connect"
path = "/etc/shadow"
verdict = "deny"
reason = "no"
`;

class Files implements Disposable {
  readonly dir: TempDir = new TempDir();
  write(name: string, text: string): string {
    writeFileSync(`${this.dir.path}/${name}`, text);
    return `${this.dir.path}/${name}`;
  }
  [Symbol.dispose](): void {
    this.dir[Symbol.dispose]();
  }
}

function check(policies: readonly string[], io: MemoryIo, json = false): Promise<number> {
  return commandPolicyCheck({ kind: "policy.check", policies, flags: json ? { json } : {} }, io, {
    lacking: new Set(["lsm"]),
  });
}

describe("policy check", () => {
  test("a good policy: rules with what enforces them, exit 0", async () => {
    using files = new Files();
    const io = memoryIo();
    expect(await check([files.write("p.toml", FILES)], io)).toBe(0);
    expect(io.stdout.text).toMatch(/p\.toml:8 +no-test-net +cgroup/);
    expect(io.stdout.text).toMatch(/secrets +\w+ \(in part\)/);
    expect(io.stdout.text).toContain("not enforced completely: secrets; enforce mode refuses to start");
    expect(io.stderr.text).toBe("");
  });

  test("a rule about what nothing here reports: a warning at its place, exit 0", async () => {
    using files = new Files();
    const policy = files.write(
      "p.toml",
      [
        "version = 1",
        '[[rules]]\nname = "model"\naction = "exec"\nmodel = "m"\nverdict = "deny"',
        '[[rules]]\nname = "undeclared"\naction = "exec"\ndeclared = false\nverdict = "ask"',
        '[[rules]]\nname = "tool"\naction = "tool.call"\nexe = "git"\nverdict = "deny"',
        '[[rules]]\nname = "except"\naction = "exec"\nverdict = "deny"\nexcept = { tag = "ci" }',
        '[[rules]]\nname = "fine"\naction = "exec"\ngroup = "root"\nrisk = "70-"\nverdict = "deny"',
        '[[rules]]\nname = "any"\naction = "*"\nby = "x"\nverdict = "deny"',
      ].join("\n"),
    );
    const io = memoryIo();
    expect(await check([policy], io)).toBe(0);
    expect(io.stdout.lines().filter((line) => line.includes("warning"))).toEqual([
      `${policy}:5:1: warning: predicate model has no source on this host yet: rule "model" never holds`,
      `${policy}:10:1: warning: predicate declared has no source on this host yet: every action counts as undeclared`,
      `${policy}:14:1: warning: nothing on this host reports tool.call yet: rule "tool" never holds`,
      `${policy}:17:3: warning: predicate tag has no source on this host yet: that exception of rule "except" ` +
      "never applies",
    ]);
    const json = memoryIo();
    expect(await check([policy], json, true)).toBe(0);
    expect(JSON.parse(json.stdout.text).diagnostics).toHaveLength(4);
  });

  test("a secret in the file: a warning at its place, without the secret", async () => {
    using files = new Files();
    const key = ["AKIA", "IOSFODNN7EXAMPLE"].join("");
    const policy = files.write(
      "p.toml",
      `${NET}# the key is ${key}\n[[rules]]
name = "call"
action = "tool.call"
args = { "$.url" = "https://bob:hunter22@example.com/*" }
verdict = "deny"
`,
    );
    const io = memoryIo();
    expect(await check([policy], io)).toBe(0);
    const warnings = io.stdout.lines().filter((line) => line.includes("looks like a secret"));
    expect(warnings.map((line) => line.split(" (")[0])).toEqual([
      `${policy}:14:14: warning: this looks like a secret`,
      `${policy}:18:33: warning: this looks like a secret`,
    ]);
    expect(io.stdout.text).not.toContain(key);
    expect(io.stdout.text).not.toContain("hunter22");
    const clean = memoryIo();
    expect(await check([files.write("clean.toml", FILES)], clean)).toBe(0);
    expect(clean.stdout.text).not.toContain("secret (");
  });

  test("--json is one document", async () => {
    using files = new Files();
    const io = memoryIo();
    expect(await check([files.write("p.toml", FILES)], io, true)).toBe(0);
    const document: unknown = JSON.parse(io.stdout.text);
    expect(document).toMatchObject({
      ok: true,
      policy: { name: "files", generation: 1 },
      mode: "enforce",
      rules: [{ rule: "no-test-net", mechanism: "cgroup", complete: true }, { rule: "secrets", complete: false }],
      diagnostics: [],
    });
    expect(io.stdout.lines()).toHaveLength(1);
  });

  const errors: readonly (readonly [string, string, RegExp])[] = [
    ["malformed", 'version = 1\nname = "x\n', /p\.toml:2:\d+: error: /],
    ["unknown action", NET.replace('"net.connect"', '"net.conect"'), /p\.toml:\d+:\d+: error: .*net\.conect/],
    ["unknown key", NET.replace("address", "adress"), /p\.toml:\d+:\d+: error: .*adress/],
    [
      "unknown [config] key",
      `${NET}\n[config]\n  log_levl = "info"\n`,
      /p\.toml:16:3: error: .*did you mean "log_level"\?/,
    ],
    ["bad [config] value", `${NET}\n[config]\nhttp_port = 0\n`, /p\.toml:16:1: error: http_port: use a port/],
  ];
  test.each([...errors])("%s: file:line:column, exit 2", async (_name, text, line) => {
    using files = new Files();
    const file = files.write("p.toml", text);
    const io = memoryIo();
    expect(await check([file], io)).toBe(2);
    expect(io.stdout.text).toMatch(line);
    expect(io.stdout.lines().at(-1)).toContain("the policy cannot be used");
    const json = memoryIo();
    expect(await check([file], json, true)).toBe(2);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: false, diagnostics: [{ file, severity: "error" }] });
  });

  test("files that cannot be read are all named, exit 2", async () => {
    using files = new Files();
    mkdirSync(`${files.dir.path}/dir`);
    const io = memoryIo();
    expect(await check([`${files.dir.path}/missing.toml`, `${files.dir.path}/dir`], io)).toBe(2);
    expect(io.stdout.text).toContain("missing.toml:1:1: error: open the policy failed (ENOENT");
    expect(io.stdout.text).toContain("/dir:1:1: error: read the policy failed (EISDIR");
  });

  test("an endless file is read up to the limit only", async () => {
    const io = memoryIo();
    expect(await check(["/dev/zero"], io)).toBe(2);
    expect(io.stdout.text).toContain(String(LIMITS.policy_bytes_max));
  });

  test("hostile text in a policy and its name", async () => {
    using files = new Files();
    const file = files.write("\u202e\x1b[2J.toml", NET.replace('"net.connect"', '"\\u001b[2J\\u202e"'));
    const io = memoryIo();
    expect(await check([file], io)).toBe(2);
    expect(io.stdout.text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test("layers are handed on with their [config] tables", () => {
    using files = new Files();
    const base = files.write("base.toml", `${NET}\n[config]\nlog_level = "warn"\n`);
    const loaded = loadPolicyFiles([base, files.write("team.toml", NET.replaceAll("no-test-net", "team-net"))], {
      generation: 3,
    });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
    expect(loaded.value.ref.generation).toBe(3);
    expect(configTables(loaded.value).map(({ file, values }) => [file.endsWith("base.toml"), { ...values }])).toEqual([
      [true, { log_level: "warn" }],
      [false, {}],
    ]);
  });
});

describe("doctor", () => {
  const cgroup: Check = {
    id: "cgroup.connect",
    name: "cgroup connect",
    state: "ok",
    detail: "loaded",
    needed_for: ["cgroup"],
  };
  const lsm: Check = {
    id: "lsm",
    name: "BPF LSM",
    state: "missing",
    detail: "not \x1b[2J loaded",
    fix: "boot with lsm=bpf",
  };

  function doctor(policies: readonly string[], checks: readonly Check[], io: MemoryIo, json = false): Promise<number> {
    const port = { run: () => Promise.resolve(checks) };
    return commandDoctor({ kind: "doctor", policies, flags: json ? { json } : {} }, io, { doctor: port });
  }

  test("without a policy: the checks with their fixes, exit 0 whatever is missing", async () => {
    const io = memoryIo();
    expect(await doctor([], [cgroup, lsm], io)).toBe(0);
    expect(io.stdout.lines()).toEqual([
      "ok       cgroup connect  loaded",
      "missing  BPF LSM         not \\x1b[2J loaded",
      "    fix: boot with lsm=bpf",
    ]);
    const colour = memoryIo({ isTty: true });
    expect(await doctor([], [cgroup], colour)).toBe(0);
    expect(colour.stdout.text).toBe("\x1b[32mok\x1b[39m  cgroup connect  loaded\n");
  });

  test("a policy that this host can enforce: exit 0; the same without the mechanism: exit 1", async () => {
    using files = new Files();
    const policy = files.write("p.toml", NET);
    expect(await doctor([policy], [cgroup, lsm], memoryIo())).toBe(0);
    expect(await doctor([policy], [{ ...cgroup, state: "degraded" }], memoryIo())).toBe(0);
    for (const state of ["missing", "unknown"] as const) {
      const io = memoryIo();
      expect(await doctor([policy], [{ ...cgroup, state }], io, true)).toBe(1);
      expect(JSON.parse(io.stdout.text)).toMatchObject({
        checks: [{ id: "cgroup.connect", state }],
        enforceable: false,
        rules: [{
          rule: "no-test-net",
          mechanism: "kill_after",
          refused: "this host lacks cgroup; ended after the effect; cgroup would prevent it",
        }],
      });
    }
  });

  test("a rule that nothing enforces: exit 1, unless it says that its best is enough or only observes", async () => {
    using files = new Files();
    expect(await doctor([files.write("p.toml", FILES)], [cgroup], memoryIo())).toBe(1);
    expect(await doctor([files.write("b.toml", `${FILES}enforce = "best"\n`)], [cgroup], memoryIo())).toBe(0);
    expect(await doctor([files.write("o.toml", `${FILES}mode = "observe"\n`)], [cgroup], memoryIo())).toBe(0);
  });

  test("a policy with errors: exit 2, one line, nothing probed", async () => {
    let probed = false;
    const port = {
      run: (): Promise<readonly Check[]> => {
        probed = true;
        return Promise.resolve([]);
      },
    };
    const io = memoryIo();
    const command = { kind: "doctor", policies: ["/nonexistent/p.toml"], flags: {} } as const;
    expect(await commandDoctor(command, io, { doctor: port })).toBe(2);
    expect(io.stderr.lines()).toHaveLength(1);
    expect(io.stderr.text).toContain("/nonexistent/p.toml:1:1: error");
    expect(probed).toBe(false);
  });
});

describe("version", () => {
  const build = { version: "0.1.0", commit: "abc123", bun: "1.4.4", platform: "linux-x64" };
  const options = { build, notices: () => "Licence of libbpf" };

  test("for people, for programs, notices", async () => {
    const io = memoryIo();
    expect(await commandVersion({ kind: "version", licenses: false, flags: {} }, io, options)).toBe(0);
    expect(await commandVersion({ kind: "version", licenses: false, flags: { json: true } }, io, options)).toBe(0);
    expect(await commandVersion({ kind: "version", licenses: true, flags: {} }, io, options)).toBe(0);
    expect(io.stdout.lines()).toEqual([
      "agentguard 0.1.0 (abc123), bun 1.4.4, linux-x64",
      JSON.stringify(build),
      "Licence of libbpf",
    ]);
  });

  test("an unknown commit is left out", async () => {
    const io = memoryIo();
    const { commit: _commit, ...rest } = build;
    const unknown = { ...options, build: rest };
    expect(await commandVersion({ kind: "version", licenses: false, flags: {} }, io, unknown)).toBe(0);
    expect(io.stdout.text).toBe("agentguard 0.1.0, bun 1.4.4, linux-x64\n");
  });
});

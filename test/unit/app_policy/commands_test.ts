/** The commands on policies and recordings, from their words to their output and exit code. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandPolicyTool } from "../../../lib/app/command_policy_tools.ts";
import type { PolicyToolCommand } from "../../../lib/app/command_policy_types.ts";
import { exitCodeOf } from "../../../lib/app/command_io.ts";
import { AgentguardError, type Entry } from "../../../lib/core/mod.ts";
import { readRecording } from "../../../lib/app/recording.ts";
import { type MemoryIo, memoryIo } from "../app/support.ts";
import { connect, exec, read, recording } from "../decide_tools/support.ts";

const POLICY = `version = 1
name = "p"
[default]
"*" = "allow"
[[rules]]
name = "no-nc"
action = "exec"
exe = "nc"
verdict = "deny"
[[rules]]
name = "no-net"
action = "net.connect"
address = "192.0.2.0/24"
verdict = "deny"
[[rules]]
name = "home"
action = "file.read"
path = "~/.ssh/**"
verdict = "ask"
enforce = "best"
`;

class Files implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "agentguard-policy-"));

  write(name: string, text: string): string {
    const path = join(this.directory, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

function isTool(command: { readonly kind: string }): command is PolicyToolCommand {
  return command.kind === "replay" || (command.kind.startsWith("policy.") && command.kind !== "policy.check");
}

async function run(words: readonly string[]): Promise<MemoryIo & { readonly code: number }> {
  const io = memoryIo();
  const parsed = parseCommandLine(words);
  if (!parsed.ok) throw new Error(parsed.error.message);
  const { value } = parsed;
  if (!isTool(value)) throw new Error(`not a tool: ${value.kind}`);
  return { ...io, code: await commandPolicyTool(value, io) };
}

function refusal(words: readonly string[]): string {
  const parsed = parseCommandLine(words);
  return parsed.ok ? `accepted as ${parsed.value.kind}` : parsed.error.message;
}

function lines(entries: readonly Entry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

describe("explain", () => {
  test("one token for each --argv, dashes included", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const words = ["policy", "explain", "--policy", policy, "--action", "exec", "--exe", "nc", "--argv", "--listen"];
    const io = await run([...words, "--argv=--", "--argv", "x"]);
    expect(io.code).toBe(0);
    expect(io.stdout.text).toContain(`deny by rule no-nc, ${policy}:5`);
    expect(io.stdout.text).toContain(`except = { exe = "/usr/bin/nc", argv = ["--listen", "--", "x"] }`);
    const json = await run([...words, "--json"]);
    expect(JSON.parse(json.stdout.text)).toMatchObject({
      policy: { name: "p" },
      says: "deny",
      decided_by: { kind: "rule", rule: "no-nc", file: policy, line: 5 },
      action: { type: "exec", argv: ["/usr/bin/nc", "--listen"] },
    });
  });

  test("~ is the caller's home, or the one that is given", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const words = [
      "policy",
      "explain",
      "--policy",
      policy,
      "--json",
      "--action",
      "file.read",
      "--path",
      "/home/u/.ssh/x",
    ];
    expect(JSON.parse((await run(words)).stdout.text).says).toBe("ask");
    expect(JSON.parse((await run([...words, "--home", "/srv/a"])).stdout.text).says).toBe("allow");
  });

  test("the answer says what it takes to have happened before", async () => {
    using files = new Files();
    const policy = files.write(
      "p.toml",
      'version = 1\n[[rules]]\nname = "read"\naction = "file.read"\npath = "/s/**"\nverdict = "log"\nlabel = "t"\n' +
        '[[rules]]\nname = "egress"\naction = "net.connect"\nafter = "t"\nverdict = "deny"\n',
    );
    const words = ["policy", "explain", "--policy", policy, "--action", "net.connect", "--address", "192.0.2.1"];
    const last = async (...more: readonly string[]): Promise<readonly (string | undefined)[]> => {
      const lines = (await run([...words, ...more])).stdout.lines();
      return [lines[0]?.split(" ")[0], lines.at(-1)];
    };
    const at = "at 2024-01-01T12:00:00.000000Z";
    expect(await last()).toEqual(["allow", `assumed: nothing happened before in this session; ${at}`]);
    expect(await last("--label", "t")).toEqual(["deny", `assumed: label t set; ${at}`]);
    const given = JSON.stringify({ action: "file.read", path: "/s/a" });
    expect(await last("--given", given)).toEqual(["deny", `assumed: 1 action of this session before; ${at}`]);
    const json = await run([...words, "--given", given, "--json"]);
    expect(JSON.parse(json.stdout.text).assumed).toEqual({
      at: "2024-01-01T12:00:00.000000Z",
      labels: [],
      rules: [],
      earlier: 0,
      actions: 1,
    });
    for (
      const [bad, message] of [
        ["[1]", "--given: write an object"],
        ["{", "--given: write an object"],
        ['{"action":"file.read"}', "--given: it needs path"],
      ] as const
    ) {
      const io = await run([...words, "--given", bad]);
      expect([io.code, io.stdout.text]).toEqual([2, ""]);
      expect(io.stderr.text).toContain(message);
    }
    expect(refusal(["policy", "explain", "01JABCDEFGHJKMNPQRSTVWXYZ2", "--given", given])).toContain("remove --given");
  });

  test("without a policy the built-in one answers", async () => {
    const io = await run(["policy", "explain", "--action", "file.read", "--path", "/etc/shadow"]);
    expect(io.stdout.text).toContain("allow by [default] of '<built-in>'");
  });

  test("what is wrong is said in one line, exit 2", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const bad = files.write("bad.toml", "version = 2\n");
    for (
      const [words, message] of [
        [["--policy", policy, "--action", "exce"], "--action: unknown action"],
        [["--policy", policy, "--action", "file.read"], "it needs path"],
        [["--policy", policy, "--action", "net.connect", "--address", "::1", "--port", "x"], "--port: port is not"],
        [["--policy", bad, "--action", "exec", "--exe", "a"], `${bad}:1:1: error`],
      ] as const
    ) {
      const io = await run(["policy", "explain", ...words]);
      expect([io.code, io.stdout.text]).toEqual([2, ""]);
      expect(io.stderr.text).toContain(message);
    }
    expect(refusal(["policy", "explain"])).toContain("give an action");
    expect(refusal(["policy", "explain", "01JABCDEFGHJKMNPQRSTVWXYZ2", "--exe", "x"])).toContain("remove --exe");
    expect(refusal(["policy", "explain", "x"])).toContain("entry id of 26 characters");
  });
});

describe("test", () => {
  const suite = (expect: string): string =>
    `policy = "../p.toml"\n[[case]]\nname = "nc"\naction = "exec"\nexe = "nc"\nexpect = "${expect}"\n`;

  test("the policy is found from the suite; coverage; exit 1 for a failed case", async () => {
    using files = new Files();
    files.write("p.toml", POLICY);
    const good = files.write("s/good.toml", suite("deny"));
    const bad = files.write("s/bad.toml", suite("allow"));
    const passed = await run(["policy", "test", good]);
    expect(passed.code).toBe(0);
    expect(passed.stdout.text).toContain("1 passed, 0 failed; 1 of 3 rules decided a case");
    expect(passed.stdout.text).toContain("no case matches rule no-net");
    const failed = await run(["policy", "test", good, bad]);
    expect(failed.code).toBe(1);
    expect(failed.stdout.text).toContain(`FAILED ${bad}:2 nc: expected allow, got deny by no-nc`);
    const json = JSON.parse((await run(["policy", "test", bad, "--json"])).stdout.text);
    expect(json).toMatchObject({
      ok: false,
      suites: [{ failed: 1, rules: [{ rule: "no-nc", matched: 1, decided: 1 }, {}, {}] }],
    });
  });

  test("a suite that is missing, wrong, or without its policy: exit 2", async () => {
    using files = new Files();
    const lost = files.write("s/lost.toml", suite("deny"));
    expect((await run(["policy", "test", join(files.directory, "none.toml")])).code).toBe(2);
    expect((await run(["policy", "test", lost])).code).toBe(2);
    expect((await run(["policy", "test", files.write("s/wrong.toml", "case = 1\n")])).code).toBe(2);
  });
});

describe("show and lower", () => {
  test("every rule with its place, for people and programs", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const shown = await run(["policy", "show", policy]);
    expect(shown.stdout.text).toContain(`${policy}:10  no-net`);
    expect(JSON.parse((await run(["policy", "show", policy, "--json"])).stdout.text).rules).toHaveLength(3);
  });

  test("what the kernel holds", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const lowered = await run(["policy", "lower", policy]);
    expect(lowered.stdout.text).toContain("name nc");
    expect(lowered.stdout.text).toContain("net.connect: 192.0.2.0/24");
    expect(JSON.parse((await run(["policy", "lower", policy, "--json"])).stdout.text)).toMatchObject({
      lowered: {
        exec: [{ rule: "no-nc", names: ["nc"] }],
        net: [{ rule: "no-net", match: { addresses: ["192.0.2.0/24"] } }],
      },
    });
  });
});

describe("recordings", () => {
  const entries = recording(exec("/usr/bin/nc"), read("/w/a"), connect("192.0.2.1", 443));

  test("replay prints exactly the differences and the sums", async () => {
    using files = new Files();
    const policy = files.write("p.toml", POLICY);
    const record = files.write("r.jsonl", lines(entries));
    const io = await run(["replay", record, "--policy", policy]);
    expect(io.code).toBe(0);
    expect(io.stdout.lines()).toEqual([
      "seq 1 01JABCDEFGHJKMNPQRST000001  allow -> deny by no-nc  exec /usr/bin/nc",
      "seq 3 01JABCDEFGHJKMNPQRST000003  allow -> deny by no-net  connect 192.0.2.1:443 tcp",
      "3 actions in 3 entries: 2 differences (2 allow -> deny)",
      "the new policy says: 2 deny, 1 allow",
    ]);
    const json = (await run(["replay", record, "--policy", policy, "--json"])).stdout.lines().map((line) =>
      JSON.parse(line)
    );
    expect(json.map(({ kind, seq }) => [kind, seq])).toEqual([["difference", 1], ["difference", 3], [
      "summary",
      undefined,
    ]]);
  });

  test("diff of two policies, with and without a recording", async () => {
    using files = new Files();
    const before = files.write("a.toml", POLICY);
    const after = files.write("b.toml", POLICY.replace('exe = "nc"', 'exe = "ncat"'));
    const record = files.write("r.jsonl", lines(entries));
    expect((await run(["policy", "diff", before, after])).stdout.lines()).toEqual([`~  ${after}:5  no-nc  deny`]);
    expect((await run(["policy", "diff", before, before])).stdout.lines()).toEqual(["the rules are the same"]);
    const io = await run(["policy", "diff", before, after, "--recording", record]);
    expect(io.stdout.text).toContain("seq 1 01JABCDEFGHJKMNPQRST000001  deny by no-nc -> allow  exec /usr/bin/nc");
    expect(io.stdout.text).not.toContain("seq 3");
  });

  test("learn writes a policy that check, replay and test can use", async () => {
    using files = new Files();
    const record = files.write("r.jsonl", lines(entries));
    const io = await run(["policy", "learn", record, "--name", "mine", "--default", "deny"]);
    expect(io.code).toBe(0);
    expect(io.stderr.text).toContain("3 rules from 3 of 3 actions");
    const learnt = files.write("learnt.toml", io.stdout.text);
    expect((await run(["replay", record, "--policy", learnt])).stdout.text).toContain("0 differences");
    expect((await run(["policy", "show", learnt])).stdout.text).toContain("policy mine: mode enforce");
    expect(JSON.parse((await run(["policy", "learn", record, "--json"])).stdout.text)).toMatchObject({ learnt: 3 });
  });

  test("learning from nothing is no policy: exit 1", async () => {
    using files = new Files();
    const io = await run(["policy", "learn", files.write("r.jsonl", "")]);
    expect([io.code, io.stdout.text]).toEqual([1, ""]);
  });

  test("what cannot be read is said with its line", async () => {
    using files = new Files();
    const collect = async (source: string): Promise<string> => {
      const io = memoryIo();
      await exitCodeOf(io, async () => {
        for await (const entry of readRecording(source)) if (entry.seq < 0) throw new AgentguardError("io", "never");
        return 0;
      });
      return io.stderr.text;
    };
    expect(await collect(join(files.directory, "none"))).toContain("open recording");
    expect(await collect(files.directory)).toContain("record.db");
    const [first] = entries;
    expect(await collect(files.write("bad.jsonl", `${JSON.stringify(first)}\n\n{"seq":1}\n`))).toContain(
      "line 3 is no entry",
    );
    expect(await collect(files.write("long.jsonl", "x".repeat(2_000_000)))).toContain(
      "line 1 is longer than any entry",
    );
    expect(await collect(files.write("other.db", "SQLite format 3\0rest"))).toContain("name the directory");
    expect(await collect(files.write("last.jsonl", JSON.stringify(first)))).toBe("");
  });
});

test("wrong words", () => {
  expect(refusal(["replay", "r"])).toContain("--policy FILE");
  expect(refusal(["policy", "diff", "a"])).toContain("other");
  expect(refusal(["policy", "learn", "r", "--class", "disk"])).toContain(
    "--class: use one of exec, file, net, unix, tool",
  );
  expect(refusal(["policy", "learn", "r", "--default", "allow"])).toContain("ask");
  expect(refusal(["policy", "exlain"])).toContain("explain");
});

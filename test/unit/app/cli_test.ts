import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import type { Command } from "../../../lib/app/command.ts";
import type { SessionId } from "../../../lib/core/mod.ts";

const ID = "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId;

function words(line: string): readonly string[] {
  return line === "" ? [] : line.split(" ");
}

function parsed(line: readonly string[]): Command {
  const result = parseCommandLine(line);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function refusal(line: readonly string[]): string {
  const result = parseCommandLine(line);
  return result.ok ? `accepted as ${result.value.kind}` : result.error.message;
}

function printed(line: readonly string[]): string {
  const command = parsed(line);
  return command.kind === "print" ? command.text : `not a text: ${command.kind}`;
}

describe("guarding", () => {
  const run = { kind: "run", policies: [], flags: {} } as const;
  const cases: readonly (readonly [readonly string[], Command])[] = [
    [[], { kind: "daemon", policies: [], flags: {} }],
    [words("--policy a --policy b --state s"), { kind: "daemon", policies: ["a", "b"], flags: { state_dir: "s" } }],
    [words("-- claude"), { ...run, argv: ["claude"] }],
    [words("run -- claude"), { ...run, argv: ["claude"] }],
    [words("-- ls --help"), { ...run, argv: ["ls", "--help"] }],
    [words("-- status --json"), { ...run, argv: ["status", "--json"] }],
    [words("-- a -- b --"), { ...run, argv: ["a", "--", "b", "--"] }],
    [["--", "a b", "", "\n"], { ...run, argv: ["a b", "", "\n"] }],
    [words("-- --version"), { ...run, argv: ["--version"] }],
    [
      words("--policy p --mode observe --state s --runtime r --json --quiet --log-level debug -- x --mode y"),
      {
        kind: "run",
        argv: ["x", "--mode", "y"],
        policies: ["p"],
        flags: { state_dir: "s", runtime_dir: "r", mode: "observe", json: true, quiet: true, log_level: "debug" },
      },
    ],
    [words("--policy a run --policy b --policy c -- x"), { ...run, argv: ["x"], policies: ["a", "b", "c"] }],
    [words("--state a run --state b -- x"), { ...run, argv: ["x"], flags: { state_dir: "b" } }],
    [words("--policy=p --state=--odd -- x"), { ...run, argv: ["x"], policies: ["p"], flags: { state_dir: "--odd" } }],
  ];
  test.each([...cases])("%j", (line, command) => {
    expect(parsed(line)).toEqual(command);
  });
});

describe("commands", () => {
  const none = {
    since: undefined,
    until: undefined,
    session_id: undefined,
    principal: undefined,
    type: undefined,
    kind: undefined,
    verdict: undefined,
    rule: undefined,
    text: undefined,
    pid: undefined,
    after_seq: undefined,
    before_seq: undefined,
    limit: undefined,
    newest: false,
  };
  const cases: readonly (readonly [string, Command])[] = [
    ["status", { kind: "status", show_config: false, flags: {} }],
    ["status --config --json", { kind: "status", show_config: true, flags: { json: true } }],
    ["--json --runtime r status", { kind: "status", show_config: false, flags: { json: true, runtime_dir: "r" } }],
    ["events", { kind: "events", follow: false, flags: {} }],
    [
      `events -f --session ${ID} --type file.*`,
      { kind: "events", follow: true, session_id: ID, type: "file.*", flags: {} },
    ],
    ["sessions list", { kind: "sessions.list", flags: {} }],
    [`sessions show ${ID}`, { kind: "sessions.show", session_id: ID, flags: {} }],
    [`sessions kill ${ID.toLowerCase()}`, { kind: "sessions.kill", session_id: ID, flags: {} }],
    [`sessions pause ${ID}`, { kind: "sessions.pause", session_id: ID, flags: {} }],
    [`sessions resume --runtime r ${ID}`, { kind: "sessions.resume", session_id: ID, flags: { runtime_dir: "r" } }],
    [
      "audit verify --state s",
      { kind: "audit.verify", from: undefined, key: undefined, flags: { state_dir: "s" } },
    ],
    ["audit verify --from c --key k", { kind: "audit.verify", from: "c", key: "k", flags: {} }],
    [`audit prove ${ID.toLowerCase()}`, { kind: "audit.prove", entry_id: ID, flags: {} }],
    ["audit check-proof p --key k", { kind: "audit.check-proof", files: ["p"], key: "k", flags: {} }],
    ["audit consistency a b", { kind: "audit.consistency", older: "a", newer: "b", key: undefined, flags: {} }],
    ["audit checkpoint --show-key", { kind: "audit.checkpoint", show_key: true, flags: {} }],
    ["audit rotate-key --state s", { kind: "audit.rotate-key", flags: { state_dir: "s" } }],
    ["audit query", { kind: "audit.query", filter: none, flags: {} }],
    [
      `audit query --session ${ID} --type net.connect --kind decision --verdict deny --rule r1 --text x --pid 7 ` +
      `--after-seq 0 --before-seq 9 --limit 5 --newest --since 15m --until 2026-01-02T03:04:05Z`,
      {
        kind: "audit.query",
        filter: {
          since: { kind: "ago", age_us: 900_000_000 },
          until: { kind: "at", time_us: Date.UTC(2026, 0, 2, 3, 4, 5) * 1000 },
          session_id: ID,
          principal: undefined,
          type: "net.connect",
          kind: "decision",
          verdict: "deny",
          rule: "r1",
          text: "x",
          pid: 7,
          after_seq: 0,
          before_seq: 9,
          limit: 5,
          newest: true,
        },
        flags: {},
      },
    ],
    [
      "audit query --since 2026-01-02",
      {
        kind: "audit.query",
        filter: { ...none, since: { kind: "at", time_us: Date.UTC(2026, 0, 2) * 1000 } },
        flags: {},
      },
    ],
    ["policy check a b --json", { kind: "policy.check", policies: ["a", "b"], flags: { json: true } }],
    ["doctor", { kind: "doctor", policies: [], flags: {} }],
    ["--policy a doctor --policy b", { kind: "doctor", policies: ["a", "b"], flags: {} }],
    ["version", { kind: "version", licenses: false, flags: {} }],
    ["version --licenses", { kind: "version", licenses: true, flags: {} }],
    ["--version", { kind: "version", licenses: false, flags: {} }],
    ["-V", { kind: "version", licenses: false, flags: {} }],
    ["--json --version", { kind: "version", licenses: false, flags: { json: true } }],
  ];
  test.each([...cases])("%s", (line, command) => {
    expect(parsed(words(line))).toEqual(command);
  });
});

describe("wrong usage: one line with the fix", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["--", "give the command to run after --: agentguard -- CMD ARG..."],
    ["audit prove x", "use an entry id of 26 characters (see agentguard audit query --json), not x"],
    ["audit check-proof p", "give --key KEY: a proof means nothing without a public key that you trust"],
    ["run", "give the command to run after --: agentguard run -- CMD ARG..."],
    ["run --", "give the command to run after --: agentguard -- CMD ARG..."],
    ["run claude --print", "unknown option '--print'; see 'agentguard help run'"],
    ["--config --version", "unknown option '--config'"],
    ["run claude", "put -- before the command: agentguard run -- claude"],
    ["run x -- y", "put -- before the command: agentguard run -- x"],
    ["claude", "unknown command 'claude'; to run a program guarded: agentguard -- claude"],
    ["stauts", "did you mean 'agentguard status'?"],
    ["daemon", "unknown command 'daemon'"],
    ["audit", "say what to do: agentguard audit query|export|verify"],
    ["audit qury", "did you mean 'agentguard audit query'?"],
    ["audit frobnicate", "see 'agentguard help audit'"],
    ["policy explain", "give an action, for example --action exec"],
    ["sessions", "agentguard sessions list|show|kill|pause|resume"],
    ["sessions show", "missing required argument 'id'; see 'agentguard help sessions show'"],
    ["sessions show 123", "use a session id of 26 characters"],
    [`sessions show ${ID} ${ID}`, "too many arguments"],
    ["policy check", "missing required argument 'file'; see 'agentguard help policy check'"],
    ["status -- x", "remove --: 'status' runs no command"],
    ["help -- x", "remove --: 'help' runs no command"],
    ["completions bash -- x", "remove --: 'completions' runs no command"],
    ["--version -- x", "remove --: 'version' runs no command"],
    ["--mode observe status", "remove --mode: it has no effect on 'status'"],
    ["--policy p audit verify", "remove --policy: it has no effect on 'verify'"],
    ["--policy p version", "remove --policy: it has no effect on 'version'"],
    ["--quiet help", "remove --quiet: it has no effect on 'help'"],
    ["--mode strict", "Allowed choices are enforce, observe"],
    ["--log-level loud", "Allowed choices are debug, info, warn, error"],
    ["--polcy p", "Did you mean --policy?"],
    ["--policy", "argument missing"],
    ["--policy -- x", "argument missing"],
    ["status --follow", "unknown option '--follow'; see 'agentguard help status'"],
    ["audit query --since yesterday", "--since: use a time such as"],
    ["audit query --since 2026-13-01", "--since: use a time such as"],
    ["audit query --until 5x", "--until: use a time such as"],
    ["audit query --pid 0", "--pid: use a whole number from 1 to"],
    ["audit query --pid -1", "--pid: use a whole number from 1 to"],
    ["audit query --limit 0", "--limit: use a whole number from 1 to"],
    ["audit query --limit 1e3", "--limit: use a whole number from 1 to"],
    ["audit query --after-seq 99999999999999999", "--after-seq: use a whole number from 0 to"],
    ["audit query --type file", "did you mean 'file.*'?"],
    ["audit query --type file.raed", "did you mean 'file.read'?"],
    ["audit query --type gap", "--type: use a known action type"],
    ["audit query --type FILE", "--type: use an action type or a glob"],
    ["audit query --kind nothing", "Allowed choices are decision"],
    ["audit query --verdict no", "Allowed choices are allow, deny"],
    ["events --session x", "--session: use a session id of 26 characters"],
    ["completions tcsh", "Allowed choices are bash, zsh, fish"],
    ["help nothing", "no help on 'nothing'"],
  ];
  test.each([...cases])("%s", (line, message) => {
    const said = refusal(words(line));
    expect(said).toContain(message);
    expect(said).not.toContain("\n");
    expect(said).not.toMatch(/[^.]\.$/);
  });

  test("empty words", () => {
    expect(refusal(["--", ""])).toContain("its name is empty");
    expect(refusal([""])).toContain("unknown command");
    expect(refusal(["audit", "query", "--text", ""])).toContain("use a text of 1 to");
  });

  test("what was typed cannot drive the terminal or flood it", () => {
    for (const line of [["\x1b[2Jx"], ["--\x1b[2J"], ["audit", "\x1b[2J"], ["audit", "query", "--pid", "\x1b[2J"]]) {
      expect(refusal(line)).not.toContain("\x1b");
    }
    expect(refusal(["y".repeat(100_000)]).length).toBeLessThan(600);
    expect(refusal([`--${"y".repeat(100_000)}`]).length).toBeLessThan(600);
  });
});

describe("help", () => {
  const singles = [
    "",
    "run",
    "doctor",
    "status",
    "events",
    "sessions",
    "audit",
    "trace",
    "policy",
    "version",
    "help",
    "completions",
  ];
  const doubles = ["list", "show", "kill", "pause", "resume"].map((verb) => `sessions ${verb}`);
  const paths = [...singles, ...doubles, "audit query", "audit verify", "policy check"];
  test.each(paths)("'%s': the same by word and by option, with purpose and usage", (path) => {
    const by_option = printed([...words(path), "--help"]);
    expect(by_option).toContain(`Usage: agentguard ${path}`.trim());
    expect(printed([...words(path), "-h"])).toBe(by_option);
    expect(printed(["help", ...words(path)])).toBe(by_option);
    for (const line of by_option.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
  });

  test("the main help names every command, examples and exit codes, and nothing that does not exist", () => {
    const help = printed(["--help"]);
    for (const name of singles) expect(help).toContain(name);
    expect(help).toContain("Examples:");
    for (const code of ["125", "126", "127", "128+n"]) expect(help).toContain(code);
  });

  test("after -- it belongs to the command", () => {
    expect(parsed(["run", "--", "--help"]).kind).toBe("run");
  });
});

/**
 * A real run is learnt: under the learnt policy it passes again without a question, and a run that was tampered with
 * does not. The run clones this repository and builds a program of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exists, rm, writeFile } from "node:fs/promises";
import { about, decided, EXECUTABLE, type Finished, GuardSetup, IS_ROOT, REPOSITORY, run } from "../support/mod.ts";

const LIMIT_MS = 180_000;

/** What an agent does: the repository, a build, a run of what was built. */
const WORK = `set -e
git clone -q "$REPOSITORY" clone
cd clone
cc -O1 -c -o mark.o test/binary/fixtures/mark.c
cc -o mark mark.o
./mark made
`;

const BUILTIN = `version = 1
name = "watch"
mode = "observe"
[default]
"*" = "allow"
`;

describe.skipIf(!IS_ROOT)("a clone and a build of this repository", () => {
  let setup: GuardSetup;
  let learnt: string;

  /** Runs the script guarded, in a fresh directory. */
  async function guarded(script: string, policy: string, state: string): Promise<Finished> {
    await rm(`${setup.work}/clone`, { recursive: true, force: true });
    await writeFile(`${setup.work}/run.sh`, script.replace('"$REPOSITORY"', `'${REPOSITORY}'`));
    const flags = [
      "--policy",
      policy,
      "--state",
      setup.dir.join(state),
      "--runtime",
      setup.dir.join(`${state}-runtime`),
    ];
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: setup.dir.path, LC_ALL: "C" };
    return await run([EXECUTABLE, ...flags, "--", "/bin/bash", "./run.sh"], { cwd: setup.work, env });
  }

  function tool(...words: readonly string[]): Promise<Finished> {
    return run([EXECUTABLE, ...words]);
  }

  /** Decisions of a record that stopped something, or would have. */
  async function stopped(
    state: string,
  ): Promise<readonly { readonly what: string; readonly rule: string | undefined }[]> {
    const done = await tool("audit", "query", "--state", setup.dir.join(state), "--kind", "decision", "--json");
    return done.stdout.split("\n").filter((line) => line !== "").map((line) => {
      const { action, decision } = JSON.parse(line);
      return { what: `${action.type} ${action.path ?? action.address}`, rule: decision.rule };
    });
  }

  /** What came of them. */
  async function outcomes(state: string): Promise<readonly { readonly label: string; readonly mechanism: string }[]> {
    const done = await tool("audit", "query", "--state", setup.dir.join(state), "--json");
    const entries = done.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    return decided(entries).flatMap((each) => each.outcomes).flatMap(({ outcome }) =>
      outcome === undefined ? [] : [{ label: outcome.label, mechanism: outcome.mechanism }]
    );
  }

  /** Whatever was not recorded is asked about, and nobody is there to answer: under this for a second. */
  async function impatient(): Promise<string> {
    const text = await Bun.file(learnt).text();
    expect(text).toContain("\n[approval]\n");
    const path = setup.dir.join("impatient.toml");
    await writeFile(path, text.replace("\n[approval]\n", '\n[approval]\ntimeout = "1s"\n'));
    return path;
  }

  beforeAll(async () => {
    setup = await GuardSetup.create(BUILTIN);
    learnt = setup.dir.join("learnt.toml");
    const watched = await guarded(WORK, setup.policy, "watched");
    expect(watched.stderr).not.toContain("fatal");
    expect(watched.exit_code).toBe(0);
    const proposed = await tool("policy", "learn", setup.dir.join("watched"));
    expect(proposed.exit_code).toBe(0);
    await writeFile(learnt, proposed.stdout);
  }, LIMIT_MS);

  afterAll(async () => {
    await setup[Symbol.asyncDispose]();
  });

  test("the learnt policy is a policy, and allows everything that was recorded", async () => {
    const checked = await tool("policy", "check", learnt);
    expect(checked.exit_code).toBe(0);
    expect(checked.stdout).not.toContain("not enforced completely");
    const replayed = await tool("replay", setup.dir.join("watched"), "--policy", learnt, "--json");
    const summary = JSON.parse(replayed.stdout.trim().split("\n").at(-1) ?? "");
    expect(summary).toMatchObject({ kind: "summary", differences: 0 });
    expect(Object.keys(summary.after)).toEqual(["allow"]);
    expect(summary.actions).toBeGreaterThan(1_000);
  }, LIMIT_MS);

  test("the same run passes again, in enforce mode, with nothing asked or denied", async () => {
    const again = await guarded(WORK, learnt, "again");
    expect(await stopped("again")).toEqual([]);
    expect(again.stderr).toContain(" 0 asked, 0 denied");
    expect(again.exit_code).toBe(0);
    expect(await exists(`${setup.work}/clone/made`)).toBe(true);
  }, LIMIT_MS);

  test("a run that also reads a planted secret does not", async () => {
    const secret = setup.dir.join(".aws", "credentials");
    await Bun.write(secret, "[default]\n");
    const tampered = await guarded(
      `${WORK}if read -r stolen < '${secret}'; then echo stolen; fi\n`,
      learnt,
      "theft",
    );
    expect(tampered.stdout).not.toContain("stolen");
    expect(tampered.stderr).toContain("Operation not permitted");
    expect(await outcomes("theft")).toEqual([{ label: "prevented", mechanism: "seccomp" }]);
    expect(await stopped("theft")).toEqual([{ what: `file.read ${secret}`, rule: "secrets" }]);
  }, LIMIT_MS);

  test("a run that also reads a file that nobody called secret does not either", async () => {
    const other = setup.dir.join("plans.txt");
    await writeFile(other, "plans\n");
    const tampered = await guarded(
      `${WORK}if read -r line < '${other}'; then echo stolen; fi\n`,
      await impatient(),
      "curious",
    );
    expect(tampered.stdout).not.toContain("stolen");
    expect(tampered.stderr).toContain("Operation not permitted");
    expect(await outcomes("curious")).toEqual([{ label: "prevented", mechanism: "seccomp" }]);
    expect(await stopped("curious")).toEqual([{ what: `file.read ${other}`, rule: undefined }]);
  }, LIMIT_MS);

  test("a run that also connects somewhere reaches nobody", async () => {
    let connections = 0;
    using listener = Bun.listen({
      hostname: "127.66.0.1",
      port: 0,
      socket: { open: () => void connections++, data: () => {} },
    });
    const called = await guarded(`${WORK}exec 3<> /dev/tcp/127.66.0.1/${listener.port}\n`, await impatient(), "call");
    expect(called.exit_code).not.toBe(0);
    expect(await stopped("call")).toEqual([{ what: "net.connect 127.66.0.1", rule: undefined }]);
    expect(await outcomes("call")).toEqual([{ label: "prevented", mechanism: "seccomp" }]);
    expect(connections).toBe(0);
  }, LIMIT_MS);

  test("replay against a changed policy lists exactly what the change is about", async () => {
    const text = await Bun.file(learnt).text();
    const changed = setup.dir.join("changed.toml");
    await writeFile(
      changed,
      `${text}\n[[rules]]\nname = "no-compiler"\naction = "exec"\nexe = "cc1"\nverdict = "deny"\n`,
    );
    const replayed = await tool("replay", setup.dir.join("watched"), "--policy", changed, "--json");
    const lines = replayed.stdout.trim().split("\n").map((line) => JSON.parse(line));
    const differences = lines.filter(({ kind }) => kind === "difference");
    const record = await tool("audit", "query", "--state", setup.dir.join("watched"), "--type", "exec", "--json");
    const compilers = about(
      record.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)),
      "exec",
    ).filter(({ action }) => action.path.endsWith("/cc1"));
    expect(compilers.length).toBeGreaterThan(0);
    expect(differences.map(({ seq }) => seq)).toEqual(compilers.map(({ seq }) => seq));
    expect(differences.every(({ before, after }) => before.verdict === "allow" && after.rule === "no-compiler")).toBe(
      true,
    );
    expect(lines.at(-1)).toMatchObject({ kind: "summary", changes: { "allow -> deny": compilers.length } });
  }, LIMIT_MS);

  test("an entry of the record is explained against the learnt policy", async () => {
    const record = await tool(
      "audit",
      "query",
      "--state",
      setup.dir.join("watched"),
      "--type",
      "exec",
      "--limit",
      "1",
      "--json",
    );
    const { entry_id } = JSON.parse(record.stdout);
    const words = ["policy", "explain", "--policy", learnt, "--state", setup.dir.join("watched"), entry_id, "--json"];
    expect(JSON.parse((await tool(...words)).stdout)).toMatchObject({ says: "allow", decided_by: { rule: "exec" } });
  }, LIMIT_MS);
});

/** A policy that is loaded while a command runs which was not started to wait for what the policy forbids. */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decided, GuardSetup, IS_ROOT, isAbout, type RunningGuard, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const policy = (rule: string): string =>
  `version = 1
name = "reload"
mode = "enforce"
[default]
"*" = "allow"
[[rules]]
name = "git-needs-a-human"
action = "exec"
exe = "git"
verdict = "ask"
${rule}`;

const NO_SECRETS = `[[rules]]
name = "no-secrets"
action = "file.create"
path = "**/secret"
verdict = "deny"
`;

/** Waits for a file, then makes the secret, in a process of its own, which lives on unless it is to be quick. */
const SCRIPT = `echo begins; while [ ! -e go ]; do sleep 0.1; done
/bin/sh -c "echo x > secret; [ -e quick ] || sleep 30.5"; echo "status $?"`;

async function started(setup: GuardSetup): Promise<RunningGuard> {
  const guard = setup.start(["/bin/sh", "-c", SCRIPT]);
  await waitUntil("its begin", () => guard.stdout === "begins\n", { detail: () => guard.stderr });
  return guard;
}

async function reload(setup: GuardSetup): Promise<{ readonly status: number; readonly body: unknown }> {
  const socket = `${setup.runtime}/control.sock`;
  const response = await fetch("http://guard/v1/policy/reload", { method: "POST", unix: socket });
  return { status: response.status, body: await response.json() };
}

describe.skipIf(!IS_ROOT)("a policy that is loaded while a command runs", () => {
  test("is refused where one of its rules cannot be kept there, by the rule's place and with what to do", async () => {
    await using setup = await GuardSetup.create(policy(""));
    await using guard = await started(setup);
    await writeFile(setup.policy, policy(NO_SECRETS));
    const { status, body } = await reload(setup);
    expect(status).toBe(501);
    expect(body).toMatchObject({
      error: {
        message: expect.stringMatching(/not started to wait for it: .*policy\.toml:11 no-secrets \(.*enforce = "best"/),
      },
    });
    const shown = JSON.parse((await setup.command(["status", "--json"])).stdout);
    expect(shown.policy).toMatchObject({ ref: { generation: 1 }, rules: 1 });
    await writeFile(join(setup.work, "quick"), "");
    await writeFile(join(setup.work, "go"), "");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("begins\nstatus 0\n");
    const told = (await setup.entries()).flatMap((entry) =>
      isAbout(entry, "guard.degraded") ? [entry.action.detail] : []
    );
    expect(told).toContainEqual(expect.stringContaining("policy reload refused"));
  }, LIMIT_MS);

  test('is taken with enforce = "best", keeps the rule as well as it can, and says so everywhere', async () => {
    await using setup = await GuardSetup.create(policy(""));
    await using guard = await started(setup);
    await writeFile(setup.policy, policy(`${NO_SECRETS}enforce = "best"\n`));
    const weaker = expect.stringContaining(
      "no-secrets: file.create by kill_after (killed_after_effect) and not by seccomp",
    );
    expect(await reload(setup)).toMatchObject({ status: 200, body: { ref: { generation: 2 }, weaker: [weaker] } });
    const status = await setup.command(["status"]);
    expect(status.stdout).toContain("in what runs already: ");
    await writeFile(join(setup.work, "go"), "");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("begins\nstatus 137\n");
    expect(guard.stderr).toContain("agentguard: warning: in what runs already: ");
    const entries = await setup.entries();
    const told = entries.flatMap((entry) => isAbout(entry, "guard.degraded") ? [entry.action.detail] : []);
    expect(told).toEqual([weaker]);
    const [secret] = decided(entries).filter(({ decision }) => decision.decision?.rule === "no-secrets");
    expect(secret?.decision.decision?.policy.generation).toBe(2);
    expect(secret?.outcomes[0]?.outcome).toMatchObject({ label: "killed_after_effect", mechanism: "signal" });
  }, LIMIT_MS);

  test("is taken as it is where the command waits for all that it forbids", async () => {
    await using setup = await GuardSetup.create(policy(""));
    await using guard = await started(setup);
    const rule = '[[rules]]\nname = "no-shells"\naction = "exec"\nexe = "sh"\nverdict = "deny"\n';
    await writeFile(setup.policy, policy(rule));
    const { status, body } = await reload(setup);
    expect([status, body]).toEqual([200, expect.not.objectContaining({ weaker: expect.anything() })]);
    await writeFile(join(setup.work, "go"), "");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("begins\nstatus 126\n");
  }, LIMIT_MS);
});

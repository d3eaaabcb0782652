/** Held calls that wait for an answer, or for what happened before them. */
import { describe, expect, test } from "bun:test";
import { exists, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView } from "../../lib/core/mod.ts";
import { decided, GuardSetup, IS_ROOT, waitFor } from "../support/mod.ts";

const LIMIT_MS = 300_000;
/** Calls that are held at once. */
const MANY = 1_000;

const head = (approval = ""): string =>
  `version = 1\nname = "held"\nmode = "enforce"\n[default]\n"*" = "allow"\n[approval]\n${approval}\n`;

async function questions(setup: GuardSetup, count: number): Promise<readonly ApprovalView[]> {
  return await waitFor(`${count} questions`, async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    if (listed.exit_code !== 0) return undefined;
    const views: readonly ApprovalView[] = JSON.parse(listed.stdout);
    return views.length >= count ? views : undefined;
  }, { deadline_ms: 120_000 });
}

describe.skipIf(!IS_ROOT)("a held call that asks", () => {
  test("a change of a file is done when somebody says yes, once, and its record belongs to that decision", async () => {
    await using setup = await GuardSetup.create();
    const rule = '[[rules]]\nname = "rm"\naction = "file.delete"\nverdict = "ask"\n';
    await writeFile(setup.policy, `${head("allow_same_uid = true")}${rule}path = "${setup.work}/keep/**"\n`);
    await mkdir(join(setup.work, "keep"));
    await writeFile(join(setup.work, "keep", "x"), "x");
    await using guard = setup.start(["/bin/bash", "-c", 'rm keep/x; echo "status $?"']);
    const [view] = await questions(setup, 1);
    expect(await exists(join(setup.work, "keep", "x"))).toBe(true);
    expect((await setup.command(["approvals", "approve", view?.approval_id ?? ""])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 0\n");
    expect(await exists(join(setup.work, "keep", "x"))).toBe(false);
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "rm");
    expect(found.map(({ decision }) => decision.decision?.verdict)).toEqual(["ask"]);
    // Two threads write: whoever held it, and whoever saw it happen.
    const outcomes = found[0]?.outcomes.map(({ outcome }) => `${outcome?.label} ${outcome?.mechanism}`) ?? [];
    expect(outcomes.toSorted()).toEqual(["allowed seccomp", "held seccomp"]);
  }, LIMIT_MS);

  test(`${MANY} at once wait, everything else goes on, and all end when the time is over`, async () => {
    await using setup = await GuardSetup.create();
    const rule = '[[rules]]\nname = "ask"\naction = "exec"\nexe = "true"\nverdict = "ask"\n';
    await writeFile(setup.policy, head('timeout = "60s"') + rule);
    const script = `for i in $(seq ${MANY}); do /bin/true & done; /bin/echo meanwhile; cat go > /dev/null; ` +
      "/bin/echo later; wait";
    await using guard = setup.start(["/bin/bash", "-c", `mkfifo go; ${script}`]);
    await waitFor("other programs", () => Promise.resolve(guard.stdout.includes("meanwhile") ? true : undefined));
    expect((await questions(setup, MANY)).length).toBe(MANY);
    await writeFile(join(setup.work, "go"), "");
    await waitFor("other programs still", () => Promise.resolve(guard.stdout.includes("later") ? true : undefined));
    expect(await guard.ended()).toBe(0);
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "ask");
    expect(found).toHaveLength(MANY);
    const labels = found.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => `${outcome?.label} ${outcome?.by}`));
    expect(new Set(labels)).toEqual(new Set(["prevented expiry"]));
    expect(labels).toHaveLength(MANY);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a held call whose rule asks the past", () => {
  test("a rate counts every attempt once", async () => {
    await using setup = await GuardSetup.create();
    const rule = '[[rules]]\nname = "slowly"\naction = "exec"\nexe = "true"\nverdict = "deny"\n' +
      'rate = { count = 3, per = "1h" }\n';
    await writeFile(setup.policy, head() + rule);
    const done = await setup.guard(["/bin/bash", "-c", "for i in 1 2 3 4 5; do /bin/true; echo $?; done"]);
    expect(done.stdout).toBe("0\n0\n0\n126\n126\n");
  }, LIMIT_MS);

  test("what was read just before counts", async () => {
    await using setup = await GuardSetup.create();
    const rules = '[[rules]]\nname = "seen"\naction = "file.read"\npath = "**/secret"\nverdict = "log"\n' +
      'label = "read"\n[[rules]]\nname = "not-after"\naction = "exec"\nexe = "true"\nverdict = "deny"\n' +
      'after = { label = "read", within = "session" }\n';
    await writeFile(setup.policy, head() + rules);
    await writeFile(join(setup.work, "secret"), "s");
    const done = await setup.guard(["/bin/bash", "-c", "/bin/true; echo $?; : < secret; /bin/true; echo $?"]);
    expect(done.stdout).toBe("0\n126\n");
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "not-after");
    expect(found).toHaveLength(1);
  }, LIMIT_MS);
});

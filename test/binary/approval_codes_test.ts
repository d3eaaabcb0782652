/** One-time codes on the executable: each counts once, also after a reload of the policy and another start. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import type { ApprovalView } from "../../lib/core/mod.ts";
import { decodeTotpSecret, totpCode } from "../../lib/approve/mod.ts";
import { type Finished, GuardSetup, IS_ROOT, type RunningGuard, waitFor } from "../support/mod.ts";

const LIMIT_MS = 120_000;
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

const policy = (file: string, name: string): string =>
  `version = 1
name = "${name}"
mode = "enforce"
[default]
"*" = "allow"
[approval]
allow_same_uid = true
totp = { file = "${file}" }
[[rules]]
name = "touch-needs-a-human"
action = "exec"
exe = "touch"
verdict = "ask"
`;

/** The one question that waits about this file. */
function questionAbout(setup: GuardSetup, guard: RunningGuard, file: string): Promise<string> {
  return waitFor(`a question about ${file}`, async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const views: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return views.find(({ action }) => action.type === "exec" && action.argv[1] === file)?.approval_id;
  }, { detail: () => guard.stderr });
}

function approve(setup: GuardSetup, id: string, code?: string): Promise<Finished> {
  return setup.command(["approvals", "approve", id, ...(code === undefined ? [] : ["--code", code])]);
}

test.skipIf(!IS_ROOT)("a one-time code counts once, whatever is loaded or started in between", async () => {
  await using setup = await GuardSetup.create();
  const file = setup.dir.join("totp");
  await writeFile(file, `${SECRET}\n`, { mode: 0o600 });
  await writeFile(setup.policy, policy(file, "first"));
  // Of the next step: it counts for more than a minute from now on.
  const step = Math.floor(Date.now() / 30_000) + 1;
  const code = totpCode(decodeTotpSecret(SECRET), step);
  /** How the same code is refused: as used, or, on a very slow machine, as one whose time is over. */
  const refused = async (id: string): Promise<void> => {
    const again = await approve(setup, id, code);
    const late = Math.floor(Date.now() / 30_000) > step + 1;
    const why = late ? /used already|code is wrong/ : /used already/;
    expect([again.exit_code, again.stderr]).toEqual([1, expect.stringMatching(why)]);
  };
  {
    await using guard = setup.start(["/usr/bin/touch", "one"]);
    const one = await questionAbout(setup, guard, "one");
    expect((await approve(setup, one, code)).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
  }
  await using guard = setup.start(["/bin/sh", "-c", '/usr/bin/touch two; echo "status $?"']);
  const two = await questionAbout(setup, guard, "two");
  await refused(two);
  await writeFile(setup.policy, policy(file, "second"));
  const socket = `${setup.runtime}/control.sock`;
  expect((await fetch("http://guard/v1/policy/reload", { method: "POST", unix: socket })).status).toBe(200);
  await refused(two);
  const without = await approve(setup, two);
  expect([without.exit_code, without.stderr]).toEqual([1, expect.stringContaining("give a one-time code")]);
  expect((await setup.command(["approvals", "deny", two])).exit_code).toBe(0);
  expect(await guard.ended()).toBe(0);
  expect(guard.stdout).toBe("status 126\n");
}, LIMIT_MS);

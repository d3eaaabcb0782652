/** A thousand program starts held at once, and let go together. */
import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView } from "../../lib/core/mod.ts";
import { EXECUTABLE, GuardSetup, IS_ROOT, isAbout, runOnPty, waitFor } from "../support/mod.ts";

const HELD = 1_000;
const LIMIT_MS = 240_000;

const POLICY = `version = 1
name = "held"
[default]
"*" = "allow"
[[rules]]
name = "push-needs-a-human"
action = "exec"
exe = "git"
argv = ["push", "..."]
verdict = "ask"
`;

test.skipIf(!IS_ROOT)(
  "a thousand wait at once; a grant lets all go that it covers, and each is answered once",
  async () => {
    await using setup = await GuardSetup.create(POLICY);
    const git = join(setup.work, "git");
    await writeFile(git, "#!/bin/sh\necho pushed\n");
    await chmod(git, 0o755);
    const script = `for i in $(seq ${HELD}); do ./git push $i & done; wait; echo end`;
    await using guard = setup.start(["/bin/bash", "-c", script]);
    const views = await waitFor("all of them to wait", async () => {
      const listed = await setup.command(["approvals", "list", "--json"]);
      const found: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
      return found.length === HELD ? found : undefined;
    }, { deadline_ms: LIMIT_MS / 2, detail: () => guard.stderr });
    expect(guard.stdout).toBe("");
    const words = [
      "approvals",
      "approve",
      views[500]?.approval_id ?? "",
      "--for",
      "session",
      "--match",
      "./git push *",
    ];
    const approved = await runOnPty([EXECUTABLE, ...words, "--runtime", setup.runtime], []);
    expect(approved.exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe(`${"pushed\n".repeat(HELD)}end\n`);
    const answered = (await setup.entries()).flatMap((entry) =>
      isAbout(entry, "approval.answered") ? [entry.action] : []
    );
    expect(new Set(answered.map(({ approval_id }) => approval_id)).size).toBe(HELD);
    expect(answered).toHaveLength(HELD);
    expect(answered.every(({ verdict }) => verdict === "allow")).toBe(true);
  },
  LIMIT_MS,
);

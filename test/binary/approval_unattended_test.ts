/** A run that nobody looks after: what waits is told at once, and where the policy says so not for long. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { ApprovalEvent, ApprovalView } from "../../lib/core/mod.ts";
import { GuardSetup, IS_ROOT, isAbout, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const policy = (approval: string): string =>
  `version = 1
name = "unattended"
mode = "enforce"
[default]
"*" = "allow"
[approval]
allow_same_uid = true
${approval}
[[rules]]
name = "touch-needs-a-human"
action = "exec"
exe = "touch"
verdict = "ask"
reason = "nobody knows why"
`;

class DisposableAbort extends AbortController implements Disposable {
  [Symbol.dispose](): void {
    this.abort();
  }
}

/** What a stream says, as it comes. */
async function* textOf(response: Response): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) yield decoder.decode(chunk, { stream: true });
}

const COMMAND = ["/bin/sh", "-c", '/usr/bin/touch made 2> /dev/null; echo "status $?"'];

describe.skipIf(!IS_ROOT)("a run without a person", () => {
  test("says on stderr at once what waits, until when and what to type, and what came of it", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "5m"'));
    await using guard = setup.start(COMMAND);
    await waitUntil("the notice", () => guard.stderr.includes("(or show, deny)"));
    const views: readonly ApprovalView[] = JSON.parse((await setup.command(["approvals", "list", "--json"])).stdout);
    const id = views[0]?.approval_id ?? "";
    expect(guard.stderr).toMatch(
      /^agentguard: waits for an answer, denied by itself in (5m 0s|4m 5\ds): exec .*touch made$/m,
    );
    expect(guard.stderr).toContain(
      `agentguard:   agentguard approvals approve ${id} --runtime ${setup.runtime}  (or show, deny)\n`,
    );
    expect((await setup.command(["approvals", "deny", id, "--reason", "no need"])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 126\n");
    expect(guard.stderr).toMatch(new RegExp(`^agentguard: ${id} denied by uid:0 after .*: no need$`, "m"));
  }, LIMIT_MS);

  test("says nothing with --quiet", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "1s"'));
    const done = await setup.guard(COMMAND, { flags: ["--quiet"] });
    expect([done.exit_code, done.stdout, done.stderr]).toEqual([0, "status 126\n", ""]);
  }, LIMIT_MS);

  test('is denied at once with unattended = "deny"', async () => {
    await using setup = await GuardSetup.create(policy('unattended = "deny"'));
    const done = await setup.guard(COMMAND);
    expect([done.exit_code, done.stdout]).toEqual([0, "status 126\n"]);
    expect(done.stderr).toMatch(
      /denied by unattended after 0.0\d\ds: nobody watches for questions, .*: exec .*touch made$/m,
    );
    const answered = (await setup.entries()).filter((entry) => isAbout(entry, "approval.answered"));
    expect(answered.map(({ action }) => action)).toMatchObject([{ verdict: "deny", by: "unattended" }]);
  }, LIMIT_MS);

  test("waits in spite of it where somebody watches", async () => {
    await using setup = await GuardSetup.create(policy('unattended = "deny"'));
    await using guard = setup.start(["/bin/sh", "-c", `read go; ${COMMAND[2]}`]);
    const socket = `${setup.runtime}/control.sock`;
    await waitUntil("the control socket", () => existsSync(socket), { detail: () => guard.stderr });
    using stream = new DisposableAbort();
    const watched = await fetch("http://guard/v1/approvals/stream", { unix: socket, signal: stream.signal });
    const lines = textOf(watched);
    expect((await lines.next()).value).toBe('{"lagged":0}\n');
    await guard.process.stdin.write("go\n");
    await guard.process.stdin.flush();
    const asked = (await lines.next()).value ?? "";
    const { event, approval }: ApprovalEvent = JSON.parse(asked);
    expect([event, approval.left_ms > 200_000]).toEqual(["asked", true]);
    expect((await setup.command(["approvals", "approve", approval.approval_id])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 0\n");
  }, LIMIT_MS);
});

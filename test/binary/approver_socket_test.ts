/** Approvers who are not root: they answer questions over a socket of their own, and command nothing else. */
import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView } from "../../lib/core/mod.ts";
import {
  EXECUTABLE,
  type Finished,
  GuardSetup,
  IS_ROOT,
  isAbout,
  python,
  run,
  type RunningGuard,
  waitFor,
  waitUntil,
} from "../support/mod.ts";

const LIMIT_MS = 60_000;
/** `operator` and `daemon` of every Debian. */
const [OPERATOR_GID, DAEMON_UID, NOBODY_UID] = [37, 1, 65_534];

const policy = (socket: string, more = ""): string =>
  `version = 1
name = "approvers"
mode = "enforce"
[default]
"*" = "allow"
[approval]
timeout = "30s"
[approval.socket]
${socket}
[guard]
privileges = "sudo"
${more}
[[rules]]
name = "push-needs-a-human"
action = "exec"
exe = "git"
verdict = "ask"
`;

/** Somebody with these ids and no others. */
function as(uid: number, gid: number, argv: readonly string[]): readonly string[] {
  return ["/usr/bin/setpriv", "--reuid", String(uid), "--regid", String(gid), "--clear-groups", ...argv];
}

const operator = (argv: readonly string[]): readonly string[] => as(DAEMON_UID, OPERATOR_GID, argv);

/** A command of the executable on this guard. */
function words(setup: GuardSetup, ...given: readonly string[]): readonly string[] {
  return [EXECUTABLE, ...given, "--runtime", setup.runtime];
}

/** One request over the socket, as whoever runs it: its status. */
function request(setup: GuardSetup, method: string, path: string): readonly string[] {
  return python(
    `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(("%s %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n" % (sys.argv[2], sys.argv[3])).encode())
print(s.recv(65536).split(b" ")[1].decode(), flush=True)`,
    socketOf(setup),
    method,
    path,
  );
}

function socketOf(setup: GuardSetup): string {
  return `${setup.runtime}.approvers/approvals.sock`;
}

/** A guarded shell that pushes with this prefix and then goes on with the rest; the question that waits. */
async function hold(
  setup: GuardSetup,
  options: { readonly before?: string; readonly rest?: string } = {},
): Promise<{ readonly guard: RunningGuard; readonly view: ApprovalView }> {
  const git = join(setup.work, "git");
  await writeFile(git, '#!/bin/sh\necho "pushed $*"\n');
  await chmod(git, 0o755);
  const push = `${options.before ?? ""} ./git push; echo "status $?"`;
  const guard = setup.start(["/bin/sh", "-c", `${push} & ${options.rest ?? "wait"}`]);
  const view = await waitFor("a question", async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const views: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return views[0];
  }, { detail: () => guard.stderr });
  return { guard, view };
}

async function outcome(done: Promise<Finished>): Promise<string> {
  const { exit_code, stdout, stderr } = await done;
  return `${exit_code} ${stdout}${stderr}`;
}

describe.skipIf(!IS_ROOT)("a member of the group of approvers", () => {
  test("lists, shows and approves without being root, and the record says who it was", async () => {
    await using setup = await GuardSetup.create(policy('group = "operator"'));
    const { guard, view: { approval_id: id } } = await hold(setup);
    await using _guard = guard;
    const [directory, socket] = [statSync(`${setup.runtime}.approvers`), statSync(socketOf(setup))];
    expect([directory.mode & 0o777, directory.uid, directory.gid]).toEqual([0o750, 0, OPERATOR_GID]);
    expect([socket.mode & 0o777, socket.uid, socket.gid]).toEqual([0o660, 0, OPERATOR_GID]);
    const listed = await run(operator(words(setup, "approvals", "list", "--json")));
    expect(JSON.parse(listed.stdout)).toMatchObject([{ approval_id: id }]);
    expect((await run(operator(words(setup, "approvals", "show", id)))).stdout).toContain("push-needs-a-human");
    const approved = await run(operator(words(setup, "approvals", "approve", id)));
    expect([approved.exit_code, approved.stdout]).toEqual([0, expect.stringContaining(`${id} allowed by uid:1 after`)]);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("pushed push\nstatus 0\n");
    const vote = (await setup.entries()).find((entry) => isAbout(entry, "approval.vote"));
    expect(vote?.action).toMatchObject({
      by: "uid:1",
      verified: expect.stringMatching(/^SO_PEERPIDFD pid \d+ .*no session$/),
    });
    expect(existsSync(socketOf(setup))).toBe(false);
  }, LIMIT_MS);

  test("commands nothing else: no session, no policy, no record, no events", async () => {
    await using setup = await GuardSetup.create(policy('group = "operator"'));
    const { guard, view } = await hold(setup);
    await using _guard = guard;
    const session = view.session?.session_id ?? "";
    for (
      const [method, path] of [
        ["GET", "/v1/status"],
        ["GET", "/v1/sessions"],
        ["POST", `/v1/sessions/${session}/kill`],
        ["POST", `/v1/sessions/${session}/resume`],
        ["POST", "/v1/policy/reload"],
        ["GET", "/v1/events"],
        ["POST", "/v1/record/keep"],
      ] as const
    ) expect([path, (await run(operator(request(setup, method, path)))).stdout]).toEqual([path, "404\n"]);
    expect(await outcome(run(operator(words(setup, "sessions", "kill", session))))).toMatch(/^1 .*admits nobody else/);
    expect((await run(operator(request(setup, "GET", "/v1/approvals")))).stdout).toBe("200\n");
  }, LIMIT_MS);

  test(
    "does not answer for its own uid, nor for a session of its own, and root does not answer root here",
    async () => {
      await using setup = await GuardSetup.create(policy('group = "operator"', 'baseline = "none"'));
      const before = `/usr/bin/setpriv --reuid ${DAEMON_UID} --regid ${DAEMON_UID} --clear-groups`;
      const { guard, view } = await hold(setup, { before });
      await using _guard = guard;
      expect(view.process?.uid).toBe(DAEMON_UID);
      const path = `/v1/approvals/${view.approval_id}/approve`;
      expect(await outcome(run(operator(words(setup, "approvals", "approve", view.approval_id))))).toMatch(
        /^1 .*uid 1 asks itself: over the socket of approvers somebody else answers/,
      );
      // The session is root's: over this socket that is nobody else.
      expect((await run(as(0, OPERATOR_GID, request(setup, "POST", path)))).stdout).toBe("403\n");
      expect((await run(as(2, OPERATOR_GID, request(setup, "POST", path)))).stdout).toBe("200\n");
      expect(await guard.ended()).toBe(0);
      const refused = (await setup.entries()).flatMap((entry) =>
        isAbout(entry, "operator.approve") && entry.action.refused !== undefined ? [entry.action.by] : []
      );
      expect(refused).toEqual(["uid:1", "uid:0"]);
    },
    LIMIT_MS,
  );
});

describe.skipIf(!IS_ROOT)("whoever is no approver", () => {
  test("does not get to the socket; a user is admitted by name, and nobody in his place", async () => {
    await using setup = await GuardSetup.create(policy('user = "daemon"'));
    const { guard, view } = await hold(setup);
    await using _guard = guard;
    const path = `/v1/approvals/${view.approval_id}/approve`;
    const other = await run(as(NOBODY_UID, NOBODY_UID, words(setup, "approvals", "list")));
    expect([other.exit_code, other.stderr]).toEqual([1, expect.stringContaining("admits nobody else")]);
    expect((await run(as(NOBODY_UID, NOBODY_UID, request(setup, "POST", path)))).stderr).toContain("Permission denied");
    // The owner opens his socket to everybody: the guard still asks the kernel who it is.
    expect((await run(as(DAEMON_UID, DAEMON_UID, ["chmod", "666", socketOf(setup)]))).exit_code).toBe(0);
    expect((await run(as(NOBODY_UID, NOBODY_UID, request(setup, "POST", path)))).stdout).toBe("403\n");
    expect((await run(as(NOBODY_UID, NOBODY_UID, request(setup, "GET", "/v1/approvals")))).stdout).toBe("403\n");
    // Nor can he put another socket in its place.
    expect((await run(as(DAEMON_UID, DAEMON_UID, ["rm", "-f", socketOf(setup)]))).exit_code).toBe(1);
    expect((await run(as(DAEMON_UID, DAEMON_UID, request(setup, "POST", path)))).stdout).toBe("200\n");
    expect(await guard.ended()).toBe(0);
  }, LIMIT_MS);

  test.each([
    ["does not find the socket", "", "No such file"],
    ["is known as one of the session, whatever uid and group it takes", 'baseline = "none"', "403"],
  ])("a process of the session %s", async (_name, more, said) => {
    await using setup = await GuardSetup.create(policy('group = "operator"', more).replace("30s", "4s"));
    const script = join(setup.work, "try.sh");
    const rest = `sh ${script} > out 2>&1; wait; cat out`;
    const started = hold(setup, { rest: `sleep 1; ${rest}` });
    const { guard, view } = await started;
    await using _guard = guard;
    const quoted = operator(request(setup, "POST", `/v1/approvals/${view.approval_id}/approve`)).map((word) =>
      `'${word.replaceAll("'", "'\\''")}'`
    );
    await writeFile(script, `${quoted.join(" ")}\n`);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toContain(said);
    expect(guard.stdout).toContain("status 126");
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("the place of the socket", () => {
  test("that is a link, or somebody else's, is refused before anything starts", async () => {
    await using setup = await GuardSetup.create(policy('group = "operator"'));
    const elsewhere = setup.dir.join("elsewhere");
    await mkdir(elsewhere);
    await symlink(elsewhere, `${setup.runtime}.approvers`);
    const linked = await setup.guard(["/bin/true"]);
    expect([linked.exit_code, linked.stderr]).toEqual([125, expect.stringContaining("it is no directory of uid 0")]);
    await run(["rm", `${setup.runtime}.approvers`]);
    await run(["install", "-d", "-o", "1", `${setup.runtime}.approvers`]);
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(125);
  }, LIMIT_MS);

  test("a group that this host does not have is told with the policy", async () => {
    await using setup = await GuardSetup.create(policy('group = "no-such-group"'));
    const done = await setup.guard(["/bin/true"]);
    expect([done.exit_code, done.stderr]).toEqual([2, expect.stringContaining("this host has none")]);
  }, LIMIT_MS);

  test("is opened and closed by a reload of the policy", async () => {
    await using setup = await GuardSetup.create("version = 1\n");
    await using guard = setup.startDaemon();
    await waitUntil("the daemon", () => guard.stderr.includes("ready"), { detail: () => guard.stderr });
    expect(existsSync(socketOf(setup))).toBe(false);
    await writeFile(setup.policy, 'version = 1\n[approval.socket]\ngroup = "operator"\n');
    await waitUntil("the socket", () => existsSync(socketOf(setup)), { detail: () => guard.stderr });
    await waitUntil(
      "an answer",
      async () => (await run(operator(words(setup, "approvals", "list")))).stdout === "nothing waits for an answer\n",
    );
    await writeFile(setup.policy, "version = 1\n");
    await waitUntil("its end", () => !existsSync(socketOf(setup)), { detail: () => guard.stderr });
  }, LIMIT_MS);
});

/** People at the command line answer questions; processes of a session cannot, whatever they try. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { IS_ROOT, python, run, runOnPty } from "../support/mod.ts";
import { GuardedCgroup } from "../kernel/probes_support.ts";
import { ApprovalHost, PUSH } from "./approval_host.ts";
import { type Action, type ApprovalAnswer, silentLog } from "../../lib/core/mod.ts";
import { TcpPeerIdentity } from "../../lib/app/tcp_peer.ts";
import { ApproverServer } from "../../lib/publish/mod.ts";

const LIMIT_MS = 60_000;

/** Answers over a socket that is connected already: the arguments are the socket and the id. */
const RAW = `
import socket, sys, os
def approve(s, id):
    s.sendall(("POST /v1/approvals/%s/approve HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n" % id).encode())
    answer = b""
    while chunk := s.recv(65536): answer += chunk
    print(answer.split(b" ")[1].decode(), flush=True)
def connect(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path); return s
`;

/** What came of one question that several answered at once. */
interface Race {
  readonly id: string;
  readonly statuses: readonly number[];
  readonly answer: ApprovalAnswer;
}

describe.skipIf(!IS_ROOT)("a person outside", () => {
  test("lists, shows and approves from a terminal; the action that waits goes on", async () => {
    await using host = await ApprovalHost.start();
    const { id, answer } = host.ask();
    const listed = await host.command("approvals", "list", "--json");
    expect(JSON.parse(listed.stdout)).toMatchObject([{ approval_id: id, action: PUSH, state: "pending" }]);
    expect((await host.command("approvals", "list")).stdout).toContain("git push origin main");
    const shown = await host.command("approvals", "show", id.slice(-6));
    expect([shown.exit_code, shown.stderr]).toEqual([0, ""]);
    expect(shown.stdout).toContain("a push needs a human (rule push-needs-a-human)");
    const approved = await runOnPty(host.argv(["approvals", "approve", id, "--reason", "ship it"]), []);
    expect(approved.exit_code).toBe(0);
    expect(approved.transcript).toContain(`${id} allowed by uid:0 after`);
    expect(await answer).toMatchObject({ verdict: "allow", by: "uid:0", reason: "ship it" });
    const vote = host.sink.approvals("approval.vote")[0];
    expect(vote?.verified).toMatch(/^SO_PEERPIDFD pid \d+ \(.*agentguard\), .*terminal pts\/\d+, in no session$/);
    const late = await host.command("approvals", "deny", id);
    expect([late.exit_code, late.stderr]).toEqual([1, expect.stringContaining("allowed already by uid:0")]);
  }, LIMIT_MS);

  test("denies; expiry and unknown ids are told", async () => {
    await using host = await ApprovalHost.start();
    const [one, two] = [host.ask(), host.ask({ timeout_ms: 1 })];
    expect(await two.answer).toMatchObject({ verdict: "deny", by: "expiry" });
    const denied = await runOnPty(host.argv(["approvals", "deny", one.id, "--reason", "not today"]), []);
    expect(denied.exit_code).toBe(0);
    expect(await one.answer).toMatchObject({ verdict: "deny", by: "uid:0", reason: "not today" });
    const late = await runOnPty(host.argv(["approvals", "approve", two.id]), []);
    expect([late.exit_code, late.transcript]).toEqual([1, expect.stringContaining("denied already by expiry")]);
    const unknown = await host.command("approvals", "approve", "01JABCDEFGHJKMNPQRSTVWXYZ9");
    expect([unknown.exit_code, unknown.stderr.trim().split("\n").length]).toEqual([1, 1]);
    expect((await host.command("approvals", "list")).stdout).toBe("nothing waits for an answer\n");
  }, LIMIT_MS);

  test("gives a standing grant, sees it used, takes it back", async () => {
    await using host = await ApprovalHost.start();
    const { id, answer } = host.ask();
    const words = ["approvals", "approve", id, "--for", "always", "--match", "push *"];
    expect((await runOnPty(host.argv(words), [])).transcript).toContain("standing grant");
    await answer;
    const other = host.ask({ action: { type: "exec", path: "/usr/bin/git", argv: ["git", "push", "-f"], cwd: "/x" } });
    expect(await other.answer).toMatchObject({ verdict: "allow", by: expect.stringMatching(/^grant:/) });
    const listed = await host.command("approvals", "grants", "list", "--json");
    const [grant] = JSON.parse(listed.stdout);
    expect(grant).toMatchObject({ covers: "/usr/bin/git push *", uses: 1, principal: "alice", by: ["uid:0"] });
    expect((await host.command("approvals", "grants", "list")).stdout).toContain("/usr/bin/git push *");
    expect((await host.command("approvals", "grants", "revoke", grant.grant_id)).exit_code).toBe(0);
    const again = host.ask();
    expect(JSON.parse((await host.command("approvals", "list", "--json")).stdout)).toMatchObject([{
      approval_id: again.id,
    }]);
  }, LIMIT_MS);

  test("watches: answers what comes with single keys", async () => {
    await using host = await ApprovalHost.start();
    const [one, two] = [host.ask(), host.ask()];
    const watched = await runOnPty(host.argv(["approvals", "watch"]), [
      { expect: one.id },
      { expect: "q quit > " },
      { send: "y\n" },
      { expect: `${one.id} allowed by uid:0` },
      { expect: two.id },
      { expect: "q quit > " },
      { send: "n\n" },
      { expect: `${two.id} denied by uid:0` },
      { send: "q\n" },
    ]);
    expect(watched.exit_code).toBe(0);
    expect([(await one.answer).verdict, (await two.answer).verdict]).toEqual(["allow", "deny"]);
  }, LIMIT_MS);

  test("a thousand questions at once are listed, and each gets its own answer", async () => {
    await using host = await ApprovalHost.start();
    const asked = Array.from(
      { length: 1_000 },
      (_, i) => host.ask({ action: { type: "exec", path: "/bin/true", argv: ["true", String(i)] } }),
    );
    const listed: readonly { readonly approval_id: string }[] = JSON.parse(
      (await host.command("approvals", "list", "--json")).stdout,
    );
    expect(listed.map(({ approval_id }) => approval_id)).toEqual(asked.map(({ id }) => id));
    const chosen = asked[500];
    expect((await runOnPty(host.argv(["approvals", "approve", chosen?.id ?? ""]), [])).exit_code).toBe(0);
    expect(await chosen?.answer).toMatchObject({ verdict: "allow" });
    await host.office.close();
    const rest = await Promise.all(asked.filter((each) => each !== chosen).map(({ answer }) => answer));
    expect(rest.every(({ verdict, by }) => verdict === "deny" && by === "guard-stop")).toBe(true);
  }, LIMIT_MS);

  test("hundreds of questions, each with three who answer at once and its own end near: one answer each", async () => {
    await using host = await ApprovalHost.start({ allow_same_uid: true });
    const race = async (i: number): Promise<Race> => {
      const action: Action = { type: "exec", path: "/bin/true", argv: ["true", String(i)] };
      const { id, answer } = host.ask({ action, timeout_ms: i % 3 === 0 ? 1 + i % 50 : 60_000 });
      const vote = async (verb: "approve" | "deny"): Promise<number> => {
        const response = await fetch(`http://guard/v1/approvals/${id}/${verb}`, { method: "POST", unix: host.socket });
        await response.text();
        return response.status;
      };
      const statuses = await Promise.all([vote("approve"), vote("deny"), vote("approve")]);
      return { id, statuses, answer: await answer };
    };
    const races: Race[] = [];
    // As many at once as connections are taken.
    for (let i = 0; i < 400; i += 50) {
      races.push(...await Promise.all(Array.from({ length: 50 }, (_, at) => race(i + at))));
    }
    const recorded = host.sink.approvals("approval.answered");
    for (const { id, statuses, answer } of races) {
      const accepted = statuses.filter((status) => status === 200).length;
      // Either one of them was the first, or time was; whoever came later was told.
      expect([accepted, answer.by]).toEqual(accepted === 1 ? [1, "uid:0"] : [0, "expiry"]);
      expect(statuses.every((status) => status === 200 || status === 409)).toBe(true);
      const entries = recorded.filter(({ approval_id }) => approval_id === id);
      expect(entries.map(({ verdict, by }) => [verdict, by])).toEqual([[answer.verdict, answer.by]]);
    }
    expect(new Set(races.map(({ answer }) => answer.by))).toEqual(new Set(["uid:0", "expiry"]));
  }, LIMIT_MS);

  test("without a terminal the user that asks is refused, another one's question is not", async () => {
    await using host = await ApprovalHost.start();
    const [own, other] = [host.ask(), host.ask({ uid: 1000 })];
    const refused = await host.command("approvals", "approve", own.id);
    expect([refused.exit_code, refused.stderr]).toEqual([1, expect.stringContaining("answer from a terminal")]);
    expect((await host.command("approvals", "approve", other.id)).exit_code).toBe(0);
    expect(await other.answer).toMatchObject({ verdict: "allow" });
  }, LIMIT_MS);
});

/** True where this kernel keeps who logged in (CONFIG_AUDIT). */
const KEEPS_LOGIN = existsSync("/proc/self/loginuid");

describe.skipIf(!IS_ROOT || !KEEPS_LOGIN)("root by sudo (skipped where the kernel keeps no login)", () => {
  /** Runs a command as root after a login of `daemon`, as sudo leaves it. */
  function afterLogin(host: ApprovalHost, ...words: readonly string[]): ReturnType<typeof runOnPty> {
    const script = 'echo 1 > /proc/self/loginuid && exec "$@"';
    return runOnPty(["/bin/sh", "-c", script, "sh", ...host.argv(words)], []);
  }

  test.each<[string, boolean]>([["user:daemon", true], ["group:daemon", true], ["gid:1", true], ["user:root", false]])(
    "is known by the login: %s",
    async (approver, allowed) => {
      await using host = await ApprovalHost.start({ approvers: [approver] });
      const { id } = host.ask();
      const done = await afterLogin(host, "approvals", "approve", id);
      expect([done.exit_code, host.office.show(id)?.state]).toEqual(allowed ? [0, "allowed"] : [1, "pending"]);
      if (allowed) expect(host.office.show(id)?.answer?.by).toBe("uid:0/daemon");
    },
    LIMIT_MS,
  );

  test("two who logged in are two for a quorum, one is not", async () => {
    await using host = await ApprovalHost.start({ quorum: 2 });
    const { id, answer } = host.ask();
    expect((await afterLogin(host, "approvals", "approve", id)).transcript).toContain("waits for 1 more");
    expect((await afterLogin(host, "approvals", "approve", id)).transcript).toContain("voted on this question already");
    await runOnPty(host.argv(["approvals", "approve", id]), []);
    expect(await answer).toMatchObject({ verdict: "allow", by: "uid:0/daemon, uid:0" });
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a process of a session", () => {
  /** Runs it marked as one of a session, with the policy that is the most generous one. */
  async function attack(
    make: (host: ApprovalHost, id: string) => readonly string[],
  ): Promise<{ readonly said: string; readonly refused: readonly (string | undefined)[] }> {
    await using host = await ApprovalHost.start({ allow_same_uid: true });
    const { id } = host.ask();
    const ran = await host.probed.run(make(host, id));
    expect(host.office.show(id)?.state).toBe("pending");
    const operators = host.sink.drafts.flatMap(({ action }) => action?.type === "operator.approve" ? [action] : []);
    return { said: ran.stdout + ran.stderr, refused: operators.map(({ refused }) => refused) };
  }

  const of_session = expect.stringContaining("belongs to a guarded session");

  test("cannot answer", async () => {
    const { said, refused } = await attack((host, id) => host.argv(["approvals", "approve", id]));
    expect(said).toContain("belongs to a guarded session");
    expect(refused).toEqual([of_session]);
  }, LIMIT_MS);

  test("cannot read what others ask, or command anything else", async () => {
    const { said } = await attack((host) => host.argv(["approvals", "list"]));
    expect(said).toContain("belongs to a guarded session");
    const grants = await attack((host) => host.argv(["approvals", "grants", "revoke", "01JABCDEFGHJKMNPQRSTVWXYZ9"]));
    expect(grants.said).toContain("belongs to a guarded session");
  }, LIMIT_MS);

  test("not from a terminal of its own making", async () => {
    const { refused } = await attack((host, id) => [
      ...python("import pty, sys; pty.spawn(sys.argv[1:])"),
      ...host.argv(["approvals", "approve", id]),
    ]);
    expect(refused).toEqual([of_session]);
  }, LIMIT_MS);

  test("not as a daemon that nobody is the parent of", async () => {
    const { refused } = await attack((host, id) => [
      "/bin/sh",
      "-c",
      '(setsid "$@" > "$0" 2>&1 &) ; sleep 0.1; while ! grep -q . "$0"; do sleep 0.05; done; cat "$0"',
      host.dir.join("out"),
      ...host.argv(["approvals", "approve", id]),
    ]);
    expect(refused).toEqual([of_session]);
  }, LIMIT_MS);

  test("not over a connection that a child of a process which has ended goes on with", async () => {
    const { said, refused } = await attack((host, id) =>
      python(
        `${RAW}
s = connect(sys.argv[1])
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.read(r, 1)
        approve(s, sys.argv[2])
        os._exit(0)
    os._exit(0)
os.wait(); os.close(r); os.write(w, b"x")`,
        host.socket,
        id,
      )
    );
    expect(said).toContain("403");
    expect(refused).toEqual([of_session]);
  }, LIMIT_MS);

  test("is known by its cgroup too", async () => {
    await using host = await ApprovalHost.start({ allow_same_uid: true });
    await using guarded = new GuardedCgroup(host.probed);
    host.leaves.push(guarded.cgroup.path);
    const { id } = host.ask();
    const script = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    const ran = await run([
      "/bin/sh",
      "-c",
      script,
      guarded.cgroup.directory,
      ...host.argv(["approvals", "approve", id]),
    ]);
    expect([ran.exit_code, ran.stderr]).toEqual([1, expect.stringContaining("belongs to a guarded session")]);
    expect(host.office.show(id)?.state).toBe("pending");
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("whoever cannot be told", () => {
  test("a connection whose process has ended answers nothing, also outside of every session", async () => {
    await using host = await ApprovalHost.start({ allow_same_uid: true });
    const { id } = host.ask();
    const ran = await run(python(
      `${RAW}
s = connect(sys.argv[1])
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    t = connect(sys.argv[1])
    if os.fork() == 0:
        os.read(r, 1)
        approve(t, sys.argv[2])
        os._exit(0)
    os._exit(0)
os.waitpid(pid, 0); os.write(w, b"x")`,
      host.socket,
      id,
    ));
    expect(ran.stdout.trim()).toBe("403");
    const [refused] = host.sink.drafts.flatMap(({ action }) => action?.type === "operator.approve" ? [action] : []);
    expect(refused?.refused).toContain("has ended");
    expect(host.office.show(id)?.state).toBe("pending");
  }, LIMIT_MS);

  test("a connection that was handed over is still that of whoever made it", async () => {
    await using host = await ApprovalHost.start({ allow_same_uid: true });
    const { id } = host.ask();
    // The marked process connects and passes the connection to a process outside, which has done nothing wrong.
    const outside = run(python(
      `${RAW}
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen(1)
c, _ = l.accept()
_, fds, _, _ = socket.recv_fds(c, 1, 1)
approve(socket.socket(fileno=fds[0]), sys.argv[2])
c.close()`,
      host.dir.join("meet"),
      id,
    ));
    await host.probed.run(python(
      `${RAW}
import time
s = connect(sys.argv[1])
m = None
while m is None:
    try: m = connect(sys.argv[2])
    except OSError: time.sleep(0.01)
socket.send_fds(m, [b"x"], [s.fileno()])
m.recv(1)`,
      host.socket,
      host.dir.join("meet"),
    ));
    expect((await outside).stdout.trim()).toBe("403");
    expect(host.office.show(id)?.state).toBe("pending");
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("the port of approvers", () => {
  const TOKEN = "a token of some length";
  const ASK = `
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
c.request("POST", "/v1/approvals/%s/approve" % sys.argv[2], headers={"Authorization": "Bearer " + sys.argv[3]})
print(c.getresponse().status)`;

  function listen(host: ApprovalHost): ApproverServer {
    const peers = new TcpPeerIdentity(host.membership, "token:ops");
    const options = { hostname: "127.0.0.1", port: 0, token: TOKEN, log: silentLog, peers };
    const server = new ApproverServer(host.office, options);
    server.start();
    return server;
  }

  test("takes the token from outside, and not from a process of a session", async () => {
    await using host = await ApprovalHost.start({ approvers: ["token:ops"] });
    using server = listen(host);
    const { id, answer } = host.ask();
    const argv = python(ASK, String(server.port), id, TOKEN);
    expect((await host.probed.run(argv)).stdout).toBe("403\n");
    expect(host.office.show(id)?.state).toBe("pending");
    expect((await run(argv)).stdout).toBe("200\n");
    expect(await answer).toMatchObject({ verdict: "allow", by: "token:ops" });
    expect(host.sink.approvals("approval.vote")[0]?.verified).toMatch(/^bearer token, TCP from pid \d+ \(.*python3/);
  }, LIMIT_MS);
});

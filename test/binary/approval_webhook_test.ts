/** The executable and servers that it tells of questions: signed both ways, each answer once, and nothing forged. */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { ApprovalEvent } from "../../lib/core/mod.ts";
import { GuardSetup, IS_ROOT, isAbout, waitFor, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;
const SECRET = "a secret that both sides know";

/** What a webhook was told, with the address for a later answer. */
interface Told extends ApprovalEvent {
  readonly reply?: string;
}

function signed(body: string, seconds: number = Math.floor(Date.now() / 1_000)): Record<string, string> {
  const mac = createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex");
  return { "x-agentguard-timestamp": String(seconds), "x-agentguard-signature": `v1=${mac}` };
}

function answerTo({ approval_id, digest }: ApprovalEvent["approval"], verdict: string): string {
  return JSON.stringify({ approval_id, digest, verdict, by: "alice on her phone", reason: "fine" });
}

/** A webhook and a chat room on one port. */
class Servers implements Disposable {
  readonly told: Told[] = [];
  readonly chat: string[] = [];
  /** Events whose signature was not that of the secret. */
  readonly forged: string[] = [];
  readonly #server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#receive(request) });

  get port(): number {
    return this.#server.port ?? 0;
  }

  async #receive(request: Request): Promise<Response> {
    const body = await request.text();
    if (new URL(request.url).pathname === "/chat") {
      this.chat.push(body);
      return new Response("ok");
    }
    const seconds = Number(request.headers.get("x-agentguard-timestamp"));
    if (request.headers.get("x-agentguard-signature") !== signed(body, seconds)["x-agentguard-signature"]) {
      this.forged.push(body);
    }
    const told: Told = JSON.parse(body);
    this.told.push(told);
    const { action } = told.approval;
    // It answers at once for one of them.
    if (told.event !== "asked" || action.type !== "exec" || action.argv[1] !== "now") return new Response("");
    const answer = answerTo(told.approval, "allow");
    return new Response(answer, { headers: signed(answer) });
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

describe.skipIf(!IS_ROOT)("a webhook that decides, and a chat room", () => {
  test(
    "answer at once and later, signed, once; what is forged, old, replayed or about another question does not count",
    async () => {
      using servers = new Servers();
      await using setup = await GuardSetup.create();
      const [secret, address, token] = ["secret", "address", "token"].map((name) => setup.dir.join(name));
      for (
        const [path, text] of [
          [secret, SECRET],
          [address, `http://127.0.0.1:${servers.port}/chat`],
          [token, "a token of some length"],
        ] as const
      ) await writeFile(path ?? "", text, { mode: 0o600 });
      await writeFile(
        setup.policy,
        `version = 1
name = "webhook"
[default]
"*" = "allow"
[approval]
approvers = ["webhook:pager"]
unattended = "deny"
[approval.listen]
address = "127.0.0.1:${freePort()}"
token = { file = "${token}" }
[approval.webhook]
url = "http://127.0.0.1:${servers.port}/hook"
secret = { file = "${secret}" }
name = "pager"
decides = true
[approval.slack]
url = { file = "${address}" }
[[rules]]
name = "touch-needs-a-human"
action = "exec"
exe = "touch"
verdict = "ask"
`,
      );
      const script = 'echo begins; /usr/bin/touch now; echo "now $?"; /usr/bin/touch later; echo "later $?"';
      await using guard = setup.start(["/bin/sh", "-c", script]);
      await waitUntil("the first answer", () => guard.stdout.includes("now 0"), { detail: () => guard.stderr });
      const later = await waitFor(
        "the second question",
        () =>
          servers.told.find(({ event, approval: { action } }) =>
            event === "asked" && action.type === "exec" && action.argv[1] === "later"
          ),
      );
      const post = async (body: string, headers: Record<string, string>): Promise<number> =>
        (await fetch(later.reply ?? "", { method: "POST", body, headers })).status;
      const yes = answerTo(later.approval, "allow");
      const other = answerTo(servers.told[0]?.approval ?? later.approval, "allow");
      const old = Math.floor(Date.now() / 1_000) - 301;
      expect([
        await post(yes, {}),
        await post(yes.replace("allow", "deny "), signed(yes)),
        await post(yes, signed(yes, old)),
        await post(other, signed(other)),
        await post(
          yes.replace(later.approval.digest, "00".repeat(32)),
          signed(yes.replace(later.approval.digest, "00".repeat(32))),
        ),
      ]).toEqual([403, 403, 403, 403, 403]);
      expect(guard.stdout).not.toContain("later");
      // Root is no approver here.
      const no = await setup.command(["approvals", "approve", later.approval.approval_id]);
      expect([no.exit_code, no.stderr]).toEqual([1, expect.stringContaining("uid 0 asks itself")]);
      const headers = signed(yes);
      expect(await post(yes, headers)).toBe(200);
      expect(await guard.ended()).toBe(0);
      expect(guard.stdout).toBe("begins\nnow 0\nlater 0\n");
      expect(servers.forged).toEqual([]);
      const entries = await setup.entries();
      const votes = entries.flatMap((entry) => isAbout(entry, "approval.vote") ? [entry.action] : []);
      expect(votes.map(({ by, verdict }) => [by, verdict])).toEqual([["webhook:pager", "allow"], [
        "webhook:pager",
        "allow",
      ]]);
      expect(votes[1]?.verified).toContain('says that "alice on her phone" decided');
      const chat = servers.chat.map((text) => JSON.parse(text).text);
      expect(chat.filter((text) => text.includes(later.approval.approval_id))).toEqual([
        expect.stringMatching(/asks to go on/),
        expect.stringMatching(/allowed.* by webhook:pager/),
      ]);
    },
    LIMIT_MS,
  );
});

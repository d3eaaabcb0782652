/** Notices: tried again, bounded, given up with a record, and never holding anything up. */
import { describe, expect, test } from "bun:test";
import { type ApprovalEvent, silentLog } from "../../../lib/core/mod.ts";
import { APPROVAL_LIMITS, Chat, chatMessage, type NoticeTarget, Notifier } from "../../../lib/approve/mod.ts";
import { until } from "../publish/support.ts";
import { ApprovalsFixture, approver, PUSH } from "./support.ts";

/** A notifier over one question that is asked and answered. */
async function notices(target: NoticeTarget, work: (undelivered: readonly string[]) => Promise<void>): Promise<void> {
  await using fixture = new ApprovalsFixture();
  const undelivered: string[] = [];
  await using notifier = new Notifier({
    targets: [target],
    events: fixture.approvals.watch(),
    log: silentLog,
    base_ms: 1,
    onReply: () => {},
    onUndelivered: ({ event }, name, reason) => undelivered.push(`${event} ${name} ${reason}`),
  });
  notifier.start();
  const request = fixture.request();
  void fixture.approvals.ask(request);
  await fixture.approvals.vote(request.approval_id, { verdict: "allow" }, approver());
  await work(undelivered);
}

describe("delivery", () => {
  test("is tried again", async () => {
    const sent: string[] = [];
    let failures = 2;
    const send = (event: ApprovalEvent): Promise<undefined> => {
      if (event.event === "asked" && failures-- > 0) return Promise.reject(new Error("not yet"));
      sent.push(event.event);
      return Promise.resolve(undefined);
    };
    await notices({ name: "t", send }, async (undelivered) => {
      await until(() => sent.length === 2, "both notices");
      expect(sent.toSorted()).toEqual(["answered", "asked"]);
      expect(undelivered).toEqual([]);
    });
  });

  test("is given up after some tries, and that is told", async () => {
    let tries = 0;
    const send = (): Promise<undefined> => {
      tries++;
      return Promise.reject(new Error("nobody there"));
    };
    await notices({ name: "t", send }, async (undelivered) => {
      await until(() => undelivered.length === 2, "both to be given up");
      expect(undelivered.toSorted()).toEqual(["answered t nobody there", "asked t nobody there"]);
      expect(tries).toBe(2 * APPROVAL_LIMITS.notice_attempts_max);
    });
  });

  test("that never ends is ended with the notifier", async () => {
    let [begun, aborted] = [0, 0];
    const send = (_event: ApprovalEvent, signal: AbortSignal): Promise<undefined> =>
      new Promise((_resolve, reject) => {
        begun++;
        signal.addEventListener("abort", () => {
          aborted++;
          reject(new Error("aborted"));
        });
      });
    await notices({ name: "t", send }, async (undelivered) => {
      await until(() => begun === 2, "both notices");
      expect(undelivered).toEqual([]);
    });
    expect(aborted).toBe(2);
  });
});

describe("a chat message", () => {
  async function messages(fields: Parameters<ApprovalsFixture["request"]>[0] = {}): Promise<readonly string[]> {
    const bodies: string[] = [];
    const chat = new Chat({
      url: "https://hooks.example.com/secret",
      describe: ({ action }) => JSON.stringify(action),
      fetch: (_url, init) => {
        bodies.push(String(init.body));
        return Promise.resolve(new Response("ok"));
      },
    });
    await using fixture = new ApprovalsFixture();
    const request = fixture.request(fields);
    void fixture.approvals.ask(request);
    const asked = fixture.approvals.show(request.approval_id);
    if (asked === undefined) throw new Error("it waits");
    await chat.send({ event: "asked", approval: asked }, AbortSignal.timeout(1_000));
    await fixture.approvals.vote(request.approval_id, { verdict: "deny" }, approver());
    const answered = fixture.approvals.show(request.approval_id);
    if (answered === undefined) throw new Error("it is known");
    await chat.send({ event: "answered", approval: answered }, AbortSignal.timeout(1_000));
    return bodies;
  }

  test("says what is asked, why, until when and what to type; then the answer", async () => {
    const [asked, answered] = await messages();
    const message = JSON.parse(asked ?? "");
    expect(message.text).toContain("claude");
    expect(message.blocks).toHaveLength(2);
    for (const part of ["git", "push", "a push needs a human", "push-needs-a-human", "agentguard approvals approve"]) {
      expect(asked).toContain(part);
    }
    expect(answered).toContain(":no_entry: denied by uid:0");
  });

  test("holds nothing that the chat would act on", async () => {
    await using fixture = new ApprovalsFixture();
    const action = { ...PUSH, type: "exec", path: "/usr/bin/git", argv: ["<!channel>", "```", "&", "a"] } as never;
    const { digest } = fixture.request({ action });
    const [asked] = await messages({ action, digest, reason: "<https://evil.example|ok>" });
    const text = JSON.parse(asked ?? "").blocks[0].text.text;
    expect(text).not.toContain("<!channel>");
    expect(text).not.toContain("<https");
    expect(text.match(/```/g)).toHaveLength(2);
  });

  test("of any length stays within what a section takes", async () => {
    await using fixture = new ApprovalsFixture();
    const request = fixture.request();
    void fixture.approvals.ask(request);
    const approval = fixture.approvals.show(request.approval_id);
    if (approval === undefined) throw new Error("it waits");
    const text = JSON.stringify(chatMessage({ event: "asked", approval }, "x".repeat(10_000)));
    expect(text.length).toBeLessThan(4_000);
  });
});

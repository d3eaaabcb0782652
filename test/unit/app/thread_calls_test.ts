import { expect, test } from "bun:test";
import { AgentguardError } from "../../../lib/core/mod.ts";
import { answerCall, type ThreadCall, ThreadCalls } from "../../../lib/app/thread_calls.ts";

function callsOf(): { readonly calls: ThreadCalls<string>; readonly sent: ThreadCall<string>[] } {
  const sent: ThreadCall<string>[] = [];
  return { calls: new ThreadCalls<string>((call) => void sent.push(call)), sent };
}

test("each answer goes to its own request, in any order", async () => {
  const { calls, sent } = callsOf();
  const [first, second] = [calls.call("first"), calls.call("second")];
  const [one, two] = sent;
  if (one === undefined || two === undefined) throw new Error("both requests are sent at once");
  calls.settle(await answerCall(two, async (request) => `${request} done`));
  calls.settle(await answerCall(one, async (request) => `${request} done`));
  expect(await Promise.all([first, second])).toEqual(["first done", "second done"]);
});

test("what the thread throws keeps its code; anything else is a defect", async () => {
  const { calls, sent } = callsOf();
  for (
    const [thrown, code] of [[new AgentguardError("busy", "taken"), "busy"], [new Error("odd"), "invariant"]] as const
  ) {
    const asked = calls.call("x");
    const call = sent.at(-1);
    if (call === undefined) throw new Error("nothing was sent");
    calls.settle(await answerCall(call, async () => await Promise.reject(thrown)));
    expect(await asked.catch((error: unknown) => error)).toMatchObject({ code, message: thrown.message });
  }
});

test("a thread that failed rejects what waits and what comes, and a late answer is nobody's", async () => {
  const { calls, sent } = callsOf();
  const waiting = calls.call("x").catch((error: unknown) => error);
  calls.fail(new AgentguardError("io", "it ended"));
  expect(await waiting).toMatchObject({ code: "io", message: "it ended" });
  expect(await calls.call("y").catch((error: unknown) => error)).toMatchObject({ code: "io" });
  expect(sent).toHaveLength(1);
  calls.settle({ id: sent[0]?.id ?? 0, ok: true, value: 1 });
});

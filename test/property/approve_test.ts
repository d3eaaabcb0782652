/** Any interleaving of voters, time, a requester's end, failures of the record and the guard's end: one answer each. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ApprovalAnswer, ApprovalRequest } from "../../lib/core/mod.ts";
import { covers, grantSubject } from "../../lib/approve/match.ts";
import type { Grants } from "../../lib/approve/mod.ts";
import { Question } from "../../lib/approve/question.ts";
import { ApprovalsFixture, approver } from "../unit/approve/support.ts";
import { settle } from "../unit/task/fake_timers.ts";

const REQUESTS = 4;

type Step =
  | { readonly do: "ask"; readonly at: number; readonly left_ms: number }
  | { readonly do: "vote"; readonly at: number; readonly uid: number; readonly verdict: "allow" | "deny" }
  | { readonly do: "withdraw"; readonly at: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "flushed"; readonly works: boolean }
  | { readonly do: "turn" }
  | { readonly do: "close" };

const at = fc.integer({ min: 0, max: REQUESTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("ask" as const), at, left_ms: fc.constantFrom(0, 10, 50, 1_000) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("vote" as const),
      at,
      uid: fc.integer({ min: 0, max: 3 }),
      verdict: fc.constantFrom("allow" as const, "allow" as const, "deny" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("withdraw" as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 10, 49, 50) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("flushed" as const), works: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ do: "turn" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "close" as const }) },
);

/** Runs the steps, then lets everything end; the answers that were given, by the place of the question. */
async function play(steps: readonly Step[], quorum: number, grants: Grants): Promise<{
  readonly given: ReadonlyMap<number, readonly ApprovalAnswer[]>;
  readonly requests: ReadonlyMap<number, ApprovalRequest>;
  readonly recorded: (id: string) => readonly { readonly verdict?: string; readonly by?: string }[];
  readonly votes: (id: string) => readonly { readonly verdict?: string; readonly by?: string }[];
}> {
  const fixture = new ApprovalsFixture({ settings: { quorum } }, { grants });
  const { approvals, sink, timers, clock } = fixture;
  sink.mode = "hand";
  const requests = new Map<number, ApprovalRequest>();
  const given = new Map<number, ApprovalAnswer[]>();
  const work: Promise<unknown>[] = [];
  for (const each of steps) {
    switch (each.do) {
      case "ask": {
        if (requests.has(each.at)) break;
        const request = fixture.request({ expires_us: clock.wallUs() + each.left_ms * 1_000 });
        requests.set(each.at, request);
        given.set(each.at, []);
        work.push(approvals.ask(request).then((answer) => given.get(each.at)?.push(answer)));
        break;
      }
      case "vote": {
        const id = requests.get(each.at)?.approval_id;
        if (id === undefined) break;
        work.push(approvals.vote(id, { verdict: each.verdict }, approver({ id: `uid:${each.uid}`, uid: each.uid })));
        break;
      }
      case "withdraw": {
        const id = requests.get(each.at)?.approval_id;
        if (id !== undefined) approvals.withdraw(id);
        break;
      }
      case "pass":
        await timers.advance(each.ms);
        break;
      case "flushed": {
        const flush = sink.flushes.shift();
        if (each.works) flush?.resolve();
        else flush?.reject(new Error("disk"));
        break;
      }
      case "turn":
        await settle();
        break;
      case "close":
        work.push(approvals.close());
        break;
    }
  }
  await timers.advance(10_000);
  sink.mode = "auto";
  for (const { resolve } of sink.flushes.splice(0)) resolve();
  await Promise.all(work);
  await fixture[Symbol.asyncDispose]();
  expect(timers.pending).toBe(0);
  const of = (type: "approval.answered" | "approval.vote") => (id: string) =>
    sink.approvals(type).filter(({ approval_id }) => approval_id === id);
  return { given, requests, recorded: of("approval.answered"), votes: of("approval.vote") };
}

test("every question gets exactly one answer, which is the last one in the record", async () => {
  await using shared = new ApprovalsFixture();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (steps, quorum) => {
      const { given, requests, recorded, votes } = await play(steps, quorum, shared.grants);
      for (const [place, request] of requests) {
        const answers = given.get(place) ?? [];
        expect(answers).toHaveLength(1);
        const [answer] = answers;
        const entries = recorded(request.approval_id);
        expect(entries.at(-1)).toMatchObject({ verdict: answer?.verdict, by: answer?.by });
        // A yes is taken back only by the record's own failure, before it was given.
        expect(entries.length === 1 || (entries.length === 2 && answer?.by === "guard")).toBe(true);
        const said = votes(request.approval_id);
        expect(new Set(said.map(({ by }) => by)).size).toBe(said.length);
        if (answer?.verdict === "allow") {
          expect(said).toHaveLength(quorum);
          expect(said.every(({ verdict }) => verdict === "allow")).toBe(true);
          expect(answer.held_ms).toBeLessThan(request.expires_us - request.asked_us);
        }
      }
    }),
    { numRuns: 300 },
  );
}, 60_000);

test("a question settles once, and never on a yes after its time", () => {
  const move = fc.oneof(
    fc.record({
      kind: fc.constant("vote"),
      uid: fc.nat(4),
      verdict: fc.constantFrom("allow", "deny"),
      now: fc.nat(20),
    }),
    fc.record({ kind: fc.constant("expire"), now: fc.nat(20) }),
    fc.record({ kind: fc.constant("settle"), now: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(move), fc.integer({ min: 1, max: 3 }), (moves, quorum) => {
      const question = new Question({} as ApprovalRequest, { deadline_ms: 10, quorum });
      let settled = 0;
      for (const each of moves) {
        if (each.kind === "expire") settled += question.expire(each.now) === undefined ? 0 : 1;
        else if (each.kind === "settle") {
          settled += question.settle({ verdict: "deny", by: "guard", reason: "" }) === undefined ? 0 : 1;
        } else if ("uid" in each) {
          const verdict = each.verdict === "allow" ? "allow" : "deny";
          const vote = { by: `uid:${each.uid}`, verified: "", verdict, time: "" } as const;
          const result = question.vote(vote, { now_ms: each.now, reason: "" });
          if (result.kind === "settled" || result.kind === "expired") settled++;
          if (result.kind === "settled" && verdict === "allow") expect(each.now).toBeLessThan(10);
        }
        expect(settled).toBe(question.settlement === undefined ? 0 : 1);
      }
    }),
  );
});

test("an exact grant covers no other arguments, and nothing with the characters of a shell", () => {
  const word = fc.string({
    unit: fc.constantFrom("a", "b", " ", "*", ";", "&", "|", "`", "$", "(", "\n", ">", "<", "/"),
  });
  const argv = fc.array(word, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(argv, argv, (one, other) => {
      const exec = (words: readonly string[]) => ({ type: "exec", path: "/bin/p", argv: words }) as const;
      const subject = grantSubject(exec(one), undefined);
      const shell = (words: readonly string[]): boolean => /[;&|`\n<>]|\$\(/.test(words.join("\u0000"));
      expect(subject.ok).toBe(!shell(one));
      if (!subject.ok) return;
      expect(covers(subject.value, exec(one))).toBe(true);
      const same = one.length === other.length && one.every((text, i) => text === other[i]);
      expect(covers(subject.value, exec(other))).toBe(same);
    }),
    { numRuns: 1_000 },
  );
});

import { expect, test } from "bun:test";
import type { EntryDraft } from "../../../lib/core/mod.ts";
import { type DraftLine, draftOf, readDraftLines, writeDraftLines } from "../../../lib/record/draft_line.ts";
import { DraftQueue } from "../../../lib/record/draft_queue.ts";
import { decision, observation, START_US } from "./support.ts";

function times(drafts: readonly EntryDraft[]): number[] {
  return drafts.map((draft) => draft.time_us - START_US);
}

function take(queue: DraftQueue, count: number): EntryDraft[] {
  return queue.take(count).map(draftOf);
}

function fill(queue: DraftQueue, drafts: readonly EntryDraft[]): void {
  for (const draft of drafts) queue.push(draft);
}

test("drafts come out in order, and positions count them", () => {
  const queue = new DraftQueue(10);
  fill(queue, [1, 2, 3].map((n) => observation(n)));
  expect([queue.length, queue.taken, queue.end]).toEqual([3, 0, 3]);
  expect(times(take(queue, 2))).toEqual([1, 2]);
  expect([queue.length, queue.taken, queue.end]).toEqual([1, 2, 3]);
  expect(times(take(queue, 2))).toEqual([3]);
  expect(take(queue, 2)).toEqual([]);
  expect(queue.taken).toBe(queue.end);
});

test("when full, new observations are dropped and their gap follows in line once there is room", () => {
  const queue = new DraftQueue(3);
  fill(queue, [1, 2, 3, 4, 5].map((n) => observation(n)));
  expect([queue.length, queue.dropped]).toEqual([3, 2]);
  expect(times(take(queue, 1))).toEqual([1]);
  fill(queue, [observation(6)]);
  const rest = take(queue, 10);
  expect(times(rest)).toEqual([2, 3, 5]);
  expect(rest[2]).toEqual({
    time_us: START_US + 5,
    kind: "gap",
    gap: {
      source: "recorder",
      type: "observation",
      count: 2,
      from: "2026-01-02T03:04:05.000010Z",
      to: "2026-01-02T03:04:05.000011Z",
    },
  });
  const last = take(queue, 10);
  expect(last.map((draft) => draft.gap?.count)).toEqual([1]);
  expect(take(queue, 10)).toEqual([]);
});

test("when full, a decision takes the place of the newest observation", () => {
  const queue = new DraftQueue(4);
  fill(queue, [observation(1), decision(2), observation(3), decision(4), decision(5), decision(6)]);
  expect(queue.dropped).toBe(2);
  expect(queue.lossForFlush()).toBeUndefined();
  expect(times(take(queue, 4))).toEqual([2, 4, 5, 6]);
  expect(take(queue, 4).map((draft) => draft.gap)).toMatchObject([{ type: "observation", count: 2 }]);
  expect(queue.taken).toBe(queue.end);
});

test("decisions are lost only when no observation waits, and a flush fails for it, at least once", () => {
  const queue = new DraftQueue(2);
  fill(queue, [decision(1), decision(2), decision(3)]);
  expect(queue.dropped).toBe(1);
  expect(queue.lossForFlush()?.code).toBe("overflow");
  expect(queue.lossForFlush()?.code).toBe("overflow");
  expect(times(take(queue, 2))).toEqual([1, 2]);
  expect(queue.lossForFlush()?.code).toBe("overflow");
  expect(queue.lossForFlush()).toBeUndefined();
  expect(take(queue, 2).map((draft) => draft.gap)).toMatchObject([{ type: "entry", count: 1 }]);
});

test("holes at the end do not keep the queue behind its end", () => {
  const queue = new DraftQueue(3);
  fill(queue, [decision(1), decision(2), observation(3)]);
  fill(queue, [decision(4)]);
  expect(times(take(queue, 3))).toEqual([1, 2, 4]);
  expect(take(queue, 1).map((draft) => draft.gap?.count)).toEqual([1]);
  expect([queue.length, queue.taken]).toEqual([0, queue.end]);
});

test("a long life keeps order, positions and the choice of what to drop", () => {
  const queue = new DraftQueue(5_000);
  const taken: number[] = [];
  for (let n = 0; n < 40_000; n++) {
    queue.push(n % 2 === 0 ? observation(n) : decision(n));
    if (n % 4_000 === 3_999) taken.push(...times(take(queue, 3_000).filter((draft) => draft.kind !== "gap")));
  }
  while (queue.length > 0) taken.push(...times(take(queue, 3_000).filter((draft) => draft.kind !== "gap")));
  expect(taken).toEqual(taken.toSorted((a, b) => a - b));
  expect(new Set(taken).size).toBe(taken.length);
  expect(taken.length + queue.dropped).toBe(40_000);
  const decisions = taken.filter((n) => n % 2 === 1).length;
  expect(decisions).toBe(20_000);
  expect(queue.taken).toBe(queue.end);
});

test("drafts as lines are dropped and told as drafts are", () => {
  const line = (draft: EntryDraft): DraftLine => {
    const [read] = readDraftLines(writeDraftLines("", [draft]), 0) ?? [];
    if (read === undefined) throw new Error("no line");
    return read;
  };
  const queue = new DraftQueue(2);
  for (const draft of [observation(1), observation(2), decision(3), observation(4)]) queue.push(line(draft));
  expect(queue.dropped).toBe(2);
  expect(times(take(queue, 2))).toEqual([1, 3]);
  expect(take(queue, 1).map((draft) => draft.gap)).toMatchObject([{ type: "observation", count: 2 }]);
});

test("what is no line of a draft is refused as a whole", () => {
  const text = writeDraftLines("head", [observation(1), decision(2)]);
  expect(readDraftLines(text, 4)?.map((line) => line.draft().time_us)).toEqual([
    observation(1).time_us,
    decision(2).time_us,
  ]);
  for (const bad of [`${text}\n`, `${text}\nq{}`, `${text}\no`, `${text}\no[]`, `head${text}`]) {
    expect(readDraftLines(bad, 4)).toBeUndefined();
  }
});

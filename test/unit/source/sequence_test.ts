import { describe, expect, test } from "bun:test";
import type { Gap } from "../../../lib/core/mod.ts";
import { SequenceTracker } from "../../../lib/source/mod.ts";

function batches(tracker: SequenceTracker, count: number): Gap[] {
  const gaps: Gap[] = [];
  for (let i = 0; i < count; i++) tracker.endBatch((gap) => gaps.push(gap));
  return gaps;
}

function gap(from: number, to: number, cpu = 0): Gap {
  return { source: "ring", type: "record", count: to - from + 1, from: String(from), to: String(to), cpu };
}

describe("in order", () => {
  test("no number missing, no gap, on any CPU", () => {
    const tracker = new SequenceTracker("ring");
    for (let seq = 0; seq < 1000; seq++) for (const cpu of [0, 3]) tracker.see(cpu, seq);
    expect(batches(tracker, 10)).toEqual([]);
    const gaps: Gap[] = [];
    tracker.finish([1000, 0, 0, 1000], (each) => gaps.push(each));
    expect(gaps).toEqual([]);
  });
});

describe("holes", () => {
  test("the first numbers of a CPU may be missing too", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(1, 2);
    expect(batches(tracker, 3)).toEqual([gap(0, 1, 1)]);
  });

  test("a hole is told once, after three batches", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    tracker.see(0, 10);
    expect(batches(tracker, 2)).toEqual([]);
    expect(batches(tracker, 1)).toEqual([gap(1, 9)]);
    expect(batches(tracker, 5)).toEqual([]);
  });

  test("several holes of several CPUs age by themselves", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 1);
    batches(tracker, 1);
    tracker.see(1, 5);
    tracker.see(0, 3);
    expect(batches(tracker, 2)).toEqual([gap(0, 0, 0)]);
    expect(batches(tracker, 1)).toEqual([gap(2, 2, 0), gap(0, 4, 1)]);
  });
});

describe("late arrivals", () => {
  test("one that fills the hole leaves no gap", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 1);
    tracker.see(0, 0);
    expect(batches(tracker, 5)).toEqual([]);
  });

  test.each([
    [2, [gap(3, 8)]],
    [8, [gap(2, 7)]],
    [5, [gap(2, 4), gap(6, 8)]],
  ])("number %d of the hole 2 to 8 leaves the rest", (late, rest) => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    tracker.see(0, 1);
    tracker.see(0, 9);
    tracker.see(0, late);
    expect(batches(tracker, 3)).toEqual(rest);
  });

  test("a hole keeps its age when a part of it is filled", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 3);
    batches(tracker, 2);
    tracker.see(0, 1);
    expect(batches(tracker, 1)).toEqual([gap(0, 0), gap(2, 2)]);
  });

  test("after the gap was told, or a second time, it changes nothing", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 2);
    batches(tracker, 3);
    tracker.see(0, 1);
    tracker.see(0, 2);
    tracker.see(0, 3);
    expect(batches(tracker, 4)).toEqual([]);
  });
});

describe("the end", () => {
  test("open holes and the tail are told at once", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    tracker.see(0, 5);
    const gaps: Gap[] = [];
    tracker.finish([9, 2], (each) => gaps.push(each));
    expect(gaps).toEqual([gap(1, 4, 0), gap(6, 8, 0), gap(0, 1, 1)]);
    tracker.finish([9, 2], (each) => gaps.push(each));
    expect(gaps).toHaveLength(3);
    expect(batches(tracker, 5)).toEqual([]);
  });

  test("a kernel number behind what was seen is no gap", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    const gaps: Gap[] = [];
    tracker.finish([0], (each) => gaps.push(each));
    expect(gaps).toEqual([]);
  });
});

describe("a look at the kernel's numbers while programs go on", () => {
  test("what comes afterwards is no gap, what does not come is one after three batches", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    tracker.expect([4, 2]);
    tracker.see(0, 1);
    tracker.see(0, 2);
    tracker.see(1, 0);
    tracker.see(1, 1);
    expect(batches(tracker, 2)).toEqual([]);
    tracker.see(0, 4);
    expect(batches(tracker, 2)).toEqual([gap(3, 3, 0)]);
  });

  test("numbers that were seen, and the same look twice, change nothing", () => {
    const tracker = new SequenceTracker("ring");
    tracker.see(0, 0);
    tracker.expect([1]);
    expect(batches(tracker, 4)).toEqual([]);
    tracker.expect([2]);
    tracker.expect([2]);
    expect(batches(tracker, 4)).toEqual([gap(1, 1, 0)]);
  });
});

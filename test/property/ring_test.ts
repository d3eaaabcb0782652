/** Losses are located exactly, whatever is lost and however records of two rings arrive. */
import { expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import type { Gap } from "../../lib/core/mod.ts";
import { RingReader, SequenceTracker } from "../../lib/source/mod.ts";
import { FakeRing, FakeSink } from "../unit/source/fake_ring.ts";
import { runParameters } from "./task_support.ts";

/** On a busy machine this takes longer than the default of five seconds. */
setDefaultTimeout(60_000);

/** The numbers that a gap stands for, as `cpu:seq`. */
function numbersOf(gaps: readonly Gap[]): string[] {
  return gaps.flatMap((gap) => {
    const from = Number(gap.from);
    const to = Number(gap.to);
    expect(gap.count).toBe(to - from + 1);
    return Array.from({ length: gap.count }, (_, i) => `${gap.cpu}:${from + i}`);
  });
}

/** What happens to one number: lost, or seen with a delay of some places. */
const fate = fc.record({ cpu: fc.nat(3), lost: fc.boolean(), delay: fc.nat(5), batch: fc.nat(9) });

test("gaps and seen numbers together are every number, once; seen numbers are in no gap", () => {
  fc.assert(
    fc.property(fc.array(fate, { maxLength: 200 }), (fates) => {
      const next = [0, 0, 0, 0];
      const made = fates.map((each, place) => {
        const seq = next[each.cpu] ?? 0;
        next[each.cpu] = seq + 1;
        return { ...each, seq, at: place + each.delay };
      });
      const tracker = new SequenceTracker("ring");
      const gaps: Gap[] = [];
      const seen = made.filter((each) => !each.lost).sort((a, b) => a.at - b.at);
      let unfinished = 0;
      for (const each of seen) {
        tracker.see(each.cpu, each.seq);
        // Batches end only rarely between a number and one that it overtook: a hole is lost after three of them.
        if (each.batch === 0 && unfinished++ < 2) tracker.endBatch((gap) => gaps.push(gap));
      }
      tracker.finish(next, (gap) => gaps.push(gap));
      const lost = made.filter((each) => each.lost).map((each) => `${each.cpu}:${each.seq}`);
      expect(numbersOf(gaps).sort()).toEqual(lost.sort());
    }),
    runParameters(),
  );
});

test("the reader gives every record of both rings once, by time where each ring is by time", () => {
  const step = fc.record({
    ring: fc.boolean(),
    cpu: fc.nat(1),
    lost: fc.integer({ min: 0, max: 3 }),
    drain: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const rings = [new FakeRing(), new FakeRing()] as const;
      const next = [[0, 0], [0, 0]];
      const sink = new FakeSink();
      const reader = new RingReader({
        decisions: rings[0],
        telemetry: rings[1],
        epoll: { wait: () => false },
        sleep: () => {},
        nextSequence: (ring) => next[ring] ?? [],
      });
      let time = 0n;
      let sent = 0;
      let lost = 0;
      for (const each of steps) {
        const ring = each.ring ? 0 : 1;
        const numbers = next[ring] ?? [];
        // Every fourth number is lost.
        const skip = each.lost === 3 ? 1 : 0;
        lost += skip;
        const seq = (numbers[each.cpu] ?? 0) + skip;
        numbers[each.cpu] = seq + 1;
        rings[ring].put({ cpu: each.cpu, seq, time_ns: ++time });
        sent++;
        if (each.drain === 0) reader.drain(sink);
      }
      reader.finish(sink);
      expect(sink.times).toHaveLength(sent);
      expect(sink.times.every((at, i) => i === 0 || at > (sink.times[i - 1] ?? 0n))).toBe(true);
      expect(sink.gaps.reduce((sum, gap) => sum + gap.count, 0)).toBe(lost);
      expect(rings.map((ring) => ring.released)).toEqual(rings.map((ring) => ring.records.length * 64));
    }),
    runParameters(),
  );
});

import { describe, expect, test } from "bun:test";
import { AgCpu, AgLoss, AgOp } from "../../../probes/abi.gen.ts";
import type { Gap } from "../../../lib/core/mod.ts";
import { LossCounters } from "../../../lib/source/mod.ts";

const CPUS = 3;

/** The per-CPU map: one value per CPU, in a row. */
class FakeCpus {
  readonly value: Uint8Array = new Uint8Array(AgCpu.SIZE * CPUS);
  readonly #view = new DataView(this.value.buffer);

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    expect([...key]).toEqual([0, 0, 0, 0]);
    value.set(this.value);
    return true;
  }

  lost(cpu: number, op: number, loss: number, count: bigint): void {
    this.#view.setBigUint64(cpu * AgCpu.SIZE + AgCpu.lost + (op * AgLoss.COUNT + loss) * 8, count, true);
  }

  sequence(cpu: number, ring: number, next: bigint): void {
    this.#view.setBigUint64(cpu * AgCpu.SIZE + AgCpu.seq + ring * 8, next, true);
  }
}

function take(counters: LossCounters): Gap[] {
  const gaps: Gap[] = [];
  counters.take((gap) => gaps.push(gap));
  return gaps;
}

describe("losses", () => {
  test("the growth over all CPUs since the last look, by program and reason", () => {
    const map = new FakeCpus();
    const counters = new LossCounters(map, CPUS);
    expect(take(counters)).toEqual([]);
    map.lost(0, AgOp.OPEN, AgLoss.FAULT, 2n);
    map.lost(2, AgOp.OPEN, AgLoss.FAULT, 3n);
    map.lost(1, AgOp.SCOPE, AgLoss.DEPTH, 1n);
    map.lost(1, AgOp.FORK, AgLoss.MAP_FULL, 0x1_0000_0000n);
    expect(take(counters)).toEqual([
      { source: "probe", type: "fork.map_full", count: 0x1_0000_0000 },
      { source: "probe", type: "open.fault", count: 5 },
      { source: "probe", type: "scope.depth", count: 1 },
    ]);
    expect(take(counters)).toEqual([]);
    map.lost(0, AgOp.OPEN, AgLoss.FAULT, 4n);
    expect(take(counters)).toEqual([{ source: "probe", type: "open.fault", count: 2 }]);
  });

  test("records that found a ring full are gaps of the reader, not of these; they are counted by type", () => {
    const map = new FakeCpus();
    const counters = new LossCounters(map, CPUS);
    map.lost(0, AgOp.OPEN, AgLoss.RING_FULL, 7n);
    map.lost(1, AgOp.OPEN, AgLoss.RING_FULL, 1n);
    expect(take(counters)).toEqual([]);
    expect(counters.ringFull()).toEqual({ open: 8 });
  });
});

test("the next number of each CPU, by ring", () => {
  const map = new FakeCpus();
  map.sequence(0, 0, 5n);
  map.sequence(2, 1, 0x2_0000_0001n);
  const counters = new LossCounters(map, CPUS);
  expect(counters.nextSequence(0)).toEqual([5, 0, 0]);
  expect(counters.nextSequence(1)).toEqual([0, 0, 0x2_0000_0001]);
});

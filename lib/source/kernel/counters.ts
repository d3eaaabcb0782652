/** Losses that the programs count themselves: memory that could not be read, full maps, skipped program runs. */
import { AgCpu, AgLoss, AgOp } from "../../../probes/abi.gen.ts";
import type { BpfMap } from "../../../ffi/mod.ts";
import type { Gap } from "../../core/mod.ts";

const OP_NAMES: readonly (readonly [string, number])[] = Object.entries(AgOp);
const LOSS_NAMES: readonly (readonly [string, number])[] = Object.entries(AgLoss);

/** Reads the per-CPU map `cpus` and turns its growth into gaps. */
export class LossCounters {
  readonly #map: Pick<BpfMap, "lookup">;
  readonly #cpus: number;
  readonly #key = new Uint8Array(4);
  readonly #value: Uint8Array;
  /** The value that was counted last. */
  readonly #counted: Uint8Array;
  readonly #view: DataView;
  readonly #seen: Map<string, number> = new Map();

  constructor(map: Pick<BpfMap, "lookup">, cpus: number) {
    this.#map = map;
    this.#cpus = cpus;
    this.#value = new Uint8Array(AgCpu.SIZE * cpus);
    this.#counted = new Uint8Array(this.#value.length);
    this.#view = new DataView(this.#value.buffer);
  }

  /** The next sequence number of each CPU. */
  nextSequence(ring: number): number[] {
    this.#map.lookup(this.#key, this.#value);
    const next: number[] = [];
    for (let cpu = 0; cpu < this.#cpus; cpu++) next.push(this.#u64(cpu * AgCpu.SIZE + AgCpu.seq + ring * 8));
    return next;
  }

  /** Losses since the last call. Lost records are left out: their sequence numbers tell more. */
  take(emit: (gap: Gap) => void): void {
    this.#map.lookup(this.#key, this.#value);
    // At rest nothing was sent and nothing lost.
    if (Buffer.compare(this.#value, this.#counted) === 0) return;
    this.#counted.set(this.#value);
    for (const [op_name, op] of OP_NAMES) {
      for (const [loss_name, loss] of LOSS_NAMES) {
        if (op >= AgOp.COUNT || loss >= AgLoss.COUNT || loss === AgLoss.RING_FULL) continue;
        let sum = 0;
        for (let cpu = 0; cpu < this.#cpus; cpu++) sum += this.#u64(this.#lostAt(cpu, op, loss));
        const type = `${op_name.toLowerCase()}.${loss_name.toLowerCase()}`;
        const before = this.#seen.get(type) ?? 0;
        if (sum > before) emit({ source: "probe", type, count: sum - before });
        this.#seen.set(type, sum);
      }
    }
  }

  /** Records that found a ring full, by ring-independent type; for status. */
  ringFull(): Record<string, number> {
    this.#map.lookup(this.#key, this.#value);
    const found: Record<string, number> = {};
    for (const [op_name, op] of OP_NAMES) {
      if (op >= AgOp.COUNT) continue;
      let sum = 0;
      for (let cpu = 0; cpu < this.#cpus; cpu++) sum += this.#u64(this.#lostAt(cpu, op, AgLoss.RING_FULL));
      if (sum > 0) found[op_name.toLowerCase()] = sum;
    }
    return found;
  }

  #lostAt(cpu: number, op: number, loss: number): number {
    return cpu * AgCpu.SIZE + AgCpu.lost + (op * AgLoss.COUNT + loss) * 8;
  }

  #u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }
}

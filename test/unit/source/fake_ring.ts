/** A ring in memory that a reader can read: a record is there when it was produced. */
import { AgRecord } from "../../../probes/abi.gen.ts";
import type { FrameSink, ReadableRing } from "../../../lib/source/mod.ts";
import type { Gap } from "../../../lib/core/mod.ts";

/** What a test puts into a ring. */
export interface FakeRecord {
  readonly cpu?: number;
  readonly seq: number;
  readonly time_ns: bigint;
  /** Reserved, but not written yet. */
  busy?: boolean;
}

const SLOT = 64;

/** 1,024 records of 64 bytes. `produced` counts records as 64 bytes each. */
export class FakeRing implements ReadableRing {
  readonly bytes: Uint8Array = new Uint8Array(SLOT * 1024);
  readonly view: DataView = new DataView(this.bytes.buffer);
  readonly records: FakeRecord[] = [];
  position = 0;
  released = 0;
  /** Runs whenever the reader asks how much there is. */
  onProduced: () => void = () => {};

  put(...records: readonly FakeRecord[]): void {
    for (const record of records) {
      const at = (this.records.length % 1024) * SLOT;
      this.records.push(record);
      this.view.setUint32(at + AgRecord.size, AgRecord.SIZE, true);
      this.view.setUint32(at + AgRecord.cpu, record.cpu ?? 0, true);
      this.view.setBigUint64(at + AgRecord.seq, BigInt(record.seq), true);
      this.view.setBigUint64(at + AgRecord.time_ns, record.time_ns, true);
    }
  }

  produced(): number {
    const now = this.records.length * SLOT;
    this.onProduced();
    return now;
  }

  next(end: number): number {
    if (this.position >= end || this.records[this.position / SLOT]?.busy === true) return -1;
    return this.position % this.bytes.length;
  }

  advance(): void {
    this.position += SLOT;
  }

  release(): void {
    this.released = this.position;
  }
}

/** Remembers the times of the records and the gaps. */
export class FakeSink implements FrameSink {
  readonly times: bigint[] = [];
  readonly gaps: Gap[] = [];

  frame(view: DataView, _bytes: Uint8Array, at: number, size: number): void {
    if (size !== AgRecord.SIZE) throw new Error(`record of ${size} bytes`);
    this.times.push(view.getBigUint64(at + AgRecord.time_ns, true));
  }

  gap(gap: Gap): void {
    this.gaps.push(gap);
  }
}

import { describe, expect, test } from "bun:test";
import { AgRing } from "../../../probes/abi.gen.ts";
import { RingReader } from "../../../lib/source/mod.ts";
import { FakeRing, FakeSink } from "./fake_ring.ts";

class Setup {
  readonly decisions: FakeRing = new FakeRing();
  readonly telemetry: FakeRing = new FakeRing();
  readonly waits: number[] = [];
  sleeps = 0;
  onSleep: () => void = () => {};
  next: readonly number[][] = [[0], [0]];
  readonly sink: FakeSink = new FakeSink();
  /** Whether waits end before their time. */
  woken = false;
  readonly reader: RingReader = new RingReader({
    decisions: this.decisions,
    telemetry: this.telemetry,
    epoll: {
      wait: (timeout_ms) => {
        this.waits.push(timeout_ms);
        return this.woken;
      },
    },
    sleep: () => {
      this.sleeps++;
      this.onSleep();
    },
    nextSequence: (ring) => this.next[ring] ?? [],
  });
}

describe("order", () => {
  test("records of both rings come by time, also beyond 32 bits; at the same time the decision comes first", () => {
    const { decisions, telemetry, reader, sink } = new Setup();
    decisions.put(
      { seq: 0, time_ns: 10n },
      { seq: 1, time_ns: 0xffff_ffffn },
      { seq: 2, time_ns: 0x1_0000_0001n },
      { seq: 3, time_ns: 0x1_0000_0005n },
    );
    telemetry.put(
      { seq: 0, time_ns: 5n },
      { seq: 1, time_ns: 10n },
      { seq: 2, time_ns: 0x1_0000_0000n },
      { seq: 3, time_ns: 0x1_0000_0006n },
    );
    expect(reader.drain(sink)).toBe(8);
    expect(sink.times).toEqual([...sink.times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    expect(sink.times).toHaveLength(8);
    expect(reader.records).toBe(8);
    expect([decisions.released, telemetry.released]).toEqual([256, 256]);
  });

  test("within a ring the ring's order is kept", () => {
    const { telemetry, reader, sink } = new Setup();
    telemetry.put({ cpu: 0, seq: 0, time_ns: 9n }, { cpu: 1, seq: 0, time_ns: 8n });
    reader.drain(sink);
    expect(sink.times).toEqual([9n, 8n]);
  });

  test("a program's start that is sent while the reader looks comes before what the program does", () => {
    const { decisions, telemetry, reader, sink } = new Setup();
    // The exec is sent after the reader's first look at the decisions, its open before the look at the telemetry.
    let looks = 0;
    decisions.onProduced = () => {
      if (looks++ > 0) return;
      decisions.put({ seq: 0, time_ns: 1n });
      telemetry.put({ seq: 0, time_ns: 2n });
    };
    reader.drain(sink);
    reader.drain(sink);
    expect(sink.times).toEqual([1n, 2n]);
  });

  test("a process's end that is sent while the reader looks does not pass what the process did before", () => {
    const { decisions, telemetry, reader, sink } = new Setup();
    let done = false;
    telemetry.onProduced = () => {
      if (done) return;
      done = true;
      telemetry.put({ seq: 0, time_ns: 1n });
      decisions.put({ seq: 0, time_ns: 2n });
    };
    reader.drain(sink);
    reader.drain(sink);
    expect(sink.times).toEqual([1n, 2n]);
  });

  test("nothing passes a record that is still being written", () => {
    const { decisions, telemetry, reader, sink } = new Setup();
    const slow = { seq: 0, time_ns: 1n, busy: true };
    telemetry.put(slow);
    decisions.put({ seq: 0, time_ns: 2n });
    expect(reader.drain(sink)).toBe(0);
    slow.busy = false;
    expect(reader.drain(sink)).toBe(2);
    expect(sink.times).toEqual([1n, 2n]);
  });
});

describe("losses", () => {
  test("a hole becomes a gap after three batches, with its place", () => {
    const { telemetry, reader, sink } = new Setup();
    telemetry.put({ cpu: 2, seq: 0, time_ns: 1n }, { cpu: 2, seq: 4, time_ns: 2n });
    reader.drain(sink);
    reader.drain(sink);
    expect(sink.gaps).toEqual([]);
    reader.drain(sink);
    expect(sink.gaps).toEqual([{ source: "telemetry", type: "record", count: 3, from: "1", to: "3", cpu: 2 }]);
    reader.drain(sink);
    expect(sink.gaps).toHaveLength(1);
  });

  test("the two rings count by themselves", () => {
    const { decisions, telemetry, reader, sink } = new Setup();
    decisions.put({ seq: 0, time_ns: 1n });
    telemetry.put({ seq: 0, time_ns: 1n });
    for (let i = 0; i < 4; i++) reader.drain(sink);
    expect(sink.gaps).toEqual([]);
  });

  test("at the end the rings are emptied and what is missing there is a gap", () => {
    const setup = new Setup();
    setup.decisions.put({ seq: 0, time_ns: 1n });
    setup.telemetry.put({ seq: 1, time_ns: 1n });
    setup.next = [[1], [5, 2]];
    setup.reader.finish(setup.sink);
    expect(AgRing.TELEMETRY).toBe(1);
    expect(setup.sink.times).toHaveLength(2);
    expect(setup.sink.gaps).toEqual([
      { source: "telemetry", type: "record", count: 1, from: "0", to: "0", cpu: 0 },
      { source: "telemetry", type: "record", count: 3, from: "2", to: "4", cpu: 0 },
      { source: "telemetry", type: "record", count: 2, from: "0", to: "1", cpu: 1 },
    ]);
  });

  test("while programs stay attached, what they are sending is no gap, and what stays away is", () => {
    const setup = new Setup();
    const { decisions, reader, sink } = setup;
    const slow = { seq: 0, time_ns: 1n, busy: true };
    decisions.put(slow);
    setup.next = [[1], [2]];
    expect(reader.drain(sink)).toBe(0);
    reader.expect();
    slow.busy = false;
    for (let i = 0; i < 4; i++) reader.drain(sink);
    expect(sink.times).toEqual([1n]);
    expect(sink.gaps).toEqual([{ source: "telemetry", type: "record", count: 2, from: "0", to: "1", cpu: 0 }]);
  });
});

test("the wait doubles while nothing comes, the reader then asks to be woken, and it is short after a record", () => {
  const setup = new Setup();
  const { telemetry, reader, sink, waits } = setup;
  for (let i = 0; i < 7; i++) {
    reader.drain(sink);
    reader.wait();
  }
  expect(waits).toEqual([4, 8, 16, 32, 1_000, 1_000, 1_000]);
  expect(setup.sleeps).toBe(3);
  telemetry.put({ seq: 0, time_ns: 1n });
  reader.drain(sink);
  reader.wait();
  expect(waits.at(-1)).toBe(25);
  expect(setup.sleeps).toBe(3);
});

test("a reader that is woken for no record looks soon again: a message comes a moment after its wake-up", () => {
  const setup = new Setup();
  const { reader, sink, waits } = setup;
  for (let i = 0; i < 8; i++) {
    setup.woken = i === 5;
    reader.drain(sink);
    reader.wait();
  }
  expect(waits).toEqual([4, 8, 16, 32, 1_000, 1_000, 2, 4]);
});

test("in a flood the reader looks more often, for as long as it lasts", () => {
  const { telemetry, reader, sink, waits } = new Setup();
  let seq = 0;
  const waitAfter = (count: number): number | undefined => {
    telemetry.put(...Array.from({ length: count }, () => ({ seq: seq++, time_ns: BigInt(seq) })));
    reader.drain(sink);
    reader.wait();
    return waits.at(-1);
  };
  // So many for each millisecond of the wait before, which is 2 at the start.
  expect([127, 1_599, 1_600, 128, 127, 1_599].map(waitAfter)).toEqual([25, 25, 2, 2, 25, 25]);
});

test("a record that comes just before the request to be woken is not slept over", () => {
  const setup = new Setup();
  const { telemetry, reader, sink, waits } = setup;
  setup.onSleep = () => telemetry.put({ seq: 0, time_ns: 1n });
  for (let i = 0; i < 5; i++) {
    reader.drain(sink);
    if (i < 4) reader.wait();
  }
  const before = waits.length;
  reader.wait();
  expect(setup.sleeps).toBe(1);
  expect(waits.length).toBe(before);
});

test("space is given back on the way, not only at the end", () => {
  const { telemetry, reader } = new Setup();
  telemetry.put(...Array.from({ length: 1_024 }, (_, seq) => ({ seq, time_ns: BigInt(seq) })));
  const sink = new FakeSink();
  let seen_released = 0;
  const frame = sink.frame.bind(sink);
  sink.frame = (view, bytes, at, size) => {
    seen_released = Math.max(seen_released, telemetry.released);
    if (telemetry.records.length < 1_100) telemetry.put({ seq: telemetry.records.length, time_ns: 5_000n });
    frame(view, bytes, at, size);
  };
  expect(reader.drain(sink)).toBe(1_024);
  expect(telemetry.released).toBe(1_024 * 64);
  expect(reader.drain(sink)).toBe(76);
  expect(seen_released).toBe(1_024 * 64);
});

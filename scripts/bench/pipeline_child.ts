/**
 * Runs inside a process of its own, pinned to one CPU with all of the runtime's helper threads: takes records from
 * memory through the stages and prints nanoseconds for each record. Usage: pipeline_child.ts DIRECTORY ROUNDS EVENTS
 */

import { KernelActor } from "../../lib/act/mod.ts";
import { type EntryDraft, IdGenerator, type RecordSink, silentLog, systemClock } from "../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../lib/decide/mod.ts";
import { Decoder } from "../../lib/decode/mod.ts";
import { AddressNames, Enricher, NameResolver, ProcessTable, SessionTable } from "../../lib/enrich/mod.ts";
import { Pipeline } from "../../lib/pipeline/mod.ts";
import { openRecordWriter } from "../../lib/record/mod.ts";
import { systemTimers } from "../../lib/task/mod.ts";
import { join } from "node:path";
import { BENCH_SCOPE, type RecordKind, type RecordMemory, renumberFiles, writeRecords } from "./records.ts";
import { passes } from "./statistics.ts";
import { policyText } from "./workshop.ts";

/** Records between two ends of a batch, about what one look at the rings finds under load. */
const BATCH = 4_096;
/** Times that the memory is replayed in one turn of a case; each replay is a sample. */
const REPLAYS = 5;

/** How far the records go. */
type Depth = "decode" | "enrich" | "decide" | "pipeline";

/** Counts drafts and forgets them. */
class CountingSink implements RecordSink {
  entries = 0;

  append(_draft: EntryDraft): void {
    this.entries++;
  }

  pending(): number {
    return 0;
  }

  async flush(): Promise<void> {}

  async durable(): Promise<void> {}
}

/** All stages with one policy and one sink. */
class Stages {
  readonly #decoder = new Decoder();
  readonly #enricher: Enricher;
  readonly #snapshot: PolicySnapshot;
  readonly pipeline: Pipeline;

  constructor(rules: number, sink: RecordSink) {
    this.#snapshot = load(policyText({ rules }));
    const ids = new IdGenerator(systemClock);
    const sessions = new SessionTable();
    const root = { pid: 1_000, start: "1000" };
    sessions.put(BENCH_SCOPE, {
      session_id: ids.session(),
      agent: "bench",
      principal: "uid-0",
      root,
      home: "/home/user",
    });
    this.#enricher = new Enricher({
      processes: new ProcessTable(),
      sessions,
      names: new NameResolver((directory) => directory, systemClock),
      hosts: new AddressNames(),
      clock: systemClock,
      bootUs: () => systemClock.monotonicUs(),
    });
    this.pipeline = new Pipeline({
      actor: new KernelActor({ kill: () => "gone" }),
      sink,
      ids,
      policy: {
        decider: this.#snapshot,
        ref: this.#snapshot.ref,
        hostOf: (index, hosts) => this.#snapshot.hostOf(index, hosts),
        ruleName: (index) => this.#snapshot.rules[index]?.name,
        in_kernel: new Set(),
      },
    });
  }

  /** Takes records `from` to `to` as deep as asked; throws for a record that does not decode. */
  take(memory: RecordMemory, depth: Depth, { from, to }: { readonly from: number; readonly to: number }): void {
    const { view, bytes, places } = memory;
    for (let i = from; i < to; i++) {
      const decoded = this.#decoder.decode(view, bytes, places[2 * i] ?? 0, places[2 * i + 1] ?? 0);
      if (!decoded.ok) throw new Error(`decode record ${i}: ${decoded.error.reason}, type ${decoded.error.op}`);
      if (depth === "decode" || decoded.value === undefined) continue;
      const enriched = this.#enricher.enrich(decoded.value);
      if (depth === "enrich" || enriched === undefined) continue;
      if (depth === "pipeline") this.pipeline.handle(enriched);
      else if (enriched.kind === "event") this.#snapshot.evaluate(enriched.event);
    }
    if (depth === "pipeline") this.pipeline.endBatch();
  }
}

function load(text: string): PolicySnapshot {
  const loaded = loadPolicy([{ file: "bench.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (loaded.ok) return loaded.value;
  throw new Error(loaded.error.map((finding) => formatDiagnostic(finding)).join("\n"));
}

interface Case {
  readonly name: string;
  readonly kind: RecordKind;
  readonly memory: RecordMemory;
  readonly depth: Depth;
  readonly stages: Stages;
  readonly ns: number[];
}

function casesOf(kind: RecordKind): readonly Case[] {
  const memory = writeRecords(kind);
  const one = (name: string, depth: Depth, rules: number): Case => {
    return { name: `${kind}: ${name}`, kind, memory, depth, stages: new Stages(rules, new CountingSink()), ns: [] };
  };
  // More files than the stages remember: what is forgotten must cost no more than what is kept.
  if (kind === "walk") return [one("whole pipeline, counting sink, 1 rule", "pipeline", 1)];
  return [
    one("decode", "decode", 1),
    one("decode, enrich", "enrich", 1),
    one("decode, enrich, decide, 1 rule", "decide", 1),
    one("decode, enrich, decide, 1,000 rules", "decide", 1_000),
    one("whole pipeline, counting sink, 1 rule", "pipeline", 1),
    one("whole pipeline, counting sink, 1,000 rules", "pipeline", 1_000),
  ];
}

function replay(one: Case): void {
  if (one.kind === "walk") renumberFiles(one.memory);
  const started_ms = performance.now();
  for (let from = 0; from < one.memory.count; from += BATCH) {
    one.stages.take(one.memory, one.depth, { from, to: Math.min(from + BATCH, one.memory.count) });
  }
  one.ns.push((performance.now() - started_ms) * 1e6 / one.memory.count);
}

/** Takes `events` records into a record on disk, all on this thread; yields between batches as the reader does. */
async function record(kind: RecordKind, directory: string, events: number): Promise<Record<string, unknown>> {
  const memory = writeRecords(kind);
  const writer = openRecordWriter(directory, {
    boot_id: "bench",
    clock: systemClock,
    ids: new IdGenerator(systemClock),
    log: silentLog,
    timers: systemTimers,
  });
  let entries = 0;
  const sink: RecordSink = {
    append: (draft) => {
      entries++;
      writer.append(draft);
    },
    pending: () => writer.pending(),
    flush: () => writer.flush(),
    durable: (signal) => writer.durable(signal),
  };
  const stages = new Stages(1, sink);
  const started_ms = performance.now();
  let done = 0;
  while (done < events) {
    const from = done % memory.count;
    const to = Math.min(from + BATCH, memory.count, from + events - done);
    stages.take(memory, "pipeline", { from, to });
    done += to - from;
    await new Promise((resolve) => setImmediate(resolve));
  }
  stages.pipeline.flush();
  await writer.flush();
  const ns = (performance.now() - started_ms) * 1e6 / done;
  await writer.close();
  return {
    name: `${kind}: whole pipeline into the record, durable`,
    ns: [ns],
    events,
    entries,
    merged: stages.pipeline.coalesced,
  };
}

const [directory, rounds, events] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: pipeline_child.ts DIRECTORY ROUNDS EVENTS");
const cases = [...casesOf("opens"), ...casesOf("mixed"), ...casesOf("walk")];
for (const one of cases) for (let n = 0; n < REPLAYS; n++) replay(one); // the runtime compiles what is hot
for (const one of cases) one.ns.length = 0;
for (const pass of passes(cases, Number(rounds))) {
  for (const one of pass) for (let n = 0; n < REPLAYS; n++) replay(one);
}
for (const { name, ns } of cases) console.log(JSON.stringify({ name, ns }));
for (let n = 0; n < Number(rounds); n++) {
  for (const kind of ["opens", "mixed"] as const) {
    console.log(JSON.stringify(await record(kind, join(directory, `${kind}-${n}`), Number(events))));
  }
}

/**
 * One kernel record through decode, enrich, decide and the pipeline into a sink that counts, on one thread. Run with
 * `bun test/bench/pipeline_bench.ts [RECORDS]`; asserts nothing about time. Prints records per second for a mix like a
 * build's (90 % opens, some closes, execs, connects), each stage alone and all together, and the ratio to decoding
 * alone.
 */
import {
  type Enriched,
  type EntryDraft,
  IdGenerator,
  type Observed,
  type RecordSink,
  type SessionInfo,
  systemClock,
} from "../../lib/core/mod.ts";
import { loadPolicy, type PolicySnapshot } from "../../lib/decide/mod.ts";
import { Decoder } from "../../lib/decode/mod.ts";
import { AddressNames, Enricher, NameResolver, ProcessTable, SessionTable } from "../../lib/enrich/mod.ts";
import { Pipeline } from "../../lib/pipeline/mod.ts";
import { closeRecord, execRecord, netRecord, openRecord } from "../unit/decode/records.ts";

const RECORDS = Number(process.argv[2] ?? 400_000);
/** Runs of each; the median is shown. */
const ROUNDS = 7;
const SLOT = 512;
const KINDS = 8_192;

const POLICY = `version = 1
mode = "enforce"
[default]
"*" = "allow"
[[rules]]
name = "secrets"
action = "file.*"
path = ["/etc/shadow", "~/.ssh/**", "**/.env"]
verdict = "deny"
[[rules]]
name = "tools"
action = "exec"
exe = ["nc", "/usr/bin/curl"]
verdict = "deny"
[[rules]]
name = "metadata"
action = "net.*"
address = "169.254.0.0/16"
verdict = "deny"
`;

/** Counts; never presses. */
class CountingSink implements RecordSink {
  entries = 0;

  append(draft: EntryDraft): void {
    if (draft.time_us > 0) this.entries++;
  }

  pending(): number {
    return 0;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  durable(): Promise<void> {
    return this.flush();
  }
}

function make(i: number): Uint8Array {
  const who = { pid: 1_000 + (i % 37), scope: 1, time_ns: 1_000_000_000n + BigInt(i) * 2_000n };
  const path = `/home/user/project/src/part-${i % 211}/file-${i}.ts`;
  switch (i % 50) {
    case 0:
      return execRecord({ ...who, path: "/usr/bin/node", requested: "/usr/bin/node", cwd: "/home/user/project" });
    case 1:
      return netRecord({ ...who, address: [10, 0, 0, i & 255], result: 0, verdict: 1, generation: 1 });
    case 2:
    case 3:
    case 4:
      return closeRecord({ ...who, ino: BigInt(i - 10), read_bytes: 4_096n });
    default:
      return openRecord({ ...who, path, requested: path, ino: BigInt(i) });
  }
}

const memory = new Uint8Array(KINDS * SLOT);
const view = new DataView(memory.buffer);
const sizes = Array.from({ length: KINDS }, (_, i) => {
  const bytes = make(i);
  memory.set(bytes, i * SLOT);
  return bytes.length;
});

function loaded(): PolicySnapshot {
  const result = loadPolicy([{ file: "bench.toml", bytes: new TextEncoder().encode(POLICY) }], { generation: 1 });
  if (!result.ok) throw new Error(result.error.map((each) => each.message).join("\n"));
  return result.value;
}

/** All stages, wired as for the kernel source. */
class Stages {
  readonly sink: CountingSink = new CountingSink();
  readonly decoder: Decoder = new Decoder();
  readonly enricher: Enricher;
  readonly pipeline: Pipeline;
  readonly snapshot: PolicySnapshot = loaded();

  constructor() {
    const ids = new IdGenerator(systemClock);
    const session: SessionInfo = {
      session_id: ids.session(),
      agent: "bench",
      root: { pid: 1_000, start: "1" },
      principal: "bench",
      home: "/home/user",
    };
    const sessions = new SessionTable();
    sessions.put(1, session);
    this.enricher = new Enricher({
      processes: new ProcessTable(),
      sessions,
      names: new NameResolver((path) => path, systemClock),
      hosts: new AddressNames(),
      clock: systemClock,
      bootUs: () => systemClock.monotonicUs(),
    });
    this.pipeline = new Pipeline({
      actor: {
        perform: (_, decision) => ({ decision_id: decision.decision_id, label: "observed", mechanism: "none" }),
      },
      sink: this.sink,
      ids,
      policy: {
        decider: this.snapshot,
        ref: this.snapshot.ref,
        hostOf: (index, hosts) => this.snapshot.hostOf(index, hosts),
        ruleName: (index) => this.snapshot.rules[index]?.name,
        in_kernel: new Set(),
      },
    });
  }

  decode(i: number): Observed | undefined {
    const k = i % KINDS;
    const result = this.decoder.decode(view, memory, k * SLOT, sizes[k] ?? 0);
    return result.ok ? result.value : undefined;
  }
}

/** Records per second: the median of the rounds, each over all records, after one to warm up. */
function measure(name: string, step: (i: number) => unknown): number {
  const rates: number[] = [];
  let used = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < RECORDS; i++) if (step(i) !== undefined) used++;
    if (round > 0) rates.push(RECORDS / (performance.now() - start) * 1_000);
  }
  rates.sort((a, b) => a - b);
  const median = rates[ROUNDS >> 1] ?? 0;
  const spread = `${Math.round(rates[0] ?? 0).toLocaleString("en-US")} to ${
    Math.round(rates.at(-1) ?? 0).toLocaleString("en-US")
  }`;
  const each = (1_000_000 / median).toFixed(3);
  process.stdout.write(
    `${name.padEnd(34)} ${
      Math.round(median).toLocaleString("en-US").padStart(12)
    }/s  ${each} us each  (${spread}, ${used} used)\n`,
  );
  return median;
}

process.stdout.write(`${RECORDS} records, ${ROUNDS} rounds, Bun ${Bun.version}, ${process.arch}\n`);
const alone = new Stages();
const decode = measure("decode", (i) => alone.decode(i));

const decoded = Array.from({ length: KINDS }, (_, i) => alone.decode(i)).filter((each) => each !== undefined);
measure("enrich, of decoded records", (i) => {
  const observed = decoded[i % decoded.length];
  return observed === undefined ? undefined : alone.enricher.enrich(observed);
});

const enriched = decoded.map((each) => alone.enricher.enrich(each)).filter((each): each is Enriched =>
  each !== undefined
);
measure("decide, of enriched records", (i) => {
  const each = enriched[i % enriched.length];
  return each?.kind === "event" ? alone.snapshot.evaluate(each.event) : undefined;
});
measure("pipeline with decide", (i) => {
  const each = enriched[i % enriched.length];
  if (each !== undefined) alone.pipeline.handle(each);
  return each;
});

const all = new Stages();
const whole = measure("decode + enrich + decide + pipeline", (i) => {
  const observed = all.decode(i);
  const each = observed === undefined ? undefined : all.enricher.enrich(observed);
  if (each !== undefined) all.pipeline.handle(each);
  return each;
});
process.stdout.write(`all stages against decode alone: ${(whole / decode).toFixed(2)}; ${all.sink.entries} entries\n`);

/** The reader's statistics, written to where main reads them. */
import type { KernelStages } from "./kernel_stages.ts";
import { STAT_NAMES, type StatName } from "./reader_protocol.ts";
import type { TallySink } from "./tally_sink.ts";

/** Writes every value to its place in `stats`. */
export function publishStats(stats: Float64Array, stages: KernelStages, sink: TallySink): void {
  const values: Readonly<Record<StatName, number>> = {
    ...stages.pipeline.counters(),
    records: stages.reader.records,
    coalesced: stages.pipeline.coalesced,
    decode_errors: stages.decode_errors,
    processes: stages.processes.size,
    processes_evicted: stages.processes.evicted,
    recorder_pending: sink.pending(),
    recorder_dropped: sink.dropped(),
    ring_decisions_bytes: stages.rings.decisions.pendingBytes(),
    ring_telemetry_bytes: stages.rings.telemetry.pendingBytes(),
  };
  STAT_NAMES.forEach((name, index) => stats[index] = values[name]);
}

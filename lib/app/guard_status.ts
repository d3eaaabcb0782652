/** What the guard answers when it is asked how it is. */
import { type Config, CONFIG_KEYS } from "../config/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type {
  ConfigValue,
  GuardStatus,
  LayerStatus,
  LossStatus,
  PolicyStatus,
  QueueStatus,
  SessionView,
} from "../publish/mod.ts";
import { LIMITS } from "../core/mod.ts";
import type { ProbeGroup, ProbeSupport } from "../source/mod.ts";
import type { StatName } from "./reader_protocol.ts";
import type { RecorderThread } from "./recorder_thread.ts";

/** Everything that the answer is made of. */
export interface StatusParts {
  readonly version: string;
  readonly ready: boolean;
  readonly started: string;
  readonly uptime_ms: number;
  readonly snapshot: PolicySnapshot;
  readonly policy: PolicyStatus;
  readonly sessions: readonly SessionView[];
  readonly support: readonly ProbeSupport[];
  readonly stats: Readonly<Record<StatName, number>>;
  readonly losses: readonly LossStatus[];
  readonly recorder: RecorderThread;
  readonly config: Config;
  readonly approvals_pending: number;
}

const LAYER_NAMES: Readonly<Record<ProbeGroup, string>> = {
  process: "programs and processes",
  syscall: "files and system calls",
  scope: "moves between cgroups",
  network: "network",
  unix: "cgroup programs for unix sockets",
  names: "host names from DNS answers",
  iterator: "processes that run already",
  look: "held calls in fewer steps",
  lsm: "security hooks",
};

/** Puts the answer together. */
export function guardStatus(parts: StatusParts): GuardStatus {
  const count = (state: SessionView["state"]): number => parts.sessions.filter((each) => each.state === state).length;
  return {
    version: parts.version,
    pid: process.pid,
    mode: parts.snapshot.mode,
    ready: parts.ready,
    started: parts.started,
    uptime_ms: parts.uptime_ms,
    sessions: { running: count("running"), paused: count("paused"), ended: count("ended") },
    layers: layers(parts),
    policy: parts.policy,
    queues: queues(parts),
    losses: parts.losses,
    counters: { ...parts.stats, approvals_pending: parts.approvals_pending, ...recordCounters(parts) },
    config: Object.fromEntries(CONFIG_KEYS.map((key): [string, ConfigValue] => [key, parts.config[key]])),
  };
}

function layers(parts: StatusParts): readonly LayerStatus[] {
  const probes = parts.support.map(({ group, available, detail }): LayerStatus => ({
    name: LAYER_NAMES[group],
    state: available ? "on" : "off",
    detail,
  }));
  const { state } = parts.recorder;
  const record: LayerStatus = state.status === "writing"
    ? { name: "record", state: "on", detail: "signed Merkle tree in SQLite, group commit" }
    : { name: "record", state: "degraded", detail: state.reason };
  const anchors = (parts.recorder.metrics?.anchors ?? []).map(({ name, size, error }): LayerStatus => ({
    name: `anchor ${name}`,
    state: error === undefined ? "on" : "degraded",
    detail: error ?? `has a checkpoint of ${size} entries`,
  }));
  return [...probes, record, ...anchors];
}

function queues({ stats, recorder }: StatusParts): readonly QueueStatus[] {
  const pending = stats.recorder_pending + recorder.sink.pending();
  const sinks = recorder.metrics?.sinks ?? [];
  return [
    ...sinks.map(({ path, queued, capacity }): QueueStatus => ({
      name: `sink ${path}`,
      length: queued,
      capacity,
      unit: "entries",
    })),
    { name: "recorder", length: pending, capacity: LIMITS.recorder_queue_soft * 4, unit: "entries" },
    { name: "ring.decisions", length: stats.ring_decisions_bytes, capacity: LIMITS.decision_ring_bytes, unit: "bytes" },
    {
      name: "ring.telemetry",
      length: stats.ring_telemetry_bytes,
      capacity: LIMITS.telemetry_ring_bytes,
      unit: "bytes",
    },
  ];
}

/** What the recorder and its sinks did since the start; times in milliseconds. */
function recordCounters({ recorder }: StatusParts): Readonly<Record<string, number>> {
  const { metrics } = recorder;
  if (metrics === undefined) return {};
  const { p50, p99, max } = metrics.commit_ms;
  const counters: Record<string, number> = {
    record_appended: metrics.appended,
    record_committed: metrics.committed,
    record_commits: metrics.commits,
    record_dropped: metrics.dropped,
    record_pending: metrics.pending,
    record_commit_ms_p50: p50,
    record_commit_ms_p99: p99,
    record_commit_ms_max: max,
  };
  for (const { path, written, dropped, diverted, errors, rotations, blocks } of metrics.sinks) {
    const figures = { written, dropped, diverted, errors, rotations, blocks: blocks ? 1 : 0 };
    for (const [name, value] of Object.entries(figures)) counters[`sink ${path} ${name}`] = value;
  }
  return counters;
}

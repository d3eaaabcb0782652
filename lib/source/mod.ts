/**
 * lib/source: the ways in. `kernel` loads the probes, keeps track of who is in scope and drains the rings in
 * time order; `hold` makes events of calls that wait for the guard.
 *
 * It never decides and never waits for a slow taker: what cannot be taken is a located gap. Errors are
 * `AgentguardError` (`io`, `unsupported`); loading is a `Result`. Probes, rings and the wait are disposable and belong
 * to a scope.
 */
export { HeldCallers } from "./hold/callers.ts";
export { heldChangeEvent, type HeldFileCall } from "./hold/change_event.ts";
export { type HeldExec, heldExecEvent } from "./hold/exec_event.ts";
export { type HeldNet, heldNetEvent } from "./hold/net_event.ts";
export { opensForReading, type WatchedOpenCall, watchedOpenEvent } from "./hold/open_event.ts";
export type { FrameSink, ProbeGroup, ProbeSupport, RunningProcess } from "./kernel/port.ts";
export { LossCounters } from "./kernel/counters.ts";
export { triedGroups } from "./kernel/groups.ts";
export { FIRST_KERNEL_SCOPE, KernelProbes } from "./kernel/probes.ts";
export type { ProbeParts } from "./kernel/load.ts";
export type { Lesson } from "./kernel/lesson.ts";
export { type HeldClasses, NOTHING_HELD, type StoppedProcess } from "./kernel/scope_value.ts";
export { type ReadableRing, type ReaderParts, RingReader } from "./kernel/reader.ts";
export { SequenceTracker } from "./kernel/sequence.ts";

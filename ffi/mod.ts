/**
 * ffi: the unsafe island. System calls with exact errno, libbpf, ring buffer memory, epoll, the launcher of guarded
 * commands. The only folder that imports `bun:ffi`; every layout and number names its kernel source.
 *
 * It never decides, logs or keeps state between calls other than the handles that it gives out. Errors are
 * `AgentguardError` (`io`, `unsupported`, `overflow`) or a `Result` where failing is ordinary (loading, attaching).
 * Handles are disposable; disposing twice is harmless. The native libraries stay mapped for the process's life.
 */
export { BpfMap } from "./bpf_map.ts";
export { type BpfLink, BpfObject, type LoadFailure, type LoadOptions } from "./bpf_object.ts";
export { Epoll, type ReadyDescriptor, wake } from "./epoll.ts";
export type { HeldCall } from "./held_call.ts";
export { HELD_WAIT_MAX, HeldCalls } from "./held_calls.ts";
export type { HeldWaitTerms } from "./held_terms.ts";
export type { HeldChange, HeldChangeKind } from "./held_change.ts";
export { HELD_TAKEN } from "./held_layout.ts";
export type { HeldProgram } from "./held_program.ts";
export type { HeldSocket } from "./held_socket.ts";
export { launchCommand, LaunchedCommand } from "./launch.ts";
export { exitUnchanged, releaseStreams } from "./launch_self.ts";
export { captureStartState, isTerminal, splitStrings, type StartState } from "./launch_state.ts";
export { type Libbpf, openLibbpf, openShim, type Shim, takeMessages } from "./native_library.ts";
export { lsmImage, probeImage } from "./probe_image.ts";
export { hooksRefused } from "./program_trial.ts";
export { RECORD_BLOCK, type RecordCalls, recordCalls } from "./record_calls.ts";
export { RingMemory } from "./ring_memory.ts";
export { type SocketPeer, socketPeer } from "./socket_peer.ts";
export { SystemCalls } from "./system_call.ts";
export { landlockVersion, tryWatching, type WatchedOpen, WatchedOpens } from "./watched_opens.ts";
export type { NeededEntry, NeededObject, NeededTable, PlaceEntry, StartTable } from "./needed_table.ts";
export { hasTaskStorage } from "./task_storage.ts";
export { notifySupervisor } from "./supervisor.ts";
export type { Baseline, Place } from "./launch_baseline.ts";
export { HELD_FILE_BYTES } from "./launch_protocol.ts";
export type { ArgumentTest, NotifyRule } from "./launch_tests.ts";
export type { CommandExit, LaunchEvent, LaunchOptions } from "./launch_types.ts";

/** The native functions for held calls. */
import { FFIType as T, type Pointer } from "bun:ffi";
import { openNative } from "./native_library.ts";

/** Functions for held calls (native/hold.c, native/hold_listener.c, native/hold_map.c). */
export interface HeldCallLibrary {
  ag_hold_open(key: Pointer | null, stats: Pointer | null, grants: number, by_process: number): Pointer | null;
  ag_hold_close(state: Pointer | null): void;
  ag_hold_memory(state: Pointer | null): Pointer | null;
  ag_hold_tune(listener: number): number;
  ag_hold_receive(state: Pointer | null, listener: number): number;
  ag_hold_exec(state: Pointer | null, listener: number): number;
  ag_hold_socket(state: Pointer | null, listener: number, socket: Pointer | null): number;
  ag_hold_pin(state: Pointer | null, listener: number, error: Pointer | null): Pointer | null;
  ag_hold_perform(state: Pointer | null, change: Pointer | null, listener: number, result: Pointer | null): number;
  ag_hold_object(change: Pointer | null, second: number): number;
  ag_hold_drop(state: Pointer | null, change: Pointer | null): void;
  ag_hold_settle(state: Pointer | null): void;
  ag_hold_rules(state: Pointer | null, table: Pointer | null, bytes: number): number;
  ag_hold_linked(state: Pointer | null, table: Pointer | null, bytes: number, lasts_ms: number): number;
  ag_hold_look(state: Pointer | null, program: number, map: number): number;
  ag_hold_starts(state: Pointer | null, table: Pointer | null, bytes: number): number;
  ag_hold_watch(state: Pointer | null, watch: Pointer | null, watched: number): number;
  ag_hold_begin(
    state: Pointer | null,
    listener: number,
    serves: number,
    noted: Pointer | null,
    places: Pointer | null,
    bytes: number,
  ): number;
  ag_hold_end(state: Pointer | null, listener: number): void;
  ag_hold_wait(
    state: Pointer | null,
    fds: Pointer | null,
    events: Pointer | null,
    count: number,
    timeout_ms: number,
    calls: number,
  ): number;
  ag_hold_valid(listener: number, id: Pointer | null): number;
  ag_hold_answer(listener: number, id: Pointer | null, error: number): number;
  ag_hold_grant(map: number, thread: number, value: Pointer | null): number;
  ag_hold_revoke(map: number, thread: number): number;
  ag_hold_scope(map: number, process: number, value: Pointer | null): number;
}

const HELD_CALLS = {
  ag_hold_open: { args: [T.ptr, T.ptr, T.i32, T.i32], returns: T.ptr },
  ag_hold_close: { args: [T.ptr], returns: T.void },
  ag_hold_memory: { args: [T.ptr], returns: T.ptr },
  ag_hold_tune: { args: [T.i32], returns: T.i32 },
  ag_hold_receive: { args: [T.ptr, T.i32], returns: T.i32 },
  ag_hold_exec: { args: [T.ptr, T.i32], returns: T.i32 },
  ag_hold_socket: { args: [T.ptr, T.i32, T.ptr], returns: T.i32 },
  ag_hold_pin: { args: [T.ptr, T.i32, T.ptr], returns: T.ptr },
  ag_hold_perform: { args: [T.ptr, T.ptr, T.i32, T.ptr], returns: T.i32 },
  ag_hold_object: { args: [T.ptr, T.i32], returns: T.i32 },
  ag_hold_drop: { args: [T.ptr, T.ptr], returns: T.void },
  ag_hold_settle: { args: [T.ptr], returns: T.void },
  ag_hold_rules: { args: [T.ptr, T.ptr, T.u32], returns: T.i32 },
  ag_hold_linked: { args: [T.ptr, T.ptr, T.u32, T.u32], returns: T.i32 },
  ag_hold_look: { args: [T.ptr, T.i32, T.i32], returns: T.i32 },
  ag_hold_starts: { args: [T.ptr, T.ptr, T.u32], returns: T.i32 },
  ag_hold_watch: { args: [T.ptr, T.ptr, T.i32], returns: T.i32 },
  ag_hold_begin: { args: [T.ptr, T.i32, T.i32, T.ptr, T.ptr, T.u32], returns: T.i32 },
  ag_hold_end: { args: [T.ptr, T.i32], returns: T.void },
  ag_hold_wait: { args: [T.ptr, T.ptr, T.ptr, T.i32, T.i32, T.i32], returns: T.i32 },
  ag_hold_valid: { args: [T.i32, T.ptr], returns: T.i32 },
  ag_hold_answer: { args: [T.i32, T.ptr, T.i32], returns: T.i32 },
  ag_hold_grant: { args: [T.i32, T.u32, T.ptr], returns: T.i32 },
  ag_hold_revoke: { args: [T.i32, T.u32], returns: T.i32 },
  ag_hold_scope: { args: [T.i32, T.u32, T.ptr], returns: T.i32 },
} as const;

/** For the one thread that answers them. */
export function openHeldCallLibrary(): HeldCallLibrary {
  // SAFETY: the library is our own, its prototypes are those above, and it stays mapped for the process's life.
  return openNative("agentguard-hold", HELD_CALLS) as HeldCallLibrary;
}

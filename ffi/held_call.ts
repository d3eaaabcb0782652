/** A call that waits for the guard (`struct ag_hold_call`). */

/** Who waits with which call. */
export interface HeldCall {
  /** The notification, 8 bytes. */
  readonly id: Uint8Array;
  readonly nr: number;
  readonly tid: number;
  readonly tgid: number;
  readonly ppid: number;
  readonly uid: number;
  /** Of the calling thread: another one has another number. */
  readonly serial: number;
  /** It was a change, which `wait` did, and its caller has no result that says so: see `done`. Nobody waits. */
  readonly done: boolean;
}

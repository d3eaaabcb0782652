/** A held program start as an event, in the form that the probes' record of it will have. */
import {
  type Event,
  type ExecAction,
  type ExecFlag,
  type ProcessInfo,
  type SessionInfo,
  splitTexts,
  type WallUs,
} from "../../core/mod.ts";
import type { HeldCall, HeldProgram } from "../../../ffi/mod.ts";

/** What an event is made of. */
export interface HeldExec {
  readonly time_us: WallUs;
  readonly session: SessionInfo;
  readonly call: HeldCall;
  /** Start of the caller's process, boot-time nanoseconds, decimal. */
  readonly start: string;
  readonly program: HeldProgram;
}

/** The event that the policy is asked about. */
export function heldExecEvent({ time_us, session, call, start, program }: HeldExec): Event {
  const process: ProcessInfo = {
    pid: call.tgid,
    start,
    ppid: call.ppid,
    uid: call.uid,
    ...(program.caller === "" ? undefined : { exe: program.caller }),
    cwd: program.cwd,
  };
  return { time_us, session, process, action: execAction(program), held: true };
}

function execAction(program: HeldProgram): ExecAction {
  const flags: readonly ExecFlag[] = [
    ...(program.args_truncated ? ["args_truncated"] as const : []),
    ...(program.memfd ? ["memfd"] as const : []),
    ...(program.deleted ? ["deleted"] as const : []),
    ...(program.script ? ["script"] as const : []),
  ];
  const { requested, path, interpreter } = program;
  return {
    type: "exec",
    path,
    ...(requested !== "" && requested !== path ? { requested_path: requested } : undefined),
    argv: splitTexts(program.argv),
    cwd: program.cwd,
    ...(interpreter === undefined ? undefined : { interpreter }),
    ...(flags.length > 0 ? { flags } : undefined),
  };
}

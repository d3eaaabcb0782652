/** Held program starts: what they would bring up, and how they are let go. */
import { execGrant, processStart } from "../act/mod.ts";
import { type Clock, type DecisionId, errorMessage, type Event, type SessionInfo } from "../core/mod.ts";
import type { HeldCall, HeldCalls, HeldProgram, SystemCalls } from "../../ffi/mod.ts";
import { type HeldCallers, heldExecEvent } from "../source/mod.ts";
import type { HeldDecisions } from "./held_decisions.ts";
import type { HeldWork, Released, ReleaseTerms } from "./held_work.ts";
import { grantKey, type HolderMaps } from "./holder_protocol.ts";

/** What answering needs. */
export interface HeldExecsParts {
  readonly calls: HeldCalls;
  readonly callers: HeldCallers;
  readonly system: SystemCalls;
  readonly maps: HolderMaps;
  readonly clock: Clock;
  readonly decisions: HeldDecisions;
}

const EPERM = 1;
/** How long after its release a program may come up, microseconds: its file may be far away. */
const GRANT_US = 60_000_000;
/**
 * What the kernel itself finds when it goes on: there is nothing to decide. Should it find a program after all, that is
 * killed for want of a grant.
 */
const KERNEL_FINDS: ReadonlySet<string> = new Set(
  ["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG", "EFAULT", "EBADF", "ENOEXEC", "ESRCH", "E2BIG"],
);

/** Takes the program starts of all sessions, on one thread. */
export class HeldExecs {
  readonly #parts: HeldExecsParts;

  constructor(parts: HeldExecsParts) {
    this.#parts = parts;
  }

  /** Takes the start that was received last. */
  take(listener: number, session: SessionInfo, call: HeldCall): void {
    const { calls, callers, clock, decisions } = this.#parts;
    const found = calls.program(listener);
    if (!found.ok && KERNEL_FINDS.has(found.error)) {
      calls.release(listener, call.id);
      return;
    }
    const start = callers.startOf(call) ?? processStart(call.tgid);
    const time_us = clock.wallUs();
    if (found.ok) {
      const program = found.value;
      const event = heldExecEvent({ time_us, session, call, start, program });
      decisions.submit(this.#work(listener, call, { event, program }));
      return;
    }
    const event: Event = {
      time_us,
      session,
      process: { pid: call.tgid, start, ppid: call.ppid, uid: call.uid },
      action: { type: "exec", path: "", argv: [], missing: ["path", "argv"] },
      held: true,
    };
    decisions.refuseUnread(
      this.#work(listener, call, { event }),
      `what would start cannot be found out: ${found.error}`,
    );
  }

  #work(
    listener: number,
    call: HeldCall,
    { event, program }: { readonly event: Event; readonly program?: HeldProgram },
  ): HeldWork {
    const { calls } = this.#parts;
    return {
      listener,
      mechanism: "seccomp",
      call,
      event,
      waits: () => calls.waits(listener, call.id),
      release: (terms) => program === undefined ? UNKNOWN : this.#release(listener, call, { program, terms }),
      refuse: (_decided: DecisionId) => calls.refuse(listener, call.id, EPERM),
    };
  }

  /** Lets a start go: the grant first, so that the kernel finds it. */
  #release(
    listener: number,
    call: HeldCall,
    { program, terms }: { readonly program: HeldProgram; readonly terms: ReleaseTerms },
  ): Released {
    const { calls, maps, system } = this.#parts;
    const key = grantKey(maps, call);
    const expires_us = system.bootUs() + GRANT_US;
    const { decided, approved } = terms;
    try {
      calls.grant(maps.grants_fd, key, execGrant(program, { nr: call.nr, expires_us, decided, approved }));
    } catch (error) {
      return { kind: "unsafe", reason: errorMessage(error) };
    }
    if (calls.release(listener, call.id)) return { kind: "released" };
    calls.revoke(maps.grants_fd, key);
    return { kind: "gone" };
  }
}

const UNKNOWN: Released = { kind: "unsafe", reason: "nothing is known about it" };

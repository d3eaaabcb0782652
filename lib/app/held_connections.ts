/** Held connections and messages to addresses: where to they go, and how they are let go. */
import { callMark, netGrant, processStart } from "../act/mod.ts";
import { type Clock, type DecisionId, errorMessage, type Event, type SessionInfo } from "../core/mod.ts";
import type { HeldCall, HeldCalls, HeldSocket, SystemCalls } from "../../ffi/mod.ts";
import { type HeldCallers, heldNetEvent } from "../source/mod.ts";
import type { HeldDecisions } from "./held_decisions.ts";
import type { Released, ReleaseTerms } from "./held_work.ts";
import { grantKey, type HolderMaps } from "./holder_protocol.ts";

/** What answering needs. */
export interface HeldConnectionsParts {
  readonly calls: HeldCalls;
  readonly callers: HeldCallers;
  readonly system: SystemCalls;
  readonly maps: HolderMaps;
  readonly clock: Clock;
  readonly decisions: HeldDecisions;
}

const EPERM = 1;
/** How long after its release a call may reach the kernel's own look at the address, microseconds. */
const GRANT_US = 10_000_000;

/** Takes the calls about sockets of all sessions, on one thread. */
export class HeldConnections {
  readonly #parts: HeldConnectionsParts;

  constructor(parts: HeldConnectionsParts) {
    this.#parts = parts;
  }

  /**
   * Takes the call that was received last. What goes to no address of IPv4 or IPv6, or fails anyway, goes on without a
   * grant: should the kernel find an address after all, its programs refuse it.
   */
  take(listener: number, session: SessionInfo, call: HeldCall): void {
    const { calls, callers, clock, decisions } = this.#parts;
    const found = calls.socket(listener);
    if (found.ok ? found.value === undefined : found.error !== SEVERAL) {
      calls.release(listener, call.id);
      return;
    }
    const start = callers.startOf(call) ?? processStart(call.tgid);
    const time_us = clock.wallUs();
    const target = found.ok ? found.value : undefined;
    const event: Event = target === undefined
      ? {
        time_us,
        session,
        process: { pid: call.tgid, start, ppid: call.ppid, uid: call.uid },
        action: { type: "net.send", protocol: "udp", address: "", port: 0, missing: ["address", "port"] },
        held: true,
      }
      : heldNetEvent({ time_us, session, call, start, socket: target });
    const work = {
      listener,
      mechanism: "seccomp" as const,
      call,
      event,
      waits: () => calls.waits(listener, call.id),
      release: (terms: ReleaseTerms): Released =>
        target === undefined ? UNKNOWN : this.#release(listener, call, { target, terms }),
      refuse: (decided: DecisionId) => {
        this.#grant(call, callMark(call.nr, decided, { refused: true, net: true }));
        return calls.refuse(listener, call.id, EPERM);
      },
    };
    if (target === undefined) decisions.refuseUnread(work, "messages to several addresses in one call cannot be held");
    else decisions.submit(work);
  }

  /** Lets a call go: the grant first, so that the kernel finds it. */
  #release(
    listener: number,
    call: HeldCall,
    { target, terms }: { readonly target: HeldSocket; readonly terms: ReleaseTerms },
  ): Released {
    const { calls, maps, system } = this.#parts;
    const { decided, approved } = terms;
    const expires_us = system.bootUs() + GRANT_US;
    try {
      this.#grant(call, netGrant(target, { nr: call.nr, expires_us, decided, approved }));
    } catch (error) {
      return { kind: "unsafe", reason: errorMessage(error) };
    }
    if (calls.release(listener, call.id)) return { kind: "released" };
    calls.revoke(maps.grants_fd, grantKey(maps, call));
    return { kind: "gone" };
  }

  #grant(call: HeldCall, grant: Uint8Array): void {
    const { calls, maps } = this.#parts;
    calls.grant(maps.grants_fd, grantKey(maps, call), grant);
  }
}

/** Why messages are not looked at one by one: they are let go, or refused, as one call. */
const SEVERAL = "E2BIG";
const UNKNOWN: Released = { kind: "unsafe", reason: "nothing is known about it" };

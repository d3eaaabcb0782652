/** Held changes of the file system: what they would touch, and how they are done in place of their callers. */
import { callMark, processStart } from "../act/mod.ts";
import { type Clock, errorMessage, type Event, type Ruling, type SessionInfo } from "../core/mod.ts";
import type { HeldCall, HeldCalls, HeldChange } from "../../ffi/mod.ts";
import { type HeldCallers, heldChangeEvent } from "../source/mod.ts";
import type { HeldDecisions } from "./held_decisions.ts";
import type { Released, ReleaseTerms } from "./held_work.ts";
import { grantKey, type HolderMaps } from "./holder_protocol.ts";
import { isWithinPlaces, type WritePlace } from "./write_places.ts";

/** What answering needs. */
export interface HeldChangesParts {
  readonly calls: HeldCalls;
  readonly callers: HeldCallers;
  readonly maps: HolderMaps;
  readonly clock: Clock;
  readonly decisions: HeldDecisions;
  /** What follows from other names of what is touched, see `OtherNames`. */
  readonly otherNames: (event: Event, change: HeldChange) => Ruling | undefined;
  /** Touches the guard's own files: never done in a caller's place. */
  readonly isOwn: (change: HeldChange) => boolean;
  /** Does what gives objects other names, so that nobody rests on the old ones meanwhile. */
  readonly renaming: <T>(change: HeldChange, perform: () => T) => T;
}

const EPERM = 1;
const EAGAIN = 11;
const EACCES = 13;
/** How often a place may change between looking and doing, before the call is given up. */
const MOVES_MAX = 8;
/** Opens that wait for somebody else at once; what is over fails with EAGAIN. */
const LATER_MAX = 256;

/** One that goes on in the native code until somebody else comes: a FIFO that nobody has opened at its other end. */
interface Later {
  readonly listener: number;
  readonly change: HeldChange;
}

/** Whose calls come from a listener. */
export interface ChangeOwner {
  readonly session: SessionInfo;
  /** Where its command may change files at all; `undefined`: everywhere. */
  readonly places: readonly WritePlace[] | undefined;
}

/** Takes the changes of all sessions, on one thread. */
export class HeldChanges {
  readonly #parts: HeldChangesParts;
  readonly #later: Set<Later> = new Set();

  constructor(parts: HeldChangesParts) {
    this.#parts = parts;
  }

  /** Calls that wait for somebody else: `retry` them. */
  get later(): number {
    return this.#later.size;
  }

  /** Takes the change that was received last. */
  take(listener: number, owner: ChangeOwner, call: HeldCall): void {
    this.#take(listener, owner, { call, moves: 0 });
  }

  /** The change that was received last is done already, and its caller has no record that says so. */
  done(session: SessionInfo, call: HeldCall): void {
    const { calls, callers, clock, decisions } = this.#parts;
    const change = calls.done();
    const start = callers.startOf(call) ?? processStart(call.tgid);
    decisions.done(heldChangeEvent({ time_us: clock.wallUs(), session, call, start, change }));
  }

  /** Looks whether what waits for somebody else is over. */
  retry(): void {
    for (const each of this.#later) {
      if (this.#parts.calls.perform(each.listener, each.change) === "again") continue;
      this.#later.delete(each);
      this.#parts.calls.drop(each.change);
    }
  }

  /** Forgets what waits at a listener that is closed. */
  forget(listener: number): void {
    for (const each of this.#later) {
      if (each.listener !== listener) continue;
      this.#later.delete(each);
      this.#parts.calls.drop(each.change);
    }
  }

  #take(
    listener: number,
    owner: ChangeOwner,
    { call, moves }: { readonly call: HeldCall; readonly moves: number },
  ): void {
    const { calls, callers, clock, decisions } = this.#parts;
    const start = callers.startOf(call) ?? processStart(call.tgid);
    const pinned = calls.pin(listener);
    if (!pinned.ok) {
      calls.refuse(listener, call.id, pinned.error);
      return;
    }
    const change = pinned.value;
    const { session, places } = owner;
    if (places !== undefined && !isWithinPlaces(change, places)) {
      calls.drop(change);
      calls.refuse(listener, call.id, EACCES);
      return;
    }
    if (this.#parts.isOwn(change)) {
      calls.drop(change);
      calls.refuse(listener, call.id, EPERM);
      return;
    }
    const event = heldChangeEvent({ time_us: clock.wallUs(), session, call, start, change });
    const state = { now: true };
    decisions.submit({
      listener,
      mechanism: "seccomp",
      call,
      event,
      waits: () => calls.waits(listener, call.id),
      release: (terms) => {
        const moved = (): Released => {
          // While this is the call that was received last it can be looked at anew; later it is the caller's to repeat.
          if (state.now && moves < MOVES_MAX) this.#take(listener, owner, { call, moves: moves + 1 });
          else calls.refuse(listener, call.id, EAGAIN);
          return { kind: "released" };
        };
        return this.#release(listener, call, { change, terms, moved });
      },
      refuse: (decided) => {
        this.#mark(call, callMark(call.nr, decided, { refused: true }));
        calls.drop(change);
        return calls.refuse(listener, call.id, EPERM);
      },
    }, this.#parts.otherNames(event, change));
    state.now = false;
  }

  #release(
    listener: number,
    call: HeldCall,
    { change, terms, moved }: {
      readonly change: HeldChange;
      readonly terms: ReleaseTerms;
      readonly moved: () => Released;
    },
  ): Released {
    const { calls } = this.#parts;
    try {
      if (terms.decided !== undefined) this.#mark(call, callMark(call.nr, terms.decided, { refused: false }));
    } catch (error) {
      return { kind: "unsafe", reason: errorMessage(error) };
    }
    const named = change.kind === "rename" || change.kind === "link";
    const perform = (): ReturnType<HeldCalls["perform"]> => calls.perform(listener, change);
    if (named) calls.settle(); // other names are looked at by the guard itself
    const done = named ? this.#parts.renaming(change, perform) : perform();
    if (done === "again" && this.#later.size < LATER_MAX) {
      this.#later.add({ listener, change });
      return { kind: "later" };
    }
    calls.drop(change);
    if (done === "moved") return moved();
    if (done === "again") calls.refuse(listener, call.id, EAGAIN);
    return { kind: done === "gone" || done === "left" ? done : "released" };
  }

  /** Tells the probes whose decision the record of this call is. */
  #mark(call: HeldCall, mark: Uint8Array): void {
    const { calls, maps } = this.#parts;
    calls.grant(maps.grants_fd, grantKey(maps, call), mark);
  }
}

/** Hands each held call to whoever knows what it would do, by its number. */
import { execCalls, netCalls, unansweredCalls } from "../act/mod.ts";
import type { HeldCall, HeldCalls } from "../../ffi/mod.ts";
import type { ChangeOwner, HeldChanges } from "./held_changes.ts";
import type { HeldConnections } from "./held_connections.ts";
import type { HeldExecs } from "./held_execs.ts";

/** Who takes what. */
export interface HeldTakersParts {
  readonly calls: HeldCalls;
  readonly execs: HeldExecs;
  readonly connections: HeldConnections;
  /** All the rest. */
  readonly changes: HeldChanges;
}

const ENOSYS = 38;

/** The calls of this machine. */
export class HeldTakers {
  readonly #parts: HeldTakersParts;
  readonly #execs: ReadonlySet<number> = new Set(Object.values(execCalls()));
  readonly #nets: ReadonlySet<number> = new Set(netCalls());
  /** Other ways to do what is held, which cannot be answered: they do not exist for the command. */
  readonly #unanswered: ReadonlySet<number> = new Set(unansweredCalls());

  constructor(parts: HeldTakersParts) {
    this.#parts = parts;
  }

  /** Takes the call that was received last. */
  take(listener: number, owner: ChangeOwner, call: HeldCall): void {
    const { calls, execs, connections, changes } = this.#parts;
    if (this.#execs.has(call.nr)) execs.take(listener, owner.session, call);
    else if (this.#nets.has(call.nr)) connections.take(listener, owner.session, call);
    else if (this.#unanswered.has(call.nr)) calls.refuse(listener, call.id, ENOSYS);
    else changes.take(listener, owner, call);
  }
}

/**
 * Decides records of calls that were held. The guard decided each of them by what it pinned, and did it there; a record
 * that is made afterwards shows names from its caller's memory, which may be others by then. Such names are no reason
 * to act: what the kernel itself resolved is, and where that is not known the difference is told.
 */
import type { Action, ActionType, Decider, EntryDraft, Event, Ruling, SessionId } from "../core/mod.ts";

/** What it works with. */
export interface HeldDeciderParts {
  readonly decider: Decider;
  /** The actions of a session whose calls were held from its start. */
  readonly heldActions: (session: SessionId) => ReadonlySet<ActionType> | undefined;
  /** The record says something else than what was decided. */
  readonly onDifference: (event: Event, ruling: Ruling) => void;
}

/** A decider of records. */
export class HeldDecider implements Decider {
  readonly #parts: HeldDeciderParts;

  constructor(parts: HeldDeciderParts) {
    this.#parts = parts;
  }

  evaluate(event: Event): Ruling {
    const { decider, heldActions, onDifference } = this.#parts;
    const ruling = decider.evaluate(event);
    if (event.held !== true || !stops(ruling) || event.session === undefined) return ruling;
    const resolved = withoutRequest(event.action);
    const held = heldActions(event.session.session_id)?.has(event.action.type) === true;
    // Reads that do not wait by their calls wait by fanotify: no policy that refuses them is in force without that.
    if (resolved === undefined || !(held || event.action.type === "file.read")) return ruling;
    const { base: _base, ...rest } = event;
    const again = decider.evaluate({ ...rest, action: resolved });
    // By fanotify the object was decided about, and nobody saw the name that was asked for.
    if (!stops(again)) return held ? again : ruling;
    onDifference(event, ruling);
    return {
      verdict: "allow",
      rule_index: -1,
      reason: "decided while it was held; its caller's memory holds another name by now",
      mode: ruling.mode,
    };
  }
}

function stops({ verdict }: Ruling): boolean {
  return verdict === "deny" || verdict === "ask";
}

/** The action by what the kernel resolved; `undefined` for anything but a change of files that succeeded. */
function withoutRequest(action: Action): Action | undefined {
  if (!action.type.startsWith("file.") || !("result" in action) || action.result !== "0") return undefined;
  if (!("requested_path" in action)) return action;
  const { requested_path: _requested, ...rest } = action;
  return rest;
}

/** The alarm about such a record. */
export function differenceEntry(event: Event, { verdict, rule }: Ruling): EntryDraft {
  const detail = `${event.action.type} was held and let go; by the names that its record shows it would have been ` +
    `${verdict} (${rule ?? "default"})`;
  return {
    time_us: event.time_us,
    kind: "guard",
    ...(event.session === undefined
      ? undefined
      : { session_id: event.session.session_id, principal: event.session.principal }),
    ...(event.shown === undefined ? undefined : { process: event.shown }),
    action: { type: "guard.mismatch", detail },
  };
}

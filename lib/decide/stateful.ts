/** A decider that remembers: a snapshot together with the state that it reads and moves on. */
import { type Decider, errorMessage, type Event, type Ruling } from "../core/mod.ts";
import { markOfKey } from "./marks.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { PolicyState } from "./state.ts";

/**
 * Decides each event by the snapshot and what happened before, and takes the event into the state. The time of an event
 * is what the event says, so a recording that is replayed in its order is decided as it was. After a reload hand the
 * state of the last decider on: marks and counts go by the names of rules and labels.
 */
export class StatefulDecider implements Decider {
  readonly snapshot: PolicySnapshot;
  readonly state: PolicyState;

  constructor(snapshot: PolicySnapshot, state: PolicyState = new PolicyState()) {
    this.snapshot = snapshot;
    this.state = state;
    state.retain((key) => snapshot.marks.has(markOfKey(key)));
  }

  /** Decides and remembers. Never throws: an error is a deny. */
  evaluate(event: Event): Ruling {
    const { snapshot, state } = this;
    if (!snapshot.has_state) return snapshot.evaluate(event);
    const ruling = snapshot.evaluate(event, state, event.time_us);
    try {
      snapshot.advance(state, event, { ruling, now_us: event.time_us });
      return ruling;
    } catch (thrown) {
      return snapshot.failure(`remember the action for later rules: ${errorMessage(thrown)}`);
    }
  }
}

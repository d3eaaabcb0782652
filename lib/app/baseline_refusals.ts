/**
 * What the baseline refused, in the record: it asks no rule, and the kernel says no more than an errno. The event is
 * led back to what the session's command was begun with, and decided as what it was.
 */
import type { Event, KernelVerdict, Mask } from "../core/mod.ts";
import { MaskedPlaces, type RealPath } from "./masked_places.ts";

/** What a session's command was begun with. */
export interface SessionLimits {
  readonly masks: readonly Mask[];
  /** The only TCP ports, where Landlock holds the command to them. */
  readonly connect_ports?: readonly number[];
  readonly bind_ports?: readonly number[];
}

/** The limits of one session. */
export class BaselineRefusals {
  readonly #limits: SessionLimits;
  readonly #masks: MaskedPlaces;
  readonly #generation: number;

  /** `generation`: of the policy that the session began with. */
  constructor(limits: SessionLimits, generation: number, realPath: RealPath) {
    this.#limits = limits;
    this.#generation = generation;
    this.#masks = new MaskedPlaces(limits.masks, generation, realPath);
  }

  /** True where there is nothing to explain. */
  get empty(): boolean {
    const { masks, connect_ports, bind_ports } = this.#limits;
    return masks.length === 0 && connect_ports === undefined && bind_ports === undefined;
  }

  /** The event as what the baseline refused; the same event where it did not. */
  explain(event: Event): Event {
    const { action } = event;
    if (action.type !== "net.connect" && action.type !== "net.bind") return this.#masks.explain(event);
    if (action.result !== "EACCES" || action.protocol !== "tcp" || event.kernel !== undefined) return event;
    const ports = action.type === "net.connect" ? this.#limits.connect_ports : this.#limits.bind_ports;
    if (ports === undefined || ports.includes(action.port)) return event;
    const kernel: KernelVerdict = {
      verdict: "deny",
      rule_index: -1,
      generation: this.#generation,
      effect: "refused",
      mechanism: "landlock",
      why: "the command was begun with other ports alone",
    };
    return { ...event, kernel };
  }
}

/** The policy of the thread that answers held calls, with what follows from it once and for all. */
import type { Event, Ruling } from "../core/mod.ts";
import { asksThePast, neededStarts, type PolicySnapshot } from "../decide/mod.ts";
import type { OwnPlaces } from "../act/mod.ts";
import type { HeldChange, NeededTable, StartTable } from "../../ffi/mod.ts";
import { holderNames } from "./holder_names.ts";
import { OtherNames, type OtherNamesOptions } from "./other_names.ts";
import { compilePolicy } from "./policy_compile.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import { isOwnPlace } from "./write_places.ts";

/** One policy at a time is in use; another load makes another one of these. */
export class HolderPolicy {
  readonly snapshot: PolicySnapshot;
  /** Some rule needs to know what happened before: the reader decides. */
  readonly asks_past: boolean;
  /** What `~` stands for. */
  readonly home: string | undefined;
  /** What held calls are compared with before they are decided. */
  readonly names: NeededTable;
  /** The same for program starts. */
  readonly starts: StartTable;
  readonly #own: OwnPlaces;
  readonly #other_names: OtherNames;

  /** Throws `policy` for a defect: main has loaded the same sources. */
  constructor(load: PolicyLoad, options: Omit<OtherNamesOptions, "home">) {
    this.snapshot = compilePolicy(load);
    this.asks_past = asksThePast(this.snapshot);
    this.home = load.home;
    this.names = holderNames(this.snapshot, load.home, load.own);
    this.starts = neededStarts(this.snapshot, load.home);
    this.#own = load.own;
    this.#other_names = new OtherNames(this.snapshot, { home: load.home, ...options });
  }

  /** `names` holds for somebody with this home. */
  knowsHome(home: string | undefined): boolean {
    return this.home === undefined || this.home === home;
  }

  /** The guard's own files are touched: nothing that is done in a caller's place. */
  isOwn(change: HeldChange): boolean {
    return isOwnPlace(change, this.#own);
  }

  /** What follows from other names of what is touched, see `OtherNames`. */
  otherNames(event: Event, change: HeldChange): Ruling | undefined {
    return this.#other_names.ruling(event, change);
  }
}

/** An action on its road through the stages. */
import type { Action } from "./action.ts";
import type { KernelVerdict } from "./decision.ts";
import type { ProcessInfo, SessionInfo } from "./process.ts";
import type { WallUs } from "./time.ts";

/** A decoded action with everything that a rule may ask about it. */
export interface Event {
  readonly time_us: WallUs;
  readonly session?: SessionInfo;
  readonly process?: ProcessInfo;
  readonly action: Action;
  /** Present when the kernel's copy of the policy has decided (and acted) already. */
  readonly kernel?: KernelVerdict;
}

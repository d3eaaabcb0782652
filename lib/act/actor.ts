/** Brings decisions about kernel actions about, and says honestly what came of them. */
import {
  type Action,
  type Actor,
  assertNever,
  type Decision,
  type Event,
  type Mechanism,
  type Outcome,
  type OutcomeLabel,
  type ProcessRef,
} from "../core/mod.ts";

/** Ends one process by its identity; a pid that was reused is not hit. */
export interface ProcessKiller {
  /** `killed`, or why not: it had ended, or the kernel refused. */
  kill(process: ProcessRef): "killed" | "gone" | "refused";
}

/** The act stage for observed actions: the kernel has acted already, or the process is ended after the fact. */
export class KernelActor implements Actor {
  readonly #killer: ProcessKiller;

  constructor(killer: ProcessKiller) {
    this.#killer = killer;
  }

  /** Never throws: what could not be done is the outcome `failed`. */
  perform(event: Event, decision: Decision): Outcome {
    const outcome = (label: OutcomeLabel, mechanism: Mechanism, error?: string): Outcome => ({
      decision_id: decision.decision_id,
      label,
      mechanism,
      ...(error === undefined ? undefined : { error }),
    });
    const effect = event.kernel?.effect ?? "none";
    if (effect === "refused") return outcome("prevented", event.kernel?.mechanism ?? "cgroup");
    if (effect === "killed") return outcome("killed_before_effect", "signal");
    if (effect === "ended") return outcome("killed_after_effect", "signal");
    if (decision.verdict !== "deny" && decision.verdict !== "ask") return outcome("observed", "none");
    // What the kernel refused by itself had no effect that a kill could end.
    if (failed(event.action)) return outcome("observed", "none");
    if (!endsWithProcess(event.action)) return outcome("unenforceable", "none");
    if (event.process === undefined) return outcome("unenforceable", "none", "the process is not known");
    const result = this.#killer.kill(event.process);
    switch (result) {
      case "killed":
        return outcome("killed_after_effect", "signal");
      case "gone":
        return outcome("unenforceable", "none", "the process had ended");
      case "refused":
        return outcome("failed", "signal", "the kernel refused the signal");
      default:
        return assertNever(result);
    }
  }
}

/** The kernel itself refused the action. */
function failed(action: Action): boolean {
  if (action.type === "exec.failed") return true;
  return "result" in action && action.result !== undefined && action.result !== "0" && action.result !== "EINPROGRESS";
}

/** Ending the acting process is a sensible answer to this action. */
function endsWithProcess(action: Action): boolean {
  return action.type === "exec" || action.type === "unix.connect" || action.type.startsWith("file.") ||
    action.type.startsWith("net.");
}

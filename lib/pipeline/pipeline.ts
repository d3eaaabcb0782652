/**
 * The runner: enriched records go to decide, to act and to the record here, and nowhere else. A decision is recorded
 * before its effect, its outcome after.
 */
import {
  type Actor,
  type Counters,
  counters,
  type Decision,
  type DecisionId,
  type Enriched,
  type EntryDraft,
  type EntryKind,
  type Event,
  type Gap,
  type IdGenerator,
  LIMITS,
  type Mechanism,
  type PolicyRef,
  type RecordSink,
  type Ruling,
  type SessionInfo,
  type Writable,
} from "../core/mod.ts";
import type { ActivePolicy } from "./active_policy.ts";
import { withDecidingHost } from "./deciding_host.ts";
import { errorOf, grantRuling } from "./grant_ruling.ts";
import { isKernelsAlone, kernelRuling } from "./kernel_ruling.ts";
import { OpenCoalescer } from "./coalescer.ts";
import { OpenFiles } from "./open_files.ts";
import { shortRef } from "./short_ref.ts";

/** What the runner works with. */
export interface PipelineParts {
  readonly actor: Actor;
  readonly sink: RecordSink;
  readonly ids: IdGenerator;
  readonly policy: ActivePolicy;
  /** Told of every loss, for `[guard] on_loss`. */
  readonly onLoss?: (gap: Gap, session: SessionInfo | undefined) => void;
  /** What was ruled about a held call that the policy let go by what happened before it; once. */
  readonly takeRuling?: (decision_id: DecisionId) => Ruling | undefined;
  /** What a call waited by that somebody let go; absent: `seccomp`. */
  readonly heldBy?: (event: Event) => Mechanism;
}

const COUNTERS = ["actions", "denied", "asked", "observed_denials", "lost", "mismatches", "bytes_unmatched"] as const;

/** Counts of one pipeline. */
export type PipelineCounters = Counters<(typeof COUNTERS)[number]>;

/** Runs the stages for one source, on one thread. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #coalescer = new OpenCoalescer();
  readonly #open_files = new OpenFiles();
  readonly #counters: PipelineCounters = counters(COUNTERS);
  #policy: ActivePolicy;
  #short_ref: PolicyRef;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#short_ref = shortRef(parts.policy.ref);
  }

  /** A copy of the counts. */
  counters(): PipelineCounters {
    return { ...this.#counters };
  }

  /** Opens that were merged under pressure. */
  get coalesced(): number {
    return this.#coalescer.merged;
  }

  /** Later records are decided by `policy`. */
  setPolicy(policy: ActivePolicy): void {
    this.#policy = policy;
    this.#short_ref = shortRef(policy.ref);
  }

  /** Takes one enriched record through decide, act and record. */
  handle(enriched: Enriched): void {
    switch (enriched.kind) {
      case "event":
        this.#event(enriched.event);
        return;
      case "bytes":
        this.#bytes(enriched);
        return;
      default:
        this.gap(enriched.gap, enriched.time_us, enriched);
    }
  }

  /** Records something that is a fact before anything can be decided, such as a file that was open from the start. */
  note(event: Event, reason: string): void {
    this.#counters.actions++;
    this.#observe(event, { verdict: "allow", rule_index: -1, reason, mode: "enforce" });
  }

  /** Records a loss. */
  gap(gap: Gap, time_us: number, of: Pick<Event, "session" | "shown"> = {}): void {
    this.#counters.lost += gap.count;
    this.#append({ time_us, kind: "gap", ...owner(of), gap });
    this.#parts.onLoss?.(gap, of.session);
  }

  /** Ends a batch: what was merged is recorded as soon as the recorder keeps up, or when too much waits. */
  endBatch(): void {
    if (this.#coalescer.waiting && (this.#coalescer.full || !this.#pressure())) this.flush();
  }

  /** Records what was merged. */
  flush(): void {
    this.#coalescer.flush((draft) => this.#append(draft));
  }

  #event(given: Event): void {
    this.#counters.actions++;
    const policy = this.#policy;
    if (given.decided !== undefined && given.kernel?.grant === undefined) {
      this.#fulfil(given, given.decided);
      return;
    }
    const ruling = this.#agree(given, policy.decider.evaluate(given));
    const event = withDecidingHost(given, ruling, policy);
    if (ruling.verdict === "deny" || ruling.verdict === "ask" || ruling.would !== undefined) {
      this.#decide(event, ruling);
      return;
    }
    if (ruling.rule === undefined && this.#pressure() && this.#coalescer.add(event)) return;
    this.#observe(event, ruling);
  }

  /** A verdict that has, or would have had, an effect. */
  #decide(event: Event, ruling: Ruling): void {
    const asked = ruling.verdict === "ask";
    if (asked) this.#counters.asked++;
    if (ruling.verdict === "allow") this.#counters.observed_denials++;
    else this.#counters.denied++;
    const decision: Decision = {
      ...this.#decision(ruling, this.#policy.ref),
      verdict: asked ? "deny" : ruling.verdict,
      reason: asked ? `nobody can approve yet, so denied: ${ruling.reason}` : ruling.reason,
    };
    const decided = this.#draft(event, "decision");
    decided.decision = decision;
    this.#append(decided);
    const ended = this.#draft(event, "outcome");
    ended.outcome = this.#parts.actor.perform(event, decision);
    this.#append(ended);
    this.#remember(event, decision.decision_id);
  }

  #observe(event: Event, ruling: Ruling): void {
    const type = event.action.type;
    const fact = type.startsWith("process.") || type === "exec.failed" || type === "net.dns";
    const ruled = ruling.rule !== undefined || !fact;
    if (!ruled) {
      this.#append(this.#draft(event, "observation"));
      return;
    }
    const decision = this.#decision(ruling, this.#short_ref);
    const seen = this.#draft(event, "observation");
    seen.decision = decision;
    this.#append(seen);
    this.#remember(event, decision.decision_id);
  }

  /** What came of a held call that somebody let go: its decision stands, whatever the policy would say by itself. */
  #fulfil(event: Event, decision_id: DecisionId): void {
    if (event.refused === true) return;
    const ruling = this.#parts.takeRuling?.(decision_id);
    if (ruling !== undefined) {
      if (ruling.would !== undefined) this.#decide(event, ruling);
      else this.#observe(event, ruling);
      return;
    }
    const ended = this.#draft(event, "outcome");
    const error = errorOf(event.action);
    const mechanism = this.#parts.heldBy?.(event) ?? "seccomp";
    ended.outcome = error === undefined
      ? { decision_id, label: "allowed", mechanism }
      : { decision_id, label: "failed", mechanism, error };
    this.#append(ended);
    this.#remember(event, decision_id);
  }

  /** Compares with what the kernel did; the kernel's deed stands, a difference is an alarm. */
  #agree(event: Event, ruling: Ruling): Ruling {
    const kernel = event.kernel;
    if (kernel === undefined) return ruling;
    const stops = ruling.verdict === "deny" || ruling.verdict === "ask";
    const same_policy = kernel.generation === this.#policy.ref.generation;
    if (kernel.verdict === "allow") {
      if (stops && same_policy && this.#inKernel(event, ruling)) this.#mismatch(event, ruling);
      return ruling;
    }
    if (stops) return ruling;
    if (kernel.grant !== undefined) return grantRuling(kernel.grant, event.action.type, event.decided);
    if (same_policy && !isKernelsAlone(kernel)) this.#mismatch(event, ruling);
    return kernelRuling(kernel, same_policy ? this.#policy.ruleName(kernel.rule_index) : undefined);
  }

  /**
   * The kernel should have said the same. It sees a script by its interpreter and by the name that was asked for alone.
   */
  #inKernel(event: Event, ruling: Ruling): boolean {
    if (event.kernel?.names_unsure === true) return false;
    if (event.action.type === "exec" && event.action.interpreter !== undefined) return false;
    return this.#policy.in_kernel.has(ruling.rule_index);
  }

  #mismatch(event: Event, ruling: Ruling): void {
    this.#counters.mismatches++;
    const kernel = event.kernel?.verdict ?? "none";
    const detail = `the kernel said ${kernel}, the policy says ${ruling.verdict} (${
      ruling.rule ?? "default"
    }) for ${event.action.type}`;
    const alarm = this.#draft(event, "guard");
    alarm.action = { type: "guard.mismatch", detail };
    this.#append(alarm);
  }

  #bytes(step: Extract<Enriched, { kind: "bytes" }>): void {
    const decision_id = this.#open_files.find(step.shown, step.session, step.file);
    if (decision_id === undefined) {
      // The file was opened before the session began, and nothing says where.
      this.#counters.bytes_unmatched++;
      return;
    }
    this.#append({
      time_us: step.time_us,
      kind: "outcome",
      ...owner(step),
      outcome: {
        decision_id,
        label: "observed",
        mechanism: "none",
        bytes_read: step.read_bytes,
        bytes_written: step.written_bytes,
      },
    });
  }

  #remember(event: Event, decision_id: DecisionId): void {
    if (event.file === undefined || event.process === undefined) return;
    this.#open_files.note(event.process, event.session, event.file, decision_id);
  }

  #decision(ruling: Ruling, policy: PolicyRef): Decision {
    const decision: Writable<Decision> = {
      decision_id: this.#parts.ids.decision(),
      verdict: ruling.verdict,
      reason: ruling.reason,
      mode: ruling.mode,
      policy,
    };
    if (ruling.rule !== undefined) decision.rule = ruling.rule;
    if (ruling.would !== undefined) decision.would = ruling.would;
    return decision;
  }

  /** Written field by field: this runs for every event, and spreading costs ten times as much. */
  #draft(event: Event, kind: EntryKind): Writable<EntryDraft> {
    const draft: Writable<EntryDraft> = { time_us: event.time_us, kind, action: event.action };
    if (event.session !== undefined) {
      draft.session_id = event.session.session_id;
      draft.principal = event.session.principal;
    }
    const process = event.shown ?? event.process;
    if (process !== undefined) draft.process = process;
    return draft;
  }

  #append(draft: EntryDraft): void {
    this.#parts.sink.append(draft);
  }

  #pressure(): boolean {
    return this.#parts.sink.pending() > LIMITS.recorder_queue_soft;
  }
}

function owner(of: Pick<Event, "session" | "shown">): Pick<EntryDraft, "session_id" | "principal" | "process"> {
  return {
    ...(of.session === undefined ? undefined : { session_id: of.session.session_id, principal: of.session.principal }),
    ...(of.shown === undefined ? undefined : { process: of.shown }),
  };
}

/** Standing grants in use: they answer questions, are given with a yes, and are taken back by operators. */
import {
  AgentguardError,
  type ApprovalRequest,
  type Approver,
  type Clock,
  err,
  errorMessage,
  type GrantView,
  type IdGenerator,
  type Log,
  ok,
  type RecordSink,
  type Result,
} from "../core/mod.ts";
import { agreedTerm } from "./ballot.ts";
import { grantEntry, operatorEntry } from "./entries.ts";
import { type Grant, grantOf, grantQuestion } from "./grant.ts";
import type { Grants } from "./grants.ts";
import type { Held } from "./held.ts";

/** What they need. */
export interface StandingParts {
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly log: Log;
  readonly sink: RecordSink;
  readonly grants: Grants;
}

/** The grants of one guard, with an entry for each that begins or is revoked. */
export class StandingGrants {
  readonly #parts: StandingParts;

  constructor(parts: StandingParts) {
    this.#parts = parts;
  }

  /** The grant that answers a question, if there is one. */
  answerFor(request: ApprovalRequest): Grant | undefined {
    const question = grantQuestion(request);
    return question === undefined ? undefined : this.#parts.grants.use(question, this.#parts.clock.wallUs());
  }

  /** Keeps what all who said yes agreed on; gives its id. A failure costs the grant, not the yes. */
  keep(held: Held): string | undefined {
    const agreed = agreedTerm(held.ballots);
    if (agreed === undefined) return undefined;
    const { ids, clock, grants, sink, log } = this.#parts;
    const by = held.question.votes.map((vote) => vote.by);
    const grant = grantOf(held.question.request, agreed, { grant_id: ids.next(), by, created_us: clock.wallUs() });
    if (grant === undefined) return undefined;
    try {
      grants.add(grant);
    } catch (thrown) {
      log.error(`keep a standing grant: ${errorMessage(thrown)}; the action is allowed once`);
      return undefined;
    }
    sink.append(grantEntry("approval.granted", grant, { time_us: grant.created_us, by: by.join(", ") }));
    return grant.grant_id;
  }

  /** What was kept with a yes that could not be recorded is no grant. */
  drop(held: Held): void {
    const { approval_id } = held.question.request;
    for (const grant of this.list()) if (grant.approval_id === approval_id) this.#parts.grants.revoke(grant.grant_id);
  }

  /** Those that hold now, oldest first. */
  list(): readonly GrantView[] {
    return this.#parts.grants.list(this.#parts.clock.wallUs());
  }

  /**
   * Ends one. To take a right away only tightens: whoever is outside of every session may. Errors: `permission`,
   * `not_found`; throws `io`.
   */
  revoke(grant_id: string, approver: Approver): Result<GrantView, AgentguardError> {
    const { sink, clock, grants } = this.#parts;
    const command = { time_us: clock.wallUs(), target: grant_id };
    const refuse = (error: AgentguardError): Result<GrantView, AgentguardError> => {
      sink.append(operatorEntry("operator.revoke", approver, { ...command, refused: error.message }));
      return err(error);
    };
    if (approver.inside !== undefined) return refuse(new AgentguardError("permission", approver.inside));
    const shown = this.list().find((grant) => grant.grant_id === grant_id);
    const revoked = grants.revoke(grant_id);
    if (shown === undefined || revoked === undefined) {
      return refuse(new AgentguardError("not_found", `use the id of a grant that is in force, not ${grant_id}`));
    }
    sink.append(operatorEntry("operator.revoke", approver, command));
    sink.append(grantEntry("approval.revoked", revoked, { time_us: command.time_us, by: approver.id }));
    return ok(shown);
  }

  /** The session has ended, and with it what was granted to it alone. */
  endSession(session_id: string): void {
    this.#parts.grants.endSession(session_id);
  }
}

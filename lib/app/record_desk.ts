/** What operators and other logs ask of a running guard's record. */
import {
  AgentguardError,
  type Approver,
  type Clock,
  err,
  errorMessage,
  type Log,
  ok,
  type Result,
} from "../core/mod.ts";
import type { RecordPort } from "../publish/mod.ts";
import { type KeepReport, type KeepRequest, readKeepRequest, Witness, type WitnessAnswer } from "../record/mod.ts";
import type { RecorderThread } from "./recorder_thread.ts";

/** What the desk works with. */
export interface RecordDeskParts {
  readonly recorder: RecorderThread;
  readonly state_dir: string;
  /** Verifier keys of the logs that this guard is a witness for. */
  readonly witness_for: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Passes requests to the recorder, and is a witness where the policy names logs. Close it. */
export class RecordDesk implements RecordPort, Disposable {
  readonly #recorder: RecorderThread;
  readonly #log: Log;
  readonly #witness: Witness | undefined;

  /** Throws `config` for a log's key that is none, `io` where the witness's files cannot be used. */
  constructor({ recorder, state_dir, witness_for, clock, log }: RecordDeskParts) {
    this.#recorder = recorder;
    this.#log = log;
    this.#witness = witness_for.length === 0 ? undefined : Witness.open(state_dir, witness_for, clock);
  }

  async keep(value: unknown, who: Approver): Promise<Result<KeepReport, AgentguardError>> {
    const request = readKeepRequest(value);
    if (!request.ok) return err(new AgentguardError("usage", request.error));
    try {
      return ok(await this.#recorder.keep(signed(request.value, who)));
    } catch (thrown) {
      return err(thrown instanceof AgentguardError ? thrown : new AgentguardError("io", errorMessage(thrown)));
    }
  }

  addCheckpoint(body: string): WitnessAnswer {
    if (this.#witness === undefined) {
      return { status: 404, type: "text/plain; charset=utf-8", body: "this guard is no witness\n" };
    }
    const answer = this.#witness.addCheckpoint(body);
    if (answer.status !== 200) this.#log.warn(`a checkpoint was not cosigned: ${answer.body.trim()}`);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#witness?.close();
  }
}

/** The entry says who asked. */
function signed(request: KeepRequest, who: Approver): KeepRequest {
  if (request.op === "prune") return request;
  return { ...request, reason: request.reason === undefined ? `by ${who.id}` : `${request.reason}, by ${who.id}` };
}

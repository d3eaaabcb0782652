/** Questions by their id: those that wait, and the last that were answered. */
import type { Held } from "./held.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import type { AnswerFacts } from "./view.ts";

/** A question is in here from its asking on, first among those that wait, then, for a while, among the answered. */
export class QuestionBook {
  readonly #waiting: Map<string, Held> = new Map();
  /** Oldest first. */
  readonly #answered: Map<string, Held> = new Map();

  /** Those that wait, oldest first. */
  get waiting(): ReadonlyMap<string, Held> {
    return this.#waiting;
  }

  /** The last `answered_max` that were answered, oldest first. */
  get answered(): ReadonlyMap<string, Held> {
    return this.#answered;
  }

  /** A question that waits, or one of the last that were answered. */
  find(approval_id: string): Held | undefined {
    return this.#waiting.get(approval_id) ?? this.#answered.get(approval_id);
  }

  /** Takes in one that waits from now on. */
  open(held: Held): void {
    this.#waiting.set(held.question.request.approval_id, held);
  }

  /** One that waited has its answer; its timer ends. */
  answer(held: Held, facts: AnswerFacts): void {
    const { approval_id } = held.question.request;
    this.forget(approval_id);
    held.answer = facts;
    this.#answered.set(approval_id, held);
    const oldest = this.#answered.keys().next().value;
    if (oldest !== undefined && this.#answered.size > APPROVAL_LIMITS.answered_max) this.#answered.delete(oldest);
  }

  /** One waits no more; its timer ends. */
  forget(approval_id: string): void {
    this.#waiting.get(approval_id)?.timer[Symbol.dispose]();
    this.#waiting.delete(approval_id);
  }
}

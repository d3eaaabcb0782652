/** The vocabulary of the escape suite: one way around the guard, and what must become of it. */
import type { BaselinePart, Entry, Mechanism, OutcomeLabel } from "../../../lib/core/mod.ts";

/** Where a case runs. */
export interface Place {
  /** Its own directory, absolute, without symbolic links; the program's working directory. */
  readonly dir: string;
  /** What the host can do, see `Expectation.needs`. */
  readonly host: ReadonlySet<string>;
  /** Path of a program of `test/escape/programs/` (without `.c`), linked statically. */
  program(name: string): string;
}

/** What is known after the run. */
export interface Seen {
  readonly place: Place;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status as a shell gives it: 128 + signal number after a signal. */
  readonly status: number;
  /** The whole record of the run. */
  readonly entries: readonly Entry[];
}

/** What must become of the attempt, where the host has what `needs` names. */
export interface Expectation {
  /** Ids of checks of `agentguard doctor` that must all be `ok`; absent: on every host. */
  readonly needs?: readonly string[];
  /** `none`: the kernel refuses the call before any rule is asked, and no rule of the case decides anything. */
  readonly label: OutcomeLabel | "none";
  readonly mechanism: Mechanism;
  /** `may`: this host makes no promise, and the label says so. Default: the effect must not have happened. */
  readonly effect?: "may";
  /** `may`: the guard finds out afterwards that what it let go was forbidden, and says so (`guard.mismatch`). */
  readonly alarm?: "may";
}

/** What a part of the baseline refuses before any rule is asked. */
export function refusedBy(part: BaselinePart, mechanism: Mechanism): Expectation {
  return { needs: [`baseline.${part}`], label: "none", mechanism };
}

/** One attempt. */
export interface EscapeCase {
  /** Lower case with dashes, unique: also the name of its rules. */
  readonly id: string;
  /** The escape class, for the table. */
  readonly escape: string;
  /** Bodies of `[[rules]]`, without name; `@DIR@` stands for the case's directory. */
  readonly rules: readonly string[];
  /** Makes what the attempt needs, before anything runs. */
  readonly prepare?: (place: Place) => Promise<void>;
  /** The guarded program and its arguments. */
  readonly command: (place: Place) => readonly string[];
  /** True if the attempt reached what it wanted. */
  readonly happened: (seen: Seen) => boolean | Promise<boolean>;
  /** The first one whose needs are met counts. */
  readonly expected: readonly Expectation[];
  /**
   * The case attacks a guard that only its own programs at security hooks protect: its commands give nothing up, and
   * what counts are refusals that no rule decided (`guard.tamper`). Left out on hosts without such hooks, which promise
   * nothing then.
   */
  readonly bare?: boolean;
  /**
   * The case needs a guard of its own: it attacks the guard, or sets `head` or `flags`. A name: with the cases of that
   * name alone, because of their `head`, or because the rules of others would change how it is refused.
   */
  readonly alone?: true | string;
  /** Lines before the rules of the policy, for example `[default]`; only with `alone`, the same for all of a name. */
  readonly head?: string;
  /** Arguments of the guard; only with `alone: true`. */
  readonly flags?: readonly string[];
}

/** A line of the table. */
export interface EscapeResult {
  readonly id: string;
  readonly escape: string;
  /** The label that the record shows; the weakest where there are several; `none` without a decision. */
  readonly label: OutcomeLabel | "none";
  readonly mechanism: Mechanism | "none";
  readonly effect: "none" | "happened";
  /** What is not as expected; empty for success. */
  readonly problems: readonly string[];
}

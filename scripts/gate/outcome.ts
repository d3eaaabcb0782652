/** What a part of the gate found, and how parts add up. */

/** A test that did not run. */
export interface Skip {
  readonly name: string;
  /** Why, as written beside the test; empty if nobody wrote it. */
  readonly reason: string;
}

/** The result of one part of the gate. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly Skip[];
  /** Shown when something failed. */
  readonly output: string;
}

/** Nothing ran. */
export const NOTHING: Outcome = { passed: 0, failed: 0, skips: [], output: "" };

/** A part that is one check. */
export function checked(success: boolean, output: string): Outcome {
  return { passed: success ? 1 : 0, failed: success ? 0 : 1, skips: [], output };
}

/** The sum of parts; outputs of failed parts follow each other. */
export function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((total, { passed }) => total + passed, 0),
    failed: outcomes.reduce((total, { failed }) => total + failed, 0),
    skips: outcomes.flatMap(({ skips }) => skips),
    output: outcomes.filter(({ failed }) => failed > 0).map(({ output }) => output).join("\n"),
  };
}

/** The last line of the gate. */
export function summaryLine({ passed, failed, skips }: Outcome): string {
  return `${passed} passed, ${failed} failed, ${skips.length} skipped`;
}

/** The gate's exit code: nothing that ran is no success. */
export function exitCode({ passed, failed }: Outcome): number {
  return failed === 0 && passed > 0 ? 0 : 1;
}

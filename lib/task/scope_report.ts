/** How the end of a scope is told. Private to this folder. */
import { AgentguardError, errorMessage } from "../core/mod.ts";

/** Names shown in one message. */
const NAMES_MAX = 20;

/** What went wrong in a scope and in the children that it closed. */
export interface ScopeReport {
  /** In the order in which they happened, those of children after the scope's own. */
  readonly failures: readonly unknown[];
  /** Paths of the tasks and resources that missed the deadline. */
  readonly missed: readonly string[];
  readonly deadline_ms: number;
}

/**
 * Throws the only failure as it is; of several, a `SuppressedError` whose `error` is the first and whose `suppressed`
 * holds the others in order. What missed the deadline is one failure with code `timeout`, the last.
 */
export function throwReport(path: string, report: ScopeReport): void {
  const failures = [...new Set(report.failures)];
  if (report.missed.length > 0) failures.push(missedError(path, report));
  if (failures.length === 0) return;
  let thrown = failures.at(-1);
  for (let i = failures.length - 2; i >= 0; i--) {
    const message = `close scope "${path}": ${errorMessage(failures[i])} (${failures.length - 1 - i} more failed)`;
    thrown = new SuppressedError(failures[i], thrown, message);
  }
  throw thrown;
}

function missedError(path: string, report: ScopeReport): AgentguardError {
  const { missed, deadline_ms } = report;
  const names = missed.slice(0, NAMES_MAX).join(", ");
  const more = missed.length > NAMES_MAX ? ` and ${missed.length - NAMES_MAX} more` : "";
  const message = `close scope "${path}": ${missed.length} missed the deadline of ${deadline_ms} ms: ${names}${more}`;
  return new AgentguardError("timeout", message);
}

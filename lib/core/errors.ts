/** The one exception type of the product, with a code that callers may match; messages are for people. */

/** Every code that an `AgentguardError` may carry. */
export type ErrorCode =
  | "invariant" // a condition that this program guarantees does not hold: a defect here
  | "usage" // wrong command line (exit 2)
  | "config" // a value of configuration is out of its bounds (exit 2)
  | "policy" // the policy cannot be used (exit 2)
  | "unsupported" // this host lacks the mechanism
  | "permission" // the mechanism exists, this process may not use it
  | "io" // a file, socket or device failed
  | "busy" // somebody else holds the resource
  | "closed" // used after its scope ended
  | "cancelled" // aborted by its signal
  | "timeout" // deadline passed
  | "overflow" // a bound was reached and the caller chose to be told
  | "tamper" // the record does not verify
  | "not_found";

/** An error with a stable `code`, an action-first message without a final period, and its cause. */
export class AgentguardError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "AgentguardError";
    this.code = code;
  }
}

/** Throws `invariant` when the condition is false. Stays on in release builds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AgentguardError("invariant", message);
}

/** Ends a `switch` over a union: a new member becomes a compile error at each place that must know it. */
export function assertNever(value: never): never {
  throw new AgentguardError("invariant", `reach unreachable case: ${JSON.stringify(value)}`);
}

/** The message of any thrown value, for a log line. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

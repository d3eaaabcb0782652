/** Failure as ordinary data: for decode, parse, verify and feature probes. Broken invariants throw instead. */

/** The success arm. */
export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

/** The failure arm. */
export interface Err<E> {
  readonly ok: false;
  readonly error: E;
}

/** Either a value or an error, told apart by `ok`. */
export type Result<T, E> = Ok<T> | Err<E>;

/** Wraps a value. */
export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

/** Wraps an error. */
export function err<E>(error: E): Err<E> {
  return { ok: false, error };
}

/** Takes the value out; throws the error (as `cause`) where the caller knows that it cannot fail. */
export function unwrap<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  throw new Error(`unwrap result: ${describe(result.error)}`, { cause: result.error });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error);
}

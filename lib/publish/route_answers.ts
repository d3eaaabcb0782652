/** What all routes answer with: results, errors, and who asks. */
import type { Context } from "hono";
import type { AgentguardError, ErrorCode, Result } from "../core/mod.ts";
import type { ApiErrorBody, Peer } from "./types.ts";

/** What every handler finds in its context. */
export interface ApiEnv {
  readonly Bindings: { readonly peer: Peer };
}

/** The context of a handler. */
export type ApiContext = Context<ApiEnv>;

/** Statuses of errors. */
export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 414 | 500 | 501 | 503 | 504;

/** A value, or the error of its code. */
export function answer<T extends object>(context: ApiContext, result: Result<T, AgentguardError>): Response {
  if (result.ok) return context.json(result.value);
  return fail(context, statusOf(result.error.code), { code: result.error.code, message: result.error.message });
}

/** An error. */
export function fail(context: ApiContext, status: ErrorStatus, error: ApiErrorBody["error"]): Response {
  const body: ApiErrorBody = { error };
  return context.json(body, status);
}

/** Refuses every query; `undefined` where there is none. */
export function withoutQuery(context: ApiContext): Response | undefined {
  for (const name of Object.keys(context.req.query())) {
    const message = `remove the parameter ${JSON.stringify(name.slice(0, 64))}: this path takes none`;
    return fail(context, 400, { code: "usage", message });
  }
  return undefined;
}

function statusOf(code: ErrorCode): ErrorStatus {
  const statuses: Partial<Record<ErrorCode, ErrorStatus>> = {
    not_found: 404,
    usage: 400,
    config: 400,
    policy: 400,
    permission: 403,
    busy: 409,
    unsupported: 501,
    timeout: 504,
    closed: 503,
    overflow: 503,
  };
  return statuses[code] ?? 500;
}

/** What passes between a pool and a worker thread. Private to this folder. */
import { AgentguardError, type ErrorCode, errorMessage } from "../core/mod.ts";

/** To the worker: a job with its number, or the end of the wish for it. */
export type WorkerRequest =
  | { readonly kind: "run"; readonly id: number; readonly job: unknown }
  | { readonly kind: "cancel"; readonly id: number };

/** From the worker: one for each `run`. */
export type WorkerResponse =
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** A table, so that a new code of `ErrorCode` does not compile until it can cross. */
const CODES: Readonly<Record<ErrorCode, true>> = {
  invariant: true,
  usage: true,
  config: true,
  policy: true,
  unsupported: true,
  permission: true,
  io: true,
  busy: true,
  closed: true,
  cancelled: true,
  timeout: true,
  overflow: true,
  tamper: true,
  not_found: true,
};

/** An error in the form that crosses; one without a code is an unexpected exception and becomes `invariant`. */
export function errorResponse(id: number, error: unknown): WorkerResponse {
  const code = error instanceof AgentguardError ? error.code : "invariant";
  return { kind: "error", id, code, message: errorMessage(error) };
}

/** Reads a message to the worker; `undefined` if it is none. */
export function parseRequest(data: unknown): WorkerRequest | undefined {
  if (!isRecord(data)) return undefined;
  const { kind, id, job } = data;
  if (!isId(id)) return undefined;
  if (kind === "run") return { kind, id, job };
  return kind === "cancel" ? { kind, id } : undefined;
}

/** Reads a message from the worker; `undefined` if it is none. */
export function parseResponse(data: unknown): WorkerResponse | undefined {
  if (!isRecord(data)) return undefined;
  const { kind, id, value, code, message } = data;
  if (!isId(id)) return undefined;
  if (kind === "result") return { kind, id, value };
  if (kind !== "error" || !isErrorCode(code) || typeof message !== "string") return undefined;
  return { kind, id, code, message };
}

function isRecord(
  data: unknown,
): data is Readonly<Record<"kind" | "id" | "job" | "value" | "code" | "message", unknown>> {
  return typeof data === "object" && data !== null;
}

function isId(id: unknown): id is number {
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(CODES, code);
}

/** Checks of what came over the control socket: the guard may be of another version than this client. */
import { type ApprovalEvent, type ApprovalView, type Entry, type GrantView, isUlid } from "../core/mod.ts";
import type { KeepReport } from "../record/mod.ts";
import type { ApiErrorBody, GuardStatus, Lag, SessionView } from "../publish/mod.ts";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, unknown>>;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number";
const flag: Check = (value) => typeof value === "boolean";

function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

function list(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function map(check: Check): Check {
  return (value) => isFields(value) && Object.values(value).every(check);
}

/** An object that has at least these fields. */
function fields(checks: Readonly<Record<string, Check>>): Check {
  return (value) => isFields(value) && Object.entries(checks).every(([name, check]) => check(value[name]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const checkScalar: Check = (value) => value === null || text(value) || number(value) || flag(value);

const checkStatus = fields({
  version: text,
  pid: number,
  mode: text,
  ready: flag,
  started: text,
  uptime_ms: number,
  sessions: fields({ running: number, paused: number, ended: number }),
  layers: list(fields({ name: text, state: text, detail: text })),
  policy: fields({
    ref: fields({ name: text, digest: text, generation: number }),
    files: list(text),
    rules: number,
    weaker: optional(list(text)),
  }),
  queues: list(fields({ name: text, length: number, capacity: optional(number), unit: text })),
  losses: list(fields({ source: text, type: text, count: number })),
  counters: map(number),
  config: map(fields({ value: checkScalar, origin: text, from: text })),
});

const checkSession = fields({
  session_id: (value) => typeof value === "string" && isUlid(value),
  agent: text,
  principal: text,
  state: text,
  root: fields({ pid: number, start: text }),
  cgroup: optional(text),
  started: text,
  ended: optional(text),
  exit_code: optional(number),
  signal: optional(number),
  processes: number,
  counters: map(number),
});

const checkAction = (value: unknown): boolean => isFields(value) && text(value["type"]);

const checkEntry = fields({
  seq: number,
  entry_id: text,
  boot_id: text,
  time: text,
  kind: text,
  prev: text,
  process: optional(fields({ pid: number, start: text })),
  action: optional(checkAction),
  decision: optional(fields({ decision_id: text, verdict: text, reason: text, mode: text })),
  outcome: optional(fields({ decision_id: text, label: text, mechanism: text })),
  gap: optional(fields({ source: text, type: text, count: number })),
});

const checkVote = fields({ by: text, verified: text, verdict: text, time: text });

const checkApproval = fields({
  approval_id: text,
  decision_id: text,
  action: checkAction,
  session: optional(fields({ session_id: text, agent: text, principal: text })),
  process: optional(fields({ pid: number, start: text })),
  digest: text,
  policy: fields({ name: text, digest: text, generation: number }),
  rule: optional(text),
  reason: text,
  risk: optional(number),
  held_by: text,
  state: text,
  asked: text,
  expires: text,
  left_ms: number,
  quorum: number,
  votes: list(checkVote),
  code_needed: flag,
  match_hint: optional(text),
  answer: optional(
    fields({ verdict: text, by: text, reason: text, time: text, held_ms: number, grant_id: optional(text) }),
  ),
});

const checkGrant = fields({
  grant_id: text,
  approval_id: text,
  principal: text,
  session_id: optional(text),
  covers: text,
  by: list(text),
  created: text,
  expires: optional(text),
  uses: number,
});

const checkKeepReport = fields({
  entries: number,
  bytes: number,
  held_back: number,
  statements: list(number),
  traces: flag,
});

const checkError = fields({ error: fields({ code: text, message: text }) });

/** True for an answer of `GET /v1/status`. */
export function isGuardStatus(value: unknown): value is GuardStatus {
  return checkStatus(value);
}

/** True for one session. */
export function isSessionView(value: unknown): value is SessionView {
  return checkSession(value);
}

/** True for an entry with the fields that every reader needs; the fields of its action are not checked. */
export function isEntry(value: unknown): value is Entry {
  return checkEntry(value);
}

/** True for the line that tells a slow reader what it missed. */
export function isLag(value: unknown): value is Lag {
  return isFields(value) && number(value["lagged"]);
}

/** True for one question. */
export function isApprovalView(value: unknown): value is ApprovalView {
  return checkApproval(value);
}

/** True for an answer of `GET /v1/approvals`. */
export function isApprovalList(value: unknown): value is { readonly approvals: readonly ApprovalView[] } {
  return fields({ approvals: list(checkApproval) })(value);
}

/** True for a line of the stream of questions. */
export function isApprovalEvent(value: unknown): value is ApprovalEvent {
  return fields({ event: text, approval: checkApproval })(value);
}

/** True for one standing grant. */
export function isGrantView(value: unknown): value is GrantView {
  return checkGrant(value);
}

/** True for an answer of `GET /v1/grants`. */
export function isGrantList(value: unknown): value is { readonly grants: readonly GrantView[] } {
  return fields({ grants: list(checkGrant) })(value);
}

/** True for the body of every error. */
export function isApiErrorBody(value: unknown): value is ApiErrorBody {
  return checkError(value);
}

/** True for what was pruned, erased or held. */
export function isKeepReport(value: unknown): value is KeepReport {
  return checkKeepReport(value);
}

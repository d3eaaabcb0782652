/** Reading a request to the keeper that came from another process. */
import { err, type HoldTerms, isUlid, ok, type Result, type SessionId } from "../core/mod.ts";
import type { KeepRequest, KeepSettings } from "./keep_types.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Longest text of a request: a reason, a name. */
const TEXT_CHARS_MAX = 1_024;

/** The request, or what is wrong with it. Unknown members are refused: a misspelt bound must not widen anything. */
export function readKeepRequest(value: unknown): Result<KeepRequest, string> {
  if (!isFields(value)) return err("send one JSON object");
  const { op, ...rest } = value;
  switch (op) {
    case "prune":
      return readPrune(rest);
    case "erase":
      return readErase(rest);
    case "hold.add":
      return readAdd(rest);
    case "hold.release": {
      const { name, reason, ...other } = rest;
      if (!isEmpty(other)) return unknown(other);
      if (!isText(name) || !isOptionalText(reason)) return err("give name and reason as texts");
      return ok({ op, name, reason });
    }
    default:
      return err("use one of prune, erase, hold.add, hold.release as op");
  }
}

function readPrune(fields: Fields): Result<KeepRequest, string> {
  const { keep_ms, max_bytes, keep_sessions, dry_run, ...other } = fields;
  if (!isEmpty(other)) return unknown(other);
  const settings: KeepSettings | undefined = isCount(keep_ms) && isCount(max_bytes) && isCount(keep_sessions)
    ? { keep_ms, max_bytes, keep_sessions }
    : undefined;
  if (settings === undefined) return err("give keep_ms, max_bytes and keep_sessions as whole numbers from 1");
  if (Object.values(settings).every((bound) => bound === undefined)) return err("give at least one bound");
  return ok({ op: "prune", ...settings, dry_run: dry_run === true });
}

function readErase(fields: Fields): Result<KeepRequest, string> {
  const { terms, reason, dry_run, ...other } = fields;
  if (!isEmpty(other)) return unknown(other);
  const read = readTerms(terms);
  if (!read.ok) return read;
  if (read.value.session_id === undefined && read.value.principal === undefined) {
    return err("give the session or the principal whose entries are to go");
  }
  if (!isOptionalText(reason)) return err("give the reason as a text");
  return ok({ op: "erase", terms: read.value, reason, dry_run: dry_run === true });
}

function readAdd(fields: Fields): Result<KeepRequest, string> {
  const { terms, reason, ...other } = fields;
  if (!isEmpty(other)) return unknown(other);
  if (!isFields(terms)) return err("give the terms of the hold");
  const { name, ...conditions } = terms;
  const read = readTerms(conditions);
  if (!read.ok) return read;
  if (!isText(name) || !isOptionalText(reason)) return err("give name and reason as texts");
  return ok({ op: "hold.add", terms: { name, ...read.value }, reason });
}

function readTerms(value: unknown): Result<Omit<HoldTerms, "name">, string> {
  if (!isFields(value)) return err("give the terms as an object");
  const { session_id, principal, since, until, ...other } = value;
  if (!isEmpty(other)) return unknown(other);
  if (session_id !== undefined && !isSession(session_id)) return err("give session_id as an id of 26 characters");
  if (!isOptionalText(principal) || !isOptionalText(since) || !isOptionalText(until)) {
    return err("give principal, since and until as texts");
  }
  return ok({
    ...(session_id === undefined ? undefined : { session_id }),
    ...(principal === undefined ? undefined : { principal }),
    ...(since === undefined ? undefined : { since }),
    ...(until === undefined ? undefined : { until }),
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(fields: Fields): boolean {
  return Object.keys(fields).length === 0;
}

function unknown(fields: Fields): Result<never, string> {
  return err(`remove the unknown member ${JSON.stringify(Object.keys(fields)[0]?.slice(0, 64))}`);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= TEXT_CHARS_MAX;
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

function isCount(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= 1);
}

function isSession(value: unknown): value is SessionId {
  return typeof value === "string" && isUlid(value);
}

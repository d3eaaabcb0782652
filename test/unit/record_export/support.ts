/** Entries that the tests of export share. */
import {
  type Action,
  canonicalJson,
  type Decision,
  type DecisionId,
  type Entry,
  type EntryId,
  type SessionId,
} from "../../../lib/core/mod.ts";
import { exportLines, type ExportOptions } from "../../../lib/record/export/mod.ts";
import type { StoredEntry } from "../../../lib/record/mod.ts";

export const ENTRY_ID = "01JABCDEFGHJKMNPQRSTVWXYZ2" as EntryId;
export const DECISION_ID = "01JABCDEFGHJKMNPQRSTVWXYZ3" as DecisionId;
export const SESSION_ID = "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId;

export const DENIED: Decision = {
  decision_id: DECISION_ID,
  verdict: "deny",
  rule: "no-net",
  reason: "rule no-net",
  mode: "enforce",
  policy: { name: "p", digest: "d1", generation: 2 },
};

export function entry(more: Partial<Entry> = {}): Entry {
  return {
    seq: 7,
    entry_id: ENTRY_ID,
    boot_id: "b",
    time: "2026-01-02T03:04:05.678901Z",
    kind: "observation",
    session_id: SESSION_ID,
    principal: "ops",
    process: { pid: 42, start: "99", ppid: 1, uid: 1000, exe: "/usr/bin/bash" },
    prev: "0".repeat(64),
    ...more,
  };
}

/** An action of a type that this version does not know. */
export function unknownAction(type: string, more: object = {}): Action {
  return { type, ...more } as unknown as Action;
}

export function stored(...entries: readonly Entry[]): readonly StoredEntry[] {
  return entries.map((one) => ({ seq: one.seq, line: canonicalJson(one) }));
}

/** Lines in a format. */
export function lines(
  options: Pick<ExportOptions, "format"> & Partial<ExportOptions>,
  ...entries: readonly Entry[]
): readonly string[] {
  return [...exportLines(stored(...entries), { product_version: "1.2.3", host: "h1", ...options })];
}

/** The one line of one entry, as JSON. */
export function json(
  options: Pick<ExportOptions, "format"> & Partial<ExportOptions>,
  ...entries: readonly Entry[]
): unknown {
  return JSON.parse(lines(options, ...entries).at(-1) ?? "");
}

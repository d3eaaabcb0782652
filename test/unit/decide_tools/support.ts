/** Recordings made of actions, and policies, for the tests of the tools. */
import type { Action, Decision, Entry, EntryId, ProcessInfo, SessionId } from "../../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../../lib/decide/mod.ts";

export const SESSION: SessionId = "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId;
export const PROCESS: ProcessInfo = { pid: 7, start: "7", uid: 1000, exe: "/usr/bin/node", cwd: "/w" };

/** The snapshot of a text. */
export function policyOf(text: string, file = "p.toml"): PolicySnapshot {
  const loaded = loadPolicy([{ file, bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (loaded.ok) return loaded.value;
  throw new Error(`${loaded.error.map((finding) => formatDiagnostic(finding)).join("\n")}\n${text}`);
}

/** What an entry may have beside its action. */
export interface EntryParts {
  readonly process?: ProcessInfo;
  readonly decision?: Partial<Decision>;
  readonly kind?: Entry["kind"];
}

/** One entry with a number; its id ends with it. */
export function entryOf(action: Action, seq: number, parts: EntryParts = {}): Entry {
  return {
    seq,
    entry_id: `01JABCDEFGHJKMNPQRST${String(seq).padStart(6, "0")}` as EntryId,
    boot_id: "b",
    time: "2026-01-02T03:04:05.678901Z",
    kind: parts.kind ?? (parts.decision === undefined ? "observation" : "decision"),
    session_id: SESSION,
    principal: "uid-1000",
    process: parts.process ?? PROCESS,
    action,
    prev: "0".repeat(64),
    ...(parts.decision === undefined ? {} : {
      decision: {
        decision_id: "01JABCDEFGHJKMNPQRSTVWXYZ9" as Decision["decision_id"],
        verdict: "allow",
        reason: "",
        mode: "enforce",
        policy: { name: "p", digest: "d", generation: 1 },
        ...parts.decision,
      },
    }),
  };
}

/** Entries of these actions, numbered from 1. */
export function recording(...actions: readonly (Action | readonly [Action, EntryParts])[]): readonly Entry[] {
  return actions.map((each, i) => isPair(each) ? entryOf(each[0], i + 1, each[1]) : entryOf(each, i + 1));
}

function isPair(each: Action | readonly [Action, EntryParts]): each is readonly [Action, EntryParts] {
  return Array.isArray(each);
}

export function read(path: string, more: object = {}): Action {
  return { type: "file.read", path, result: "0", ...more };
}

export function create(path: string, more: object = {}): Action {
  return { type: "file.create", path, result: "0", ...more };
}

export function exec(path: string, ...args: readonly string[]): Action {
  return { type: "exec", path, argv: [path, ...args] };
}

export function connect(address: string, port: number): Action {
  return { type: "net.connect", protocol: "tcp", address, port };
}

import { expect, test } from "bun:test";
import type { Decision, DecisionId, EntryDraft, SessionId } from "../../../lib/core/mod.ts";
import { TallySink } from "../../../lib/app/tally_sink.ts";

const SESSION = "01HZZZZZZZZZZZZZZZZZZZZZZZ" as SessionId;
const OTHER = "01HZZZZZZZZZZZZZZZZZZZZZZY" as SessionId;

function decision(verdict: Decision["verdict"], would?: Decision["verdict"]): Decision {
  const policy = { name: "p", digest: "0".repeat(64), generation: 1 };
  return {
    decision_id: "01HZZZZZZZZZZZZZZZZZZZZZZX" as DecisionId,
    verdict,
    reason: "because",
    mode: "enforce",
    policy,
    ...(would === undefined ? {} : { would }),
  };
}

function sinkOf(): { readonly sink: TallySink; readonly seen: EntryDraft[] } {
  const seen: EntryDraft[] = [];
  const sink = new TallySink({
    append: (draft) => void seen.push(draft),
    pending: () => seen.length,
    flush: async () => {},
    durable: async () => {},
  });
  return { sink, seen };
}

const READ = { type: "file.read", path: "/a", result: "0" } as const;

test("each session has its own counts, and taking them starts anew", () => {
  const { sink, seen } = sinkOf();
  const drafts: EntryDraft[] = [
    { time_us: 1, kind: "session", session_id: SESSION, action: { type: "session.start", agent: "a" } },
    { time_us: 1, kind: "observation", session_id: SESSION, action: READ, decision: decision("allow") },
    { time_us: 1, kind: "observation", session_id: SESSION, action: { ...READ, count: 41 } },
    { time_us: 1, kind: "decision", session_id: SESSION, action: READ, decision: decision("deny") },
    { time_us: 1, kind: "outcome", session_id: SESSION, action: READ },
    { time_us: 1, kind: "decision", session_id: SESSION, action: READ, decision: decision("allow", "deny") },
    { time_us: 1, kind: "decision", session_id: OTHER, action: READ, decision: decision("ask") },
    { time_us: 1, kind: "gap", session_id: OTHER, gap: { source: "telemetry", type: "record", count: 7 } },
    { time_us: 1, kind: "gap", gap: { source: "telemetry", type: "record", count: 9 } },
  ];
  for (const draft of drafts) sink.append(draft);
  expect(seen).toEqual(drafts);
  expect(sink.take()).toEqual([
    { session_id: SESSION, tally: { actions: 44, denied: 1, asked: 0, would_deny: 1, lost: 0 } },
    { session_id: OTHER, tally: { actions: 1, denied: 0, asked: 1, would_deny: 0, lost: 7 } },
  ]);
  expect(sink.take()).toEqual([]);
});

test("an entry that the sink refuses is not counted", () => {
  const sink = new TallySink({
    append: () => {
      throw new Error("closed");
    },
    pending: () => 0,
    flush: async () => {},
    durable: async () => {},
  });
  expect(() => sink.append({ time_us: 1, kind: "observation", session_id: SESSION, action: READ })).toThrow("closed");
  expect(sink.take()).toEqual([]);
});

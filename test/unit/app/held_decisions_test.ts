/** What the record says of held calls that were let go, by what came of it. */
import { expect, test } from "bun:test";
import { HeldDecisions } from "../../../lib/app/held_decisions.ts";
import type { HeldWork, Released } from "../../../lib/app/held_work.ts";
import {
  type ApprovalRequest,
  type EntryDraft,
  type Event,
  IdGenerator,
  type Ruling,
  type SessionId,
  systemClock,
} from "../../../lib/core/mod.ts";
import { BUILTIN_POLICY, loadPolicy } from "../../../lib/decide/mod.ts";
import { openShim, SystemCalls } from "../../../ffi/mod.ts";

const EVENT: Event = {
  time_us: 1,
  session: {
    session_id: "01J00000000000000000000000" as SessionId,
    agent: "a",
    principal: "p",
    root: { pid: 1, start: "1" },
  },
  action: { type: "file.truncate", path: "/f" },
};

/** Has a call decided, let go with this end, and gives the kinds, results and outcomes of its entries. */
async function entriesOf(verdict: Ruling["verdict"], released: Released): Promise<readonly object[]> {
  const entries: EntryDraft[] = [];
  const asked: ApprovalRequest[] = [];
  const policy = loadPolicy([BUILTIN_POLICY], { generation: 1 });
  if (!policy.ok) throw new Error("the built-in policy");
  const decisions = new HeldDecisions({
    system: new SystemCalls(openShim()),
    clock: systemClock,
    ids: new IdGenerator(systemClock),
    sink: {
      append: (draft) => void entries.push(draft),
      pending: () => 0,
      flush: () => Promise.resolve(),
      durable: () => Promise.resolve(),
    },
    policy: () => policy.value,
    decide: () => ({ ruling: { verdict, rule_index: -1, reason: "so", mode: "enforce" } }),
    ask: (request) => void asked.push(request),
    withdraw: () => {},
    count: () => {},
    watch: () => {},
    unwatch: () => {},
    ledgerOf: () => undefined,
  });
  const work: HeldWork = {
    listener: 5,
    mechanism: "seccomp",
    call: { tgid: process.pid },
    event: EVENT,
    release: () => released,
    waits: () => true,
    refuse: () => true,
  };
  decisions.submit(work);
  for (const { approval_id } of asked) {
    await decisions.answer({ approval_id, verdict: "allow", by: "uid:0", reason: "", held_ms: 1 });
  }
  return entries.map(({ kind, action, outcome }) => ({
    kind,
    ...(action !== undefined && "result" in action ? { result: action.result } : {}),
    ...(outcome === undefined ? {} : { label: outcome.label, error: outcome.error }),
  }));
}

test.each<[string, Released, readonly object[]]>([
  ["has its own record", { kind: "released" }, []],
  ["was not done", { kind: "gone" }, []],
  ["comes back by itself", { kind: "later" }, []],
  ["was done and has no record that says so", { kind: "left" }, [{ kind: "observation", result: "0" }]],
  ["could not be let go", { kind: "unsafe", reason: "so" }, [
    { kind: "decision" },
    { kind: "outcome", result: "EPERM", label: "prevented" },
  ]],
])("a call that the policy allows and that %s", async (_name, released, expected) => {
  expect(await entriesOf("allow", released)).toEqual([...expected]);
});

test.each<[string, Released, object]>([
  ["has its own record", { kind: "released" }, { label: "held" }],
  ["was not done", { kind: "gone" }, { label: "prevented", error: "the caller had gone", result: "EPERM" }],
  ["was done", { kind: "left" }, { label: "held", error: "done; the caller has no result that says so" }],
])("a call that somebody allowed and that %s", async (_name, released, expected) => {
  expect(await entriesOf("ask", released)).toEqual([{ kind: "decision" }, { kind: "outcome", ...expected }]);
});

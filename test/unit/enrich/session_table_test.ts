import { expect, test } from "bun:test";
import { IdGenerator, LIMITS, type SessionInfo } from "../../../lib/core/mod.ts";
import { SessionTable } from "../../../lib/enrich/mod.ts";
import { FakeClock } from "./observed.ts";

const ids = new IdGenerator(new FakeClock());

function session(agent: string): SessionInfo {
  return { session_id: ids.session(), agent, root: { pid: 1, start: "1" }, principal: "alice" };
}

test("a session is found by its scope until it is removed; scope 0 is nobody's", () => {
  const table = new SessionTable();
  table.put(3, session("claude"));
  expect(table.get(3)?.agent).toBe("claude");
  expect(table.get(0)).toBeUndefined();
  table.remove(3);
  expect(table.get(3)).toBeUndefined();
});

test("the bound refuses one more, but not a change of one that is there, and a removal makes room", () => {
  const table = new SessionTable();
  for (let scope = 1; scope <= LIMITS.sessions_max; scope++) table.put(scope, session("a"));
  expect(() => table.put(LIMITS.sessions_max + 1, session("b"))).toThrow(`${LIMITS.sessions_max} sessions are open`);
  table.put(1, session("changed"));
  expect(table.get(1)?.agent).toBe("changed");
  table.remove(2);
  table.put(LIMITS.sessions_max + 1, session("b"));
  expect(table.get(LIMITS.sessions_max + 1)?.agent).toBe("b");
});

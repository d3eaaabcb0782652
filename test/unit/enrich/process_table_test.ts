import { describe, expect, test } from "bun:test";
import { type KnownProcess, ProcessTable, shownProcess } from "../../../lib/enrich/mod.ts";

function known(pid: number, start = 1, scope = 1): KnownProcess {
  const info = { pid, start: String(start), exe: `/bin/p${pid}`, argv: ["p"], cwd: "/" };
  return { info, shown: shownProcess(info), scope, start_low: start, start_high: 0 };
}

describe("identity", () => {
  test("a process is found by pid and start, never by pid alone", () => {
    const table = new ProcessTable();
    table.put(known(7, 1));
    expect(table.find(7, 1, 0)?.info.exe).toBe("/bin/p7");
    expect(table.find(7, 2, 0)).toBeUndefined();
    expect(table.find(7, 1, 1)).toBeUndefined();
    expect(table.find(8, 1, 0)).toBeUndefined();
  });

  test("a reused pid replaces the older process; the end of the older one does not remove it", () => {
    const table = new ProcessTable();
    const old = known(7, 1);
    table.put(old);
    const reused = known(7, 2);
    table.put(reused);
    table.remove(old);
    expect(table.byPid(7)).toBe(reused);
    table.remove(reused);
    expect(table.byPid(7)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  test("the short form lacks argv and cwd only", () => {
    expect(known(7).shown).toEqual({ pid: 7, start: "1", exe: "/bin/p7" });
  });
});

describe("bound", () => {
  test("the one changed longest ago goes first, and is counted", () => {
    const table = new ProcessTable(3);
    for (const pid of [1, 2, 3]) table.put(known(pid));
    table.put(known(1)); // 2 is the oldest now
    table.put(known(4));
    expect([1, 2, 3, 4].filter((pid) => table.byPid(pid) !== undefined)).toEqual([1, 3, 4]);
    expect([table.size, table.evicted]).toEqual([3, 1]);
  });
});

describe("scopes", () => {
  test("processes and their number, through replacement, moves, ends and eviction", () => {
    const table = new ProcessTable(3);
    table.put(known(1, 1, 5));
    table.put(known(2, 1, 5));
    table.put(known(3, 1, 6));
    expect([table.countOf(5), table.countOf(6), table.countOf(7)]).toEqual([2, 1, 0]);
    expect(table.ofScope(5).map((each) => each.info.pid)).toEqual([1, 2]);
    table.put(known(2, 2, 6));
    expect([table.countOf(5), table.countOf(6)]).toEqual([1, 2]);
    table.put(known(4, 1, 5)); // evicts 1
    expect([table.countOf(5), table.countOf(6)]).toEqual([1, 2]);
    const last = table.byPid(4);
    if (last !== undefined) table.remove(last);
    if (last !== undefined) table.remove(last);
    expect([table.countOf(5), table.ofScope(5)]).toEqual([0, []]);
  });
});

/** The process table against a list that is searched. */
import { expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { type KnownProcess, ProcessTable, shownProcess } from "../../lib/enrich/mod.ts";
import { runParameters } from "./task_support.ts";

/** On a busy machine this takes longer than the default of five seconds. */
setDefaultTimeout(60_000);

const MAX = 6;
const step = fc.record({
  what: fc.constantFrom("put", "put", "remove"),
  pid: fc.integer({ min: 1, max: 10 }),
  start: fc.integer({ min: 1, max: 3 }),
  scope: fc.nat(2),
});

test("holds the last process of each pid, at most so many, and counts them by scope", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const table = new ProcessTable(MAX);
      let model: KnownProcess[] = [];
      let evicted = 0;
      for (const { what, pid, start, scope } of steps) {
        if (what === "remove") {
          const found = model.find((each) => each.info.pid === pid && each.start_low === start);
          model = model.filter((each) => each !== found);
          const known = table.find(pid, start, 0);
          expect(known).toBe(found);
          if (known !== undefined) table.remove(known);
        } else {
          const info = { pid, start: String(start) };
          const made: KnownProcess = { info, shown: shownProcess(info), scope, start_low: start, start_high: 0 };
          model = [...model.filter((each) => each.info.pid !== pid), made];
          if (model.length > MAX) {
            model = model.slice(1);
            evicted++;
          }
          table.put(made);
        }
        expect(table.size).toBe(model.length);
        expect(table.evicted).toBe(evicted);
        for (let each = 0; each <= 2; each++) {
          const members = model.filter((one) => one.scope === each);
          expect(table.countOf(each)).toBe(members.length);
          expect(table.ofScope(each)).toEqual(members);
        }
      }
      for (let pid = 1; pid <= 10; pid++) expect(table.byPid(pid)).toBe(model.find((each) => each.info.pid === pid));
    }),
    runParameters(),
  );
});

/** What a running command cannot get back, by the plans of two policies. */
import { expect, test } from "bun:test";
import type { PlannedBaseline } from "../../../lib/act/mod.ts";
import { keptDetails } from "../../../lib/app/kept_baseline.ts";

function plan(more: Partial<PlannedBaseline>): PlannedBaseline {
  return { parts: [], capabilities: 0n, places: [], masks: [], left: [], allowed: {}, derived: [], ...more };
}

function masks(...paths: readonly string[]): PlannedBaseline["masks"] {
  return paths.map((path) => ({ path, tree: path.endsWith("keys"), rule: "r", rule_index: 0 }));
}

test("the same plan, and a stricter one, keep nothing that is missed", () => {
  const begun = plan({ masks: masks("/a", "/keys"), allowed: { write_trees: ["/w"], connect_ports: [443] } });
  expect(keptDetails(begun, begun)).toEqual([]);
  const stricter = plan({ masks: masks("/a", "/keys", "/b"), allowed: { write_trees: ["/w/x"], connect_ports: [] } });
  expect(keptDetails(begun, stricter)).toEqual([]);
  expect(keptDetails(plan({ masks: masks("/keys/id") }), plan({ masks: masks("/keys") }))).toEqual([]);
});

test("masks that a later policy would lift, lists that it would widen", () => {
  const begun = plan({
    masks: masks("/a", "/b"),
    allowed: { write_trees: ["/w"], connect_ports: [443], bind_ports: [] },
  });
  const later = plan({ masks: masks("/b"), allowed: { write_trees: ["/w", "/x"], connect_ports: [443, 80] } });
  expect(keptDetails(begun, later)).toEqual([
    "the policy allows more than the command can get back: masked: /a; files change only below: /w; " +
    "TCP connections only to ports: 443; TCP servers only at ports: none; start it anew for that",
  ]);
  expect(keptDetails(plan({ masks: masks("/a") }), undefined)[0]).toContain("masked: /a");
});

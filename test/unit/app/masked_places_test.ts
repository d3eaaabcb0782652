/** Failed calls that a mask explains. */
import { expect, test } from "bun:test";
import { MaskedPlaces } from "../../../lib/app/masked_places.ts";
import type { Action, DecisionId, Event } from "../../../lib/core/mod.ts";

const LINKS: Readonly<Record<string, string>> = { "/tmp/link": "/home/u/.ssh/id", "/tmp/plain": "/tmp/other" };
const PLACES = new MaskedPlaces(
  [
    { path: "/home/u/.ssh", tree: true, rule: "keys", rule_index: 4 },
    { path: "/run/engine.sock", tree: false, rule: "doors", rule_index: 5 },
  ],
  7,
  (path) => LINKS[path],
);

function explained(action: Action, more: Partial<Event> = {}): Event {
  return PLACES.explain({ time_us: 0, action, ...more });
}

test("a closed file below a masked directory, by its name and by a link", () => {
  const kernel = { verdict: "deny", rule_index: 4, generation: 7, effect: "refused", mechanism: "mounts" };
  expect(explained({ type: "file.read", path: "/home/u/.ssh/id", result: "EACCES" }).kernel).toMatchObject(kernel);
  const event = explained({ type: "file.read", path: "/tmp/link", result: "EACCES" });
  expect(event.kernel).toMatchObject(kernel);
  expect(event.action).toEqual({
    type: "file.read",
    path: "/home/u/.ssh/id",
    requested_path: "/tmp/link",
    result: "EACCES",
  });
});

test("a socket that does not answer", () => {
  expect(explained({ type: "unix.connect", path: "/run/engine.sock", result: "ECONNREFUSED" }).kernel).toMatchObject({
    rule_index: 5,
    mechanism: "mounts",
  });
});

test.each<[Action]>([
  [{ type: "file.read", path: "/home/u/.ssh/id", result: "0" }],
  [{ type: "file.read", path: "/home/u/.ssh/id", result: "ENOENT" }],
  [{ type: "file.read", path: "/home/u/.sshd", result: "EACCES" }],
  [{ type: "file.read", path: "/tmp/plain", result: "EACCES" }],
  [{ type: "file.read", path: "/proc/self/cwd/x", result: "EACCES" }],
  [{ type: "file.read", path: "relative", result: "EACCES" }],
  [{ type: "unix.connect", path: "/run/engine.sock", result: "EACCES" }],
  [{ type: "file.delete", path: "/run/engine.sock", result: "EACCES" }],
])("no mask explains %j", (action) => {
  expect(explained(action).kernel).toBeUndefined();
});

test("what was decided otherwise stays so", () => {
  const action: Action = { type: "file.read", path: "/home/u/.ssh/id", result: "EACCES" };
  expect(explained(action, { decided: "01J" as DecisionId }).kernel).toBeUndefined();
  const kernel = { verdict: "deny", rule_index: 1, generation: 1, effect: "refused", mechanism: "lsm" } as const;
  expect(explained(action, { kernel }).kernel).toBe(kernel);
});

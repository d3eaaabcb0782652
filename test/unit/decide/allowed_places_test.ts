/** The most that a policy allows which refuses by default: never less than its rules let pass. */
import { expect, test } from "bun:test";
import { type AllowedPlaces, allowedPlaces } from "../../../lib/decide/mod.ts";
import { load, rule } from "./support.ts";

function allowed(defaults: string, ...rules: readonly string[]): AllowedPlaces {
  const text = ["version = 1", "[default]", defaults, ...rules.map((body, i) => rule(`r${i}`, body))].join("\n");
  return allowedPlaces(load(text), "/home/ada");
}

const CLOSED = '"file" = "deny"\n"*" = "allow"';

function trees(...rules: readonly string[]): readonly string[] | undefined {
  return allowed(CLOSED, ...rules).write_trees;
}

test.each([
  ['path = "/work/**"', ["/work"]],
  ['path = "~/work/**"', ["/home/ada/work"]],
  // What a pattern ends with is made and removed in the directory above.
  ['path = "/srv/x/file"', ["/srv/x"]],
  ['path = "/srv/*/y/**"', ["/srv"]],
  ['path = ["/srv/x/**", "/srv/**", "/a/b"]', ["/srv", "/a"]],
  // Wider than nothing that can be told: everything.
  ['path = "/file"', undefined],
  ['path = "/**"', undefined],
  ['path = "**/x"', undefined],
  ['path = ["/work/**", "**/y"]', undefined],
])("changes allowed by %s", (path, expected) => {
  expect(trees(`action = "file.*"\n${path}\nverdict = "allow"`)).toEqual(expected);
});

test("a rule without a path, or one that asks, counts; one that reads, refuses or logs does not", () => {
  const work = 'action = "file.*"\npath = "/work/**"\nverdict = "allow"';
  expect(trees(work, 'action = "file.write"\nby = "git"\nverdict = "allow"')).toBeUndefined();
  expect(trees(work, 'action = "file.write"\npath = "/asked/**"\nverdict = "ask"')).toEqual(["/work", "/asked"]);
  expect(trees(work, 'action = "file.read"\npath = "/read/**"\nverdict = "allow"')).toEqual(["/work"]);
  expect(trees(work, 'action = "file.write"\npath = "/no/**"\nverdict = "deny"')).toEqual(["/work"]);
  expect(trees()).toEqual([]);
});

test("devices and settings that are only written need no directory", () => {
  const written =
    'action = "file.write"\npath = ["/dev/{null,tty}", "/proc/self/oom_score_adj", "/w/**"]\nverdict = "allow"';
  expect(trees(written)).toEqual(["/w"]);
  expect(trees('action = "file.create"\npath = "/dev/shm/x/**"\nverdict = "allow"')).toEqual(["/dev/shm/x"]);
});

test("only where every change is refused by default, by one file that enforces", () => {
  const work = 'action = "file.*"\npath = "/work/**"\nverdict = "allow"';
  expect(allowed('"file.write" = "deny"\n"*" = "allow"', work).write_trees).toBeUndefined();
  expect(allowed('"file" = "ask"\n"*" = "allow"', work).write_trees).toBeUndefined();
  expect(allowed('"*" = "allow"', work)).toEqual({});
  const text = `version = 1\nmode = "observe"\n[default]\n"*" = "deny"\n${rule("r", work)}`;
  expect(allowedPlaces(load(text), undefined)).toEqual({});
});

test.each([
  ["port = [443, 53]", [53, 443]],
  ['port = 443\naddress = "192.0.2.0/24"', [443]],
  ['port = ["8000-8003"]', [8000, 8001, 8002, 8003]],
  ['port = 53\nprotocol = "udp"', []],
  ['port = ["1-1000"]', undefined],
  ['address = "192.0.2.0/24"', undefined],
])("connections allowed by %s", (body, expected) => {
  const found = allowed('"net" = "deny"\n"*" = "allow"', `action = "net.connect"\n${body}\nverdict = "allow"`);
  expect(found.connect_ports).toEqual(expected);
  expect(found.bind_ports).toEqual([]);
});

/** Which places rules close whatever happens: only those may be taken from a command for good. */
import { expect, test } from "bun:test";
import { type ClosedPlace, closedPlaces } from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

function places(...layers: readonly string[]): readonly ClosedPlace[] {
  return closedPlaces(load(...layers), "/home/ada");
}

function closed(body: string): readonly string[] {
  return places(enforcing(rule("r", body))).map(({ what, path, tree, whole }) =>
    `${what} ${path}${tree ? "/**" : ""}${whole ? "" : " in part"}`
  );
}

const BOTH = 'action = ["file.read", "file.write"]';

test.each([
  [`${BOTH}\npath = "/etc/shadow"\nverdict = "deny"`, ["file /etc/shadow"]],
  ['action = "file.*"\npath = ["~/.ssh/**", "**/.env"]\nverdict = "deny"', ["file /home/ada/.ssh/**"]],
  ['action = "unix.connect"\npath = "/run/docker.sock"\nverdict = "deny"', ["socket /run/docker.sock"]],
  ['action = "*"\npath = "/x/**"\nverdict = "deny"', ["file /x/**", "socket /x/**"]],
  // An exception elsewhere leaves the place whole; one that may reach into it leaves it in part; at it, nothing.
  [`${BOTH}\npath = ["/x/**", "/y"]\nexcept = { path = "/x/z/a" }\nverdict = "deny"`, [
    "file /x/** in part",
    "file /y",
  ]],
  [`${BOTH}\npath = "/x/**"\nexcept = { path = "/other/**" }\nverdict = "deny"`, ["file /x/**"]],
  [`${BOTH}\npath = "/x/**"\nexcept = { path = "**/a" }\nverdict = "deny"`, ["file /x/** in part"]],
  [`${BOTH}\npath = "/x/y/**"\nexcept = { path = "/x/*/a" }\nverdict = "deny"`, ["file /x/y/** in part"]],
  [`${BOTH}\npath = "/y"\nexcept = { path = "/y" }\nverdict = "deny"`, []],
  [`${BOTH}\npath = "/y"\nexcept = { by = "cat" }\nverdict = "deny"`, []],
  [`${BOTH}\npath = "/y"\nexcept = { action = "file.read", path = "**/y" }\nverdict = "deny"`, []],
])("%s", (body, expected) => {
  expect(closed(body)).toEqual(expected);
});

test.each([
  ['action = "file.read"\npath = "/x"\nverdict = "deny"'],
  ['action = "file.write"\npath = "/x"\nverdict = "deny"'],
  [`${BOTH}\npath = "/x"\nverdict = "ask"`],
  [`${BOTH}\npath = "/x"\nverdict = "allow"`],
  [`${BOTH}\npath = "/x"\nmode = "observe"\nverdict = "deny"`],
  [`${BOTH}\npath = "/x"\nby = "cat"\nverdict = "deny"`],
  [`${BOTH}\npath = "/x"\nuser = 7\nverdict = "deny"`],
  [`${BOTH}\npath = "/x"\nrate = { count = 1, per = "1s" }\nverdict = "deny"`],
  [`${BOTH}\npath = ["/x/*", "**/x", "/x/*/y"]\nverdict = "deny"`],
  [`${BOTH}\nverdict = "deny"`],
])("nothing of: %s", (body) => {
  expect(closed(body)).toEqual([]);
});

test("only files that enforce; a rule of any layer, with its index", () => {
  const text = rule("r", `${BOTH}\npath = "/x"\nverdict = "deny"`);
  expect(places(`version = 1\nmode = "observe"\n${text}`)).toEqual([]);
  const [found] = places(enforcing(rule("a", 'action = "exec"\nverdict = "deny"')), enforcing(text));
  expect(found).toMatchObject({ rule: "r", rule_index: 1, path: "/x" });
});

test("without a home nothing is said of it, and an exception in it may be anywhere", () => {
  const body = `${BOTH}\npath = ["~/x", "/y/**"]\nexcept = { path = "~/z" }\nverdict = "deny"`;
  const found = closedPlaces(load(enforcing(rule("r", body))), undefined);
  expect(found.map(({ path, whole }) => [path, whole])).toEqual([["/y", false]]);
  expect(found[0]?.closes("/y/a")).toBe(false);
});

test("names below a place that is closed in part", () => {
  const body = `action = "file.*"\npath = "~/.ssh/**"\nexcept = { path = ["~/.ssh/*.pub", "~/.ssh/config"] }\n` +
    'verdict = "deny"';
  const [place] = places(enforcing(rule("r", body)));
  expect(["id", "id.pub", "config", "deep/config"].map((name) => place?.closes(`/home/ada/.ssh/${name}`))).toEqual(
    [true, false, false, true],
  );
});

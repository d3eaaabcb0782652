/** What a read's name needs to concern a rule, and which rules speak of /proc. */
import { expect, test } from "bun:test";
import { type ActionType, FILE_ACTION_TYPES } from "../../../lib/core/mod.ts";
import {
  formatDiagnostic,
  loadPolicy,
  neededNames,
  type PolicySnapshot,
  speaksOfProc,
} from "../../../lib/decide/mod.ts";

function load(body: string, mode = "enforce"): PolicySnapshot {
  const text = `version = 1\nname = "t"\nmode = "${mode}"\n[default]\n"*" = "allow"\n${body}`;
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error(loaded.error.map(formatDiagnostic).join("\n"));
  return loaded.value;
}

const rule = (path: string, more = 'verdict = "deny"'): string =>
  `[[rules]]\nname = "r"\naction = "file.read"\npath = "${path}"\n${more}\n`;
const READ: readonly ActionType[] = ["file.read"];
const PROC: ReadonlySet<string> = new Set(["self", "environ", "kcore", "sys", "net", "config.gz"]);

test.each([
  ["/a/b", "exact /a/b", false],
  ["/a/**", "tree /a", false],
  ["~/.ssh/**", "tree /h/.ssh", false],
  ["~", "exact /h", false],
  ["**/.env", "base .env", true],
  ["**/*.pem", "extension .pem", true],
  ["**/secrets/**", "component secrets", true],
  // What every matching name surely has, the most telling first.
  ["/home/*/.ssh/**", "component .ssh", true],
  ["/a/*", "tree /a", false],
])("%s needs %s", (path, expected, floating) => {
  const needed = neededNames(load(rule(path)), "/h", READ);
  expect(needed.texts.map(({ kind, text }) => `${kind} ${text}`)).toEqual([expected]);
  expect([needed.floating, needed.all]).toEqual([floating, []]);
});

test.each([
  ["a pattern without a text of its own", rule("**/*a*")],
  ["a rule about every file", '[[rules]]\nname = "r"\naction = "file.read"\nby = "cat"\nverdict = "ask"\n'],
])("%s is about every name", (_, body) => {
  expect(neededNames(load(body), "/h", READ).all).toEqual(READ);
});

test("a default that refuses is about every name, and of /proc", () => {
  const text = 'version = 1\nname = "t"\nmode = "enforce"\n[default]\n"*" = "allow"\n"file.read" = "ask"\n';
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error("it is valid");
  expect(neededNames(loaded.value, "/h", READ).all).toEqual(READ);
  expect(speaksOfProc(loaded.value, () => PROC)).toBe("the default of t.toml");
});

test("without a known home every home counts", () => {
  expect(neededNames(load(rule("~/.ssh/**")), undefined, READ).all).toEqual(READ);
});

test.each([
  ["observes", rule("/a/**", 'verdict = "deny"\nmode = "observe"')],
  ["permits", rule("/a/**", 'verdict = "allow"')],
  ["is about writing", rule("/a/**").replace("file.read", "file.write")],
])("a rule that %s needs nothing", (_, body) => {
  expect(neededNames(load(body), "/h", READ)).toEqual({ all: [], floating: false, texts: [] });
});

test("a text counts for what the rules are about that need it", () => {
  const body = rule("/a/**").replace('"file.read"', '["file.read", "file.write"]') +
    rule("/a/**").replace('"r"', '"s"').replace("file.read", "file.delete") +
    '[[rules]]\nname = "t"\naction = "file.rename"\nby = "mv"\nverdict = "ask"\n';
  const needed = neededNames(load(body), "/h", FILE_ACTION_TYPES);
  expect(needed.texts).toEqual([{ kind: "tree", text: "/a", actions: ["file.read", "file.write", "file.delete"] }]);
  expect(needed.all).toEqual(["file.rename"]);
});

test("a policy that observes needs nothing", () => {
  expect(neededNames(load(rule("/a/**"), "observe"), "/h", READ)).toEqual({ all: [], floating: false, texts: [] });
});

test.each([
  ["/proc/*/environ", true],
  ["/proc/**", true],
  ["/p*/1/environ", true],
  ["/*/1/environ", true],
  ["**/environ", true],
  ["**/*.gz", true],
  ["**/1*/**", true],
  ["/**", true],
  ["/", false],
  ["/procedures/**", false],
  ["/a/proc/**", false],
  ["~/proc/environ", false],
  ["**/.env", false],
  ["**/.*", false],
  ["**/*.pem", false],
  ["**/secrets/environ", false],
])("%s speaks of /proc: %j", (path, expected) => {
  expect(speaksOfProc(load(rule(path)), () => PROC)).toBe(expected ? "r" : undefined);
});

test("where the names of /proc cannot be told, what may stand anywhere may stand there", () => {
  expect(speaksOfProc(load(rule("**/*.pem")), () => undefined)).toBe("r");
  expect(speaksOfProc(load(rule("**/.env")), () => undefined)).toBeUndefined();
});

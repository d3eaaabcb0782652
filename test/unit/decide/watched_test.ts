/** What a read's name needs to concern a rule, and which rules speak of /proc. */
import { expect, test } from "bun:test";
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
  const needed = neededNames(load(rule(path)), "/h");
  expect(needed.texts.map(({ kind, text }) => `${kind} ${text}`)).toEqual([expected]);
  expect([needed.floating, needed.all]).toEqual([floating, undefined]);
});

test.each([
  ["a pattern without a text of its own", rule("**/*a*"), "r"],
  ["a rule about every file", '[[rules]]\nname = "r"\naction = "file.read"\nby = "cat"\nverdict = "ask"\n', "r"],
])("%s is about every name", (_, body, name) => {
  expect(neededNames(load(body), "/h").all).toBe(name);
});

test("a default that refuses is about every name, and of /proc", () => {
  const text = 'version = 1\nname = "t"\nmode = "enforce"\n[default]\n"*" = "allow"\n"file.read" = "ask"\n';
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error("it is valid");
  expect(neededNames(loaded.value, "/h").all).toBe("the default of t.toml");
  expect(speaksOfProc(loaded.value, () => PROC)).toBe("the default of t.toml");
});

test("without a known home every home counts", () => {
  expect(neededNames(load(rule("~/.ssh/**")), undefined).all).toBe("r");
});

test.each([
  ["observes", rule("/a/**", 'verdict = "deny"\nmode = "observe"')],
  ["permits", rule("/a/**", 'verdict = "allow"')],
  ["is about writing", rule("/a/**").replace("file.read", "file.write")],
])("a rule that %s needs nothing", (_, body) => {
  expect(neededNames(load(body), "/h")).toEqual({ floating: false, texts: [] });
});

test("a policy that observes needs nothing", () => {
  expect(neededNames(load(rule("/a/**"), "observe"), "/h")).toEqual({ floating: false, texts: [] });
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

/** What a program start's names need to concern a rule. */
import { expect, test } from "bun:test";
import { formatDiagnostic, loadPolicy, type NeededStarts, neededStarts } from "../../../lib/decide/mod.ts";

function needed(body: string, options: { readonly mode?: string; readonly homeless?: boolean } = {}): NeededStarts {
  const { mode = "enforce", homeless = false } = options;
  const text = `version = 1\nname = "t"\nmode = "${mode}"\n[default]\n"*" = "allow"\n${body}`;
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error(loaded.error.map(formatDiagnostic).join("\n"));
  return neededStarts(loaded.value, homeless ? undefined : "/h");
}

const rule = (what: string, more = 'verdict = "deny"', name = "r"): string =>
  `[[rules]]\nname = "${name}"\naction = "exec"\n${what}\n${more}\n`;
const NOTHING: NeededStarts = { all: false, wrappers: false, texts: [] };

test.each([
  ['exe = "git"', ["base git"]],
  ['exe = ["git", "/opt/x/run"]', ["base git", "exact /opt/x/run"]],
  ['exe = "*.py"', ["extension .py"]],
  ['path = "~/bin/**"', ["tree /h/bin"]],
  ['path = "**/tool"', ["base tool"]],
  // One of two conditions is enough, where the other one has nothing that could be looked for.
  ['exe = "*"\npath = "/a/**"', ["tree /a"]],
  ['exe = "git"\nargv = ["push", "..."]', ["base git", "base systemd-run"]],
])("%s needs %j", (what, expected) => {
  const { all, wrappers, texts } = needed(rule(what));
  expect([all, wrappers, texts.map(({ kind, text }) => `${kind} ${text}`)]).toEqual([false, false, expected]);
});

test.each([
  ["by arguments alone", rule('argv = ["push", "..."]')],
  ["by a name without a text of its own", rule('exe = "g*"')],
  ["by its caller", rule('by = "node"')],
  ["of every kind of action", '[[rules]]\nname = "r"\naction = "*"\nuser = 0\nverdict = "ask"\n'],
])("a rule %s may be about every start", (_, body) => {
  expect(needed(body).all).toBe(true);
});

test("a default that asks is about every start", () => {
  expect(needed('"exec" = "ask"\n').all).toBe(true);
});

test("without a known home every home counts", () => {
  expect(needed(rule('exe = "~/bin/x"'), { homeless: true }).all).toBe(true);
});

test.each([
  ["observes", rule('exe = "git"', 'verdict = "deny"\nmode = "observe"')],
  ["permits", rule('exe = "git"', 'verdict = "allow"')],
  ["is about reading", rule('path = "/a"').replace('"exec"', '"file.read"')],
  ["only tells", rule('exe = "git"', 'verdict = "log"\nlabel = "pushed"')],
])("a rule that %s needs nothing", (_, body) => {
  expect(needed(body)).toEqual(NOTHING);
});

test("a policy that observes needs nothing", () => {
  expect(needed(rule('exe = "git"'), { mode: "observe" })).toEqual(NOTHING);
});

test("what others ask about later is somebody's", () => {
  const asking = '[[rules]]\nname = "s"\naction = "net.connect"\nafter = { label = "pushed" }\nverdict = "deny"\n';
  const { all, texts } = needed(rule('exe = "git"', 'verdict = "log"\nlabel = "pushed"') + asking);
  expect([all, texts]).toEqual([false, [{ kind: "base", text: "git" }]]);
});

test.each([
  ['exe = "kill"', true],
  ['exe = "[k]*"\npath = "**/kill"', true],
  ['exe = "**/cd"', true],
  ['exe = "/bin/kill"', false],
  ['exe = "kill"\npath = "/bin/**"', false],
  ['exe = "git"', false],
])("%s with arguments may be about what a shell does by itself: %j", (what, expected) => {
  const { wrappers, texts } = needed(rule(`${what}\nargv = ["..."]`));
  expect([wrappers, texts.some(({ text }) => text === "bash")]).toEqual([expected, expected]);
});

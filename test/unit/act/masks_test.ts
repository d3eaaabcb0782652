/** Which of the closed places can be hidden, on a made host. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MaskPlan, type MaskRule, planMasks } from "../../../lib/act/masks.ts";

let root = "";
let server: Server;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "ag-mask-")));
  mkdirSync(join(root, "keys", "deep"), { recursive: true });
  mkdirSync(join(root, "work"));
  for (const name of ["keys/id", "keys/id.pub", "keys/deep/id", "secret", "work/own"]) {
    writeFileSync(join(root, name), "");
  }
  symlinkSync("secret", join(root, "link"));
  symlinkSync(join(root, "work", "own"), join(root, "keys", "outward"));
  linkSync(join(root, "secret"), join(root, "other"));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "keys", "engine.sock"), resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

function plan(path: string, more: Partial<MaskRule> = {}): MaskPlan {
  const full: MaskRule = {
    rule: "r",
    rule_index: 3,
    what: "file",
    path: join(root, path),
    tree: false,
    whole: true,
    closes: () => true,
    ...more,
  };
  return planMasks([full], { work: [join(root, "work"), "/tmp"], own: [join(root, "state")] });
}

function masked(path: string, more: Partial<MaskRule> = {}): readonly string[] {
  return plan(path, more).masks.map((mask) => `${mask.path.slice(root.length + 1)}${mask.tree ? "/**" : ""}`);
}

test("a file, also by a link to it, and a directory as a whole", () => {
  expect(plan("secret").masks).toEqual([{ path: join(root, "secret"), tree: false, rule: "r", rule_index: 3 }]);
  expect(masked("link")).toEqual(["secret"]);
  expect(masked("keys", { tree: true })).toEqual(["keys/**"]);
});

test("in part: each file that is closed; links, sockets and what is excepted stay", () => {
  const closes = (name: string): boolean => !name.endsWith(".pub");
  expect(masked("keys", { tree: true, whole: false, closes }).toSorted()).toEqual(["keys/deep/id", "keys/id"]);
});

test("sockets: the one that is named, and those below a directory, which stays", () => {
  expect(masked("keys/engine.sock", { what: "socket" })).toEqual(["keys/engine.sock"]);
  expect(masked("keys", { what: "socket", tree: true })).toEqual(["keys/engine.sock"]);
  expect(masked("keys/engine.sock")).toEqual([]);
  expect(masked("secret", { what: "socket" })).toEqual([]);
});

test("nothing that is not there, no single directory, nothing of the guard's own", () => {
  for (const path of ["absent", "keys", "absent/below"]) expect(masked(path)).toEqual([]);
  mkdirSync(join(root, "state"), { recursive: true });
  writeFileSync(join(root, "state", "x"), "");
  expect(masked("state/x")).toEqual([]);
  expect(masked("state", { tree: true })).toEqual([]);
});

test("what the command works in is never taken as a whole, but file by file", () => {
  expect(masked("work", { tree: true })).toEqual(["work/own"]);
  const proc = planMasks(
    [{ rule: "r", rule_index: 0, what: "file", path: "/proc", tree: true, whole: true, closes: () => true }],
    { work: [], own: [] },
  );
  expect(proc.masks).toEqual([]);
});

test("a place in a masked directory is masked with it; what is too much is said", () => {
  const rules = ["keys/id", "keys"].map((path): MaskRule => ({
    rule: "r",
    rule_index: 0,
    what: "file",
    path: join(root, path),
    tree: path === "keys",
    whole: true,
    closes: () => true,
  }));
  const { masks, left } = planMasks(rules, { work: [], own: [] });
  expect(masks.map(({ path }) => path)).toEqual([join(root, "keys")]);
  expect(left).toEqual([]);
  mkdirSync(join(root, "many"));
  for (let i = 0; i < 300; i++) writeFileSync(join(root, "many", String(i)), "");
  const many = plan("many", { tree: true, whole: false });
  expect(many.masks).toHaveLength(256);
  expect(many.left).toEqual(["44 more places: at most 256 are masked"]);
});

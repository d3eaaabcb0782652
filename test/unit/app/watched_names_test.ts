/** Names and objects that opens wait for, and what other names of an object give reason for. */
import { expect, test } from "bun:test";
import { link, mkdir, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { WatchedNames } from "../../../lib/app/watched_names.ts";
import type { Event, SessionId } from "../../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../../lib/decide/mod.ts";
import type { WatchedOpen } from "../../../ffi/mod.ts";
import { TempDir } from "../../support/mod.ts";

function closing(paths: readonly string[]): PolicySnapshot {
  const text = 'version = 1\nname = "t"\nmode = "enforce"\n[default]\n"*" = "allow"\n[[rules]]\nname = "keep"\n' +
    `action = "file.read"\npath = ${JSON.stringify(paths)}\nverdict = "deny"\n`;
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error(loaded.error.map(formatDiagnostic).join("\n"));
  return loaded.value;
}

const reading = (path: string): Event => ({
  time_us: 0,
  session: {
    session_id: "01J00000000000000000000000" as SessionId,
    agent: "a",
    principal: "p",
    root: { pid: 1, start: "1" },
  },
  action: { type: "file.read", path },
  held: true,
});

async function opened(path: string): Promise<WatchedOpen> {
  const { dev, ino, nlink } = await stat(path, { bigint: true });
  return {
    fd: 3,
    nr: 257,
    tid: 1,
    tgid: 1,
    ppid: 0,
    uid: 0,
    path,
    caller: "/bin/cat",
    cwd: "/",
    directory: false,
    deleted: false,
    starts: false,
    links: Number(nlink),
    dev,
    ino,
  };
}

test("a place is known by its resolved name, and below it by the rule's", async () => {
  await using dir = await TempDir.create();
  const base = await realpath(dir.path);
  await mkdir(`${base}/real`);
  await writeFile(`${base}/real/x`, "x");
  await symlink("real", `${base}/current`);
  const names = new WatchedNames(closing([`${base}/current/**`]), "/h", []);
  expect(names.table().texts).toEqual([
    { kind: "tree", text: `${base}/current`, actions: ["file.read"] },
    { kind: "tree", text: `${base}/real`, actions: ["file.read"] },
  ]);
  const ruling = names.ruling(reading(`${base}/real/x`), await opened(`${base}/real/x`));
  expect([ruling?.verdict, ruling?.reason.includes(`${base}/current/x`)]).toEqual(["deny", true]);
  await writeFile(`${base}/y`, "y");
  expect(names.ruling(reading(`${base}/y`), await opened(`${base}/y`))).toBeUndefined();
});

test("a place below a second mount is known by both names", () => {
  const mounts = [
    { dev: "8:1", root: "/", point: "/" },
    { dev: "8:1", root: "/data", point: "/srv" },
  ];
  const { texts } = new WatchedNames(closing(["/data/nowhere/**", "/srv/also"]), "/h", mounts).table();
  expect(texts.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    "tree /data/nowhere",
    "exact /srv/also",
    "tree /srv/nowhere",
    "tree /data/also",
  ]);
});

test("an exact path is known by its object, a file below a directory once several names are met", async () => {
  await using dir = await TempDir.create();
  const base = await realpath(dir.path);
  await mkdir(`${base}/keep`);
  for (const name of ["keep/x", "alone", "free"]) await writeFile(`${base}/${name}`, name);
  await link(`${base}/alone`, `${base}/second`);
  await link(`${base}/keep/x`, `${base}/third`);
  const names = new WatchedNames(closing([`${base}/alone`, `${base}/keep/**`]), "/h", []);
  const { objects, linked } = names.table();
  const alone = await opened(`${base}/second`);
  expect([objects.map(({ ino }) => ino), linked]).toEqual([[alone.ino], false]);
  expect(names.ruling(reading(`${base}/second`), alone)?.verdict).toBe("deny");
  expect(names.learn(await opened(`${base}/free`))).toBe(false);
  const third = await opened(`${base}/third`);
  expect([names.learn(third), names.learn(third)]).toEqual([true, false]);
  expect(names.table()).toMatchObject({ linked: true });
  expect(names.table().objects.map(({ ino }) => ino)).toContain(third.ino);
  expect(names.ruling(reading(`${base}/third`), third)?.reason).toContain(`${base}/keep/x`);
});

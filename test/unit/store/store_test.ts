import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { AgentguardError, errorMessage } from "../../../lib/core/mod.ts";
import { openStore, type Schema, type Store, WriterLock } from "../../../lib/store/mod.ts";
import { TempDir } from "../../support/mod.ts";

const FIRST = ["CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)"];
const SECOND = ["ALTER TABLE t ADD COLUMN c BLOB", "CREATE INDEX t_b ON t (b)"];
const SCHEMA: Schema = { application_id: 77, name: "box", migrations: [FIRST] };

let dir: TempDir;
let path: string;
beforeEach(async () => {
  dir = await TempDir.create();
  path = dir.join("box.db");
});
afterEach(() => dir[Symbol.asyncDispose]());

function open(mode: "read" | "write", schema: Schema = SCHEMA): Store {
  return openStore(path, { mode, schema, busy_timeout_ms: 0 });
}

function catchError(body: () => unknown): AgentguardError | undefined {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AgentguardError) return thrown;
    throw thrown;
  }
  return undefined;
}

test("the settings are those that keep what is committed", () => {
  using store = open("write");
  const settings = ["journal_mode", "synchronous", "foreign_keys", "trusted_schema", "user_version", "application_id"]
    .map((name) => Object.values(store.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  expect(settings).toEqual(["wal", 2, 1, 0, 1, 77]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a store that is synced on request keeps what was synced, and what a transaction wrote", async () => {
  {
    using store = openStore(path, { mode: "write", schema: SCHEMA, synced: "by_sync" });
    expect(store.integer("PRAGMA synchronous")).toBe(1);
    const insert = store.prepare("INSERT INTO t VALUES (?, ?)");
    store.write(() => insert.run(1, "a"));
    await store.sync();
    store.write(() => insert.run(2, "b"));
    store.syncNow();
    store.transaction(() => insert.run(3, "c"));
    expect(() => store.write(() => store.write(() => 1))).toThrow("one is running already");
  }
  using store = open("write");
  expect(store.integer("SELECT count(*) FROM t")).toBe(3);
  store.close();
  expect(() => store.syncNow()).toThrow("the store is closed");
  expect(await store.sync().then(() => "synced", errorMessage)).toContain("the store is closed");
});

test("an existing file keeps its mode", () => {
  writeFileSync(path, "", { mode: 0o640 });
  chmodSync(path, 0o640);
  open("write").close();
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("values come back as they went in", () => {
  using store = open("write", { ...SCHEMA, migrations: [FIRST, SECOND] });
  const insert = store.prepare("INSERT INTO t VALUES (?, ?, ?)");
  const bytes = Uint8Array.of(0, 255, 1);
  expect(insert.run(Number.MAX_SAFE_INTEGER, "\u20ac\u0000x", bytes)).toBe(1);
  insert.run(2, null, null);
  expect(store.prepare("SELECT * FROM t WHERE a = ?").get(2)).toEqual({ a: 2, b: null, c: null });
  expect(store.prepare("SELECT * FROM t WHERE a = ?").get(3)).toBeUndefined();
  expect(store.prepare("SELECT * FROM t ORDER BY a DESC").all()[0]).toEqual({
    a: Number.MAX_SAFE_INTEGER,
    b: "\u20ac\u0000x",
    c: bytes,
  });
  expect(store.all("SELECT a FROM t WHERE b IS NULL AND a < ?", [5])).toEqual([{ a: 2 }]);
  expect(store.integer("SELECT count(*) FROM t WHERE a = ?", 2)).toBe(1);
  expect(store.prepare("SELECT * FROM t")).toBe(store.prepare("SELECT * FROM t"));
});

test("a transaction that throws leaves nothing, and the next one works", () => {
  using store = open("write");
  const insert = store.prepare("INSERT INTO t VALUES (?, 'x')");
  expect(() =>
    store.transaction(() => {
      insert.run(1);
      throw new Error("no");
    })
  ).toThrow("no");
  expect(() => store.transaction(() => store.transaction(() => 1))).toThrow("one is running already");
  expect(store.transaction(() => insert.run(2))).toBe(1);
  expect(store.prepare("SELECT a FROM t").all()).toEqual([{ a: 2 }]);
});

test("migrations run once, in order, and each as a whole", () => {
  open("write").close();
  const broken: Schema = { ...SCHEMA, migrations: [FIRST, SECOND, ["CREATE TABLE u (a)", "CREATE TABLE u (a)"]] };
  expect(catchError(() => open("write", broken))?.message).toContain("table u already exists");
  using store = open("write", { ...SCHEMA, migrations: [FIRST, SECOND, ["CREATE TABLE u (a)"]] });
  expect(store.integer("PRAGMA user_version")).toBe(3);
  expect(store.prepare("SELECT name FROM sqlite_schema ORDER BY name").all()).toEqual([
    { name: "t" },
    { name: "t_b" },
    { name: "u" },
  ]);
});

test.each(["read", "write"] as const)("a newer schema is refused for %s, and not touched", (mode) => {
  open("write", { ...SCHEMA, migrations: [FIRST, SECOND] }).close();
  const thrown = catchError(() => open(mode));
  expect(thrown?.code).toBe("unsupported");
  expect(thrown?.message).toBe(
    `open ${path}: schema 2 is newer than 1, the newest that this version knows; ` +
      "use the version of agentguard that wrote it",
  );
  using store = open("read", { ...SCHEMA, migrations: [FIRST, SECOND] });
  expect(store.integer("PRAGMA user_version")).toBe(2);
});

test("an older schema is not read, but brought up to date by a writer", () => {
  open("write").close();
  const newer: Schema = { ...SCHEMA, migrations: [FIRST, SECOND] };
  expect(catchError(() => open("read", newer))?.code).toBe("unsupported");
  open("write", newer).close();
  open("read", newer).close();
});

test("a database of another kind is refused and left as it is", () => {
  const other = new Database(path, { create: true });
  other.run("CREATE TABLE mine (a)");
  other.close(true);
  for (const mode of ["read", "write"] as const) {
    const thrown = catchError(() => open(mode));
    expect(thrown?.code).toBe("tamper");
    expect(thrown?.message).toContain("it is a database, but not a box");
  }
  const again = new Database(path);
  expect(again.query("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "mine" }]);
  again.close(true);
});

test("a file that is no database is refused by name", () => {
  writeFileSync(path, "a text that is no database ".repeat(300));
  for (const mode of ["read", "write"] as const) {
    const thrown = catchError(() => open(mode));
    expect(thrown?.code).toBe("tamper");
    expect(thrown?.message).toContain(`${path}: it is not a database (SQLITE_NOTADB)`);
  }
});

test("a missing and an empty file cannot be read", () => {
  expect(catchError(() => open("read"))?.code).toBe("not_found");
  writeFileSync(path, "");
  expect(catchError(() => open("read"))?.code).toBe("not_found");
});

test("a reader changes nothing, and says why it cannot", () => {
  open("write").close();
  using store = open("read");
  const thrown = catchError(() => store.prepare("INSERT INTO t VALUES (1, 'x')").run());
  expect(thrown?.code).toBe("io");
  expect(thrown?.message).toContain(path);
});

test("a file that another connection writes is busy", () => {
  using store = open("write");
  const other = new Database(path);
  other.run("BEGIN IMMEDIATE");
  const thrown = catchError(() => store.transaction(() => 1));
  expect(thrown?.code).toBe("busy");
  expect(thrown?.message).toContain(path);
  other.run("ROLLBACK");
  other.close(true);
  expect(store.transaction(() => 1)).toBe(1);
});

test("a wrong statement is a defect here", () => {
  using store = open("write");
  expect(catchError(() => store.prepare("SELECT nothing FROM t"))?.code).toBe("invariant");
  expect(catchError(() => store.exec("NONSENSE"))?.code).toBe("invariant");
  store.prepare("INSERT INTO t VALUES (1, 'x')").run();
  expect(catchError(() => store.prepare("INSERT INTO t VALUES (1, 'y')").run())?.code).toBe("invariant");
});

test("a closed store refuses work, and closing twice is harmless", () => {
  const store = open("write");
  const kept = store.prepare("SELECT 1");
  store.close();
  store.close();
  store[Symbol.dispose]();
  expect(catchError(() => store.exec("SELECT 1"))?.code).toBe("closed");
  expect(catchError(() => store.prepare("SELECT 1"))?.code).toBe("closed");
  expect(() => kept.get()).toThrow(path);
});

test("the check finds a damaged page, and nothing in a sound file", () => {
  {
    using store = open("write");
    store.transaction(() => {
      for (let n = 0; n < 2_000; n++) store.prepare("INSERT INTO t VALUES (?, ?)").run(n, "x".repeat(100));
    });
    expect([store.check("quick"), store.check("full")]).toEqual([[], []]);
  }
  const file = Bun.spawnSync(["sh", "-c", 'dd if=/dev/zero of="$1" bs=4096 seek=10 count=1 conv=notrunc', "sh", path]);
  expect(file.exitCode).toBe(0);
  using store = open("read");
  const findings = store.check("quick");
  expect(findings.length).toBeGreaterThan(0);
  expect(findings.length).toBeLessThanOrEqual(20);
  const thrown = catchError(() => store.all("SELECT sum(length(b)) FROM t", []));
  expect(thrown?.code).toBe("tamper");
  expect(thrown?.message).toContain(path);
});

test("a lock keeps the second one out until it is released", () => {
  const file = dir.join("box.lock");
  const first = new WriterLock(file, "the box");
  const thrown = catchError(() => new WriterLock(file, "the box"));
  expect(thrown?.code).toBe("busy");
  expect(thrown?.message).toStartWith("write the box: another guard writes it");
  first.release();
  first.release();
  using _next = new WriterLock(file, "the box");
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a lock ends with its process", async () => {
  const file = dir.join("box.lock");
  const script = `import { WriterLock } from ${JSON.stringify(`${import.meta.dir}/../../../lib/store/mod.ts`)};
    globalThis.lock = new WriterLock(${JSON.stringify(file)}, "the box");
    console.log("held"); setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("held\n");
  expect(catchError(() => new WriterLock(file, "the box"))?.code).toBe("busy");
  process.kill(child.pid, "SIGKILL");
  await child.exited;
  new WriterLock(file, "the box").release();
});

test("a directory that cannot be made says why", () => {
  writeFileSync(dir.join("file"), "");
  const below = dir.join("file", "x", "box.db");
  const thrown = catchError(() => openStore(below, { mode: "write", schema: SCHEMA }));
  expect(thrown?.code).toBe("io");
  expect(errorMessage(thrown)).toContain("ENOTDIR");
});

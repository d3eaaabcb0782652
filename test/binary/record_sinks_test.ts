/** Where entries go beside the record: `[[record.sink]]`. */
import { describe, expect, test } from "bun:test";
import { readFile, rename, stat } from "node:fs/promises";
import { ALLOW_ALL, GuardSetup, IS_ROOT, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;

async function setupWith(record: (path: string) => string): Promise<{ setup: GuardSetup; path: string }> {
  const setup = await GuardSetup.create();
  const path = setup.dir.join("entries.jsonl");
  await Bun.write(setup.policy, `${ALLOW_ALL}\n${record(path)}`);
  return { setup, path };
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").slice(0, -1);
}

describe.skipIf(!IS_ROOT)("JSON-lines sinks", () => {
  test("a run: the file has every entry as stored, and is for its owner", async () => {
    const { setup, path } = await setupWith((file) => `[[record.sink]]\npath = "${file}"\nsync = "batch"\n`);
    await using _setup = setup;
    await setup.guard(["/bin/sh", "-c", ": > made"]);
    const stored = (await setup.command(["audit", "query", "--json"])).stdout.trimEnd().split("\n");
    expect(await linesOf(path)).toEqual(stored);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  }, LIMIT_MS);

  test("the daemon: figures in the status; SIGHUP opens a moved file anew", async () => {
    const { setup, path } = await setupWith((file) => `[[record.sink]]\npath = "${file}"\nrotate_size = "1MB"\n`);
    await using _setup = setup;
    await using daemon = setup.startDaemon();
    const counters = async (): Promise<Record<string, number>> => {
      const done = await setup.command(["status", "--json"]);
      return done.exit_code === 0 ? JSON.parse(done.stdout).counters : {};
    };
    const written = `sink ${path} written`;
    await waitUntil("the figures", async () => ((await counters())[written] ?? 0) > 0);
    expect(await counters()).toMatchObject({ record_dropped: 0, [`sink ${path} dropped`]: 0, record_pending: 0 });
    expect((await counters())["record_commit_ms_p99"]).toBeGreaterThan(0);
    await rename(path, `${path}.moved`);
    daemon.process.kill("SIGHUP");
    await waitUntil("the new file", () => Bun.file(path).exists());
    daemon.process.kill("SIGTERM");
    expect(await daemon.ended()).toBe(0);
    const stored = (await setup.command(["audit", "query", "--json"])).stdout.trimEnd().split("\n");
    expect([...await linesOf(`${path}.moved`), ...await linesOf(path)]).toEqual(stored);
    expect((await linesOf(path)).length).toBeGreaterThan(0);
  }, LIMIT_MS);

  test("the daemon: a changed [record] is in force after a reload, and what is not is said", async () => {
    const { setup, path } = await setupWith((file) => `[[record.sink]]\npath = "${file}"\n`);
    await using _setup = setup;
    await using daemon = setup.startDaemon();
    await waitUntil(
      "the sink",
      async () => (await linesOf(path).catch(() => [])).some((line) => line.includes("guard.ready")),
    );
    const [other, anchors] = [setup.dir.join("other.jsonl"), setup.dir.join("anchors.txt")];
    const record =
      `[record]\non_tamper = "alarm"\n[[record.sink]]\npath = "${other}"\n[[record.anchor]]\nfile = "${anchors}"\n`;
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${record}`);
    daemon.process.kill("SIGHUP");
    await waitUntil("the new sink", async () => (await linesOf(other).catch(() => [])).length > 0);
    await waitUntil("the anchor", () => Bun.file(anchors).exists());
    // A sink that cannot be opened: the policy in force stays, with its sinks.
    await Bun.write(setup.policy, `${ALLOW_ALL}\n[[record.sink]]\npath = "/proc/no/such"\n`);
    daemon.process.kill("SIGHUP");
    await waitUntil("the refusal", async () => (await linesOf(other)).some((line) => line.includes("reload refused")));
    daemon.process.kill("SIGTERM");
    expect(await daemon.ended()).toBe(0);
    const stored = (await setup.command(["audit", "query", "--json"])).stdout.trimEnd().split("\n");
    expect([...await linesOf(path), ...await linesOf(other)]).toEqual(stored);
    const loaded = stored.filter((line) => line.includes('"guard.policy.loaded"'));
    expect(loaded).toHaveLength(2);
    expect(loaded[1]).toContain("[record] on_tamper counts from the next start");
    expect(loaded[1]).not.toContain("sink");
  }, LIMIT_MS);

  test("a sink that cannot be opened, or takes the command's streams, keeps the guard from starting", async () => {
    const { setup } = await setupWith(() => `[[record.sink]]\npath = "/proc/no/such"\n`);
    await using _setup = setup;
    const done = await setup.guard(["/usr/bin/touch", "made"]);
    expect(done.exit_code).toBe(125);
    expect(done.stderr).toContain("/proc/no/such");
    const streams = await setupWith(() => `[[record.sink]]\npath = "/dev/stdout"\n`);
    await using _other = streams.setup;
    const refused = await streams.setup.guard(["/usr/bin/touch", "made"]);
    expect([refused.exit_code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("name a file");
    for (const each of [setup, streams.setup]) expect(await Bun.file(`${each.work}/made`).exists()).toBe(false);
  }, LIMIT_MS);

  test("a mistake in [record] is found by policy check, with its place", async () => {
    const { setup } = await setupWith((file) => `[[record.sink]]\npath = "${file}"\nrotate = "1d"\n`);
    await using _setup = setup;
    const done = await setup.command(["policy", "check", setup.policy]);
    expect(done.exit_code).toBe(2);
    expect(done.stdout + done.stderr).toMatch(/policy\.toml:\d+:\d+: .*unknown key/);
  }, LIMIT_MS);
});

/** Second places for checkpoints, on the executable: a file and another guard as witness. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { certificates, NatsServer, natsUsers } from "./nats_server.ts";
import { about, ALLOW_ALL, EXECUTABLE, GuardSetup, IS_ROOT, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 120_000;

function natsAnchor(url: string, more: Readonly<Record<string, string>>): string {
  const members = { nats: url, subject: "agentguard.checkpoints", ...more };
  const lines = Object.entries(members).map(([name, value]) => `${name} = "${value}"\n`);
  return `[[record.anchor]]\n${lines.join("")}`;
}

async function anchorNow(setup: GuardSetup): Promise<readonly [number | null, string]> {
  const { exit_code, stdout, stderr } = await setup.command(["audit", "anchor", "--policy", setup.policy]);
  return [exit_code, stdout + stderr];
}

async function showKey(setup: GuardSetup): Promise<string> {
  const { stdout } = await setup.command(["audit", "checkpoint", "--show-key"]);
  return /^verifier key: (\S+)$/m.exec(stdout)?.[1] ?? "";
}

/** Takes the record back to a checkpoint that is kept in it, as one who knows the tables does. */
function cutBack(setup: GuardSetup): void {
  using database = new Database(join(setup.state, "record.db"));
  const row = database.query<{ size: number }, []>("SELECT size FROM checkpoints WHERE size > 0 ORDER BY size LIMIT 1")
    .get();
  const size = row?.size ?? 0;
  database.run("DELETE FROM checkpoints WHERE size > ?", [size]);
  const texts = database.query<{ first_seq: number; data: Uint8Array }, []>("SELECT first_seq, data FROM texts").all();
  for (const { first_seq, data } of texts) {
    const kept = Buffer.from(data).toString().split("\n").slice(0, Math.max(0, size - first_seq + 1));
    if (kept.length === 0) database.run("DELETE FROM texts WHERE first_seq = ?", [first_seq]);
    else {database.run("UPDATE texts SET data = ? WHERE first_seq = ?", [
        Buffer.from(`${kept.join("\n")}\n`),
        first_seq,
      ]);}
  }
  database.run("UPDATE tiles SET data = CAST(substr(data, 1, ?) AS BLOB) WHERE id = 0", [size * 32]);
  for (const table of ["spans", "postings", "decisions"]) database.run(`DELETE FROM ${table}`);
}

describe.skipIf(!IS_ROOT)("anchors", () => {
  test("a file: the end of each run is in it, and the next start finds a record that was cut", async () => {
    await using setup = await GuardSetup.create();
    const file = setup.dir.join("anchors.txt");
    await Bun.write(setup.policy, `${ALLOW_ALL}\n[[record.anchor]]\nfile = "${file}"\n`);
    await setup.guard(["/bin/true"]);
    await setup.guard(["/bin/true"]);
    expect(await readFile(file, "utf8")).toContain((await setup.command(["audit", "checkpoint"])).stdout);
    expect((await setup.command(["audit", "verify", "--from", file])).exit_code).toBe(0);
    cutBack(setup);
    // Nothing is wrong with it but what is known elsewhere.
    expect((await setup.command(["audit", "verify", "--from", file])).stdout).toContain("cut");
    const refused = await setup.guard(["/usr/bin/touch", "started"]);
    expect(refused.exit_code).toBe(3);
    expect(refused.stderr).toContain("cut (a checkpoint that was kept elsewhere covers");
    expect(await Bun.file(join(setup.work, "started")).exists()).toBe(false);
  }, LIMIT_MS);

  test("another guard as witness: it cosigns, and tells of a record that was cut", async () => {
    await using witness = await GuardSetup.create();
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    await Bun.write(witness.policy, `${ALLOW_ALL}\n[record]\nwitness_for = "${await showKey(setup)}"\n`);
    await using daemon = witness.startDaemon();
    await waitUntil("the witness", async () => (await witness.command(["status"])).exit_code === 0, {
      detail: () => daemon.stderr.slice(-500),
    });
    const key = (await witness.command(["audit", "anchor", "--show-key"])).stdout.trim();
    const socket = join(witness.runtime, "control.sock");
    await Bun.write(setup.policy, `${ALLOW_ALL}\n[[record.anchor]]\nwitness = "${socket}"\nkey = "${key}"\n`);
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    const anchored = await setup.command(["audit", "anchor", "--policy", setup.policy]);
    expect([anchored.exit_code, anchored.stdout]).toEqual([
      0,
      expect.stringMatching(/^witness .*: ok: a checkpoint of \d+ entries\n$/),
    ]);
    const doctor = await setup.command(["doctor", "--policy", setup.policy, "--json"]);
    const checks: { readonly id: string; readonly state: string }[] = JSON.parse(doctor.stdout).checks;
    expect(checks.find(({ id }) => id === "record.anchor.witness")?.state).toBe("ok");
    cutBack(setup);
    const told = await setup.command(["audit", "anchor", "--policy", setup.policy]);
    expect(told.exit_code).toBe(1);
    expect(told.stdout).toContain("its end is cut");
    await setup.guard(["/bin/true"]);
    expect(about(await setup.entries(), "guard.tamper")[0]?.action.detail).toContain("its end is cut");
  }, LIMIT_MS);

  test.skipIf(NatsServer.path === null)("a NATS subject (skipped where nats-server is not installed)", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    await using server = await NatsServer.start(setup.work, "");
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(`nats://${server.host}`, {})}`);
    expect(await anchorNow(setup)).toEqual([0, expect.stringMatching(/: ok: a checkpoint of \d+ entries\n$/)]);
  }, LIMIT_MS);

  test.skipIf(NatsServer.path === null)("a NATS server with TLS: its certificate must come from the CA", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    const tls = await certificates(setup.work);
    await using server = await NatsServer.start(
      setup.work,
      `tls { cert_file: "${tls.cert}", key_file: "${tls.key}" }\n`,
    );
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(`tls://${server.host}`, { ca: tls.ca })}`);
    expect(await anchorNow(setup)).toEqual([0, expect.stringMatching(/: ok: a checkpoint of \d+ entries\n$/)]);
    for (const ca of [{}, { ca: tls.other_ca }]) {
      await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(`tls://${server.host}`, ca)}`);
      expect(await anchorNow(setup)).toEqual([1, expect.stringMatching(/certificate/)]);
    }
  }, LIMIT_MS);

  test.skipIf(NatsServer.path === null)("a server that speaks no TLS is refused where TLS is asked for", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    await using server = await NatsServer.start(setup.work, "");
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(`tls://${server.host}`, {})}`);
    expect(await anchorNow(setup)).toEqual([1, expect.stringMatching(/does not support 'tls'|tls/i)]);
  }, LIMIT_MS);

  test.skipIf(NatsServer.path === null)("a NATS server that knows users by their credentials", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    const { config, credentials, strange } = await natsUsers(setup.work);
    await using server = await NatsServer.start(setup.work, config);
    const url = `nats://${server.host}`;
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(url, { credentials })}`);
    expect(await anchorNow(setup)).toEqual([0, expect.stringMatching(/: ok: a checkpoint of \d+ entries\n$/)]);
    for (const more of [{}, { credentials: strange }]) {
      await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(url, more)}`);
      expect(await anchorNow(setup)).toEqual([1, expect.stringMatching(/authorization/i)]);
    }
    await Bun.write(setup.policy, `${ALLOW_ALL}\n${natsAnchor(url, { credentials: "/no/such.creds" })}`);
    expect(await anchorNow(setup)).toEqual([1, expect.stringContaining("/no/such.creds")]);
  }, LIMIT_MS);

  test("without one, doctor says what is not found", async () => {
    await using setup = await GuardSetup.create();
    const { stdout } = await setup.command(["doctor", "--policy", setup.policy]);
    expect(stdout).toContain("an end cut back to an earlier checkpoint of this host is not");
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a running guard", () => {
  test("holds and prunes on request; a process of its session cannot ask", async () => {
    await using setup = await GuardSetup.create();
    const ask = ["audit", "prune", "--older-than", "1s"];
    await using guard = setup.start(["/bin/sh", "-c", "sleep 2; touch ready; sleep 30"]);
    await waitUntil("the command", () => Bun.file(join(setup.work, "ready")).exists());
    const held = await setup.command(["audit", "hold", "add", "case-1", "--principal", "uid-0", "--reason", "counsel"]);
    expect([held.exit_code, held.stderr]).toEqual([0, ""]);
    const pruned = await setup.command([...ask, "--json"]);
    expect(JSON.parse(pruned.stdout)).toMatchObject({ held_back: expect.any(Number) });
    expect(JSON.parse(pruned.stdout).held_back).toBeGreaterThan(0);
    await setup.command(["audit", "hold", "release", "case-1"]);
    expect((await setup.command(ask)).stdout).toMatch(/^[1-9]\d* entries pruned/);
    guard.process.kill("SIGTERM");
    await guard.ended();
    const added = about(await setup.entries(), "guard.hold.added")[0];
    expect(added?.action.detail).toBe("hold case-1 added: counsel, by uid:0");
    const inside = await setup.guard([EXECUTABLE, ...ask, "--state", setup.state, "--runtime", setup.runtime]);
    expect([inside.exit_code, inside.stdout]).toEqual([1, ""]);
    expect(inside.stderr).toContain("session");
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);
});

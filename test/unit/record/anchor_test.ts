/** Checkpoints in second places: a file, a witness, a NATS subject; and what a cut or forked record meets there. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { errorMessage, type GuardAction } from "../../../lib/core/mod.ts";
import {
  anchoredLog,
  anchoredNotes,
  Anchors,
  type AnchorSettings,
  localWitnessKey,
  makeAnchor,
  noteOf,
  openCheckpoint,
  type RecordWriter,
  Witness,
} from "../../../lib/record/mod.ts";
import { cosignedAt, parseWitnessKey } from "../../../lib/record/cosignature.ts";
import { parseCheckpoint } from "../../../lib/record/note.ts";
import { HandTimers } from "../record_export/sink_support.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import { KeptLog, observation, openWriter, recordFile, tamper, TestClock } from "./support.ts";

let dir: TempDir;
let log: KeptLog;
let recorded: GuardAction[];
beforeEach(async () => {
  dir = await TempDir.create();
  log = new KeptLog();
  recorded = [];
});
afterEach(() => dir[Symbol.asyncDispose]());

/** A record in a directory of its own, with its anchors. */
class Logged implements AsyncDisposable {
  readonly directory: string;
  readonly writer: RecordWriter;
  readonly anchors: Anchors;

  constructor(name: string, places: readonly AnchorSettings[], notes: readonly string[] = []) {
    this.directory = dir.join(name);
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.writer = openWriter(this.directory, { origin: "example.com/log", known_notes: notes });
    this.anchors = new Anchors(anchoredLog((work) => this.writer.look(work)), places.map(makeAnchor), {
      timers: new HandTimers(),
      log,
      every_ms: 1_000,
      record: (action) => recorded.push(action),
    });
  }

  async append(count: number): Promise<void> {
    for (let n = 0; n < count; n++) this.writer.append(observation(n));
    await this.writer.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.anchors.close();
    await this.writer.close();
  }

  get verifier_key(): string {
    const state = anchoredLog((work) => this.writer.look(work)).state();
    return state?.keys[0]?.key.verifierKey(state.origin) ?? "";
  }
}

/** Cuts the record back to its first checkpoint of this size. */
function cutTo(directory: string, size: number): void {
  tamper(directory, "DELETE FROM checkpoints WHERE size > ?", size);
  tamper(directory, "DELETE FROM texts WHERE first_seq > ?", size);
  tamper(directory, "UPDATE tiles SET data = CAST(substr(data, 1, ?) AS BLOB) WHERE id = 0", size * 32);
  tamper(directory, "DELETE FROM spans");
  tamper(directory, "DELETE FROM postings");
}

describe("a file", () => {
  test("has every checkpoint, private; the next start goes on from the last one", async () => {
    const path = dir.join("anchors.txt");
    {
      await using logged = new Logged("a", [{ kind: "file", path }]);
      await logged.append(3);
      await logged.anchors.anchorNow();
      await logged.anchors.anchorNow();
      await logged.append(4);
      await logged.anchors.anchorNow();
      expect(logged.anchors.status()).toEqual([{ name: `file ${path}`, size: 7 }]);
      const key = anchoredLog((work) => logged.writer.look(work)).state()?.keys[0]?.key;
      if (key === undefined) throw new Error("no key");
      const opened = anchoredNotes(path).map((note) => openCheckpoint(note, key));
      expect(opened.map((each) => each.ok && each.value.size)).toEqual([3, 7]);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await using again = new Logged("a", [], anchoredNotes(path));
    await again.append(1);
  });

  test("finds a cut end, a deleted record and another history at the next start", async () => {
    const path = dir.join("anchors.txt");
    {
      await using logged = new Logged("a", [{ kind: "file", path }]);
      await logged.append(3);
    }
    {
      await using logged = new Logged("a", [{ kind: "file", path }]);
      await logged.append(4);
      await logged.anchors.anchorNow();
    }
    const notes = anchoredNotes(path);
    const refused = (name: string): string => {
      try {
        new Logged(name, [], notes);
        return "";
      } catch (thrown) {
        return errorMessage(thrown);
      }
    };
    // Only the key is kept: whoever deletes the record begins a new one of the same name.
    mkdirSync(dir.join("b"), { mode: 0o700 });
    copyFileSync(`${dir.join("a")}/signing.key`, `${dir.join("b")}/signing.key`);
    expect(refused("b")).toContain("covers 7 entries, the record has 0");
    {
      await using forked = new Logged("c", []);
      await forked.append(1);
    }
    expect(refused("c")).toBe("");
    cutTo(dir.join("a"), 3);
    expect(refused("a")).toContain("entry 4 does not verify: cut");
    await using alarmed = openWriter(dir.join("a"), { known_notes: notes, on_tamper: "alarm" });
    await alarmed.flush();
    expect(existsSync(recordFile(dir.join("a")))).toBe(true);
  });

  test("what is no file, or cannot be written, fails once and is told once; later it works again", async () => {
    const path = dir.join("no/anchors.txt");
    symlinkSync(dir.join("elsewhere"), dir.join("link"));
    await using logged = new Logged("a", [{ kind: "file", path }, { kind: "file", path: dir.join("link") }]);
    await logged.append(1);
    await logged.anchors.anchorNow();
    await logged.append(1);
    await logged.anchors.anchorNow();
    expect(recorded.map(({ type }) => type)).toEqual(["guard.degraded", "guard.degraded"]);
    expect(logged.anchors.status().map(({ error }) => error !== undefined)).toEqual([true, true]);
    mkdirSync(dir.join("no"));
    await logged.anchors.anchorNow();
    expect(recorded.map(({ type }) => type)).toEqual(["guard.degraded", "guard.degraded", "guard.restored"]);
    expect(existsSync(dir.join("elsewhere"))).toBe(false);
  });
});

/** A witness behind HTTP, for one log. */
function serveWitness(key: string): { readonly url: string; readonly witness: Witness; readonly stop: () => void } {
  const directory = dir.join("witness");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const witness = Witness.open(directory, [key], new TestClock());
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      if (new URL(request.url).pathname !== "/add-checkpoint") return new Response("", { status: 404 });
      const { status, type, body } = witness.addCheckpoint(await request.text());
      return new Response(body, { status, headers: { "content-type": type } });
    },
  });
  const stop = (): void => {
    void server.stop(true);
    witness.close();
  };
  return { url: `http://127.0.0.1:${server.port}`, witness, stop };
}

describe("a witness", () => {
  test("cosigns what extends what it has cosigned, also after its own restart", async () => {
    await using logged = new Logged("a", []);
    await logged.append(3);
    const first = serveWitness(logged.verifier_key);
    const { verifier_key } = first.witness;
    expect(localWitnessKey(dir.join("witness"))).toBe(verifier_key);
    const put = async (url: string): Promise<readonly unknown[]> => {
      using anchors = new Anchors(anchoredLog((work) => logged.writer.look(work)), [
        makeAnchor({ kind: "witness", url, key: verifier_key }),
      ], { timers: new HandTimers(), log, every_ms: 1_000, record: (action) => recorded.push(action) });
      await anchors.anchorNow();
      await logged.append(300);
      await anchors.anchorNow();
      return anchors.status();
    };
    expect(await put(first.url)).toEqual([{ name: `witness ${first.url}`, size: 303 }]);
    first.stop();
    const second = serveWitness(logged.verifier_key);
    expect(await put(second.url)).toEqual([{ name: `witness ${second.url}`, size: 603 }]);
    second.stop();
    expect(recorded).toEqual([]);
  });

  test("its lines are cosignatures that verify with its key alone", async () => {
    await using logged = new Logged("a", []);
    await logged.append(3);
    const { url, witness, stop } = serveWitness(logged.verifier_key);
    const log_view = anchoredLog((work) => logged.writer.look(work));
    const anchor = makeAnchor({ kind: "witness", url, key: witness.verifier_key });
    const note = checkpointOf(logged);
    const lines = await anchor.put(note, log_view, AbortSignal.timeout(10_000));
    const parsed = parseCheckpoint(note.note + lines);
    const key = parseWitnessKey(witness.verifier_key);
    if (!parsed.ok || !key.ok) throw new Error("malformed");
    const times = parsed.value.signatures.map((line) => cosignedAt(parsed.value, line, key.value));
    expect(times).toEqual([undefined, Math.floor(new TestClock().wallUs() / 1_000_000)]);
    const other = parseCheckpoint(note.note.replace("\n3\n", "\n4\n") + lines);
    if (!other.ok) throw new Error("malformed");
    expect(other.value.signatures.map((line) => cosignedAt(other.value, line, key.value))).toEqual([
      undefined,
      undefined,
    ]);
    stop();
  });

  test("a cut record, and one that was written again, are alarms", async () => {
    await using logged = new Logged("a", []);
    await logged.append(9);
    const { url, witness, stop } = serveWitness(logged.verifier_key);
    const settings: AnchorSettings = { kind: "witness", url, key: witness.verifier_key };
    const put = (of: Logged): Promise<string> =>
      makeAnchor(settings).put(
        checkpointOf(of),
        anchoredLog((work) => of.writer.look(work)),
        AbortSignal.timeout(9_000),
      )
        .then(() => "cosigned", errorMessage);
    expect(await put(logged)).toBe("cosigned");
    for (const name of ["short", "other"]) {
      mkdirSync(dir.join(name), { mode: 0o700 });
      copyFileSync(`${logged.directory}/signing.key`, `${dir.join(name)}/signing.key`);
    }
    await using short = new Logged("short", [settings]);
    await short.append(5);
    expect(await put(short)).toContain("has cosigned 9 entries, the record has 5: its end is cut");
    await short.anchors.anchorNow();
    expect(recorded.map(({ type }) => type)).toEqual(["guard.tamper"]);
    await using other = new Logged("other", []);
    for (let n = 0; n < 12; n++) other.writer.append(observation(n + 1));
    await other.writer.flush();
    expect(await put(other)).toContain("has cosigned another history");
    expect(await put(logged)).toBe("cosigned");
    stop();
  });

  test("refuses what is no request of a log that it knows, and remembers nothing of it", async () => {
    await using logged = new Logged("a", []);
    await logged.append(3);
    const { witness, stop } = serveWitness(logged.verifier_key);
    const { note } = checkpointOf(logged);
    const ask = (body: string): number => witness.addCheckpoint(body).status;
    expect(ask("")).toBe(400);
    expect(ask(`old 0\n${note}`)).toBe(400);
    expect(ask(`old -1\n\n${note}`)).toBe(400);
    expect(ask(`old 4\n\n${note}`)).toBe(400);
    expect(ask(`old 0\n!!\n\n${note}`)).toBe(400);
    expect(ask(`old 0\n\nno note`)).toBe(400);
    expect(ask(`old 0\n\n${note.replaceAll("example.com/log", "example.com/other")}`)).toBe(404);
    expect(ask(`old 0\n\n${note.replace("\n3\n", "\n4\n")}`)).toBe(403);
    expect(witness.addCheckpoint(`old 2\n\n${note}`)).toEqual({ status: 409, type: "text/x.tlog.size", body: "0\n" });
    expect(ask(`old 0\n\n${note}`)).toBe(200);
    expect(ask(`old 3\n\n${note}`)).toBe(200);
    await logged.append(4);
    const next = checkpointOf(logged).note;
    const wrong = new Uint8Array(32).toBase64();
    expect(ask(`old 3\n${wrong}\n${wrong}\n\n${next}`)).toBe(422);
    expect(witness.addCheckpoint(`old 0\n\n${next}`)).toMatchObject({ status: 409, body: "3\n" });
    stop();
  });

  test("an answer that is not signed by its key is none", async () => {
    await using logged = new Logged("a", []);
    await logged.append(3);
    const { url, stop } = serveWitness(logged.verifier_key);
    mkdirSync(dir.join("stranger"), { mode: 0o700 });
    const anchor = makeAnchor({ kind: "witness", url, key: localWitnessKey(dir.join("stranger")) });
    const put = anchor.put(
      checkpointOf(logged),
      anchoredLog((work) => logged.writer.look(work)),
      AbortSignal.timeout(9_000),
    );
    expect(await put.catch(errorMessage)).toContain("not signed by its key");
    stop();
    const gone = makeAnchor({ kind: "witness", url, key: localWitnessKey(dir.join("stranger")) });
    const unheard = gone.put(
      checkpointOf(logged),
      anchoredLog((work) => logged.writer.look(work)),
      AbortSignal.timeout(9_000),
    );
    expect(await unheard.catch(errorMessage)).toContain(`ask the witness ${url}`);
  });
});

/** The newest checkpoint. */
function checkpointOf(logged: Logged): { readonly origin: string; readonly size: number; readonly note: string } {
  const state = anchoredLog((work) => logged.writer.look(work)).state();
  if (state === undefined) throw new Error("nothing is signed");
  return { origin: state.origin, size: state.newest.size, note: noteOf(state, state.newest) };
}

const NATS_SERVER = Bun.which("nats-server", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });

describe.skipIf(NATS_SERVER === null)("a NATS subject (skipped where nats-server is not installed)", () => {
  test("subscribers get each checkpoint; a server that is gone is told", async () => {
    const ports = dir.join("ports");
    mkdirSync(ports);
    const server = Bun.spawn([NATS_SERVER ?? "", "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ports], {
      stdout: "ignore",
      stderr: "ignore",
    });
    try {
      const file = `${ports}/nats-server_${server.pid}.ports`;
      await waitUntil("the server", () => existsSync(file) && readFileSync(file, "utf8").endsWith("}"));
      const url = String(JSON.parse(readFileSync(file, "utf8")).nats[0]);
      const connection = await connect({ servers: url });
      const subscription = connection.subscribe("agentguard.checkpoints", { max: 2 });
      await connection.flush();
      const settings: AnchorSettings = {
        kind: "nats",
        url,
        subject: "agentguard.checkpoints",
        credentials: undefined,
        ca: undefined,
      };
      await using logged = new Logged("a", [settings]);
      for (const count of [3, 4]) {
        await logged.append(count);
        await logged.anchors.anchorNow();
      }
      const got: string[] = [];
      for await (const message of subscription) got.push(message.string());
      expect(got.map((note) => note.split("\n")[1])).toEqual(["3", "7"]);
      await connection.close();
      server.kill();
      await server.exited;
      await logged.append(1);
      await logged.anchors.anchorNow();
      expect(logged.anchors.status()).toMatchObject([{ size: 7, error: expect.stringContaining(`publish to ${url}`) }]);
      expect(recorded.map(({ type }) => type)).toEqual(["guard.degraded"]);
    } finally {
      server.kill();
      await server.exited;
    }
  });
});

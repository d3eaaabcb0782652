/**
 * The record against strace: the scripted tree of fixtures/tree runs guarded, and every action that strace saw must be
 * recorded once, with the same names and results, and nothing else. Two runs:
 * - the guard around strace around the tree: one run, so that process ids and ports are compared too;
 * - the guard around the tree alone, against an earlier run under strace alone: full speed, nothing slowed by ptrace.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import type { ActionType, Entry } from "../../lib/core/mod.ts";
import { Compiler, GuardSetup, IS_ROOT, run, UNCONFINED } from "../support/mod.ts";
import { compare, type Seen, seenActions } from "./conformance/compare.ts";
import type { Expected } from "./conformance/expected.ts";
import { buildTree, readStraced, underStrace } from "./conformance/tree.ts";

/** Processes of the fork storm; an emulated machine takes fewer. */
const STORM = Number(process.env["CONFORMANCE_STORM"] ?? 5_000);

/** Longest time for one run of the tree, milliseconds: strace makes it slow. */
const RUN_MS = 240_000;

/** The types that the table of system calls maps to. */
const TYPES: readonly ActionType[] = [
  "exec",
  "exec.failed",
  "process.fork",
  "process.exit",
  "file.read",
  "file.write",
  "file.create",
  "file.truncate",
  "file.delete",
  "file.mkdir",
  "file.rmdir",
  "file.chmod",
  "file.chown",
  "file.mknod",
  "file.rename",
  "file.link",
  "file.symlink",
  "net.connect",
  "net.send",
  "net.bind",
  "net.listen",
  "unix.connect",
];

interface Observed {
  readonly entries: readonly Entry[];
  /** Actions of the tree's own processes. */
  readonly seen: readonly Seen[];
  readonly expected: readonly Expected[];
}

/** Shows a few differences, not thousands. */
function shown(differences: { readonly missing: readonly string[]; readonly invented: readonly string[] }): unknown {
  const { missing, invented } = differences;
  return {
    missing: missing.length,
    invented: invented.length,
    examples: [
      ...missing.slice(0, 5).map((line) => `missing ${line}`),
      ...invented.slice(0, 5).map((line) => `invented ${line}`),
    ],
  };
}

const NO_DIFFERENCE = { missing: 0, invented: 0, examples: [] };

function ofType<T extends { readonly type: ActionType }>(items: readonly T[], type: ActionType): readonly T[] {
  return items.filter((item) => item.type === type);
}

function seenOfType(seen: readonly Seen[], type: ActionType): readonly Seen[] {
  return seen.filter((item) => item.action.type === type);
}

describe.skipIf(!IS_ROOT)("a scripted tree under strace under the guard, one run", () => {
  let observed: Observed;
  let foreign: readonly Seen[];

  beforeAll(async () => {
    await using compiler = await Compiler.create();
    // strace traces, which the baseline takes.
    await using setup = await GuardSetup.create(UNCONFINED);
    const command = await buildTree(compiler, STORM);
    const log = setup.dir.join("strace.log");
    const done = await setup.guard(underStrace(command, log), { deadline_ms: RUN_MS });
    if (done.exit_code !== 0) throw new Error(`run the tree: exit ${done.exit_code}: ${done.stderr}`);
    const { expected, model } = await readStraced(log, setup.work);
    const entries = await setup.entries();
    const all = seenActions(entries);
    observed = { entries, expected, seen: all.filter((item) => model.knows(item.pid)) };
    foreign = all.filter((item) => !model.knows(item.pid));
  }, RUN_MS);

  test.each([...TYPES])("%s: nothing missing, nothing invented", (type) => {
    const expected = ofType(observed.expected, type);
    expect(expected.length).toBeGreaterThan(0);
    expect(shown(compare(expected, seenOfType(observed.seen, type), { same_run: true }))).toEqual(NO_DIFFERENCE);
  });

  test("the tree's processes have no actions of other types", () => {
    expect(observed.seen.filter((item) => !TYPES.includes(item.action.type)).map((item) => item.entry)).toEqual([]);
  });

  test("what is not the tree's is strace's own", () => {
    expect(foreign.length).toBeGreaterThan(0);
    expect(foreign.filter((item) => item.entry.process?.exe !== "/usr/bin/strace").map((item) => item.entry)).toEqual(
      [],
    );
  });

  test("nothing was lost, and nothing went unseen", () => {
    expect(observed.entries.filter((entry) => entry.kind === "gap")).toEqual([]);
  });

  test("entries are numbered without gaps", () => {
    const first = observed.entries[0]?.seq ?? Number.NaN;
    const wrong = observed.entries.filter((entry, index) => entry.seq !== first + index);
    expect(wrong.map((entry) => entry.seq)).toEqual([]);
  });

  test("a process keeps one start time, one session and its parent", () => {
    const starts = new Map<number, Set<string>>();
    for (const { entry, pid } of observed.seen) {
      const process = entry.process;
      const known = starts.get(pid) ?? new Set();
      starts.set(
        pid,
        known.add(`${process?.start} ${process?.ppid === undefined ? "no parent" : ""} ${entry.session_id}`),
      );
    }
    expect([...starts].filter(([, identities]) => identities.size !== 1)).toEqual([]);
    expect(new Set(observed.seen.map((item) => item.entry.session_id)).size).toBe(1);
  });

  test("a fork names the start time that the child's own actions carry", () => {
    const starts = new Map(observed.seen.map((item) => [item.pid, item.entry.process?.start]));
    const wrong = observed.seen.filter(({ action }) =>
      action.type === "process.fork" && action.child.start !== starts.get(action.child.pid)
    );
    expect(wrong.map((item) => item.action)).toEqual([]);
  });

  test("the bytes through a file are reported at its close", () => {
    const outcomes = new Map(
      observed.entries.flatMap(({ kind, outcome }) =>
        kind === "outcome" && outcome ? [[outcome.decision_id, outcome]] : []
      ),
    );
    const opens = observed.seen.filter(({ action }) =>
      action.type === "file.create" && action.path.endsWith("/amounts")
    );
    // Once by the program linked dynamically, once by the static one.
    expect(opens.length).toBe(2);
    for (const { entry } of opens) {
      const id = entry.decision?.decision_id;
      expect(id === undefined ? undefined : outcomes.get(id)).toMatchObject({
        bytes_written: 12_345,
        bytes_read: 3_000,
      });
    }
  });
});

describe.skipIf(!IS_ROOT)("the same tree at full speed, against strace alone", () => {
  let observed: Observed;

  beforeAll(async () => {
    await using compiler = await Compiler.create();
    await using setup = await GuardSetup.create();
    const command = await buildTree(compiler, STORM);
    const log = setup.dir.join("strace.log");
    const traced = await run(underStrace(command, log), { cwd: setup.work, deadline_ms: RUN_MS });
    if (traced.exit_code !== 0) throw new Error(`run the tree: exit ${traced.exit_code}: ${traced.stderr}`);
    const { expected } = await readStraced(log, setup.work);
    // The same names again: the second run begins in the same directory, empty.
    await rm(setup.work, { recursive: true });
    await mkdir(setup.work);
    const done = await setup.guard(command, { deadline_ms: RUN_MS });
    if (done.exit_code !== 0) throw new Error(`run the tree: exit ${done.exit_code}: ${done.stderr}`);
    const entries = await setup.entries();
    observed = { entries, expected, seen: seenActions(entries) };
  }, RUN_MS);

  test.each([...TYPES])("%s: nothing missing, nothing invented", (type) => {
    const expected = ofType(observed.expected, type);
    expect(expected.length).toBeGreaterThan(0);
    expect(shown(compare(expected, seenOfType(observed.seen, type), { same_run: false }))).toEqual(NO_DIFFERENCE);
  });

  test("the tree's processes have no actions of other types", () => {
    expect(observed.seen.filter((item) => !TYPES.includes(item.action.type)).map((item) => item.entry)).toEqual([]);
  });

  test("nothing was lost, and nothing went unseen", () => {
    expect(observed.entries.filter((entry) => entry.kind === "gap")).toEqual([]);
  });
});

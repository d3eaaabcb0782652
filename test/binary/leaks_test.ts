/** A hundred guarded starts leave nothing behind. */
import { describe, expect, test } from "bun:test";
import {
  about,
  argumentsOf,
  bpfObjects,
  expectNothingLeft,
  GuardSetup,
  IS_ROOT,
  processesNaming,
  run,
  sessionCgroups,
  waitUntil,
} from "../support/mod.ts";

const STARTS = 100;

const LIMIT_MS = 600_000;

/** With rules, so that every kind of program and map is loaded. */
const POLICY = `version = 1
name = "leaks"
mode = "enforce"

[default]
"*" = "allow"

[[rules]]
name = "no-network"
action = ["net.connect", "net.send", "net.bind"]
address = "127.66.0.0/16"
verdict = "deny"

[[rules]]
name = "no-tool"
action = "exec"
exe = "forbidden-tool"
verdict = "deny"
`;

describe.skipIf(!IS_ROOT)("guarded starts", () => {
  test(`${STARTS} in a row leak no cgroup, BPF object, process, mount or temporary file`, async () => {
    await using setup = await GuardSetup.create(POLICY);
    const mounts = async (): Promise<readonly string[]> =>
      (await run(["/bin/cat", "/proc/self/mountinfo"])).stdout.split("\n");
    const before = { bpf: await bpfObjects(), mounts: await mounts() };
    for (let i = 0; i < STARTS; i++) {
      const done = await setup.guard(["/bin/sh", "-c", `exit ${i % 100}`]);
      if (done.exit_code !== i % 100) throw new Error(`start ${i}: exit ${done.exit_code}: ${done.stderr}`);
    }
    await waitUntil("no process of a guard", () => processesNaming(setup.state).length === 0, {
      detail: () => processesNaming(setup.state).map((pid) => argumentsOf(pid).join(" ")).join("; "),
    });
    await expectNothingLeft("mount", before.mounts, mounts);
    // The kernel frees programs a moment after the last descriptor.
    await expectNothingLeft("BPF object", before.bpf, bpfObjects);
    expect((await run(["find", setup.runtime, "-mindepth", "1"])).stdout).toBe("");
    const entries = await setup.entries();
    await expectNothingLeft("cgroup", [], () => sessionCgroups(entries));
    const begun = about(entries, "session.start").map((entry) => entry.session_id);
    const ended = new Set(about(entries, "session.end").map((entry) => entry.session_id));
    expect(new Set(begun).size).toBe(STARTS);
    const open = begun.filter((id) => !ended.has(id));
    // A session without its end: what it has instead.
    const unfinished = entries.filter((entry) => open.includes(entry.session_id));
    expect(unfinished.map((entry) => `${entry.seq} ${entry.kind} ${entry.action?.type ?? ""}`)).toEqual([]);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);
});

import { describe, expect, test } from "bun:test";
import {
  type Action,
  type Decision,
  type Event,
  IdGenerator,
  type KernelVerdict,
  type ProcessRef,
  systemClock,
} from "../../../lib/core/mod.ts";
import { KernelActor } from "../../../lib/act/mod.ts";

const ids = new IdGenerator(systemClock);

function decision(verdict: Decision["verdict"]): Decision {
  return {
    decision_id: ids.decision(),
    verdict,
    reason: "r",
    mode: "enforce",
    policy: { name: "p", digest: "00", generation: 1 },
  };
}

function event(action: Action, kernel?: KernelVerdict["effect"], known = true): Event {
  return {
    time_us: 0,
    ...(known ? { process: { pid: 7, start: "8" } } : {}),
    action,
    ...(kernel === undefined ? {} : {
      kernel: { verdict: kernel === "none" ? "allow" : "deny", rule_index: 0, generation: 1, effect: kernel },
    }),
  };
}

const socket: Action = { type: "unix.connect", path: "/run/s", result: "0" };
const exec: Action = { type: "exec", path: "/bin/x", argv: ["x"] };
const connect: Action = { type: "net.connect", protocol: "tcp", address: "::1", port: 1 };
const read: Action = { type: "file.read", path: "/a", result: "0" };

describe("what came of a decision", () => {
  test.each([
    // the kernel acted
    [connect, "refused", "deny", "killed", "prevented", "cgroup", false],
    [exec, "killed", "deny", "killed", "killed_before_effect", "signal", false],
    [socket, "ended", "deny", "killed", "killed_after_effect", "signal", false],
    // observe mode: the kernel did not act, and neither do we
    [connect, "none", "allow", "killed", "observed", "none", false],
    [read, undefined, "allow", "killed", "observed", "none", false],
    [read, undefined, "log", "killed", "observed", "none", false],
    // the kernel refused by itself: there was no effect
    [{ ...read, result: "EACCES" }, undefined, "deny", "killed", "observed", "none", false],
    [{ ...connect, result: "ECONNREFUSED" }, undefined, "deny", "killed", "observed", "none", false],
    [{ type: "exec.failed", errno: "ENOENT" }, undefined, "deny", "killed", "observed", "none", false],
    // after the fact
    [read, undefined, "deny", "killed", "killed_after_effect", "signal", true],
    [read, undefined, "ask", "killed", "killed_after_effect", "signal", true],
    [exec, undefined, "deny", "killed", "killed_after_effect", "signal", true],
    [exec, "none", "deny", "killed", "killed_after_effect", "signal", true],
    [connect, undefined, "deny", "killed", "killed_after_effect", "signal", true],
    [{ ...connect, result: "0" }, undefined, "deny", "killed", "killed_after_effect", "signal", true],
    [{ ...connect, result: "EINPROGRESS" }, undefined, "deny", "killed", "killed_after_effect", "signal", true],
    [
      { type: "unix.connect", path: "/s", result: "0" },
      undefined,
      "deny",
      "killed",
      "killed_after_effect",
      "signal",
      true,
    ],
    [read, undefined, "deny", "gone", "unenforceable", "none", true],
    [read, undefined, "deny", "refused", "failed", "signal", true],
    // nothing to end
    [{ type: "process.exit", exit_code: 0 }, undefined, "deny", "killed", "unenforceable", "none", false],
    [
      { type: "process.fork", child: { pid: 1, start: "1" } },
      undefined,
      "deny",
      "killed",
      "unenforceable",
      "none",
      false,
    ],
  ] as [
    Action,
    KernelVerdict["effect"] | undefined,
    Decision["verdict"],
    "killed" | "gone" | "refused",
    string,
    string,
    boolean,
  ][])(
    "%j, kernel %p, verdict %s, kill %s: %s by %s",
    (action, kernel, verdict, kill, label, mechanism, asked) => {
      const killed: ProcessRef[] = [];
      const actor = new KernelActor({
        kill: (process) => {
          killed.push(process);
          return kill;
        },
      });
      const given = decision(verdict);
      const outcome = actor.perform(event(action, kernel), given);
      expect(outcome).toMatchObject({ decision_id: given.decision_id, label, mechanism });
      expect(killed).toEqual(asked ? [{ pid: 7, start: "8" }] : []);
      expect("error" in outcome).toBe(asked && kill !== "killed");
    },
  );

  test("a process that is not known cannot be ended, and the outcome says so", () => {
    const actor = new KernelActor({ kill: () => "killed" });
    expect(actor.perform(event(read, undefined, false), decision("deny"))).toMatchObject({
      label: "unenforceable",
      error: "the process is not known",
    });
  });
});

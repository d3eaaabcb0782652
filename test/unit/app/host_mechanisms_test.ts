/** What of the host's mechanisms can be told by reading. */
import { expect, test } from "bun:test";
import { lackingHere } from "../../../lib/app/host_mechanisms.ts";

const ALL = {
  cgroup2: "/sys/fs/cgroup",
  btf: true,
  seccomp_actions: "kill_process trap errno user_notif trace log allow",
};

test.each<[string, Partial<typeof ALL> | { readonly cgroup2: undefined }, readonly string[]]>([
  ["everything is there", {}, []],
  ["no hierarchy", { cgroup2: undefined }, ["cgroup"]],
  ["no seccomp", { seccomp_actions: "" }, ["seccomp"]],
  ["seccomp without questions", { seccomp_actions: "kill errno user_notify allow" }, ["seccomp"]],
  ["no types of the kernel", { btf: false }, ["fanotify", "seccomp", "cgroup", "exec_kill", "kill_after"]],
])("%s", (_, changes, expected) => {
  expect([...lackingHere({ ...ALL, ...changes })].map(String).sort()).toEqual([...expected].sort());
});

test("this host answers", () => expect(lackingHere()).toBeInstanceOf(Set));

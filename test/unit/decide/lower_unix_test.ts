/** What of rules about unix sockets goes into the kernel where its cgroup programs see their addresses. */
import { expect, test } from "bun:test";
import type { LoweredUnixRule } from "../../../lib/core/mod.ts";
import { type HostMechanisms, lower, type RuleEnforcement } from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

const HOST: HostMechanisms = { available: new Set(["cgroup", "exec_kill", "kill_after"]), unix_names: true };

function lowered(body: string, host: HostMechanisms = HOST): readonly LoweredUnixRule[] | undefined {
  return lower(load(enforcing(rule("r", body))), { host, home: "/home/ada" }).policy.unix;
}

function reported(body: string, host: HostMechanisms = HOST): RuleEnforcement | undefined {
  return lower(load(enforcing(rule("r", body))), { host, home: "/home/ada" }).report[0];
}

test.each([
  ['path = "/run/docker.sock"', { paths: ["/run/docker.sock"] }],
  ['path = "~/x.sock"', { paths: ["/home/ada/x.sock"] }],
  ['path = "@/tmp/.X11-unix/X0"', { paths: ["@/tmp/.X11-unix/X0"] }],
  ['path = ["/run/containerd/**", "**/agent.sock"]', { trees: ["/run/containerd"], names: ["agent.sock"] }],
  ['path = ["/run/user/*/bus", "/a"]', { paths: ["/a"] }],
])("%s", (path, expected) => {
  const found = lowered(`action = "unix.connect"\n${path}\nverdict = "deny"`);
  expect(found).toEqual([{ rule_index: 0, paths: [], names: [], trees: [], ...expected }]);
});

test.each([
  ['action = "unix.connect"\npath = "/run/user/*/bus"\nverdict = "deny"'],
  ['action = "unix.connect"\npath = "@a*"\nverdict = "deny"'],
  ['action = "unix.connect"\nverdict = "deny"'],
  ['action = "unix.connect"\npath = "/a"\nuser = 7\nverdict = "deny"'],
  ['action = "unix.connect"\npath = "/a/**"\nexcept = { path = "/a/b" }\nverdict = "deny"'],
  ['action = "unix.connect"\npath = "/a"\nverdict = "allow"'],
  ['action = "unix.connect"\npath = "/a"\nmode = "observe"\nverdict = "deny"'],
  ['action = "file.read"\npath = "/a"\nverdict = "deny"'],
])("nothing of: %s", (body) => {
  expect(lowered(body)).toBeUndefined();
});

test("the report names the mechanism of each host", () => {
  const body = 'action = "unix.connect"\npath = "/a"\nverdict = "deny"';
  expect(reported(body)).toMatchObject({ mechanism: "cgroup", complete: false });
  expect(reported(body)?.note).toContain("symbolic link");
  expect(reported(body, { available: HOST.available })).toMatchObject({ mechanism: "kill_after", complete: false });
  expect(lowered(body, { available: HOST.available })).toBeUndefined();
  expect(reported(body, { ...HOST, available: new Set([...HOST.available, "lsm"]) })?.mechanism).toBe("lsm");
  const wild = reported('action = "unix.connect"\npath = "/a/*"\nverdict = "deny"');
  expect(wild).toMatchObject({ mechanism: "kill_after" });
});

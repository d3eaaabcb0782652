/** What of file rules goes into the kernel where it has security hooks. */
import { expect, test } from "bun:test";
import { LIMITS, type LoweredFileRule } from "../../../lib/core/mod.ts";
import { lower } from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

const HOOKS = { available: new Set(["lsm", "cgroup", "exec_kill", "kill_after"] as const) };

function files(body: string, host: typeof HOOKS = HOOKS): readonly LoweredFileRule[] | undefined {
  return lower(load(enforcing(rule("r", body))), { host, home: "/home/ada" }).policy.files;
}

test.each([
  ['path = "/etc/shadow"', { paths: ["/etc/shadow"] }],
  ['path = "~/.ssh/**"', { trees: ["/home/ada/.ssh"] }],
  ['path = "**/.env"', { names: [".env"] }],
  ['path = "**/*.pem"', { extensions: [".pem"] }],
  ['path = ["/a/**", "**/*.key", "/b/*.c"]', { trees: ["/a"], extensions: [".key"] }],
])("%s", (path, expected) => {
  const none = { paths: [], names: [], extensions: [], trees: [] };
  expect(files(`action = "file.read"\n${path}\nverdict = "deny"`)).toEqual([
    { rule_index: 0, actions: ["file.read"], ...none, ...expected },
  ]);
});

test.each([
  ['action = "file.read"\npath = "/b/*.c"\nverdict = "deny"'],
  ['action = "file.read"\npath = "**/*.tar.gz"\nverdict = "deny"'],
  ['action = "file.read"\npath = "**/a*.gz"\nverdict = "deny"'],
  ['action = "file.read"\npath = "/a/**"\nby = "cat"\nverdict = "deny"'],
  ['action = "file.read"\npath = "/a/**"\nexcept = { path = "/a/b" }\nverdict = "deny"'],
  ['action = "file.read"\npath = "/a/**"\nverdict = "allow"'],
  ['action = "file.read"\npath = "/a/**"\nmode = "observe"\nverdict = "deny"'],
  [`action = "file.read"\npath = "/${"a".repeat(LIMITS.kernel_path_bytes_max)}"\nverdict = "deny"`],
])("nothing of: %s", (body) => {
  expect(files(body)).toBeUndefined();
});

test("an abstract socket is compared by its exact name", () => {
  const of = (path: string): string => `action = "unix.connect"\npath = "${path}"\nverdict = "deny"`;
  expect(files(of("@a/b"))?.[0]).toMatchObject({ actions: ["unix.connect"], paths: ["@a/b"], trees: [] });
  expect(files(of("@a*"))).toBeUndefined();
});

test("sockets and files of one rule; a host without hooks gets nothing", () => {
  const body = 'action = ["unix.connect", "file.delete"]\npath = "/run/x.sock"\nverdict = "deny"';
  expect(files(body)?.[0]?.actions).toEqual(["unix.connect", "file.delete"]);
  expect(lower(load(enforcing(rule("r", body))), {}).policy.files).toBeUndefined();
});

test("as many rules as the kernel holds, the next ones are said to be left", () => {
  const bodies = Array.from(
    { length: LIMITS.kernel_file_rules_max + 1 },
    (_, i) => rule(`r${i}`, `action = "file.read"\npath = "/a${i}"\nverdict = "deny"`),
  );
  const { policy, report } = lower(load(enforcing(...bodies)), { host: HOOKS });
  expect(policy.files).toHaveLength(LIMITS.kernel_file_rules_max);
  expect(report.at(-2)?.mechanism).toBe("lsm");
  expect(report.at(-1)).toMatchObject({ mechanism: "kill_after", complete: false });
});

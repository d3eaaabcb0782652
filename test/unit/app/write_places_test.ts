import { describe, expect, test } from "bun:test";
import { isOwnPlace } from "../../../lib/app/write_places.ts";

type Change = Parameters<typeof isOwnPlace>[0];

const OWN = {
  state_dir: "/var/lib/guard",
  runtime_dir: "/run/guard",
  approvers_dir: "/run/approvers",
  policies: ["/etc/guard/policy.toml"],
  program: "/usr/bin/agentguard",
};

function change(fields: Partial<Change>): Change {
  return { kind: "open", path: "", new_path: "", open_flags: 0, ...fields };
}

describe("the guard's own files", () => {
  test.each([
    ["its state, read", change({ path: "/var/lib/guard/record.db" }), true],
    ["its state directory", change({ kind: "rename", path: "/var/lib/guard", new_path: "/tmp/x" }), true],
    ["a name in its runtime directory", change({ kind: "link", path: "/tmp/x", new_path: "/run/guard/y" }), true],
    ["the directory of approvers", change({ path: "/run/approvers/socket" }), true],
    ["a neighbour", change({ path: "/var/lib/guardian" }), false],
    ["the policy, read", change({ path: "/etc/guard/policy.toml" }), false],
    ["the policy, written", change({ path: "/etc/guard/policy.toml", open_flags: 1 }), true],
    ["something over the policy", change({ kind: "rename", path: "/a", new_path: "/etc/guard/policy.toml" }), true],
    ["the executable, removed", change({ kind: "delete", path: "/usr/bin/agentguard" }), true],
    ["anything else", change({ kind: "delete", path: "/tmp/a" }), false],
  ])("%s", (_, given, expected) => {
    expect(isOwnPlace(given, OWN)).toBe(expected);
  });
});

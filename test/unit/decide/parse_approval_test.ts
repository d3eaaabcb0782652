/** The `[approval]` table: what it may say, and how layers add up. */
import { describe, expect, test } from "bun:test";
import { mergeApproval } from "../../../lib/decide/parse_approval.ts";
import { findings, load } from "./support.ts";

const FULL = `version = 1
[approval]
timeout = "5m"
unattended = "30s"
approvers = ["uid:0", "user:alice", "gid:27", "group:operators", "token:ops", "webhook:pager"]
quorum = 2
allow_same_uid = false
totp = { file = "/etc/agentguard/totp" }
[approval.listen]
address = "127.0.0.1:8787"
token = { env = "APPROVER_TOKEN" }
name = "ops"
[approval.socket]
group = "operators"
[approval.webhook]
url = "https://approvals.example.com/hook"
secret = { file = "/etc/agentguard/webhook" }
name = "pager"
decides = true
[approval.slack]
url = { env = "SLACK_URL" }
`;

test("every key", () => {
  expect(load(FULL).approval).toEqual({
    timeout_ms: 300_000,
    unattended_ms: 30_000,
    approvers: ["uid:0", "user:alice", "gid:27", "group:operators", "token:ops", "webhook:pager"],
    quorum: 2,
    allow_same_uid: false,
    totp: { file: "/etc/agentguard/totp" },
    listen: { address: "127.0.0.1", port: 8787, token: { env: "APPROVER_TOKEN" }, name: "ops" },
    socket: { group: "operators" },
    webhook: {
      url: "https://approvals.example.com/hook",
      secret: { file: "/etc/agentguard/webhook" },
      name: "pager",
      decides: true,
    },
    slack: { url: { env: "SLACK_URL" } },
  });
});

test.each<[string, object]>([["wait", {}], ["deny", { unattended_ms: 0 }], ["2m", { unattended_ms: 120_000 }]])(
  "unattended = %s",
  (value, settings) => {
    expect(load(`version = 1\n[approval]\nunattended = "${value}"\n`).approval).toEqual(settings);
  },
);

describe("what is refused, with a place", () => {
  test.each<[string, string, RegExp]>([
    ["an approver without a kind", 'approvers = ["alice"]', /approver "alice" names nobody/],
    ["a secret in the policy", 'totp = "JBSWY3DPEHPK3PXP"', /totp is a string: a secret does not stand in a policy/],
    ["two places of one secret", 'totp = { file = "/a", env = "B" }', /totp names no file/],
    ["a time that is none", 'unattended = "0s"', /unattended "0s" is none of "wait", "deny" and a duration/],
    ["a relative file", 'totp = { file = "totp" }', /totp names no file/],
    ["a quorum of nobody", "quorum = 0", /quorum is 0, not a whole number from 1 to 16/],
    ["a flag that is a word", 'allow_same_uid = "yes"', /allow_same_uid is a string, not true or false/],
    ["a port for everybody", 'listen = { address = "0.0.0.0:1", token = { env = "T" } }', /is no port of this host/],
    ["a port without a token", 'listen = { address = "127.0.0.1:1" }', /token is missing/],
    ["a socket for nobody", "socket = {}", /the socket is for no group and no user, or for both/],
    ["a socket for two", 'socket = { group = "a", user = "b" }', /the socket is for no group and no user, or for both/],
    ["a password in an address", 'webhook = { url = "https://a:b@c/", secret = { env = "S" } }', /no http or https/],
    ["a webhook without a secret", 'webhook = { url = "https://c/" }', /secret is missing/],
    ["an unknown key", "timeouts = 1", /unknown key "timeouts"/],
  ])("%s", (_name, line, message) => {
    const errors = findings(`version = 1\n[approval]\n${line}\n`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
    expect(errors[0]).toMatch(/^a\.toml:\d+:\d+: error: /);
  });
});

test("a later layer only tightens", () => {
  const base = { timeout_ms: 1_000, unattended_ms: 0, quorum: 2, allow_same_uid: false, approvers: ["uid:0", "uid:1"] };
  const other = {
    timeout_ms: 5_000,
    unattended_ms: 3_000,
    quorum: 1,
    allow_same_uid: true,
    approvers: ["uid:1", "uid:2"],
    slack: { url: { env: "A" } },
  };
  const merged = { timeout_ms: 1_000, unattended_ms: 0, quorum: 2, allow_same_uid: false, approvers: ["uid:1"] };
  expect(mergeApproval([base, other])).toEqual({ ...merged, slack: { url: { env: "A" } } });
  expect(mergeApproval([other, base])).toEqual({ ...merged, slack: { url: { env: "A" } } });
  const totp = (env: string): { readonly totp: { readonly env: string } } => ({ totp: { env } });
  expect(mergeApproval([{}, totp("FIRST"), totp("SECOND")])).toEqual(totp("FIRST"));
  expect(mergeApproval([])).toEqual({});
});

/** Learning: what a recording did is allowed, what it did not do is not, and every value says what it rests on. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Action, Entry, Event } from "../../../lib/core/mod.ts";
import {
  compareReplay,
  type LearnOptions,
  type LearntPolicy,
  PolicyLearner,
  type PolicySnapshot,
} from "../../../lib/decide/mod.ts";
import { SecretPaths } from "../../../lib/decide/learn_secrets.ts";
import { event as anyEvent } from "../../property/decide/arbitraries.ts";
import { connect, create, entryOf, exec, policyOf, PROCESS, read, recording, SESSION } from "./support.ts";

function learn(entries: readonly Entry[], options: LearnOptions = {}): LearntPolicy {
  const learner = new PolicyLearner(options);
  for (const entry of entries) learner.add(entry);
  const learnt = learner.finish();
  if (!learnt.ok) throw new Error(JSON.stringify(learnt.error));
  return learnt.value;
}

function verdict(policy: PolicySnapshot, action: Action): string {
  const event: Event = {
    time_us: 0,
    action,
    process: PROCESS,
    session: { session_id: SESSION, agent: "a", principal: "p", root: { pid: 1, start: "1" }, home: "/home/u" },
  };
  return policy.evaluate(event).verdict;
}

/** The policy learnt from the entries. */
function learnt(entries: readonly Entry[], options: LearnOptions = {}): PolicySnapshot {
  return policyOf(learn(entries, options).text, "learnt.toml");
}

/** What the learnt policy makes of the entries themselves. */
function replay(policy: PolicySnapshot, entries: readonly Entry[]): Readonly<Record<string, number>> {
  const comparison = compareReplay(policy);
  for (const entry of entries) comparison.next(entry);
  return comparison.summary().after;
}

describe("files", () => {
  test("few files of a directory stand for themselves, three for the directory, never for more", () => {
    const policy = learnt(recording(read("/w/a/1"), read("/w/a/2"), read("/w/b/1"), read("/w/b/2"), read("/w/b/3")));
    expect(verdict(policy, read("/w/a/1"))).toBe("allow");
    expect(verdict(policy, read("/w/a/3"))).toBe("ask");
    expect(verdict(policy, read("/w/b/other"))).toBe("allow");
    expect(verdict(policy, read("/w/b/deeper/1"))).toBe("ask");
    expect(verdict(policy, read("/w/c"))).toBe("ask");
    expect(verdict(policy, create("/w/b/1"))).toBe("ask");
  });

  test("a tree of which many directories were read stands for everything below it, if it is deep enough", () => {
    const deep = ["a", "b", "c"].flatMap((name) => [read(`/w/src/lib/${name}/1`)]);
    expect(verdict(learnt(recording(...deep)), read("/w/src/lib/d/e/f"))).toBe("allow");
    const shallow = ["a", "b", "c"].flatMap((name) => [read(`/w/${name}/1`)]);
    expect(verdict(learnt(recording(...shallow)), read("/w/d/1"))).toBe("ask");
  });

  test("a directory that the recording made is its own, for what it did there", () => {
    const mkdir: Action = { type: "file.mkdir", path: "/w/out", result: "0" };
    const policy = learnt(recording(mkdir, create("/w/out/x/1"), read("/w/out/1")));
    expect(verdict(policy, create("/w/out/y/2"))).toBe("allow");
    expect(verdict(policy, read("/w/out/z"))).toBe("allow");
    expect(verdict(policy, { type: "file.delete", path: "/w/out/1", result: "0" })).toBe("ask");
    expect(verdict(policy, create("/w/other"))).toBe("ask");
  });

  test.each(["/", "/etc", "/tmp", "/home/u", "/root", "/proc/self", "/usr", "/dev"])(
    "%s never stands for its content",
    (directory) => {
      const base = directory === "/" ? "" : directory;
      const policy = learnt(recording(...["1a", "2a", "3a", "4a"].map((name) => read(`${base}/${name}`))));
      expect(verdict(policy, read(`${base}/1a`))).toBe("allow");
      expect(verdict(policy, read(`${base}/other`))).toBe("ask");
    },
  );

  test("system directories are widened for reading, never for changes", () => {
    const names = ["1", "2", "3"].map((name) => `/usr/lib/x/${name}`);
    expect(verdict(learnt(recording(...names.map((name) => read(name)))), read("/usr/lib/x/4"))).toBe("allow");
    expect(verdict(learnt(recording(...names.map((name) => create(name)))), create("/usr/lib/x/4"))).toBe("ask");
  });

  test("requested names are needed too, and are learnt", () => {
    const entries = recording(
      read("/w/real/1", { requested_path: "/w/link/1" }),
      read("/w/src/x", { requested_path: "src/x" }),
    );
    const policy = learnt(entries);
    expect(replay(policy, entries)).toEqual({ allow: 2 });
    expect(verdict(policy, read("/w/real/1", { requested_path: "/w/elsewhere/1" }))).toBe("ask");
  });

  test("names that differ from run to run: temporary files, process numbers, pipes", () => {
    const gone = (path: string): Action => ({ type: "file.delete", path, result: "0" });
    const entries = recording(
      create("/tmp/ccAb12Xy.s"),
      gone("/tmp/ccAb12Xy.s"),
      read("/proc/1234/maps"),
      read("pipe:[4711]"),
      create("/tmp/plain"),
    );
    const policy = learnt(entries);
    expect(replay(policy, entries)).toEqual({ allow: 5 });
    expect(verdict(policy, create("/tmp/ccZZ99qq.s"))).toBe("allow");
    expect(verdict(policy, create("/tmp/ccZZ99qq.o"))).toBe("ask");
    expect(verdict(policy, create("/tmp/other.s"))).toBe("ask");
    expect(verdict(policy, read("/proc/99/maps"))).toBe("allow");
    expect(verdict(policy, read("/proc/99/environ"))).toBe("deny");
    expect(verdict(policy, read("pipe:[12]"))).toBe("allow");
    expect(verdict(policy, create("/tmp/plainX"))).toBe("ask");
  });

  test("moves keep their direction", () => {
    const rename = (path: string, new_path: string): Action => ({ type: "file.rename", path, new_path, result: "0" });
    const policy = learnt(recording(rename("/w/in/1", "/w/out/1")));
    expect(verdict(policy, rename("/w/in/1", "/w/out/1"))).toBe("allow");
    expect(verdict(policy, rename("/w/out/1", "/w/in/1"))).toBe("ask");
    expect(verdict(policy, rename("/w/in/1", "/etc/passwd"))).toBe("ask");
  });

  test("merged opens stand for the entries of their directory", () => {
    const merged = read("/w/many", { flags: ["coalesced"], count: 40 });
    const result = learn(recording(merged));
    expect(result.rules[0]?.evidence.count).toBe(40);
    const policy = policyOf(result.text);
    expect(verdict(policy, read("/w/many/any"))).toBe("allow");
    expect(verdict(policy, read("/w/many/deeper/any"))).toBe("ask");
  });
});

describe("what teaches nothing", () => {
  test("denied, asked, and what only observing let through", () => {
    const entries = recording(
      [read("/w/denied"), { decision: { verdict: "deny" } }],
      [read("/w/asked"), { decision: { verdict: "ask" } }],
      [read("/w/would"), { decision: { verdict: "allow", would: "deny", mode: "observe" } }],
      read("/w/good"),
    );
    const result = learn(entries);
    expect(result.left_out.denied).toMatchObject({ count: 3, first_seq: 1, last_seq: 3 });
    for (const name of ["denied", "asked", "would"]) {
      expect(result.text).not.toContain(name === "denied" ? "/w/denied" : `/w/${name}`);
      expect(verdict(policyOf(result.text), read(`/w/${name}`))).toBe("ask");
    }
  });

  test("what the kernel refused", () => {
    const entries = recording(...["EACCES", "EPERM", "EROFS"].map((result) => read(`/w/${result}`, { result })));
    expect(learn(entries)).toMatchObject({ learnt: 0, left_out: { refused: { count: 3 } } });
  });

  test("what came to nothing is allowed by its own name and never widened", () => {
    const vain = [1, 2, 3, 4].map((i) => read(`/w/missing/${i}`, { result: "ENOENT" }));
    const policy = learnt(recording(...vain));
    expect(verdict(policy, read("/w/missing/1", { result: "ENOENT" }))).toBe("allow");
    expect(verdict(policy, read("/w/missing/5"))).toBe("ask");
  });

  test.each([
    "/home/u/.ssh/id_ed25519",
    "/root/.aws/credentials",
    "/w/app/.env",
    "/w/app/.env.local",
    "/etc/shadow",
    "/home/u/.mozilla/firefox/x/logins.json",
    "/home/u/.config/google-chrome/Default/Cookies",
    "/home/u/.gnupg/private-keys-v1.d/x.key",
    "/run/secrets/kubernetes.io/token",
    "/proc/12/environ",
  ])("%s is never proposed, and denied", (path) => {
    const result = learn(recording(read(path), read("/w/app/1"), read("/w/app/2"), read("/w/app/3")));
    expect(result.left_out.secret?.count).toBe(1);
    expect(result.text).not.toContain(`"${path}"`);
    expect(verdict(policyOf(result.text), read(path))).toBe("deny");
  });

  test("what only looks like a secret is none", () => {
    const secrets = new SecretPaths();
    for (const path of ["/w/.env.example", "/etc/ssl/certs/ca-certificates.crt", "/w/tokens.ts", "/w/src/key.ts"]) {
      expect(secrets.has(path)).toBe(false);
    }
  });

  test("a relative name of which nobody knows to what", () => {
    const process = { pid: 9, start: "9" };
    const entries = recording([read("/w/real", { requested_path: "../x/link" }), { process }]);
    expect(learn(entries).left_out.unknown?.count).toBe(1);
  });
});

describe("programs, network, tools", () => {
  test("programs by their path, script and link names too", () => {
    const entries = recording(
      exec("/usr/bin/git", "status"),
      { type: "exec", path: "/usr/bin/dash", requested_path: "/bin/sh", argv: ["sh"] },
    );
    const policy = learnt(entries);
    expect(replay(policy, entries)).toEqual({ allow: 2 });
    expect(verdict(policy, exec("/usr/bin/git", "push"))).toBe("allow");
    expect(verdict(policy, exec("/tmp/git"))).toBe("ask");
  });

  test("network by address and port; ports that the kernel hands out only on the loopback", () => {
    const policy = learnt(recording(connect("192.0.2.1", 443), connect("127.0.0.1", 40_001)), { fallback: "deny" });
    expect(verdict(policy, connect("192.0.2.1", 443))).toBe("allow");
    expect(verdict(policy, connect("192.0.2.1", 80))).toBe("deny");
    expect(verdict(policy, connect("192.0.2.2", 443))).toBe("deny");
    expect(verdict(policy, connect("127.0.0.1", 50_000))).toBe("allow");
    expect(verdict(policy, connect("127.0.0.1", 80))).toBe("deny");
    expect(verdict(policy, connect("192.0.2.1", 40_001))).toBe("deny");
  });

  test("by name where the address has one; by address where a name permits nothing", () => {
    const named = (address: string, host: string, port = 443): Action => ({
      type: "net.connect",
      address,
      port,
      protocol: "tcp",
      host,
      host_source: "dns",
    });
    const entries = recording(
      named("192.0.2.1", "api.example.com"),
      named("192.0.2.2", "API.example.com."),
      named("10.0.0.1", "inside.example.com"),
      connect("192.0.2.9", 443),
      { type: "net.dns", name: "api.example.com", answers: ["192.0.2.1"], ttl_s: 60 },
    );
    const { text } = learn(entries, { fallback: "deny" });
    expect(text).toContain('host = "api.example.com"\nport = 443');
    expect(text).not.toContain("inside.example.com");
    const policy = policyOf(text, "learnt.toml");
    expect(replay(policy, entries)).toEqual({ allow: 5 });
    expect(verdict(policy, named("203.0.113.9", "api.example.com"))).toBe("allow");
    expect(verdict(policy, named("203.0.113.9", "api.example.com", 80))).toBe("deny");
    expect(verdict(policy, connect("192.0.2.1", 443))).toBe("deny");
    expect(verdict(policy, named("10.0.0.2", "api.example.com"))).toBe("deny");
    expect(verdict(policy, connect("10.0.0.1", 443))).toBe("allow");
  });

  test("tools by name and server", () => {
    const call = (tool: string, server?: string): Action => ({
      type: "tool.call",
      tool,
      source: "mcp",
      ...(server === undefined ? {} : { server }),
    });
    const policy = learnt(recording(call("read_file", "fs"), call("Bash")));
    expect(verdict(policy, call("read_file", "fs"))).toBe("allow");
    expect(verdict(policy, call("write_file", "fs"))).toBe("ask");
    expect(verdict(policy, call("read_file", "other"))).toBe("ask");
    expect(verdict(policy, call("Bash"))).toBe("allow");
  });

  test("only the classes that are asked for", () => {
    const policy = learnt(recording(connect("192.0.2.1", 443), read("/w/1")), { classes: ["net"] });
    expect(verdict(policy, read("/etc/anything"))).toBe("allow");
    expect(verdict(policy, connect("192.0.2.1", 444))).toBe("ask");
  });
});

describe("the file", () => {
  test("every rule cites its evidence, the same entries give the same text", () => {
    const entries = recording(read("/w/a"), read("/w/a"), exec("/bin/true"));
    const first = learn(entries);
    expect(learn(entries).text).toBe(first.text);
    expect(first.text).toContain("# 2 actions, seq 1-2, entry 01JABCDEFGHJKMNPQRST000001");
    expect(first.text).toContain("# 1 action, seq 3, entry 01JABCDEFGHJKMNPQRST000003");
    expect(first.rules.map(({ rule, evidence }) => [rule, evidence.count])).toEqual([["read", 2], ["exec", 1]]);
  });

  test("names that are hostile to TOML and globs stay names", () => {
    const names = ['/w/a"b', "/w/[x]", "/w/*", "/w/{a,b}", "/w/a\\b", "/w/line\nbreak", "/w/\x7f", "/w/é😀", "/w/~"];
    for (const name of names) {
      const policy = learnt(recording(read(name)));
      expect([name, verdict(policy, read(name))]).toEqual([name, "allow"]);
      expect([name, verdict(policy, read("/w/x"))]).toEqual([name, "ask"]);
    }
  });
});

test("property: what a policy was learnt from it allows, but for what was left out, and it loads", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), (events) => {
      const entries = events.map((event, i) =>
        entryOf(event.action, i + 1, event.process === undefined ? {} : { process: event.process })
      );
      const result = learn(entries);
      const stopped = Object.entries(replay(policyOf(result.text), entries))
        .filter(([said]) => said !== "allow").reduce((sum, [, count]) => sum + count, 0);
      const left_out = Object.values(result.left_out).reduce((sum, { count }) => sum + count, 0);
      // What was left out may happen to be covered by what was learnt; what was learnt is always allowed.
      expect(stopped).toBeLessThanOrEqual(left_out);
    }),
    { numRuns: 300 },
  );
}, 60_000);

test("property: a file in a directory of its own is never allowed by what others taught", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), (events) => {
      const policy = learnt(events.map((event, i) => entryOf(event.action, i + 1)));
      for (const planted of [read("/planted/directory/secret"), create("/planted/x"), exec("/planted/tool")]) {
        expect(verdict(policy, planted)).not.toBe("allow");
      }
      expect(verdict(policy, connect("198.51.100.7", 4711))).not.toBe("allow");
    }),
    { numRuns: 200 },
  );
}, 60_000);

/**
 * Policy evaluation and compilation. Run with `bun test/bench/decide_bench.ts`.
 * Targets: p50 <= 0.5 us per evaluation at 1,000 rules, at most twice that at 10,000; compile of 10,000 rules
 * <= 500 ms.
 */
import { bench, do_not_optimize } from "mitata";
import type { Event } from "../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy, type PolicySnapshot, StatefulDecider } from "../../lib/decide/mod.ts";
import { printTable } from "./bench_table.ts";

/** A policy whose rules are spread evenly over the indexed kinds of predicates. */
function policyText(rules: number): string {
  const lines = [
    "version = 1",
    'mode = "enforce"',
    "[default]",
    '"*" = "allow"',
  ];
  for (let i = 0; i < rules; i++) {
    lines.push("[[rules]]", `name = "rule-${i}"`, ...ruleLines(i));
  }
  return lines.join("\n");
}

function ruleLines(i: number): readonly string[] {
  switch (i % 8) {
    case 0:
      return ['action = "file.*"', `path = "/srv/data${i}/**"`, 'verdict = "deny"'];
    case 1:
      return ['action = ["file.read", "file.write"]', `path = "~/.secret${i}/**"`, 'verdict = "deny"'];
    case 2:
      return ['action = "file.read"', `path = "**/key${i}.pem"`, 'verdict = "ask"'];
    case 3:
      return ['action = "file.write"', `path = "/etc/app${i}/*.conf"`, 'verdict = "deny"'];
    case 4:
      return ['action = "exec"', `exe = "tool${i}"`, 'argv = ["push", "..."]', 'verdict = "ask"'];
    case 5:
      return ['action = "exec"', `exe = "/opt/pkg${i}/bin/run"`, 'verdict = "deny"'];
    case 6:
      return [
        'action = "net.*"',
        `address = "10.${(i >> 8) & 255}.${i & 255}.0/24"`,
        'port = "1-1023"',
        'verdict = "deny"',
      ];
    default:
      return [
        'action = "file.*"',
        `path = "/home/*/work${i}/**"`,
        `except = { path = "**/*.md" }`,
        'verdict = "allow"',
      ];
  }
}

function load(text: string): PolicySnapshot {
  const loaded = loadPolicy([{ file: "bench.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (loaded.ok) return loaded.value;
  throw new Error(loaded.error.map((finding) => formatDiagnostic(finding)).join("\n"));
}

const process_info = { pid: 7, start: "7", uid: 1000, exe: "/usr/bin/node", cwd: "/home/u/work" };
const session = {
  session_id: "s" as NonNullable<Event["session"]>["session_id"],
  agent: "claude",
  principal: "u",
  root: { pid: 1, start: "1" },
  home: "/home/u",
};

/** What a coding agent does: mostly opens that no rule names, now and then a hit. */
const EVENTS: readonly Event[] = [
  {
    type: "file.read" as const,
    path: "/home/u/work/node_modules/pkg/lib/index.js",
    requested_path: "lib/index.js",
    result: "0",
  },
  {
    type: "file.read" as const,
    path: "/usr/lib/x86_64-linux-gnu/libc.so.6",
    requested_path: "/lib/libc.so.6",
    result: "0",
  },
  {
    type: "file.write" as const,
    path: "/home/u/work/src/main.ts",
    requested_path: "/home/u/work/src/main.ts",
    result: "0",
  },
  { type: "file.read" as const, path: "/srv/data96/secret", result: "0" },
  { type: "exec" as const, path: "/usr/bin/git", requested_path: "/usr/bin/git", argv: ["git", "status"] },
  { type: "net.connect" as const, protocol: "tcp" as const, address: "93.184.216.34", port: 443 },
  { type: "net.connect" as const, protocol: "tcp" as const, address: "10.0.6.1", port: 80 },
  {
    type: "file.create" as const,
    path: "/home/u/work9/readme.txt",
    requested_path: "/home/u/work9/readme.txt",
    result: "0",
  },
].map((action) => ({ time_us: 0, process: process_info, session, action }));

for (const rules of [10, 1_000, 10_000]) {
  const snapshot = load(policyText(rules));
  let at = 0;
  bench(`evaluate, mixed actions: ${rules} rules`, () => {
    const event = EVENTS[at++ & 7];
    if (event !== undefined) do_not_optimize(snapshot.evaluate(event));
  });
  const [first] = EVENTS;
  bench(`evaluate, an open that no rule names: ${rules} rules`, () => {
    if (first !== undefined) do_not_optimize(snapshot.evaluate(first));
  });
}

/** Marks, a rate and command lines on top of a thousand rules. */
const PAST = `${policyText(1_000)}
[[rules]]
name = "secrets-read"
action = "file.read"
path = "/srv/data96/**"
verdict = "log"
label = "secret"
[[rules]]
name = "no-egress"
action = "net.connect"
after = "secret"
verdict = "deny"
[[rules]]
name = "many-writes"
action = "file.write"
rate = { count = 1000000, per = "1h" }
verdict = "deny"`;

{
  const snapshot = load(policyText(1_000));
  const decider = new StatefulDecider(load(PAST));
  // A call of all eight: single calls of these lengths are not timed in batches, and the clock would be in the figure.
  bench("1,000 rules, all eight actions: plain", () => {
    for (const event of EVENTS) do_not_optimize(snapshot.evaluate(event));
  });
  bench("1,000 rules, all eight actions: with marks and a rate", () => {
    for (const event of EVENTS) do_not_optimize(decider.evaluate(event));
  });
  const texts = EVENTS.map((event) => JSON.stringify(event));
  bench("1,000 rules, all eight actions: JSON in and out", () => {
    for (const text of texts) do_not_optimize(JSON.stringify(snapshot.evaluate(JSON.parse(text))));
  });
  const line = ["bash", "-lc", "cd /work && git add -A && git commit -m 'a message' && git push origin main"];
  const shell: Event = { ...EVENTS[4], time_us: 0, action: { type: "exec", path: "/usr/bin/bash", argv: line } };
  bench("1,000 rules: a command line with five commands", () => do_not_optimize(snapshot.evaluate(shell)));
}

const large = policyText(10_000);
const small = policyText(1_000);
bench("load (parse, check, compile): 1,000 rules", () => do_not_optimize(load(small)));
bench("load (parse, check, compile): 10,000 rules", () => do_not_optimize(load(large)));

await printTable();

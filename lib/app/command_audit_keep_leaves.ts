/** The leaves of `agentguard audit` that take texts out of the record, or keep them in it. */
import { readAge, readInteger, readSessionId, readSize, readText, readTime } from "./argv.ts";
import type { Leaf } from "./cli_leaves.ts";
import { type GivenOptions, type OptionName, UsageProblem } from "./cli_options.ts";
import type { Command } from "./command.ts";
import type { AuditSubject } from "./command_audit_types.ts";

const COMMON: readonly OptionName[] = ["state", "runtime", "json"];
const SUBJECT: readonly OptionName[] = ["session", "principal", "since", "until"];
const HOLD_NAME = ["<name>", "name of the hold: letters, digits and any of . _ -"] as const;
const SESSIONS_MAX = 1_000_000;

/** In the order of the help. */
export const AUDIT_KEEP_LEAVES: readonly Leaf[] = [
  {
    group: "audit",
    name: "prune",
    path: "audit prune",
    options: [...COMMON, "older_than", "max_size", "keep_sessions", "dry_run"],
    make: readPrune,
  },
  {
    group: "audit",
    name: "erase",
    path: "audit erase",
    options: [...COMMON, ...SUBJECT, "reason", "dry_run"],
    make: readErase,
  },
  {
    group: "audit",
    name: "repair",
    path: "audit repair",
    options: ["state", "json"],
    make: (given) => ({ kind: "audit.repair", flags: given.flags() }),
  },
  {
    group: "audit",
    name: "anchor",
    path: "audit anchor",
    options: ["policy", "state", "json", "show_key"],
    make: (given) => ({
      kind: "audit.anchor",
      policies: given.texts("policy"),
      show_key: given.has("show_key"),
      flags: given.flags(),
    }),
  },
  {
    group: "audit hold",
    name: "add",
    path: "audit hold add",
    options: [...COMMON, ...SUBJECT, "reason"],
    arguments: [HOLD_NAME],
    make: (given, { words }) => ({
      kind: "audit.hold.add",
      name: words[0] ?? "",
      subject: readSubject(given),
      reason: given.read("reason", readText),
      flags: given.flags(),
    }),
  },
  {
    group: "audit hold",
    name: "list",
    path: "audit hold list",
    options: ["state", "json"],
    make: (given) => ({ kind: "audit.hold.list", flags: given.flags() }),
  },
  {
    group: "audit hold",
    name: "release",
    path: "audit hold release",
    options: [...COMMON, "reason"],
    arguments: [HOLD_NAME],
    make: (given, { words }) => ({
      kind: "audit.hold.release",
      name: words[0] ?? "",
      reason: given.read("reason", readText),
      flags: given.flags(),
    }),
  },
];

function readPrune(given: GivenOptions): Command {
  const keep = {
    keep_ms: given.read("older_than", readAge),
    max_bytes: given.read("max_size", readSize),
    keep_sessions: given.read("keep_sessions", (text) => readInteger(text, { min: 1, max: SESSIONS_MAX })),
  };
  if (Object.values(keep).every((bound) => bound === undefined)) {
    throw new UsageProblem("say what goes: --older-than AGE, --max-size SIZE or --keep-sessions COUNT");
  }
  return { kind: "audit.prune", keep, dry_run: given.has("dry_run"), flags: given.flags() };
}

function readErase(given: GivenOptions): Command {
  const subject = readSubject(given);
  if (subject.session_id === undefined && subject.principal === undefined) {
    throw new UsageProblem("say whose entries go: --principal NAME or --session ID");
  }
  const reason = given.read("reason", readText);
  return { kind: "audit.erase", subject, reason, dry_run: given.has("dry_run"), flags: given.flags() };
}

function readSubject(given: GivenOptions): AuditSubject {
  return {
    session_id: given.read("session", readSessionId),
    principal: given.read("principal", readText),
    since: given.read("since", readTime),
    until: given.read("until", readTime),
  };
}

/** The leaves of `agentguard audit` on the command line. */
import { isUlid } from "../core/mod.ts";
import { ENTRY_KINDS, readInteger, readSessionId, readText, readTime, readType, readWord, VERDICTS } from "./argv.ts";
import type { Leaf } from "./cli_leaves.ts";
import { EXPORT_FORMATS, OCSF_PROFILES } from "../record/mod.ts";
import { type GivenOptions, type OptionName, UsageProblem } from "./cli_options.ts";
import type { Command } from "./command.ts";
import type { AuditFilter } from "./command_audit_types.ts";
import { formatWord } from "./format_text.ts";

/** Largest pid (`PID_MAX_LIMIT`, include/linux/threads.h). */
const PID_MAX = 4_194_304;

/** What chooses entries. */
const FILTER_OPTIONS: readonly OptionName[] = [
  ...["since", "until", "session", "principal", "type", "kind", "verdict"] as const,
  ...["rule", "text", "pid", "after_seq", "before_seq", "limit"] as const,
];

/** In the order of the help. */
export const AUDIT_LEAVES: readonly Leaf[] = [
  {
    group: "audit",
    name: "query",
    path: "audit query",
    options: ["state", "json", ...FILTER_OPTIONS, "newest"],
    make: (given) => ({ kind: "audit.query", filter: readFilter(given), flags: given.flags() }),
  },
  {
    group: "audit",
    name: "export",
    path: "audit export",
    options: ["state", "format", "ocsf_profile", "output", "host", ...FILTER_OPTIONS],
    make: readExport,
  },
  {
    group: "audit",
    name: "verify",
    path: "audit verify",
    options: ["state", "json", "from", "key"],
    make: (given) => ({
      kind: "audit.verify",
      from: given.text("from"),
      key: given.text("key"),
      flags: given.flags(),
    }),
  },
  {
    group: "audit",
    name: "prove",
    path: "audit prove",
    options: ["state"],
    arguments: [["<entry-id>", "id of an entry, see 'agentguard audit query --json'"]],
    make: (given, { words }) => ({ kind: "audit.prove", entry_id: readEntryId(words[0]), flags: given.flags() }),
  },
  {
    group: "audit",
    name: "check-proof",
    path: "audit check-proof",
    options: ["key", "json"],
    arguments: [["<file...>", "what 'agentguard audit prove' printed"]],
    make: (given, { words }) => ({
      kind: "audit.check-proof",
      files: words,
      key: requireKey(given),
      flags: given.flags(),
    }),
  },
  {
    group: "audit",
    name: "consistency",
    path: "audit consistency",
    options: ["state", "key", "json"],
    arguments: [["<old-file>", "file of an earlier checkpoint"], ["<new-file>", "file of a later checkpoint"]],
    make: (given, { words }) => ({
      kind: "audit.consistency",
      older: words[0] ?? "",
      newer: words[1] ?? "",
      key: given.text("key"),
      flags: given.flags(),
    }),
  },
  {
    group: "audit",
    name: "checkpoint",
    path: "audit checkpoint",
    options: ["state", "json", "show_key"],
    make: (given) => ({ kind: "audit.checkpoint", show_key: given.has("show_key"), flags: given.flags() }),
  },
  {
    group: "audit",
    name: "rotate-key",
    path: "audit rotate-key",
    options: ["state", "json"],
    make: (given) => ({ kind: "audit.rotate-key", flags: given.flags() }),
  },
];

function readEntryId(word: string = ""): string {
  const id = word.toUpperCase();
  if (isUlid(id)) return id;
  throw new UsageProblem(
    `use an entry id of 26 characters (see agentguard audit query --json), not ${formatWord(word, 64)}`,
  );
}

function requireKey(given: GivenOptions): string {
  const key = given.text("key");
  if (key !== undefined) return key;
  throw new UsageProblem("give --key KEY: a proof means nothing without a public key that you trust");
}

function readExport(given: GivenOptions): Command {
  const format = given.read("format", (text) => readWord(text, EXPORT_FORMATS));
  if (format === undefined) throw new UsageProblem(`give --format: ${EXPORT_FORMATS.join(", ")}`);
  const profile = given.read("ocsf_profile", (text) => readWord(text, OCSF_PROFILES));
  if (profile !== undefined && format !== "ocsf") {
    throw new UsageProblem(`remove --ocsf-profile: it has no effect on ${format}`);
  }
  return {
    kind: "audit.export",
    filter: readFilter(given),
    format,
    profile: profile ?? "1.8",
    output: given.read("output", readText),
    host: given.read("host", readText),
    flags: given.flags(),
  };
}

function readFilter(given: GivenOptions): AuditFilter {
  const seq_max = Number.MAX_SAFE_INTEGER;
  return {
    since: given.read("since", readTime),
    until: given.read("until", readTime),
    session_id: given.read("session", readSessionId),
    principal: given.read("principal", readText),
    type: given.read("type", readType),
    kind: given.read("kind", (text) => readWord(text, ENTRY_KINDS)),
    verdict: given.read("verdict", (text) => readWord(text, VERDICTS)),
    rule: given.read("rule", readText),
    text: given.read("text", readText),
    pid: given.read("pid", (text) => readInteger(text, { min: 1, max: PID_MAX })),
    after_seq: given.read("after_seq", (text) => readInteger(text, { min: 0, max: seq_max })),
    before_seq: given.read("before_seq", (text) => readInteger(text, { min: 1, max: seq_max })),
    limit: given.read("limit", (text) => readInteger(text, { min: 1, max: seq_max })),
    newest: given.has("newest"),
  };
}

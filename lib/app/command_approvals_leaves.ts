/** `agentguard approvals ...`: options, operands, and what becomes of them. */
import { type Ballot, err, GRANT_TERM_HINT, type GrantTerm, ok, parseGrantTerm, type Result } from "../core/mod.ts";
import { readText } from "./argv.ts";
import type { Leaf } from "./cli_leaves.ts";
import { type GivenOptions, type OptionName, UsageProblem } from "./cli_options.ts";
import { escapeText } from "./format_text.ts";

const CLIENT: readonly OptionName[] = ["runtime", "json"];
const ID = ["<id>", "id of a question, or its beginning or end (see 'agentguard approvals list')"] as const;

/** The shortest part of an id that is looked for. */
const PART_CHARS_MIN = 4;

/** In the order of the help. */
export const APPROVALS_LEAVES: readonly Leaf[] = [
  {
    group: "approvals",
    name: "list",
    path: "approvals list",
    options: CLIENT,
    make: (given) => ({ kind: "approvals.list", flags: given.flags() }),
  },
  {
    group: "approvals",
    name: "show",
    path: "approvals show",
    options: CLIENT,
    arguments: [ID],
    make: (given, { words }) => ({ kind: "approvals.show", id: readId(words[0]), flags: given.flags() }),
  },
  {
    group: "approvals",
    name: "approve",
    path: "approvals approve",
    options: [...CLIENT, "for", "match", "reason", "code"],
    arguments: [ID],
    make: (given, { words }) => {
      const ballot = readBallot(given, "allow");
      return { kind: "approvals.vote", id: readId(words[0]), ballot, flags: given.flags() };
    },
  },
  {
    group: "approvals",
    name: "deny",
    path: "approvals deny",
    options: [...CLIENT, "reason"],
    arguments: [ID],
    make: (given, { words }) => {
      const ballot = readBallot(given, "deny");
      return { kind: "approvals.vote", id: readId(words[0]), ballot, flags: given.flags() };
    },
  },
  {
    group: "approvals",
    name: "watch",
    path: "approvals watch",
    options: CLIENT,
    make: (given) => ({ kind: "approvals.watch", flags: given.flags() }),
  },
  {
    group: "approvals grants",
    name: "list",
    path: "approvals grants list",
    options: CLIENT,
    make: (given) => ({ kind: "approvals.grants.list", flags: given.flags() }),
  },
  {
    group: "approvals grants",
    name: "revoke",
    path: "approvals grants revoke",
    options: CLIENT,
    arguments: [["<id>", "id of a grant, or its beginning or end"]],
    make: (given, { words }) => ({ kind: "approvals.grants.revoke", id: readId(words[0]), flags: given.flags() }),
  },
];

/** A whole id or a part of one, in either case. */
function readId(word: string | undefined): string {
  const id = (word ?? "").toUpperCase();
  if (/^[0-9A-HJKMNP-TV-Z]+$/.test(id) && id.length >= PART_CHARS_MIN && id.length <= 26) return id;
  const shown = escapeText(word ?? "", 64);
  throw new UsageProblem(
    `use an id of 26 characters, or ${PART_CHARS_MIN} or more of its beginning or end, not '${shown}'`,
  );
}

function readBallot(given: GivenOptions, verdict: Ballot["verdict"]): Ballot {
  const reason = given.read("reason", readText);
  const grant = given.read("for", readTerm);
  const match = given.read("match", readText);
  const code = given.read("code", readCode);
  return {
    verdict,
    ...(reason === undefined ? {} : { reason }),
    ...(grant === undefined ? {} : { grant }),
    ...(match === undefined ? {} : { match }),
    ...(code === undefined ? {} : { code }),
  };
}

function readTerm(text: string): Result<GrantTerm, string> {
  const term = parseGrantTerm(text);
  return term === undefined ? err(`use ${GRANT_TERM_HINT}`) : ok(term);
}

/** A one-time code. */
export function readCode(text: string): Result<string, string> {
  const code = text.replaceAll(" ", "");
  return /^\d{6}$/.test(code) ? ok(code) : err("use a code of six digits");
}

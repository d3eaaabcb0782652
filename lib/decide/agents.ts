/** Which processes are agents: the `[[agent]]` entries. */
import type { Event } from "../core/mod.ts";
import { matchSequence } from "./argv.ts";
import type { AgentNode } from "./ast.ts";
import { EventNames, normalName } from "./names.ts";
import { PathMatcher, ProgramMatcher, TextMatcher } from "./path_matcher.ts";

/** What is asked about a process. Absent fields could not be had; a pattern about one does not match. */
export interface AgentProcess {
  readonly pid: number;
  /** Resolved path of the image. */
  readonly exe?: string;
  readonly argv?: readonly string[];
  /** Path of the cgroup below the mount point, with a leading slash. */
  readonly cgroup?: string;
}

/** One `[[agent]]` entry as written; all parts that are present must hold. */
export interface AgentPattern {
  readonly name: string;
  readonly exe?: readonly string[];
  /** Token patterns; any of the lists. */
  readonly argv?: readonly (readonly string[])[];
  readonly cgroup?: readonly string[];
  readonly pid?: number;
}

/** The entry as data. */
export function agentPattern(node: AgentNode): AgentPattern {
  const texts = (patterns: readonly { readonly text: string }[]): readonly string[] => patterns.map(({ text }) => text);
  return Object.freeze({
    name: node.name,
    ...(node.exe === undefined ? {} : { exe: texts(node.exe) }),
    ...(node.argv === undefined ? {} : {
      argv: node.argv.map(({ tokens }) => tokens.map((token) => token.kind === "rest" ? "..." : token.text)),
    }),
    ...(node.cgroup === undefined ? {} : { cgroup: texts(node.cgroup) }),
    ...(node.pid === undefined ? {} : { pid: node.pid }),
  });
}

/** A home directory is not known before a session exists: `~` in these patterns is any home. */
const NO_EVENT: Event = { time_us: 0, action: { type: "guard.scope", detail: "" } };

/** Compiles an entry to a test. */
export function compileAgent(node: AgentNode): (process: AgentProcess) => boolean {
  const names = new EventNames(NO_EVENT);
  const exe = node.exe === undefined ? undefined : new ProgramMatcher(node.exe, true);
  const cgroup = node.cgroup === undefined ? undefined : new PathMatcher(node.cgroup, true);
  const sequences = node.argv?.map(({ tokens }) =>
    tokens.map((token) => token.kind === "rest" ? undefined : new TextMatcher([token]))
  );
  return (process) => {
    if (node.pid !== undefined && node.pid !== process.pid) return false;
    if (exe !== undefined && (process.exe === undefined || !exe.matches(normalName(process.exe), names))) return false;
    if (cgroup !== undefined && (process.cgroup === undefined || !cgroup.matches(normalName(process.cgroup), names))) {
      return false;
    }
    const { argv } = process;
    return sequences === undefined || (argv !== undefined && sequences.some((tokens) => matchSequence(tokens, argv)));
  };
}

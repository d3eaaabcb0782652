/** From lessons to rules: few, narrow, each with its evidence. */
import type { ActionType } from "../core/mod.ts";
import { globLiteral, tomlString } from "./explain_snippet.ts";
import { parsePathGlob, type PathGlob } from "./glob.ts";
import type { LearntMove, LearntTarget, Lessons } from "./learn_collect.ts";
import { type Evidence, joinEvidence } from "./learn_evidence.ts";
import { NameMasks } from "./learn_names.ts";
import { type LearntPattern, PathLearner, type PathLearning } from "./learn_paths.ts";
import { matchPathGlob } from "./match.ts";

/** A value of a rule with what speaks for it, already in TOML. */
export interface LearntValue {
  readonly toml: string;
  readonly evidence: Evidence;
}

/** One allow rule. */
export interface LearntRule {
  readonly name: string;
  readonly comment: string;
  readonly actions: readonly ActionType[];
  /** Predicates in order; a list with evidence stands one value to a line. */
  readonly predicates: readonly (readonly [key: string, values: readonly LearntValue[]])[];
  readonly evidence: Evidence;
}

/** Ports that the kernel hands out (`net.ipv4.ip_local_port_range`): on the loopback the next run has others. */
const EPHEMERAL = { from: 32_768, to: 60_999 };

/** Makes the rules. */
export function learnRules(lessons: Lessons, options: { readonly home?: string }): readonly LearntRule[] {
  const how: Omit<PathLearning, "widen"> = {
    masks: new NameMasks({ created: lessons.created, gone: lessons.gone }),
    made: lessons.made,
    ...options,
  };
  return [
    ...pathRules(lessons, how),
    ...moveRules(lessons, how),
    ...targetRules([...lessons.targets.values()]),
    ...toolRules(lessons),
  ];
}

type Widen = PathLearning["widen"];

function widenOf(type: ActionType): Widen {
  if (type === "exec" || type === "unix.connect") return "never";
  return type === "file.read" ? "reads" : "changes";
}

/** A pattern with the types of one family that need it. */
interface SharedPattern {
  readonly pattern: string;
  readonly types: ActionType[];
  evidence: Evidence | undefined;
}

/** Patterns of each type; types of one family with the same patterns share a rule. */
function pathRules(lessons: Lessons, how: Omit<PathLearning, "widen">): readonly LearntRule[] {
  const found = new Map<string, SharedPattern>();
  const vain_found = new Map<string, SharedPattern>();
  for (const type of new Set([...lessons.paths.keys(), ...lessons.vain.keys()])) {
    const { patterns } = (lessons.paths.get(type) ?? new PathLearner()).learn({ ...how, widen: widenOf(type) });
    for (const each of patterns) note(found, each, type);
    const covered = coverOf(patterns.map(({ pattern }) => pattern));
    const vain = lessons.vain.get(type)?.learn({ ...how, widen: "never" });
    const open = new Set<string>();
    for (const [name, pattern] of vain?.pattern_of ?? []) if (!covered(name)) open.add(pattern);
    for (const each of vain?.patterns ?? []) if (open.has(each.pattern)) note(vain_found, each, type);
  }
  const rules = grouped(found).map(({ types, patterns }) => pathRule(types, patterns, { vain: false }));
  return [...rules, ...grouped(vain_found).map(({ types, patterns }) => pathRule(types, patterns, { vain: true }))];
}

/** Families have different predicates: `exe` for programs, `path` for the others. */
function note(into: Map<string, SharedPattern>, { pattern, evidence }: LearntPattern, type: ActionType): void {
  const key = `${type.split(".")[0] ?? type} ${pattern}`;
  const known = into.get(key) ?? { pattern, types: [], evidence: undefined };
  into.set(key, known);
  known.types.push(type);
  known.evidence = joinEvidence(known.evidence, evidence);
}

/** Patterns by the types that share them. */
function grouped(
  found: ReadonlyMap<string, SharedPattern>,
): readonly { readonly types: readonly ActionType[]; readonly patterns: readonly LearntPattern[] }[] {
  const groups = new Map<string, { readonly types: readonly ActionType[]; readonly patterns: LearntPattern[] }>();
  for (const { pattern, types, evidence } of found.values()) {
    const key = [...types].sort().join(" ");
    const group = groups.get(key) ?? { types: [...types].sort(), patterns: [] };
    groups.set(key, group);
    if (evidence !== undefined) group.patterns.push({ pattern, evidence });
  }
  return [...groups.values()].filter(({ patterns }) => patterns.length > 0);
}

function pathRule(
  types: readonly ActionType[],
  patterns: readonly LearntPattern[],
  { vain }: { readonly vain: boolean },
): LearntRule {
  const values = patterns.map(({ pattern, evidence }) => ({ toml: tomlString(pattern), evidence }));
  const verb = types.map((type) => type === "unix.connect" ? "unix" : type.slice(type.indexOf(".") + 1)).join("-");
  return {
    name: vain ? `${verb}-found-nothing` : verb,
    comment: vain
      ? "Tried, and came to nothing by itself: each name alone, so that the same attempts are not refused."
      : types.includes("exec")
      ? "Programs, each by its path."
      : types.includes("unix.connect")
      ? "Sockets, each by its path."
      : "A directory ending in /* or /** was made by the recording, or enough of it was used.",
    actions: types,
    predicates: [[types.includes("exec") ? "exe" : "path", values]],
    evidence: allOf(values),
  };
}

function allOf(values: readonly LearntValue[]): Evidence {
  const joined = values.reduce<Evidence | undefined>((sum, { evidence }) => joinEvidence(sum, evidence), undefined);
  return joined ?? { count: 0, first_seq: 0, last_seq: 0, entry_id: "" };
}

/** Tells whether one of the patterns stands for a name. */
function coverOf(patterns: readonly string[]): (name: string) => boolean {
  const globs: readonly PathGlob[] = patterns.flatMap((pattern) => {
    const parsed = parsePathGlob(pattern);
    return parsed.ok ? parsed.value : [];
  });
  return (name) => globs.some((glob) => matchPathGlob(glob, name, { home: undefined, any_home: false }));
}

/** Moves keep their direction: what was moved from one place to another may not come back by the same rule. */
function moveRules(lessons: Lessons, how: Omit<PathLearning, "widen">): readonly LearntRule[] {
  return [...lessons.moves].flatMap(([type, moves]) => {
    const [from, to] = [new PathLearner(), new PathLearner()];
    for (const move of moves.values()) {
      if (move.vain) continue;
      from.add(move.from, move.evidence);
      to.add(move.to, move.evidence);
    }
    const widened = { ...how, widen: "changes" } as const;
    const sources = from.learn(widened).pattern_of;
    const targets = to.learn(widened).pattern_of;
    const pairs = new Map<string, Map<string, Evidence>>();
    for (const move of moves.values()) {
      const source = move.vain ? undefined : sources.get(move.from);
      const target = move.vain ? undefined : targets.get(move.to);
      addPair(pairs, source ?? how.masks.name(move.from), { to: target ?? how.masks.name(move.to), move });
    }
    return moveGroups(pairs).map((group, i) => moveRule(type, group, i + 1));
  });
}

function addPair(
  pairs: Map<string, Map<string, Evidence>>,
  from: string,
  { to, move }: { readonly to: string; readonly move: LearntMove },
): void {
  const targets = pairs.get(from) ?? new Map<string, Evidence>();
  pairs.set(from, targets);
  targets.set(to, joinEvidence(targets.get(to), move.evidence));
}

interface MoveGroup {
  readonly from: LearntValue[];
  readonly to: Map<string, Evidence>;
}

/** Sources with the same targets share a rule. */
function moveGroups(pairs: ReadonlyMap<string, ReadonlyMap<string, Evidence>>): readonly MoveGroup[] {
  const groups = new Map<string, MoveGroup>();
  for (const [from, targets] of pairs) {
    const key = JSON.stringify([...targets.keys()].sort());
    const group = groups.get(key) ?? { from: [], to: new Map<string, Evidence>() };
    groups.set(key, group);
    const evidence = [...targets.values()].reduce<Evidence | undefined>(joinEvidence, undefined);
    if (evidence !== undefined) group.from.push({ toml: tomlString(from), evidence });
    for (const [to, each] of targets) group.to.set(to, joinEvidence(group.to.get(to), each));
  }
  return [...groups.values()];
}

function moveRule(type: ActionType, { from, to }: MoveGroup, number: number): LearntRule {
  const targets = [...to].map(([pattern, evidence]) => ({ toml: tomlString(pattern), evidence }));
  return {
    name: `${type.slice("file.".length)}-${number}`,
    comment: type === "file.symlink" ? "path is what the link points to, new_path the link." : "From path to new_path.",
    actions: [type],
    predicates: [["path", from], ["new_path", targets]],
    evidence: allOf(from),
  };
}

interface Target {
  readonly target: LearntTarget;
  readonly evidence: Evidence;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** One rule for each kind of action, protocol and port, with its addresses. */
function targetRules(targets: readonly Target[]): readonly LearntRule[] {
  const groups = new Map<string, Target[]>();
  for (const each of targets) {
    const { type, protocol, address, port } = each.target;
    const moving = isLoopback(address) && port >= EPHEMERAL.from && port <= EPHEMERAL.to;
    const ports = moving ? tomlString(`${EPHEMERAL.from}-${EPHEMERAL.to}`) : String(port);
    const key = JSON.stringify([type, protocol, ports]);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(each);
  }
  return [...groups].flatMap(([key, members], i): readonly LearntRule[] => {
    const [first] = members;
    const ports: unknown = JSON.parse(key);
    if (first === undefined || !Array.isArray(ports)) return [];
    const { type, protocol } = first.target;
    const addresses = new Map<string, Evidence>();
    const hosts = new Set<string>();
    for (const { target, evidence } of members) {
      const toml = tomlString(target.address);
      addresses.set(toml, joinEvidence(addresses.get(toml), evidence));
      if (target.host !== undefined) hosts.add(target.host);
    }
    const values = [...addresses].map(([toml, evidence]) => ({ toml, evidence }));
    const evidence = allOf(values);
    const names = [...hosts].sort().slice(0, 8).map((host) => tomlString(host)).join(", ");
    return [{
      name: `${type.slice("net.".length)}-${i + 1}`,
      comment: names === "" ? "By address and port." : `By address and port; seen as ${names}.`,
      actions: [type],
      predicates: [
        ["address", values],
        ["port", [{ toml: String(ports[2]), evidence }]],
        ["protocol", [{ toml: tomlString(protocol), evidence }]],
      ],
      evidence,
    }];
  });
}

function toolRules({ tools }: Lessons): readonly LearntRule[] {
  const servers = new Map<string | undefined, LearntValue[]>();
  for (const { tool, server, evidence } of tools.values()) {
    const values = servers.get(server) ?? [];
    servers.set(server, values);
    values.push({ toml: tomlString(globLiteral(tool)), evidence });
  }
  return [...servers].map(([server, values], i): LearntRule => {
    const evidence = allOf(values);
    return {
      name: `tools-${i + 1}`,
      comment: server === undefined ? "Tools." : "Tools of one server.",
      actions: ["tool.call"],
      predicates: [
        ["tool", values],
        ...(server === undefined
          ? []
          : [["server", [{ toml: tomlString(globLiteral(server)), evidence }]] as const] as const),
      ],
      evidence,
    };
  });
}

/** From lessons to rules: few, narrow, each with its evidence. */
import type { ActionType } from "../core/mod.ts";
import { globLiteral, tomlString } from "./explain_snippet.ts";
import { parsePathGlob, type PathGlob } from "./glob.ts";
import type { LearntMove, LearntTarget, Lessons } from "./learn_collect.ts";
import { type Evidence, joinEvidence } from "./learn_evidence.ts";
import { NameMasks } from "./learn_names.ts";
import { PathLearner, type PathLearning } from "./learn_paths.ts";
import { matchPathGlob } from "./match.ts";

/** A value of a rule with what speaks for it, already in TOML. */
export interface LearntValue {
  readonly toml: string;
  readonly evidence: Evidence;
  /** Every attempt came to nothing by itself; allowed so that the same attempts are not refused. */
  readonly vain?: boolean;
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

/**
 * One rule for each type: every name of an action, resolved and requested, must be allowed by the same rule. Types with
 * the same patterns share it.
 */
function pathRules(lessons: Lessons, how: Omit<PathLearning, "widen">): readonly LearntRule[] {
  const groups = new Map<string, { readonly types: ActionType[]; readonly values: LearntValue[] }>();
  for (const type of new Set([...lessons.paths.keys(), ...lessons.vain.keys()])) {
    const values = valuesOf(type, lessons, how);
    const key = JSON.stringify([familyOf(type), values.map(({ toml, vain }) => [toml, vain])]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { types: [type], values: [...values] });
    else {
      group.types.push(type);
      for (const [i, value] of group.values.entries()) {
        const more = values[i]?.evidence;
        if (more !== undefined) group.values[i] = { ...value, evidence: joinEvidence(value.evidence, more) };
      }
    }
  }
  return [...groups.values()].filter(({ values }) => values.length > 0).map(({ types, values }) =>
    pathRule([...types].sort(), values)
  );
}

/** What was used, and what was looked for in vain and is not covered by that: by its own name alone. */
function valuesOf(type: ActionType, lessons: Lessons, how: Omit<PathLearning, "widen">): readonly LearntValue[] {
  const { patterns } = (lessons.paths.get(type) ?? new PathLearner()).learn({ ...how, widen: widenOf(type) });
  const covered = coverOf(patterns.map(({ pattern }) => pattern));
  const vain = lessons.vain.get(type)?.learn({ ...how, widen: "never" });
  const open = new Set<string>();
  for (const [name, pattern] of vain?.pattern_of ?? []) if (!covered(name)) open.add(pattern);
  return [
    ...patterns.map(({ pattern, evidence }) => ({ toml: tomlString(pattern), evidence, vain: false })),
    ...(vain?.patterns ?? []).filter(({ pattern }) => open.has(pattern)).map(({ pattern, evidence }) => ({
      toml: tomlString(pattern),
      evidence,
      vain: true,
    })),
  ];
}

/** Families have different predicates. */
function familyOf(type: ActionType): "exec" | "unix" | "file" {
  return type === "exec" ? "exec" : type === "unix.connect" ? "unix" : "file";
}

const COMMENTS: Readonly<Record<ReturnType<typeof familyOf>, string>> = {
  exec: "Programs, each by its path.",
  unix: "Sockets, each by its path.",
  file: "A directory ending in /* or /** was made by the recording, or enough of it was used.",
};

function pathRule(types: readonly ActionType[], values: readonly LearntValue[]): LearntRule {
  const family = familyOf(types[0] ?? "exec");
  return {
    name: family === "file" ? types.map((type) => type.slice("file.".length)).join("-") : family,
    comment: COMMENTS[family],
    actions: types,
    predicates: [[family === "exec" ? "exe" : "path", values]],
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
      for (const name of move.from) from.add(name, move.evidence);
      for (const name of move.to) to.add(name, move.evidence);
    }
    const widened = { ...how, widen: "changes" } as const;
    const sources = from.learn(widened).pattern_of;
    const targets = to.learn(widened).pattern_of;
    const groups = new Map<string, MoveGroup>();
    for (const move of moves.values()) {
      const patterns = (names: readonly string[], known: ReadonlyMap<string, string>): readonly string[] => [
        ...new Set(names.map((name) => (move.vain ? undefined : known.get(name)) ?? how.masks.name(name))),
      ];
      addMove(groups, patterns(move.from, sources), { to: patterns(move.to, targets), move });
    }
    return [...groups.values()].map((group, i) => moveRule(type, group, i + 1));
  });
}

interface MoveGroup {
  readonly from: Map<string, Evidence>;
  readonly to: Map<string, Evidence>;
}

/** Moves with the same targets share a rule. */
function addMove(
  groups: Map<string, MoveGroup>,
  from: readonly string[],
  { to, move }: { readonly to: readonly string[]; readonly move: LearntMove },
): void {
  const key = JSON.stringify([...to].sort());
  const group = groups.get(key) ?? { from: new Map<string, Evidence>(), to: new Map<string, Evidence>() };
  groups.set(key, group);
  for (const pattern of from) group.from.set(pattern, joinEvidence(group.from.get(pattern), move.evidence));
  for (const pattern of to) group.to.set(pattern, joinEvidence(group.to.get(pattern), move.evidence));
}

function moveRule(type: ActionType, { from, to }: MoveGroup, number: number): LearntRule {
  const values = (patterns: ReadonlyMap<string, Evidence>): readonly LearntValue[] =>
    [...patterns].map(([pattern, evidence]) => ({ toml: tomlString(pattern), evidence }));
  const sources = values(from);
  return {
    name: `${type.slice("file.".length)}-${number}`,
    comment: type === "file.symlink" ? "path is what the link points to, new_path the link." : "From path to new_path.",
    actions: [type],
    predicates: [["path", sources], ["new_path", values(to)]],
    evidence: allOf(sources),
  };
}

interface Target {
  readonly target: LearntTarget;
  readonly evidence: Evidence;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** One rule for each kind of action, protocol and port: those with names by name, the others by address. */
function targetRules(targets: readonly Target[]): readonly LearntRule[] {
  const groups = new Map<string, Target[]>();
  for (const each of targets) {
    const { type, protocol, port, key: by, value } = each.target;
    const moving = by === "address" && isLoopback(value) && port >= EPHEMERAL.from && port <= EPHEMERAL.to;
    const ports = moving ? tomlString(`${EPHEMERAL.from}-${EPHEMERAL.to}`) : String(port);
    const key = JSON.stringify([type, protocol, ports, by]);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(each);
  }
  return [...groups].flatMap(([key, members], i): readonly LearntRule[] => {
    const [first] = members;
    const ports: unknown = JSON.parse(key);
    if (first === undefined || !Array.isArray(ports)) return [];
    const { type, protocol, key: by } = first.target;
    const places = new Map<string, Evidence>();
    for (const { target, evidence } of members) {
      const toml = tomlString(by === "host" ? globLiteral(target.value) : target.value);
      places.set(toml, joinEvidence(places.get(toml), evidence));
    }
    const values = [...places].map(([toml, evidence]) => ({ toml, evidence }));
    const evidence = allOf(values);
    return [{
      name: `${type.slice("net.".length)}-${i + 1}`,
      comment: by === "host" ? "By name, as trusted resolvers have answered, and port." : "By address and port.",
      actions: [type],
      predicates: [
        [by, values],
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

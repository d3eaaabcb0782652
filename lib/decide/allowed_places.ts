/**
 * What a policy that refuses by default lets pass at most: the static part of it, which the kernel can be told once
 * and for all. Never less than the policy allows; where it cannot be told, nothing is said.
 */
import { type ActionType, LIMITS, type PortRange } from "../core/mod.ts";
import type { PathGlob } from "./glob.ts";
import { isBelow } from "./match.ts";
import { kernelHome } from "./path_forms.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { type TypedLayer, typedLayers, type TypedRule } from "./typed_rules.ts";

/** The most that is allowed; what is absent is not limited. */
export interface AllowedPlaces {
  /** Directories below which files may be changed, absolute. */
  readonly write_trees?: readonly string[];
  /** TCP ports. */
  readonly connect_ports?: readonly number[];
  readonly bind_ports?: readonly number[];
}

/** Everything that changes the tree or a file's bytes. */
const CHANGES: readonly ActionType[] = [
  "file.write",
  "file.create",
  "file.truncate",
  "file.delete",
  "file.mkdir",
  "file.rmdir",
  "file.mknod",
  "file.rename",
  "file.link",
  "file.symlink",
];

const WRITES: readonly ActionType[] = ["file.write", "file.truncate"];
/** Devices and one's own settings (`planTrees` of lib/act). */
const WRITTEN: readonly string[] = ["/dev", "/proc"];

/** Of the first file, each, that says it. `home`: what `~` stands for. */
export function allowedPlaces(snapshot: PolicySnapshot, home: string | undefined): AllowedPlaces {
  const layers = typedLayers(snapshot.layers).filter(({ file }) => file.mode === "enforce");
  const write_trees = firstOf(layers, (layer) => treesOf(layer, kernelHome(home)));
  const connect_ports = firstOf(layers, (layer) => portsOf(layer, "net.connect"));
  const bind_ports = firstOf(layers, (layer) => portsOf(layer, "net.bind"));
  return {
    ...(write_trees === undefined ? undefined : { write_trees }),
    ...(connect_ports === undefined ? undefined : { connect_ports }),
    ...(bind_ports === undefined ? undefined : { bind_ports }),
  };
}

function firstOf<T>(layers: readonly TypedLayer[], find: (layer: TypedLayer) => T | undefined): T | undefined {
  for (const layer of layers) {
    const found = find(layer);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Rules by which one of these actions may pass where the file refuses by default; also those that ask a human. */
function lifting({ rules }: TypedLayer, types: readonly ActionType[]): readonly TypedRule[] {
  return rules.filter(({ node, types: all }) =>
    (node.verdict === "allow" || node.verdict === "redact" || node.verdict === "ask") &&
    types.some((type) => all.includes(type))
  );
}

function treesOf(layer: TypedLayer, home: string | undefined): readonly string[] | undefined {
  if (!CHANGES.every((type) => layer.file.defaults.get(type) === "deny")) return undefined;
  const trees = new Set<string>();
  for (const { node, types } of lifting(layer, CHANGES)) {
    // A rule without a path, and a pattern that begins anywhere, may be about every file.
    if (node.predicates.path === undefined) return undefined;
    const only_writes = types.every((type) => !CHANGES.includes(type) || WRITES.includes(type));
    for (const glob of node.predicates.path.flatMap(({ globs }) => globs)) {
      const tree = directoryOf(glob, home);
      if (tree === undefined) return undefined;
      // Existing files below these can always be written, as far as the rules let them.
      if (!(only_writes && WRITTEN.some((each) => isBelow(tree, each)))) trees.add(tree);
    }
  }
  const outer = [...trees].filter((tree) =>
    ![...trees].some((other) => other !== tree && tree.startsWith(`${other}/`))
  );
  return outer.length > LIMITS.baseline_places_max ? undefined : outer;
}

/** The directory in which everything that the glob matches lies, other than that of a `DIRECTORY/**` itself. */
function directoryOf({ root, segments }: PathGlob, home: string | undefined): string | undefined {
  const begin = root === "absolute" ? "" : root === "home" ? home : undefined;
  if (begin === undefined) return undefined;
  let path = begin;
  for (const [at, segment] of segments.entries()) {
    // What a pattern ends with is made, renamed and removed in the directory above.
    if (segment.kind !== "literal" || at === segments.length - 1) break;
    path += `/${segment.text}`;
  }
  return path === "" ? undefined : path;
}

function portsOf(layer: TypedLayer, type: "net.connect" | "net.bind"): readonly number[] | undefined {
  if (layer.file.defaults.get(type) !== "deny") return undefined;
  const ports = new Set<number>();
  for (const { node } of lifting(layer, [type])) {
    const { port, protocol } = node.predicates;
    if (protocol !== undefined && !protocol.includes("tcp")) continue;
    if (port === undefined) return undefined;
    for (const range of port) if (!addRange(ports, range)) return undefined;
  }
  return [...ports].toSorted((a, b) => a - b);
}

/** False where the ranges hold more than can be listed. */
function addRange(ports: Set<number>, { from, to }: PortRange): boolean {
  if (to - from >= LIMITS.baseline_ports_max) return false;
  for (let port = from; port <= to; port++) ports.add(port);
  return ports.size <= LIMITS.baseline_ports_max;
}

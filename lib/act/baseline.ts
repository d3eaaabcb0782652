/** What the launcher is to take from a session's command, from the policy's settings and the guard's own places. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  AgentguardError,
  type BaselinePart,
  type BaselineSettings,
  CAPABILITIES,
  CAPABILITIES_KEPT,
  type CapabilityName,
  isWithin,
  LISTED_PARTS,
  type ServiceName,
  SERVICES,
} from "../core/mod.ts";
import type { Baseline, Place } from "../../ffi/mod.ts";
import { cgroup2Mounts } from "./cgroup.ts";
import { type MaskContext, type MaskPlan, type MaskRule, planMasks } from "./masks.ts";
import { servicePaths, type ServiceUser } from "./services.ts";

/** The guard's own files and directories. */
export interface OwnPlaces {
  /** Record, keys and locks. */
  readonly state_dir: string;
  /** The control socket. */
  readonly runtime_dir: string;
  /** The socket of approvers; absent where there is none. */
  readonly approvers_dir?: string;
  readonly policies: readonly string[];
  /** This executable. */
  readonly program: string;
}

/** Everything that decides where the command may not go. */
export interface BaselineContext extends ServiceUser {
  readonly own: OwnPlaces;
  /** Where the command begins. */
  readonly cwd: string;
  /** What rules close whatever happens; absent: nothing. */
  readonly closed?: readonly MaskRule[];
  /** The most that the policy allows at all; absent: nothing is known. */
  readonly allowed?: AllowedLists;
  /** Rules ask for host names: libc then asks resolvers alone, whose answers are seen. */
  readonly names?: boolean;
}

/** The only places for changes, and the only TCP ports; what is absent is not limited. */
export type AllowedLists = Pick<BaselineSettings, "write_trees" | "connect_ports" | "bind_ports">;

/** The plan, and what of the policy's rules became part of it. */
export interface PlannedBaseline extends Baseline, MaskPlan {
  /** What holds, as the settings list it or as the rules come to. */
  readonly allowed: AllowedLists;
  /** Parts that come from rules: a host that does not have them lacks nothing that was asked for. */
  readonly derived: readonly BaselinePart[];
}

/** Directories that everybody shares and works in: never pinned, never read-only as a whole. */
const SHARED = ["/tmp", "/var/tmp", "/dev/shm"];
/** Directories of configuration below this belong to one program each. */
const CONFIGURATION = "/etc/";
/** Places of services; more is nobody's usual host. */
const SERVICE_PLACES_MAX = 256;

/** The plan. Throws `usage` where hiding the guard's own directories would hide what the command works in. */
export function planBaseline(asked: BaselineSettings, context: BaselineContext): PlannedBaseline {
  const allowed = allowedLists(asked, context);
  const derived = derivedParts(asked, allowed);
  const settings: BaselineSettings = { ...asked, ...allowed, parts: [...asked.parts, ...derived] };
  const mounts = settings.parts.includes("mounts");
  const places = mounts ? planPlaces(settings, context) : [];
  const plan = mounts ? planMasks(context.closed ?? [], maskContext(places, context)) : { masks: [], left: [] };
  return {
    ...plan,
    allowed,
    derived,
    parts: settings.parts,
    capabilities: capabilityBits([...CAPABILITIES_KEPT, ...settings.capabilities]),
    places: [
      ...places,
      ...plan.masks.map(({ path }): Place => ({ kind: "close", path })),
      ...(settings.write_trees === undefined ? [] : planTrees(settings.write_trees)),
    ],
    ...(settings.parts.includes("ports") ? { ports: planPorts(settings) } : undefined),
  };
}

/** What the settings list, and where they do not what the rules come to; only where Landlock is used at all. */
function allowedLists(settings: BaselineSettings, { allowed = {}, home }: BaselineContext): AllowedLists {
  const used = settings.parts.includes("scope") ? allowed : {};
  const trees = settings.write_trees === undefined ? used.write_trees?.map((tree) => existing(tree)) : undefined;
  const write_trees = settings.write_trees?.flatMap((tree) => fromHome(tree, home)) ??
    (trees?.includes("/") === true ? undefined : trees);
  const connect_ports = settings.connect_ports ?? used.connect_ports;
  const bind_ports = settings.bind_ports ?? used.bind_ports;
  return {
    ...(write_trees === undefined ? undefined : { write_trees }),
    ...(connect_ports === undefined ? undefined : { connect_ports }),
    ...(bind_ports === undefined ? undefined : { bind_ports }),
  };
}

function derivedParts({ parts }: BaselineSettings, allowed: AllowedLists): readonly BaselinePart[] {
  const ports = allowed.connect_ports !== undefined || allowed.bind_ports !== undefined;
  return LISTED_PARTS.filter((part) =>
    !parts.includes(part) && (part === "trees" ? allowed.write_trees !== undefined : ports)
  );
}

/** What is not there yet is made in the directory above: that one must be allowed. */
function existing(tree: string): string {
  let at = tree;
  while (at !== "/" && !existsSync(at)) at = dirname(at);
  return at;
}

function fromHome(tree: string, home: string | undefined): readonly string[] {
  if (!tree.startsWith("~")) return [tree];
  return home === undefined ? [] : [`${home}${tree.slice(1)}`];
}

/** The command works in these; what the baseline itself puts somewhere stays as it is. */
function maskContext(places: readonly Place[], { cwd, home, own }: BaselineContext): MaskContext {
  return {
    work: [cwd, ...(home === undefined ? [] : [home]), ...SHARED, own.program].map(real),
    own: places.filter(({ kind }) => kind !== "pin").map(({ path }) => path),
  };
}

function planPorts({ connect_ports, bind_ports }: BaselineSettings): NonNullable<Baseline["ports"]> {
  return {
    ...(connect_ports === undefined ? undefined : { connect: connect_ports }),
    ...(bind_ports === undefined ? undefined : { bind: bind_ports }),
  };
}

/** Devices, pipes of the caller's and one's own settings in /proc are written by every program. */
function planTrees(trees: readonly string[]): readonly Place[] {
  return [
    ...trees.map((path): Place => ({ kind: "write", path: real(path) })),
    { kind: "write", path: "/dev/shm" },
    { kind: "write_files", path: "/dev" },
    { kind: "write_files", path: "/proc" },
  ];
}

function capabilityBits(names: readonly CapabilityName[]): bigint {
  return names.reduce((bits, name) => bits | (1n << BigInt(CAPABILITIES[name])), 0n);
}

function planPlaces(settings: BaselineSettings, context: BaselineContext): readonly Place[] {
  const { own, cwd, home } = context;
  const work = [cwd, ...(home === undefined ? [] : [home]), ...SHARED].map(real);
  const { approvers_dir } = own;
  const hidden = [own.state_dir, own.runtime_dir, ...(approvers_dir === undefined ? [] : [approvers_dir])].map(real);
  for (const directory of hidden) {
    const inside = [cwd, ...SHARED].map(real).find((path) => isWithin(path, directory));
    if (inside === undefined) continue;
    throw new AgentguardError(
      "usage",
      `keep the record out of the command's reach: ${directory} holds ${inside}; choose other directories with ` +
        '--state and --runtime, or leave "mounts" out of [guard] baseline',
    );
  }
  const kept = own.policies.map((path) => policyPlace(real(resolve(path)), work));
  const closes = (name: ServiceName): boolean =>
    !settings.services.includes(name) && (name !== "names" || context.names === true);
  const services = SERVICES.filter(closes).map((name) => servicePaths(name, context));
  const closed = services.flatMap(({ hide }) => hide).map(real).slice(0, SERVICE_PLACES_MAX);
  const schedules = services.flatMap(({ read_only }) => read_only).map(real);
  const pinned = [...hidden, ...kept].flatMap((path) => ancestors(path)).filter((path) =>
    !work.some((other) => isWithin(other, path))
  );
  // Outer ones first: a later mount on an outer directory would cover an inner one.
  return [
    ...unique(pinned).toSorted((a, b) => a.length - b.length).map((path): Place => ({ kind: "pin", path })),
    ...unique([...kept, real(own.program), ...cgroup2Mounts(), ...schedules])
      .map((path): Place => ({ kind: "read_only", path })),
    ...unique([...hidden, ...closed]).map((path): Place => ({ kind: "hide", path })),
  ];
}

/**
 * What of a policy file is kept as it is: with a directory of its own below /etc the whole directory, so that an editor
 * may replace the file; else the file, until somebody outside replaces it.
 */
function policyPlace(path: string, work: readonly string[]): string {
  const directory = dirname(path);
  const alone = directory.startsWith(CONFIGURATION) && !work.some((other) => isWithin(other, directory));
  return alone ? directory : path;
}

/** Directories above a path, without the root. */
function ancestors(path: string): readonly string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== "/"; at = dirname(at)) found.push(at);
  return found;
}

/** The path that mounts are made on. What does not exist is given back as it is, and passed over by the launcher. */
function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}

function unique(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)].filter((path) => path !== "/");
}

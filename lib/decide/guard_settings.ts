/** The `[guard]` table: what becomes of sessions without their guard, and what a command gives up before it begins. */
import {
  addressText,
  BASELINE_PARTS,
  type BaselinePart,
  type BaselineSettings,
  CAPABILITIES,
  CAPABILITIES_NEVER,
  type CapabilityName,
  parseAddress,
  SERVICES,
  SERVICES_DEFAULT,
} from "../core/mod.ts";
import type { GuardConfig } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { type TableReader, typeName } from "./reader.ts";
import { didYouMean } from "./suggest.ts";

/** What the guard does when it fails or loses events, and what it takes from the commands that it starts. */
export interface GuardSettings {
  readonly on_failure: "deny" | "open";
  readonly on_loss: "record" | "freeze" | "kill";
  /** Addresses whose answers about names are believed; absent: the nameservers of the host. */
  readonly resolvers?: readonly string[];
  /** Holds in enforce mode only. */
  readonly baseline: BaselineSettings;
}

const ON_LOSS = ["record", "freeze", "kill"] as const;
const LISTS = ["write_trees", "connect_ports", "bind_ports"] as const;
/** Ports, or trees, of one list. */
const LISTED_MAX = 64;
const KEYS = ["on_failure", "on_loss", "privileges", "baseline", "services", "capabilities", "resolvers", ...LISTS];
/** `privileges` has a key of its own. */
const PARTS: readonly BaselinePart[] = BASELINE_PARTS.filter((part) => part !== "privileges");
const KEEPABLE = Object.keys(CAPABILITIES).filter(isCapability).filter((name) => !CAPABILITIES_NEVER.includes(name));

/** Reads the table of one file. */
export function parseGuard(reader: TableReader | undefined): GuardConfig {
  if (reader === undefined) return {};
  reader.refuseUnknown(KEYS);
  const on_failure = reader.word("on_failure", ["deny", "open"] as const);
  const on_loss = reader.word("on_loss", ON_LOSS);
  const privileges = reader.word("privileges", ["drop", "sudo"] as const);
  const baseline = nameList(reader, "baseline", PARTS, { all: "full" });
  const services = nameList(reader, "services", SERVICES);
  const capabilities = nameList(reader, "capabilities", KEEPABLE, { refused: refusedCapability });
  if (privileges === "sudo" && capabilities !== undefined) {
    reader.error("capabilities", 'capabilities are all kept with privileges = "sudo"', "leave one of the two out");
  }
  const write_trees = treeList(reader, "write_trees");
  const connect_ports = portList(reader, "connect_ports");
  const bind_ports = portList(reader, "bind_ports");
  const resolvers = addressList(reader, "resolvers");
  return {
    ...(resolvers === undefined ? {} : { resolvers }),
    ...(write_trees === undefined ? {} : { write_trees }),
    ...(connect_ports === undefined ? {} : { connect_ports }),
    ...(bind_ports === undefined ? {} : { bind_ports }),
    ...(on_failure === undefined ? {} : { on_failure }),
    ...(on_loss === undefined ? {} : { on_loss }),
    ...(privileges === undefined ? {} : { privileges }),
    ...(baseline === undefined ? {} : { baseline }),
    ...(services === undefined ? {} : { services }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
}

/**
 * The tables of all layers as one. A later layer only tightens: `open` holds only if nobody says `deny`, the hardest
 * answer to loss wins, parts of the baseline are added to those of the first layer, what it leaves reachable or kept is
 * taken away, and only resolvers that every layer with a list names are believed.
 */
export function mergeGuard(guards: readonly GuardConfig[]): GuardSettings {
  const failures = guards.flatMap(({ on_failure }) => on_failure ?? []);
  const losses = guards.flatMap(({ on_loss }) => on_loss ?? []);
  const [first = {}, ...later] = guards;
  const sudo = first.privileges === "sudo" && later.every(({ privileges = "sudo" }) => privileges === "sudo");
  const asked = [first.baseline ?? PARTS, ...later.map(({ baseline = [] }) => baseline)].flat();
  const write_trees = narrowed(guards.map((guard) => guard.write_trees), commonTree);
  const connect_ports = narrowed(guards.map((guard) => guard.connect_ports), commonPort);
  const bind_ports = narrowed(guards.map((guard) => guard.bind_ports), commonPort);
  const resolvers = narrowed(guards.map((guard) => guard.resolvers), (a, b) => a === b ? a : undefined);
  const parts: readonly BaselinePart[] = [
    ...BASELINE_PARTS.filter((part) => part === "privileges" ? !sudo : asked.includes(part)),
    ...(write_trees === undefined ? [] : ["trees" as const]),
    ...(connect_ports === undefined && bind_ports === undefined ? [] : ["ports" as const]),
  ];
  const services = (first.services ?? SERVICES_DEFAULT).filter((name) =>
    later.every((layer) => layer.services?.includes(name) ?? true)
  );
  const capabilities = (first.capabilities ?? []).filter((name) =>
    later.every((layer) => layer.capabilities?.includes(name) ?? true)
  );
  return Object.freeze({
    on_failure: failures.length > 0 && failures.every((answer) => answer === "open") ? "open" : "deny",
    on_loss: ON_LOSS.findLast((answer) => losses.includes(answer)) ?? "record",
    ...(resolvers === undefined ? {} : { resolvers }),
    baseline: Object.freeze({
      parts,
      services,
      capabilities,
      ...(write_trees === undefined ? {} : { write_trees }),
      ...(connect_ports === undefined ? {} : { connect_ports }),
      ...(bind_ports === undefined ? {} : { bind_ports }),
    }),
  });
}

/** Names without repetition; `none` alone is the empty list, and `all`, where there is such a word, every name. */
function nameList<Name extends string>(
  reader: TableReader,
  key: string,
  names: readonly Name[],
  options: { readonly all?: string; readonly refused?: (text: string) => string | undefined } = {},
): readonly Name[] | undefined {
  const given = reader.strings(key);
  if (given === undefined) return undefined;
  const found = new Set<Name>();
  for (const { value, position } of given) {
    const alone = value === "none" || value === options.all;
    if (alone && given.length === 1) return value === "none" ? [] : names;
    const name = names.find((each) => each === value);
    if (name !== undefined && !found.has(name)) {
      found.add(name);
      continue;
    }
    const refused = options.refused?.(value);
    const message = alone
      ? `${quote(value)} stands alone`
      : name !== undefined
      ? `${quote(value)} is named twice`
      : refused ?? `${key} has ${quote(value)}, not one of ${names.join(", ")}`;
    reader.context.diagnostics.error(position, message, name === undefined ? didYouMean(value, names) : undefined);
  }
  return [...found];
}

/** What every list allows that there is; absent where there is none. */
function narrowed<T>(
  lists: readonly (readonly T[] | undefined)[],
  common: (a: T, b: T) => T | undefined,
): readonly T[] | undefined {
  return lists.reduce((all, list) => {
    if (all === undefined || list === undefined) return all ?? list;
    return [...new Set(all.flatMap((a) => list.flatMap((b) => common(a, b) ?? [])))];
  }, undefined);
}

function commonPort(a: number, b: number): number | undefined {
  return a === b ? a : undefined;
}

/** The inner one of two trees, if one is within the other. */
function commonTree(a: string, b: string): string | undefined {
  const within = (path: string, tree: string): boolean =>
    path === tree || path.startsWith(tree.endsWith("/") ? tree : `${tree}/`);
  return within(a, b) ? a : within(b, a) ? b : undefined;
}

function treeList(reader: TableReader, key: string): readonly string[] | undefined {
  const given = reader.strings(key);
  if (given?.length === 1 && given[0]?.value === "none") return [];
  if (given !== undefined && given.length > LISTED_MAX) reader.error(key, `${key} has over ${LISTED_MAX} trees`);
  for (const { value, position } of given ?? []) {
    const segments = value.split("/").slice(1);
    const plain = value === "/" || segments.every((part) => part !== "" && part !== "." && part !== "..");
    if (/^(\/|~\/|~$)/.test(value) && plain && !/[*?[\]{}\0]/.test(value)) continue;
    reader.context.diagnostics.error(
      position,
      `${quote(value)} is not a plain absolute path`,
      'write "/srv/x" or "~/x"',
    );
  }
  return given?.map(({ value }) => value);
}

function portList(reader: TableReader, key: string): readonly number[] | undefined {
  const given = reader.elements(key);
  if (given?.length === 1 && given[0]?.value === "none") return [];
  if (given !== undefined && given.length > LISTED_MAX) reader.error(key, `${key} has over ${LISTED_MAX} ports`);
  return given?.flatMap(({ value, position }) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) return [value];
    reader.context.diagnostics.error(position, `${key} has ${typeName(value)} where a port from 0 to 65535 belongs`);
    return [];
  });
}

/** Addresses in one spelling; `none` alone is the empty list. */
function addressList(reader: TableReader, key: string): readonly string[] | undefined {
  const given = reader.strings(key);
  if (given?.length === 1 && given[0]?.value === "none") return [];
  if (given !== undefined && given.length > LISTED_MAX) reader.error(key, `${key} has over ${LISTED_MAX} addresses`);
  return given?.flatMap(({ value, position }) => {
    const bytes = parseAddress(value);
    if (bytes !== undefined) return [addressText(bytes)];
    reader.context.diagnostics.error(position, `${key} has ${quote(value)}, which is no IPv4 or IPv6 address`);
    return [];
  });
}

function isCapability(name: string): name is CapabilityName {
  return Object.hasOwn(CAPABILITIES, name);
}

function refusedCapability(name: string): string | undefined {
  if (!isCapability(name)) return undefined;
  return `${quote(name)} undoes the baseline: a command that needs it needs privileges = "sudo"`;
}

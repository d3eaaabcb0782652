/**
 * Where a file lives and what its folder may import: the import table of ARCHITECTURE.md as data.
 * Rules read it; nothing else decides. Paths are relative to the root of the repository, with "/".
 */

const ROOT: string = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** The folders of `lib/`, in the order of ARCHITECTURE.md. */
const STAGES: readonly string[] = [
  "core",
  "task",
  "config",
  "source",
  "decode",
  "enrich",
  "decide",
  "identity",
  "approve",
  "act",
  "tool",
  "capsule",
  "record",
  "store",
  "publish",
  "pipeline",
  "app",
];

const NOT_APP: readonly string[] = STAGES.filter((stage) => stage !== "app").map((stage) => `lib/${stage}`);

/** What each zone may import from other zones; a zone that is missing here may import nothing. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "lib/core": [],
  "lib/task": ["lib/core"],
  "lib/config": ["lib/core"],
  "lib/source": ["lib/core", "lib/task", "ffi", "probes"],
  "lib/decode": ["lib/core", "probes"],
  "lib/enrich": ["lib/core"],
  "lib/decide": ["lib/core"],
  "lib/identity": ["lib/core", "lib/task", "lib/store"],
  "lib/approve": ["lib/core", "lib/task", "lib/store"],
  "lib/act": ["lib/core", "lib/task", "lib/approve", "ffi", "probes"],
  "lib/tool": ["lib/core", "lib/task", "lib/identity"],
  "lib/capsule": ["lib/core", "lib/task", "lib/identity", "lib/store"],
  "lib/record": ["lib/core", "lib/task", "lib/store", "ffi"],
  "lib/store": ["lib/core", "lib/task"],
  "lib/publish": ["lib/core", "lib/task", "lib/record"],
  "lib/pipeline": ["lib/core", "lib/task"],
  "lib/app": [...NOT_APP, "ffi", "build", "package.json"],
  "ffi": ["lib/core", "build"],
  "probes": [],
  "main.ts": ["lib/app", "lib/core"],
  "scripts": [...NOT_APP, "lib/app", "ffi", "probes", "build", "package.json"],
  "test": [...NOT_APP, "lib/app", "ffi", "probes", "build", "package.json", "scripts", "main.ts"],
};

/** Pairs of zones where only `import type` may cross. */
const TYPES_ONLY: readonly (readonly [string, string])[] = [["lib/publish", "lib/record"]];

/** Packages and runtime modules with a home: the zones that may import each, besides `scripts` and `test`. */
const MODULE_HOMES: Readonly<Record<string, readonly string[]>> = {
  "bun:ffi": ["ffi"],
  "bun:sqlite": ["lib/store"],
  "hono": ["lib/publish"],
  "@nats-io/transport-node": ["lib/record"],
  "smol-toml": ["lib/decide", "lib/config"],
  "commander": ["lib/app"],
  "bun:test": [],
  "fast-check": [],
  "mitata": [],
  "node:worker_threads": ["lib/app", "lib/task", "lib/capsule"],
  "node:timers": ["lib/app", "lib/task"],
  "node:timers/promises": ["lib/app", "lib/task"],
};

/** Stages that compute and touch nothing outside; the runtime modules below stay out of them. */
const PURE: readonly string[] = ["lib/core", "lib/decode", "lib/enrich", "lib/decide", "lib/pipeline"];

/** Runtime modules that only compute. */
const PURE_MODULES: readonly string[] = [
  "node:path",
  "node:path/posix",
  "node:util",
  "node:buffer",
  "node:crypto",
  "node:net",
  "node:assert",
];

/** A file's path relative to the root of the repository. */
export function repositoryPath(filename: string): string {
  return filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename;
}

/** The zone of a path: `lib/<stage>`, or the first component. */
export function zoneOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "lib" ? parts.slice(0, 2).join("/") : parts[0] ?? "";
}

/** Resolves a relative specifier against the folder of the importing file; `..` above the root stays visible. */
export function resolveRelative(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "." || part === "") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** Why the import is forbidden, or null. `typeOnly` is true for `import type` and `export type`. */
export function importProblem(path: string, specifier: string, typeOnly: boolean): string | null {
  if (specifier.startsWith(".")) return relativeProblem(path, resolveRelative(path, specifier), typeOnly);
  return moduleProblem(zoneOf(path), specifier);
}

function relativeProblem(path: string, target: string, typeOnly: boolean): string | null {
  const from = zoneOf(path);
  const to = zoneOf(target);
  if (from === to) return null;
  const allowed = ALLOWED[from] ?? [];
  if (!allowed.includes(to)) {
    return `${from} may not import ${to}; it may import ${allowed.length > 0 ? allowed.join(", ") : "nothing"}`;
  }
  if (!typeOnly && TYPES_ONLY.some(([a, b]) => a === from && b === to)) {
    return `${from} may import only types from ${to}; write "import type"`;
  }
  return from === "test" || from === "scripts" ? null : entryProblem(to, target);
}

function entryProblem(to: string, target: string): string | null {
  if (to === "build" || to === "package.json") return null;
  const entry = to === "probes" ? "probes/abi.gen.ts" : `${to}/mod.ts`;
  return target === entry ? null : `enter ${to} only through ${entry}`;
}

function moduleProblem(zone: string, specifier: string): string | null {
  const free = zone === "test" || zone === "scripts";
  const name = specifier in MODULE_HOMES ? specifier : packageName(specifier);
  const homes = MODULE_HOMES[name];
  if (homes !== undefined) {
    if (free || homes.includes(zone)) return null;
    return `"${name}" may be imported only in ${[...homes, "scripts", "test"].join(", ")}`;
  }
  if (!name.startsWith("node:") && name !== "bun") {
    return `"${name}" is in no row of the import table; add it to scripts/lint/place.ts with its home`;
  }
  if (PURE.includes(zone) && !PURE_MODULES.includes(specifier)) {
    return `${zone} is pure and may not import "${specifier}"`;
  }
  return null;
}

/** `hono/streaming` belongs to `hono`, `@types/bun/x` to `@types/bun`; a name with a colon stays whole. */
function packageName(specifier: string): string {
  if (specifier.includes(":")) return specifier;
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

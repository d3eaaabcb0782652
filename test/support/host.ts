/** What the tests look at on the host itself. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Entry } from "../../lib/core/mod.ts";
import { run } from "./run.ts";
import { waitUntil } from "./wait.ts";

/** True where the tests can load BPF programs; elsewhere they are skipped with this as the reason. */
export const IS_ROOT: boolean = process.getuid?.() === 0;

/** The mount point of cgroup v2, from /proc/self/mountinfo; throws where there is none. */
export function cgroupMount(): string {
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [left, right] = line.split(" - ");
    if (right?.startsWith("cgroup2 ") === true) return left?.split(" ")[4] ?? "";
  }
  throw new Error("find the mount point of cgroup v2: none in /proc/self/mountinfo");
}

/** Every cgroup below the mount point, as paths from it. */
export function cgroups(): readonly string[] {
  const root = cgroupMount();
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const item of listDirectory(join(root, path))) {
      const below = join(path, item);
      if (!isDirectory(join(root, below))) continue;
      found.push(below);
      visit(below);
    }
  };
  visit("/");
  return found.sort();
}

/** Those of sessions, by their ids: what is left of others is another test's. */
export function sessionCgroups(entries: readonly Entry[]): readonly string[] {
  const ids = new Set<string | undefined>(entries.map(({ session_id }) => session_id));
  return cgroups().filter((path) => ids.has(basename(path)));
}

/**
 * Waits until nothing is left of what `list` shows now and did not before. What others make meanwhile is no leak:
 * theirs comes and goes, only what stays is left. Throws with what stayed for two minutes.
 */
export async function expectNothingLeft(
  what: string,
  before: Iterable<string>,
  list: () => Iterable<string> | Promise<Iterable<string>>,
): Promise<void> {
  let left = new Set(await list()).difference(new Set(before));
  await waitUntil(`no ${what} left`, async () => {
    left = left.intersection(new Set(await list()));
    return left.size === 0;
  }, { deadline_ms: 120_000, detail: () => [...left].join(", ") });
}

/** True while the process exists and is not only waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}

/** Pids of processes with an argument that contains the text. */
export function processesNaming(text: string): readonly number[] {
  return listDirectory("/proc").map(Number).filter((pid) =>
    Number.isInteger(pid) && pid !== process.pid && argumentsOf(pid).some((argument) => argument.includes(text))
  );
}

/** The arguments of a process; empty when it has ended. */
export function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Kinds of BPF objects that can leak. */
export const BPF_KINDS = ["prog", "map", "link"] as const;

/** Ids of all BPF objects of the kernel, each with its kind: `prog 12`. */
export async function bpfObjects(): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const kind of BPF_KINDS) {
    const listed = await run(["bpftool", "-j", kind, "list"]);
    if (listed.exit_code !== 0) throw new Error(`list BPF objects: bpftool ${kind}: ${listed.stderr}`);
    const rows: readonly { readonly id: number }[] = JSON.parse(listed.stdout);
    for (const row of rows) ids.add(`${kind} ${row.id}`);
  }
  return ids;
}

/** Names in a directory; empty when it is gone, which happens between listing and visiting. */
function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

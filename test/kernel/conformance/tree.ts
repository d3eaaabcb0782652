/** The scripted tree: building it, running it under strace, and strace's view of it. */
import { join } from "node:path";
import { type Compiler, parseStrace, PYTHON, STRACE_FLAGS } from "../../support/mod.ts";
import { type Expected, expectedActions, TRACED_CALLS } from "./expected.ts";
import type { TreeModel } from "./model.ts";

/** Where the sources are. */
const TREE_SOURCES: string = join(import.meta.dir, "../fixtures/tree");

/** Programs of the tree, with what they are built from; those with `-static` need no shared library. */
const PROGRAMS: readonly (readonly [name: string, source: string])[] = [
  ["files", "files.c"],
  ["files-static", "files.c"],
  ["starts", "starts.c"],
  ["starts-static", "starts.c"],
  ["net", "net.c"],
  ["net-static", "net.c"],
  ["threads", "threads.c"],
  ["storm", "storm.c"],
  ["tiny", "tiny.c"],
];

/** Builds the programs; returns the command that runs the tree with a storm of so many processes. */
export async function buildTree(compiler: Compiler, storm: number): Promise<readonly string[]> {
  await Promise.all(PROGRAMS.map(([name, source]) => {
    const static_link = name.endsWith("-static") || name === "tiny";
    return compiler.compile(join(TREE_SOURCES, source), name, { static_link });
  }));
  return ["/bin/sh", join(TREE_SOURCES, "tree.sh"), compiler.path, PYTHON, String(storm)];
}

/** The command that runs another one under strace with the log in a file. */
export function underStrace(command: readonly string[], log: string): readonly string[] {
  return ["/usr/bin/strace", ...STRACE_FLAGS, "-e", `trace=${TRACED_CALLS}`, "-o", log, ...command];
}

/** What strace saw. `root` was the empty working directory of the command. */
export interface Straced {
  readonly expected: readonly Expected[];
  readonly model: TreeModel;
}

/** Reads a log of {@link underStrace}. */
export async function readStraced(log: string, root: string): Promise<Straced> {
  return expectedActions(parseStrace(await Bun.file(log).text()), root);
}

/** Names as the kernel resolved them, worked out after the run: the tree keeps its directories to the end. */
import { lstatSync, readlinkSync } from "node:fs";
import { posix } from "node:path";

/** As many symbolic links as the kernel follows in one walk (MAXSYMLINKS in include/linux/namei.h). */
const LINKS_MAX = 40;

/**
 * The directory that a name leads to, every symbolic link followed. A component that is gone counts as a directory:
 * the tree removes only directories that it made itself.
 */
export function resolveDirectory(path: string, links: { left: number } = { left: LINKS_MAX }): string {
  let resolved = "/";
  const todo = path.split("/").filter((part) => part !== "" && part !== ".");
  while (todo.length > 0) {
    const part = todo.shift() ?? "";
    if (part === "..") {
      resolved = posix.dirname(resolved);
      continue;
    }
    const next = posix.join(resolved, part);
    const target = links.left > 0 ? linkTarget(next) : undefined;
    if (target === undefined) {
      resolved = next;
    } else {
      links.left--;
      resolved = resolveDirectory(posix.resolve(resolved, target), links);
    }
  }
  return resolved;
}

/** The name with its parent resolved and its last component as it is: what a call that does not follow it acts on. */
export function resolveParent(path: string): string {
  const base = posix.basename(path);
  if (base === "" || base === "." || base === "..") return resolveDirectory(path);
  return posix.join(resolveDirectory(posix.dirname(path)), base);
}

/** The name taken from the directory, not resolved: absolute, with nothing removed from it. */
export function absolute(directory: string, path: string): string {
  if (path.startsWith("/")) return path;
  return directory === "/" ? `/${path}` : `${directory}/${path}`;
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

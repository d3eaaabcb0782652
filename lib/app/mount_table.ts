/** The mounts of a process's namespace, and the other names that what is mounted twice has (proc_pid_mountinfo(5)). */
import { isWithin } from "../core/mod.ts";

/** One mount. */
export interface Mount {
  /** Of the file system, `major:minor`. */
  readonly dev: string;
  /** The directory of the file system that is mounted. */
  readonly root: string;
  readonly point: string;
}

/** Reads the text of `mountinfo`, in its order: later mounts cover earlier ones. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [, , dev, root, point] = line.split(" ");
    if (dev === undefined || root === undefined || point === undefined) return [];
    return [{ dev, root: unescape(root), point: unescape(point) }];
  });
}

/** A place by another name. */
export interface OtherPlace {
  readonly path: string;
  /** Of the place, what `path` is: empty for all of it, else something below it, beginning with a slash. */
  readonly below: string;
}

/** The other names of a place and, for directories that are mounted by themselves, of what lies below it. */
export function otherPlaces(mounts: readonly Mount[], path: string): readonly OtherPlace[] {
  const own = mounts.reduce<Mount | undefined>(
    (best, mount) => isWithin(path, mount.point) && mount.point.length >= (best?.point.length ?? 0) ? mount : best,
    undefined,
  );
  if (own === undefined) return [];
  const inner = join(own.root, path.slice(own.point === "/" ? 0 : own.point.length));
  const found = new Map<string, string>();
  for (const mount of mounts) {
    if (mount.dev !== own.dev || mount === own) continue;
    if (isWithin(inner, mount.root)) found.set(join(mount.point, rest(inner, mount.root)), "");
    else if (isWithin(mount.root, inner)) found.set(mount.point, rest(mount.root, inner));
  }
  found.delete(path);
  return [...found].map(([other, below]) => ({ path: other, below }));
}

/** `path` without the directory that it is below; begins with a slash, or is empty. */
function rest(path: string, directory: string): string {
  return directory === "/" ? path : path.slice(directory.length);
}

function join(directory: string, below: string): string {
  if (below === "" || below === "/") return directory;
  return directory === "/" ? below : `${directory}${below}`;
}

/** Blanks, tabs, line ends and backslashes are in octal (fs/proc_namespace.c). */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

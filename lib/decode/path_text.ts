/** Absolute paths from a directory and a name, without asking any file system. */

/**
 * Joins and normalises lexically: `.`, `..` and double slashes vanish, symbolic links do not. An absolute name needs no
 * base. Without a base a relative name stays as it is.
 */
export function joinPath(base: string, name: string): string {
  if (name.startsWith("/")) return normalPath(name);
  if (base === "") return name;
  return normalPath(name === "" ? base : `${base}/${name}`);
}

/** Removes `.`, `..` and double slashes of an absolute path. */
export function normalPath(path: string): string {
  if (isNormal(path)) return path;
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") kept.pop();
    else kept.push(part);
  }
  return `/${kept.join("/")}`;
}

/** No component is empty, `.` or `..`, and there is no final slash. */
function isNormal(path: string): boolean {
  return path === "/" || !(path.includes("//") || path.includes("/.") || path.endsWith("/"));
}

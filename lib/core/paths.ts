/** Absolute paths as texts: nothing is looked up, no link followed. */

/** True if `path` is `directory` or below it; neither ends with a slash, but for the root. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

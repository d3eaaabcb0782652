/** What follows the last slash of a path; the whole of a name without one. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

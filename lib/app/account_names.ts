/** Names of users and groups, from the host's own files: passwd(5), group(5). */
import { readFileSync } from "node:fs";

/** The name of a user; absent where /etc/passwd has none. */
export function userName(uid: number, passwd: string = readTable("/etc/passwd")): string | undefined {
  return rows(passwd).find(([, , id]) => id === String(uid))?.[0];
}

/** The names of groups; those without one are left out. */
export function groupNames(gids: readonly number[], group: string = readTable("/etc/group")): readonly string[] {
  const wanted = new Set(gids.map(String));
  return rows(group).flatMap(([name, , id]) => name !== undefined && id !== undefined && wanted.has(id) ? [name] : []);
}

/** The number of a user, or of a group, by its name; absent where there is none. */
export function accountId(kind: "user" | "group", name: string): number | undefined {
  const found = rows(readTable(kind === "user" ? "/etc/passwd" : "/etc/group")).find(([each]) => each === name)?.[2];
  const id = Number(found ?? "none");
  return Number.isInteger(id) ? id : undefined;
}

/** The groups of a user by those files: the first one, and those that list the name. */
export function groupIdsOf(
  uid: number,
  tables: { readonly passwd: string; readonly group: string } = {
    passwd: readTable("/etc/passwd"),
    group: readTable("/etc/group"),
  },
): readonly number[] {
  const [name, , , first] = rows(tables.passwd).find(([, , id]) => id === String(uid)) ?? [];
  if (name === undefined) return [];
  const listed = rows(tables.group).filter(([, , , members]) => members?.split(",").includes(name) === true);
  return [first, ...listed.map(([, , id]) => id)].map(Number).filter((id) => Number.isInteger(id));
}

function rows(table: string): readonly (readonly string[])[] {
  return table.split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 3);
}

function readTable(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // a container without accounts: ids only
  }
}

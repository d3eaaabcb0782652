/** The names of an action for the reference interpreter. */
import type { Event } from "../core/mod.ts";
import { normal } from "./reference_patterns.ts";

export function cwdOf(event: Event): string | undefined {
  const cwd = event.base ?? (event.action.type === "exec" ? event.action.cwd : undefined) ?? event.process?.cwd;
  return cwd === undefined ? undefined : normal(cwd);
}

/** A relative name of which nobody knows to what: it may match for what forbids, never for what permits. */
export interface Unsure {
  readonly relative: string;
}

/** A requested name made absolute, if that can be done. */
export function requested(
  name: string | undefined,
  event: Event,
  base: string | undefined = cwdOf(event),
): string | Unsure | undefined {
  if (name === undefined || name === "") return undefined;
  if (name.startsWith("/") || name.startsWith("@")) return normal(name);
  return base === undefined || !base.startsWith("/") ? { relative: name } : normal(`${base}/${name}`);
}

export type Names = readonly (string | Unsure | undefined)[];

export function pathNames(event: Event, with_new: boolean): Names {
  const { action } = event;
  switch (action.type) {
    case "exec":
    case "file.read":
    case "file.write":
    case "file.create":
    case "file.truncate":
    case "file.delete":
    case "file.mkdir":
    case "file.rmdir":
    case "file.chmod":
    case "file.chown":
    case "file.mknod":
      return [normal(action.path), requested(action.requested_path, event)];
    case "exec.failed":
      return [requested(action.requested_path, event)];
    case "file.rename":
    case "file.link":
      return [normal(action.path), requested(action.requested_path, event), ...(with_new ? newNames(event) : [])];
    case "file.symlink":
      return [linkTarget(action.path, action.new_path), ...(with_new ? newNames(event) : [])];
    case "unix.connect":
      return [normal(action.path), requested(action.requested_path, event)];
    default:
      return [];
  }
}

export function newNames(event: Event): Names {
  const { action } = event;
  if (action.type !== "file.rename" && action.type !== "file.link" && action.type !== "file.symlink") return [];
  const base = event.new_base === undefined ? cwdOf(event) : normal(event.new_base);
  return [normal(action.new_path), requested(action.requested_new_path, event, base)];
}

/** What a symbolic link points to: relative to the directory of the link. */
function linkTarget(target: string, link: string): string {
  return target.startsWith("/") ? normal(target) : normal(`${link}/../${target}`);
}

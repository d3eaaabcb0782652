/**
 * Where a command may change files at all. The kernel holds it to that by Landlock; what the guard does in its place
 * passes by its Landlock, so the same is asked here.
 */
import type { OwnPlaces } from "../act/mod.ts";
import { isWithin } from "../core/mod.ts";
import type { Baseline, HeldChange } from "../../ffi/mod.ts";

/** A place below which files may be changed, or only be written. */
export interface WritePlace {
  readonly kind: "write" | "write_files";
  /** Absolute and resolved. */
  readonly path: string;
}

/** The places of a baseline that limits them; `undefined` where files may be changed everywhere. */
export function writePlaces(baseline: Baseline | undefined): readonly WritePlace[] | undefined {
  if (baseline?.parts.includes("trees") !== true) return undefined;
  return baseline.places.flatMap(({ kind, path }) =>
    kind === "write" || kind === "write_files" ? [{ kind, path }] : []
  );
}

const O_ACCMODE = 3;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_PATH = 0o10000000;

/** True if Landlock would let the command do it. */
export function isWithinPlaces(change: HeldChange, places: readonly WritePlace[]): boolean {
  const within = (path: string, kinds: readonly WritePlace["kind"][]): boolean =>
    places.some((place) => kinds.includes(place.kind) && isWithin(path, place.path));
  switch (change.kind) {
    case "open": {
      const { open_flags, exists, path } = change;
      if ((open_flags & O_PATH) !== 0) return true;
      if (!exists && (open_flags & O_CREAT) !== 0) return within(path, ["write"]);
      const writes = (open_flags & O_ACCMODE) !== 0 || (open_flags & O_TRUNC) !== 0;
      return !writes || within(path, ["write", "write_files"]);
    }
    case "truncate":
      return within(change.path, ["write", "write_files"]);
    case "chmod":
    case "chown":
      return true; // no right of Landlock
    case "rename":
      return within(change.path, ["write"]) && within(change.new_path, ["write"]);
    case "link":
      return within(change.path, ["write"]) && within(change.new_path, ["write"]);
    case "symlink":
      return within(change.new_path, ["write"]);
    default:
      return within(change.path, ["write"]);
  }
}

/**
 * True if it touches the guard's own files: its directories at all, its policies and executable otherwise than by
 * reading. The programs at security hooks let the guard pass.
 */
export function isOwnPlace(
  change: Pick<HeldChange, "kind" | "path" | "new_path" | "open_flags">,
  own: OwnPlaces,
): boolean {
  const names = [change.path, change.new_path];
  const closed = [own.state_dir, own.runtime_dir, ...own.approvers_dir === undefined ? [] : [own.approvers_dir]];
  if (names.some((name) => closed.some((directory) => isWithin(name, directory)))) return true;
  if (change.kind === "open" && (change.open_flags & (O_ACCMODE | O_TRUNC)) === 0) return false;
  return names.some((name) => name === own.program || own.policies.includes(name));
}

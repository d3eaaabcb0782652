/**
 * Names that the kernel resolved and that a probe could only join: the symbolic links in their directories are followed
 * here, after the event, and the action says so (`resolved_late`). What cannot be followed keeps `requested_only`.
 */
import type {
  Action,
  Clock,
  ExecFlag,
  FileChangeAction,
  FileFlag,
  FileMoveAction,
  FileOpenAction,
} from "../core/mod.ts";

/** Follows every symbolic link of an absolute path; `undefined` where it does not exist (any more). May do I/O. */
export type DirectoryResolver = (path: string) => string | undefined;

/** Paths remembered. */
const CACHE_MAX = 4096;
/** How long an answer holds: a directory may be replaced by a link. */
const CACHE_US = 1_000_000;

interface Cached {
  readonly real: string | undefined;
  readonly until_us: number;
}

/** Resolves the names of changes; keeps a small cache of directories. */
export class NameResolver {
  readonly #resolve: DirectoryResolver;
  readonly #clock: Clock;
  readonly #cache: Map<string, Cached> = new Map();

  constructor(resolve: DirectoryResolver, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** The action with resolved names, or the same action where nothing could be resolved. */
  resolve(action: Action, follow: boolean): Action {
    switch (action.type) {
      case "exec": {
        // The kernel shows the interpreter's path; the script's own is what was asked for.
        const real = action.interpreter === undefined ? undefined : this.#real(action.path);
        if (real === undefined || real === action.path) return action;
        const flags: readonly ExecFlag[] = [...(action.flags ?? []), "resolved_late"];
        return { ...action, path: real, requested_path: action.requested_path ?? action.path, flags };
      }
      case "file.delete":
      case "file.mkdir":
      case "file.rmdir":
      case "file.mknod":
        return renamed(action, this.#entry(action.path));
      case "file.chmod":
      case "file.chown":
      case "file.truncate":
        return renamed(action, (follow ? this.#real(action.path) : undefined) ?? this.#entry(action.path));
      case "file.rename":
      case "file.link": {
        const path = this.#entry(action.path);
        const new_path = this.#entry(action.new_path);
        if (path === undefined || new_path === undefined) return action;
        return { ...renamed(action, path), ...renamedTo(action, new_path) };
      }
      case "file.symlink": {
        const new_path = this.#entry(action.new_path);
        return new_path === undefined ? action : { ...action, ...renamedTo(action, new_path) };
      }
      default:
        return action;
    }
  }

  /** The name in its resolved directory; the name itself is not followed. */
  #entry(path: string): string | undefined {
    if (!path.startsWith("/")) return undefined;
    const slash = path.lastIndexOf("/");
    if (path === "/" || slash === 0) return path;
    const directory = this.#real(path.slice(0, slash));
    if (directory === undefined) return undefined;
    return directory === "/" ? path.slice(slash) : `${directory}${path.slice(slash)}`;
  }

  #real(path: string): string | undefined {
    // /proc/self is another process for whoever asks.
    if (!path.startsWith("/") || path.startsWith("/proc/self") || path.startsWith("/proc/thread-self")) {
      return undefined;
    }
    const now_us = this.#clock.monotonicUs();
    const cached = this.#cache.get(path);
    if (cached !== undefined && cached.until_us > now_us) return cached.real;
    const real = this.#resolve(path);
    this.#cache.delete(path);
    this.#cache.set(path, { real, until_us: now_us + CACHE_US });
    if (this.#cache.size > CACHE_MAX) {
      const oldest = this.#cache.keys().next();
      if (!oldest.done) this.#cache.delete(oldest.value);
    }
    return real;
  }
}

type Renamed = FileOpenAction | FileChangeAction | FileMoveAction;

/** The action with its resolved name; what was asked for stays where it differs. */
function renamed<A extends Renamed>(action: A, path: string | undefined): A {
  if (path === undefined) return action;
  const flags = late(action.flags);
  if (path === action.path) return { ...action, flags };
  return { ...action, path, requested_path: action.requested_path ?? action.path, flags };
}

/** The same for the second name. */
function renamedTo(
  action: FileMoveAction,
  new_path: string,
): Pick<FileMoveAction, "new_path" | "requested_new_path" | "flags"> {
  const flags = late(action.flags);
  if (new_path === action.new_path) return { new_path, flags };
  return { new_path, requested_new_path: action.requested_new_path ?? action.new_path, flags };
}

function late(flags: readonly FileFlag[] | undefined): readonly FileFlag[] {
  return ["resolved_late", ...(flags ?? []).filter((flag) => flag !== "requested_only")];
}

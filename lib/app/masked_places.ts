/**
 * What a mask refused, in the record: the kernel says only that something could not be opened, or that nobody listens
 * there. The name is led back to the masked place, and to the rule that closed it.
 */
import type { Event, KernelVerdict, Mask } from "../core/mod.ts";

/** How a mask refuses, by action: `ffi/native/launch_mounts.h`. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  "file.read": ["EACCES"],
  "file.write": ["EACCES", "EROFS"],
  "file.create": ["EACCES", "EROFS"],
  "file.truncate": ["EACCES", "EROFS"],
  "unix.connect": ["ECONNREFUSED"],
};

/** Follows every symbolic link of an absolute path, as the guard sees it; `undefined` where it leads nowhere. */
export type RealPath = (path: string) => string | undefined;

/** The masks of one session. */
export class MaskedPlaces {
  readonly #masks: ReadonlyMap<string, Mask>;
  readonly #trees: readonly Mask[];
  readonly #generation: number;
  readonly #realPath: RealPath;

  /** `generation`: of the policy that the session began with. */
  constructor(masks: readonly Mask[], generation: number, realPath: RealPath) {
    this.#masks = new Map(masks.map((mask) => [mask.path, mask]));
    this.#trees = masks.filter(({ tree }) => tree);
    this.#generation = generation;
    this.#realPath = realPath;
  }

  /** The event as what a mask refused; the same event where none did. */
  explain(event: Event): Event {
    const { action } = event;
    if (!("path" in action) || !("result" in action) || action.result === undefined) return event;
    // What was decided while it was held, or by the kernel's own copy of the policy, is explained already.
    if (event.decided !== undefined || event.kernel?.verdict === "deny") return event;
    if (REFUSALS[action.type]?.includes(action.result) !== true) return event;
    const found = this.#find(action.path) ?? this.#findReal(action.path);
    if (found === undefined) return event;
    const { mask, path } = found;
    const kernel: KernelVerdict = {
      verdict: "deny",
      rule_index: mask.rule_index,
      generation: this.#generation,
      effect: "refused",
      mechanism: "mounts",
      why: `masked for the command since its start, by rule "${mask.rule}"`,
    };
    if (path === action.path) return { ...event, kernel };
    const requested_path = "requested_path" in action ? action.requested_path ?? action.path : action.path;
    return { ...event, kernel, action: { ...action, path, requested_path } };
  }

  #find(path: string): { readonly mask: Mask; readonly path: string } | undefined {
    const mask = this.#masks.get(path) ?? this.#trees.find((tree) => path.startsWith(`${tree.path}/`));
    return mask === undefined ? undefined : { mask, path };
  }

  #findReal(path: string): { readonly mask: Mask; readonly path: string } | undefined {
    // /proc/self is another process for whoever asks.
    if (!path.startsWith("/") || path.startsWith("/proc/")) return undefined;
    const real = this.#realPath(path);
    return real === undefined || real === path ? undefined : this.#find(real);
  }
}

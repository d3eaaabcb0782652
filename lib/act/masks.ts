/** What of the places that rules close is there when a session begins: it can be hidden from the command for good. */
import { type Dirent, lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { isWithin, type Mask } from "../core/mod.ts";

/** A place that a rule closes; `lib/decide` has it (`ClosedPlace`). */
export interface MaskRule {
  readonly rule: string;
  readonly rule_index: number;
  readonly what: "file" | "socket";
  readonly path: string;
  readonly tree: boolean;
  readonly whole: boolean;
  closes(name: string): boolean;
}

/** What must stay visible. */
export interface MaskContext {
  /** Directories that the command works in or cannot begin without: no mask holds any of them. */
  readonly work: readonly string[];
  /** Files and directories that the baseline hides or keeps by itself. */
  readonly own: readonly string[];
}

/** What can be masked, and what stays to the rule alone. */
export interface MaskPlan {
  readonly masks: readonly Mask[];
  /** Why a place that is there is not masked: a line each. */
  readonly left: readonly string[];
}

/** Masks of one session; the rest stays to the rules. */
const MASKS_MAX = 256;
/** Bytes of all paths together: the launcher's list has place for no more (AG_LAUNCH_PLACES_BYTES). */
const MASK_BYTES_MAX = 16_384;
/** Names that are looked at below directories that cannot be masked as a whole. */
const NAMES_MAX = 4_096;
/** Everything is reached through these, and nothing of the kernel's is a secret at rest. */
const KERNEL_TREES: readonly string[] = ["/proc", "/sys", "/dev"];

/** Looks where the rules' places lead now. Does no more than `NAMES_MAX` names and never throws. */
export function planMasks(rules: readonly MaskRule[], context: MaskContext): MaskPlan {
  const found = new MaskFinder(context);
  for (const rule of rules) found.add(rule);
  return found.plan();
}

class MaskFinder {
  readonly #context: MaskContext;
  readonly #masks: Map<string, Mask> = new Map();
  readonly #left: string[] = [];
  #names_left = NAMES_MAX;

  constructor(context: MaskContext) {
    this.#context = context;
  }

  add(rule: MaskRule): void {
    const real = realPath(rule.path);
    const stat = real === undefined ? undefined : statOf(real);
    if (real === undefined || stat === undefined) return;
    if (!rule.tree) {
      if (isMasked(rule, stat)) this.#mask(rule, real, { tree: false });
    } else if (stat.isDirectory()) {
      if (rule.what === "file" && rule.whole && this.#isFree(real)) this.#mask(rule, real, { tree: true });
      else this.#below(rule, real);
    }
  }

  /** Outer ones first, without what lies in another mask. */
  plan(): MaskPlan {
    const sorted = [...this.#masks.values()].toSorted((a, b) => a.path.length - b.path.length);
    const trees: string[] = [];
    const masks: Mask[] = [];
    let bytes = 0;
    let dropped = 0;
    for (const mask of sorted) {
      if (trees.some((tree) => isWithin(mask.path, tree))) continue;
      const size = Buffer.byteLength(mask.path) + 2;
      if (masks.length >= MASKS_MAX || bytes + size > MASK_BYTES_MAX) {
        dropped++;
        continue;
      }
      bytes += size;
      masks.push(mask);
      if (mask.tree) trees.push(mask.path);
    }
    const left = dropped === 0 ? [] : [`${dropped} more places: at most ${MASKS_MAX} are masked`];
    return { masks, left: [...this.#left, ...left] };
  }

  #mask({ rule, rule_index }: MaskRule, path: string, { tree }: { readonly tree: boolean }): void {
    const { own } = this.#context;
    if (path === "/" || own.some((each) => isWithin(path, each) || isWithin(each, path))) return;
    if (KERNEL_TREES.some((each) => isWithin(path, each))) return;
    if (!this.#masks.has(path)) this.#masks.set(path, { path, tree, rule, rule_index });
  }

  /** The command must be able to work: a directory that holds what it needs is not taken as a whole. */
  #isFree(tree: string): boolean {
    return ![...KERNEL_TREES, ...this.#context.work, ...this.#context.own].some((path) => isWithin(path, tree));
  }

  /** Each file or socket below by itself. Symbolic links stay: what they lead to has a name of its own. */
  #below(rule: MaskRule, tree: string): void {
    const waiting = [{ real: tree, named: rule.path }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const entry of entriesOf(next.real)) {
        if (--this.#names_left < 0) {
          this.#left.push(`${rule.rule}: ${rule.path} holds too many names to be looked at (${NAMES_MAX})`);
          return;
        }
        const real = join(next.real, entry.name);
        const named = join(next.named, entry.name);
        if (entry.isDirectory() && !KERNEL_TREES.includes(real)) waiting.push({ real, named });
        const wanted = rule.what === "file" ? entry.isFile() : entry.isSocket();
        if (wanted && rule.closes(named)) this.#mask(rule, real, { tree: false });
      }
    }
  }
}

/** A directory has its own rule of names, and a socket is not opened. */
function isMasked({ what }: MaskRule, stat: Stats): boolean {
  return what === "socket" ? stat.isSocket() : !stat.isDirectory() && !stat.isSocket();
}

function realPath(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined ? undefined : realpathSync(path);
  } catch {
    return undefined; // a link to nowhere, or not for this user
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // gone meanwhile
  }
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // gone meanwhile, or not for this user
  }
}

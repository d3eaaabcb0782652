/** Sorts the actions of a recording: what a policy may rest on, and what it must not. */
import { type Action, type ActionType, type Entry, type Event, LIMITS, type NetAction } from "../core/mod.ts";
import { absoluteName, linkTarget, permittingHost } from "./explain_snippet.ts";
import { type Evidence, evidenceOf, joinEvidence } from "./learn_evidence.ts";
import { PathLearner } from "./learn_paths.ts";
import { SecretPaths } from "./learn_secrets.ts";
import { normalName } from "./names.ts";
import { parseCidr } from "./net.ts";
import { recordedAnswer } from "./replay.ts";
import type { RecordedAction } from "./replay_events.ts";

/** Families of actions that a policy can be learnt for. */
export const LEARN_CLASSES = ["exec", "file", "net", "unix", "tool"] as const;

/** One of them. */
export type LearnClass = typeof LEARN_CLASSES[number];

/**
 * Why an action taught nothing. `denied`: the policy of the recording refused it, or would have. `refused`: the kernel
 * did. `secret`: a path of `SECRET_PATHS`. `unknown`: a name that nobody can make absolute, or that no policy can
 * hold.
 */
export type LeftOutReason = "denied" | "refused" | "secret" | "unknown";

/** A move: every name of what was moved, and every name that it got. One rule must hold them all. */
export interface LearntMove {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Every attempt came to nothing. */
  readonly vain: boolean;
  readonly evidence: Evidence;
}

/** Where a network action went: by name where a rule by name permits it, else by address. */
export type LearntTarget = Pick<NetAction, "type" | "protocol" | "port"> & {
  readonly key: "host" | "address";
  readonly value: string;
};

/** Errors with which the kernel refuses; any other failure came to nothing by itself. */
const REFUSALS: readonly string[] = ["EACCES", "EPERM", "EROFS"];
/** What a call in progress says; it is no failure. */
const PROGRESS = "EINPROGRESS";
/** Different names of one recording. */
const NAMES_MAX = 500_000;

/** Everything that a recording taught. */
export class Lessons {
  /** By type; moves apart. */
  readonly paths: Map<ActionType, PathLearner> = new Map();
  /** Names that were looked for in vain, by type: never widened. */
  readonly vain: Map<ActionType, PathLearner> = new Map();
  readonly moves: Map<ActionType, Map<string, LearntMove>> = new Map();
  readonly targets: Map<string, { readonly target: LearntTarget; readonly evidence: Evidence }> = new Map();
  readonly tools: Map<string, { readonly tool: string; readonly server?: string; readonly evidence: Evidence }> =
    new Map();
  readonly left_out: Map<LeftOutReason, Evidence> = new Map();
  readonly created: Set<string> = new Set();
  readonly gone: Set<string> = new Set();
  readonly made: Set<string> = new Set();
  readonly sessions: Set<string> = new Set();
  readonly #secrets: SecretPaths = new SecretPaths();
  #names = 0;
  #actions = 0;
  #learnt = 0;

  /** Actions seen, and those that taught something. */
  get counts(): { readonly actions: number; readonly learnt: number } {
    return { actions: this.#actions, learnt: this.#learnt };
  }

  /** True if the recording has too many different names to be held; what follows is left out. */
  get full(): boolean {
    return this.#names >= NAMES_MAX;
  }

  /** Takes one action in. */
  add({ entry, event }: RecordedAction, classes: readonly LearnClass[]): void {
    const { action } = event;
    if (!classes.some((name) => action.type === name || action.type.startsWith(`${name}.`))) return;
    if (action.type === "exec.failed" || action.type === "net.dns") return;
    if (entry.session_id !== undefined) this.sessions.add(entry.session_id);
    this.#actions++;
    const reason = this.#take(entry, event);
    if (reason === undefined) this.#learnt++;
    else this.left_out.set(reason, joinEvidence(this.left_out.get(reason), evidenceOf(entry)));
  }

  /** Learns from one action, or says why not. */
  #take(entry: Entry, event: Event): LeftOutReason | undefined {
    const { action } = event;
    const { verdict, would } = recordedAnswer(entry.decision);
    if ([verdict, would].some((each) => each === "deny" || each === "ask")) return "denied";
    const result = ("result" in action ? action.result : undefined) ?? "0";
    if (REFUSALS.includes(result)) return "refused";
    if (this.full) return "unknown";
    const evidence = evidenceOf(entry);
    if (action.type === "tool.call") return this.#tool(action, evidence);
    if (isNet(action)) return this.#target(action, evidence);
    return this.#path(event, { evidence, vain: result !== "0" && result !== PROGRESS });
  }

  #tool(action: Extract<Action, { type: "tool.call" }>, evidence: Evidence): LeftOutReason | undefined {
    const { tool, server } = action;
    if (!canWrite(tool) || (server !== undefined && !canWrite(server))) return "unknown";
    const key = JSON.stringify([server, tool]);
    const known = this.tools.get(key);
    this.tools.set(key, {
      tool,
      ...(server === undefined ? {} : { server }),
      evidence: joinEvidence(known?.evidence, evidence),
    });
    return undefined;
  }

  #target(action: NetAction, evidence: Evidence): LeftOutReason | undefined {
    const { type, protocol, address, port } = action;
    if (typeof parseCidr(address) === "string") return "unknown";
    const host = permittingHost(action);
    const place = host === undefined || !canWrite(host)
      ? { key: "address" as const, value: address }
      : { key: "host" as const, value: host };
    const key = `${type} ${protocol} ${place.key} ${place.value} ${port}`;
    const known = this.targets.get(key);
    const target: LearntTarget = { type, protocol, port, ...place };
    this.targets.set(key, { target: known?.target ?? target, evidence: joinEvidence(known?.evidence, evidence) });
    return undefined;
  }

  #path(event: Event, how: { readonly evidence: Evidence; readonly vain: boolean }): LeftOutReason | undefined {
    const { action } = event;
    const names = namesOf(event);
    if (names === undefined) return "unknown";
    const all = [...names.from, ...names.to];
    if (all.length === 0 || !all.every((name) => canName(name))) return "unknown";
    if (all.some((name) => this.#secrets.has(name))) return "secret";
    if (names.to.length > 0) return this.#move(action.type, names, how);
    const learner = learnerOf(how.vain ? this.vain : this.paths, action.type);
    const before = learner.size;
    const merged = "flags" in action && (action.flags ?? []).some((flag) => flag === "coalesced");
    for (const name of names.from) {
      if (merged) learner.addMerged(name, how.evidence);
      else learner.add(name, how.evidence);
    }
    this.#names += learner.size - before;
    if (how.vain) return undefined;
    if (action.type === "file.mkdir") this.made.add(names.from[0] ?? "");
    if (action.type === "file.create" || action.type === "file.mkdir") this.created.add(names.from[0] ?? "");
    if (action.type === "file.delete" || action.type === "file.rmdir") this.gone.add(names.from[0] ?? "");
    return undefined;
  }

  #move(
    type: ActionType,
    names: Names,
    how: { readonly evidence: Evidence; readonly vain: boolean },
  ): undefined {
    const known = this.moves.get(type) ?? new Map<string, LearntMove>();
    this.moves.set(type, known);
    const key = JSON.stringify(names);
    const before = known.get(key);
    if (before === undefined) this.#names++;
    const vain = how.vain && before?.vain !== false;
    known.set(key, { ...names, vain, evidence: joinEvidence(before?.evidence, how.evidence) });
    if (how.vain) return undefined;
    if (type === "file.rename") this.gone.add(names.from[0] ?? "");
    this.created.add(names.to[0] ?? "");
    return undefined;
  }
}

interface Names {
  /** The resolved name first. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

function learnerOf(learners: Map<ActionType, PathLearner>, type: ActionType): PathLearner {
  const known = learners.get(type);
  if (known !== undefined) return known;
  const made = new PathLearner();
  learners.set(type, made);
  return made;
}

function isNet(action: Action): action is NetAction {
  return action.type.startsWith("net.") && action.type !== "net.dns";
}

/** Every name that an allow rule must match; `undefined` if one of them cannot be known. */
function namesOf(event: Event): Names | undefined {
  const { action, new_base } = event;
  if (action.type === "file.symlink") {
    const to = withRequested(action.new_path, action.requested_new_path, newSide(event, new_base));
    return to === undefined ? undefined : { from: [linkTarget(action)], to };
  }
  if (!("path" in action)) return { from: [], to: [] };
  const from = withRequested(action.path, "requested_path" in action ? action.requested_path : undefined, event);
  if (from === undefined) return undefined;
  if (!("new_path" in action)) return { from, to: [] };
  const to = withRequested(action.new_path, action.requested_new_path, newSide(event, new_base));
  return to === undefined ? undefined : { from, to };
}

function newSide(event: Event, new_base: string | undefined): Event {
  return new_base === undefined ? event : { ...event, base: new_base };
}

function withRequested(path: string, requested: string | undefined, event: Event): readonly string[] | undefined {
  const name = normalName(path);
  if (requested === undefined || requested === "") return [name];
  const absolute = absoluteName(requested, event);
  if (absolute === undefined) return undefined;
  return absolute === name ? [name] : [name, absolute];
}

/** A path, or a name such as `pipe:[1]`, that a pattern can stand for: a pattern has no `.`, `..` or empty segments. */
function canName(name: string): boolean {
  return canWrite(name) && (name.startsWith("/") || !name.split("/").some((part) => /^\.{0,2}$/.test(part)));
}

/** A text that TOML and the limits of the language can hold. */
function canWrite(text: string): boolean {
  // Every character may need an escape, and a byte of UTF-16 at most three of UTF-8.
  return text !== "" && text.isWellFormed() && text.length * 6 <= LIMITS.pattern_bytes_max * 3 &&
    new TextEncoder().encode(text).length * 2 <= LIMITS.pattern_bytes_max;
}

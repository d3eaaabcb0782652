/** Which mechanisms could keep a rule that forbids, for each of its action types. */
import { type ActionType, FILE_ACTION_TYPES, type Verdict } from "../core/mod.ts";
import {
  type EnforcementCandidate,
  type EnforcementMechanism,
  type EnforcementPart,
  orderCandidates,
} from "./enforcement.ts";

/** What a name that is written otherwise than the rule has it comes to, where only names are compared. */
const OTHER_NAMES = "compared by name; reached by a symbolic link or `..`, ended after the effect";

/** What lowering found out about a rule, for the types that one kernel program decides. */
export interface KernelForm {
  readonly complete: boolean;
  /** What of the rule has no kernel form; empty where all has one. */
  readonly note: string;
  /** It is incomplete only because it forbids by name: its verdicts are those of user space all the same. */
  readonly by_name?: boolean;
}

/** The kernel forms of one rule; a text says why there is none. */
export interface KernelForms {
  readonly net?: KernelForm | string;
  readonly exec?: KernelForm | string;
  readonly file?: KernelForm | string;
  /** Of unix sockets, by the names that calls give. */
  readonly unix?: KernelForm | string;
}

/** Calls that wait for user space where a seccomp notification filter is in place. */
const NOTIFIED: ReadonlySet<ActionType> = new Set<ActionType>([
  "exec",
  ...FILE_ACTION_TYPES,
]);

/** The same, where programs of the session's cgroup compare the address with what was let go. */
const GRANTED: ReadonlySet<ActionType> = new Set<ActionType>(["net.connect", "net.send"]);

/** What a rule against hosts leaves open. */
const OTHER_ADDRESSES = "an address that is known otherwise than by its name is not refused";

/** Opens that wait for user space where fanotify marks the mounts of the command. */
const MARKED: ReadonlySet<ActionType> = new Set<ActionType>(["file.read"]);

/** Types whose acting process can be ended afterwards. */
const KILLABLE = /^(?:exec$|file\.|net\.(?!dns$)|unix\.)/;
const RESOLVED = "compared by resolved names";

/** What is forbidden, as far as mechanisms differ by it. */
export interface Forbidden {
  readonly types: readonly ActionType[];
  readonly verdict: Verdict;
  /** It names hosts that are forbidden, and an address can be known otherwise than by its name. */
  readonly by_name?: boolean;
}

/** The parts of a rule or default that forbids: types with the same candidates together, in the order of the types. */
export function candidateParts(asked: Forbidden, forms: KernelForms): readonly EnforcementPart[] {
  const parts: { readonly key: string; readonly actions: ActionType[]; readonly part: EnforcementPart }[] = [];
  for (const type of asked.types) {
    const candidates = orderCandidates(candidatesOf(type, forms, asked.by_name === true), asked.verdict);
    const key = JSON.stringify(candidates);
    const known = parts.find((part) => part.key === key);
    if (known !== undefined) known.actions.push(type);
    else {
      const actions = [type];
      parts.push({ key, actions, part: { actions, candidates } });
    }
  }
  return parts.map(({ part }) => part);
}

function candidatesOf(type: ActionType, forms: KernelForms, by_name: boolean): readonly EnforcementCandidate[] {
  const candidates: EnforcementCandidate[] = [];
  const add = (mechanism: EnforcementMechanism, complete: boolean, note = ""): void => {
    candidates.push({ mechanism, complete, note });
  };
  const form = formOf(type, forms);
  if (typeof form === "object") {
    if (type.startsWith("net.")) add("cgroup", form.complete, form.note);
    else if (type === "file.symlink") add("lsm", false, joined(form.note, "targets of links are compared afterwards"));
    else add("lsm", form.complete, joined(form.note, type === "exec" ? "" : RESOLVED));
    if (type === "exec") add("exec_kill", form.complete, form.note);
  }
  if (type === "unix.connect" && typeof forms.unix === "object") {
    add("cgroup", false, joined(forms.unix.note, OTHER_NAMES));
  }
  if (NOTIFIED.has(type)) add("seccomp", true);
  if (GRANTED.has(type)) add("seccomp", !by_name, by_name ? OTHER_ADDRESSES : "");
  if (MARKED.has(type)) add("fanotify", true, RESOLVED);
  // Why the programs of every start do not keep it; what would be missing on a host with more says nothing here.
  const why = typeof form === "string" && !type.startsWith("file.") ? form : "";
  if (KILLABLE.test(type)) add("kill_after", false, why);
  add("observe_only", false, nothingPrevents(type));
  return candidates;
}

function formOf(type: ActionType, forms: KernelForms): KernelForm | string | undefined {
  if (type === "exec") return forms.exec;
  if (type.startsWith("file.") || type === "unix.connect") return forms.file;
  return type === "net.connect" || type === "net.send" || type === "net.bind" ? forms.net : undefined;
}

function joined(...notes: readonly string[]): string {
  return notes.filter((note) => note !== "").join("; ");
}

function nothingPrevents(type: ActionType): string {
  if (type.startsWith("tool.")) return "answers to tool calls are not in this version";
  return KILLABLE.test(type) ? "" : "cannot be prevented";
}

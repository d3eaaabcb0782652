/** Classes and activities of OCSF for what an entry says. Source: ocsf-schema 1.8, `events/` and `dictionary.json`. */
import type { Entry } from "../../core/mod.ts";
import { stops, textAt, typeOf } from "./fields.ts";

/** Classes that are used. */
export type OcsfClassName = "base" | "file" | "process" | "finding" | "network" | "lifecycle" | "api";

/** A class with its category. */
export interface OcsfClass {
  readonly uid: number;
  readonly name: string;
  readonly category_uid: number;
  readonly category_name: string;
}

/** The classes. */
export const OCSF_CLASSES: Readonly<Record<OcsfClassName, OcsfClass>> = {
  base: { uid: 0, name: "Base Event", category_uid: 0, category_name: "Uncategorized" },
  file: { uid: 1001, name: "File System Activity", category_uid: 1, category_name: "System Activity" },
  process: { uid: 1007, name: "Process Activity", category_uid: 1, category_name: "System Activity" },
  finding: { uid: 2004, name: "Detection Finding", category_uid: 2, category_name: "Findings" },
  network: { uid: 4001, name: "Network Activity", category_uid: 4, category_name: "Network Activity" },
  lifecycle: { uid: 6002, name: "Application Lifecycle", category_uid: 6, category_name: "Application Activity" },
  api: { uid: 6003, name: "API Activity", category_uid: 6, category_name: "Application Activity" },
};

/** A class and an activity of it. */
export interface OcsfActivity {
  readonly class_name: OcsfClassName;
  readonly activity_id: number;
  readonly activity_name: string;
}

/** The activity that the schema does not name; its name is the type of the action. */
const OTHER = 99;

/** Activities by type of action. */
const ACTIVITIES: ReadonlyMap<string, readonly [OcsfClassName, number, string]> = new Map([
  ["exec", ["process", 1, "Launch"]],
  ["exec.failed", ["process", 1, "Launch"]],
  ["process.fork", ["process", 1, "Launch"]],
  ["process.exit", ["process", 2, "Terminate"]],
  ["file.create", ["file", 1, "Create"]],
  ["file.mkdir", ["file", 1, "Create"]],
  ["file.mknod", ["file", 1, "Create"]],
  ["file.link", ["file", 1, "Create"]],
  ["file.symlink", ["file", 1, "Create"]],
  ["file.read", ["file", 2, "Read"]],
  ["file.write", ["file", 3, "Update"]],
  ["file.truncate", ["file", 3, "Update"]],
  ["file.delete", ["file", 4, "Delete"]],
  ["file.rmdir", ["file", 4, "Delete"]],
  ["file.rename", ["file", 5, "Rename"]],
  ["file.chmod", ["file", 7, "Set Security"]],
  ["file.chown", ["file", 7, "Set Security"]],
  ["mount", ["file", 12, "Mount"]],
  ["net.connect", ["network", 1, "Open"]],
  ["net.send", ["network", 6, "Traffic"]],
  ["net.listen", ["network", 7, "Listen"]],
  ["unix.connect", ["network", 1, "Open"]],
  ["guard.start", ["lifecycle", 3, "Start"]],
  ["guard.stop", ["lifecycle", 4, "Stop"]],
  ["guard.policy.loaded", ["lifecycle", 8, "Update"]],
  ["session.start", ["lifecycle", 3, "Start"]],
  ["session.end", ["lifecycle", 4, "Stop"]],
  ["guard.tamper", ["finding", 1, "Create"]],
  ["guard.mismatch", ["finding", 1, "Create"]],
  ["guard.record.repaired", ["finding", 1, "Create"]],
]);

/** Classes by the beginning of a type that has no activity of its own. */
const FAMILIES: readonly (readonly [string, OcsfClassName])[] = [
  ["exec", "process"],
  ["process.", "process"],
  ["file.", "file"],
  ["net.", "network"],
  ["unix.", "network"],
  ["tool.", "api"],
  ["llm.", "api"],
  ["capsule.", "api"],
  ["bus.", "api"],
  ["agent.", "api"],
  ["operator.", "api"],
  ["approval.", "api"],
  ["guard.", "lifecycle"],
  ["session.", "lifecycle"],
];

/** Outcomes that say what was done about an action. */
const ENDS: ReadonlySet<string> = new Set([
  "prevented",
  "held",
  "killed_before_effect",
  "killed_after_effect",
  "unenforceable",
  "replied",
  "failed",
]);

/**
 * The class and the activity of an entry. A decision that stands in the way, or would have, is a finding; its outcome
 * without an action updates it; everything else is an activity of its own class, and what has none is a base event.
 */
export function ocsfActivity(entry: Entry): OcsfActivity {
  if (entry.kind === "decision" && standsInTheWay(entry)) return activity("finding", 1, "Create");
  const type = textAt(entry, "action", "type");
  if (type === undefined) {
    const label = textAt(entry, "outcome", "label");
    return label !== undefined && ENDS.has(label) ? activity("finding", 2, "Update") : otherActivity(entry);
  }
  const known = ACTIVITIES.get(type);
  if (known === undefined) {
    const family = FAMILIES.find(([begin]) => type.startsWith(begin));
    return family === undefined ? otherActivity(entry) : activity(family[1], OTHER, type);
  }
  const result = textAt(entry, "action", "result");
  if (type.endsWith(".connect") && result !== undefined && result !== "0") {
    return result === "ECONNREFUSED" ? activity("network", 5, "Refuse") : activity("network", 4, "Fail");
  }
  return activity(...known);
}

/** A base event, where nothing else can hold the entry. */
export function otherActivity(entry: Entry): OcsfActivity {
  return activity("base", OTHER, typeOf(entry));
}

/** True for a decision that stops or would have stopped something. */
export function standsInTheWay(entry: Entry): boolean {
  return stops(textAt(entry, "decision", "verdict")) || stops(textAt(entry, "decision", "would"));
}

function activity(class_name: OcsfClassName, activity_id: number, activity_name: string): OcsfActivity {
  return { class_name, activity_id, activity_name };
}

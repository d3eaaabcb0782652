/** Predicates about time and about what happened before: `time`, `rate`, `after`, `since`, `label`. */
import type { LabelPattern, RateKey, RatePattern, TimePattern } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { DURATION_HINT, parseDuration } from "./duration.ts";
import type { TableReader } from "./reader.ts";
import { didYouMean } from "./suggest.ts";
import { isTable } from "./toml.ts";

const RATE_KEYS: readonly RateKey[] = [
  "session",
  "principal",
  "agent",
  "user",
  "process",
  "exe",
  "path",
  "host",
  "address",
  "tool",
  "server",
  "all",
];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const EVERY_DAY: readonly number[] = [0, 1, 2, 3, 4, 5, 6];
/** Largest count of a rate: its counters are small. */
const RATE_COUNT_MAX = 1_000_000;
/** Rates, windows and labels of one predicate. */
const ENTRIES_MAX = 64;

/** `{ window = "08:00-18:00", days = ["mon-fri"], zone = "Europe/Oslo" }`, or a list of them. */
export function parseTimes(reader: TableReader): readonly TimePattern[] {
  return entries(reader, "time").flatMap((entry) => parseTime(entry) ?? []);
}

function parseTime(reader: TableReader): TimePattern | undefined {
  reader.refuseUnknown(["window", "days", "zone"]);
  const window = reader.has("window") ? reader.string("window") : "00:00-24:00";
  const days = reader.has("days") ? parseDays(reader) : EVERY_DAY;
  const zone = reader.has("zone") ? reader.string("zone") : "UTC";
  if (window === undefined || days === undefined || zone === undefined) return undefined;
  const match = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(window);
  const minutes = match?.slice(1).map(Number) ?? [];
  const from_minute = (minutes[0] ?? 0) * 60 + (minutes[1] ?? 0);
  const to_minute = (minutes[2] ?? 0) * 60 + (minutes[3] ?? 0);
  const fits = match !== null && from_minute < 1_440 && to_minute <= 1_440 && (minutes[1] ?? 0) < 60 &&
    (minutes[3] ?? 0) < 60;
  if (!fits || from_minute === to_minute) {
    reader.error("window", `window ${quote(window)} is not a time of day`, 'write "08:00-18:00" or "22:00-06:00"');
    return undefined;
  }
  if (!isZone(zone)) {
    reader.error("zone", `unknown time zone ${quote(zone)}`, 'write an IANA name such as "Europe/Oslo", or "UTC"');
    return undefined;
  }
  const named = days.length === 7 ? "" : ` ${days.map((day) => DAYS[day] ?? "").join(",")}`;
  return { text: `${window}${named} ${zone}`, position: reader.position, from_minute, to_minute, days, zone };
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone.length <= 64;
  } catch {
    return false; // the runtime throws RangeError for a name that it does not know
  }
}

function parseDays(reader: TableReader): readonly number[] | undefined {
  const found = new Set<number>();
  for (const { value, position } of reader.strings("days") ?? []) {
    const [first = "", last = first, ...rest] = value.toLowerCase().split("-");
    const from = DAYS.findIndex((day) => day === first);
    const to = DAYS.findIndex((day) => day === last);
    if (from < 0 || to < 0 || rest.length > 0) {
      reader.context.diagnostics.error(position, `unknown days ${quote(value)}`, 'write "mon", or "mon-fri"');
      return undefined;
    }
    for (let day = from;; day = (day + 1) % 7) {
      found.add(day);
      if (day === to) break;
    }
  }
  return found.size === 0 ? undefined : [...found].sort((a, b) => a - b);
}

/** `{ count = 60, per = "1h", key = "session" }`, or a list of them. */
export function parseRates(reader: TableReader): readonly RatePattern[] {
  return entries(reader, "rate").flatMap((entry) => parseRate(entry) ?? []);
}

function parseRate(reader: TableReader): RatePattern | undefined {
  reader.refuseUnknown(["count", "per", "key"]);
  for (const key of ["count", "per"]) {
    if (!reader.has(key)) {
      const example = 'write rate = { count = 60, per = "1h", key = "session" }';
      reader.context.diagnostics.error(reader.position, `rate has no ${key}`, example);
    }
  }
  const count = reader.integer("count", { min: 0, max: RATE_COUNT_MAX });
  const per = reader.string("per");
  const per_ms = per === undefined ? undefined : parseDuration(per);
  if (per !== undefined && per_ms === undefined) {
    reader.error("per", `per ${quote(per)} is not a duration`, DURATION_HINT);
  }
  const keys = reader.has("key") ? parseRateKeys(reader) : ["session" as const];
  if (count === undefined || per === undefined || per_ms === undefined || keys === undefined) return undefined;
  const text = `${count} per ${per} by ${keys.join("+")}`;
  return { text, position: reader.position, count, per_us: per_ms * 1_000, keys };
}

function parseRateKeys(reader: TableReader): readonly RateKey[] | undefined {
  const keys: RateKey[] = [];
  for (const { value, position } of reader.strings("key") ?? []) {
    const known = RATE_KEYS.find((key) => key === value);
    if (known === undefined) {
      const message = `unknown rate key ${quote(value)}, not one of ${RATE_KEYS.join(", ")}`;
      reader.context.diagnostics.error(position, message, didYouMean(value, RATE_KEYS));
    } else if (!keys.includes(known)) keys.push(known);
  }
  return keys.length === 0 ? undefined : keys;
}

/**
 * The marks of `after`, `since` or `label`: names of labels, or (not for `label`) tables such as
 * `{ rule = "secrets-read", within = "10m" }`, where `within = "session"` means any time of the session.
 */
export function parseLabels(reader: TableReader, key: "after" | "since" | "label"): readonly LabelPattern[] {
  const elements = reader.elements(key) ?? [];
  if (key === "label" || elements.every(({ value }) => !isTable(value))) {
    return parseLabelNames(reader, key).map(({ value, position }) => (
      { text: value, position, kind: "label", name: value }
    ));
  }
  return entries(reader, key).flatMap((entry) => parseLabel(entry) ?? []);
}

function parseLabel(reader: TableReader): LabelPattern | undefined {
  reader.refuseUnknown(["rule", "label", "within"]);
  const kind = reader.has("rule") ? "rule" : "label";
  const name = reader.string(kind);
  if (name === undefined || (reader.has("rule") && reader.has("label"))) {
    const message = "this needs either rule or label";
    reader.context.diagnostics.error(reader.position, message, 'write { label = "NAME", within = "session" }');
    return undefined;
  }
  const within = reader.has("within") ? reader.string("within") : "session";
  if (within === undefined) return undefined;
  const ms = within === "session" ? undefined : parseDuration(within);
  if (within !== "session" && ms === undefined) {
    reader.error("within", `within ${quote(within)} is neither "session" nor a duration`, DURATION_HINT);
    return undefined;
  }
  return {
    text: `${kind} ${name} within ${within}`,
    position: reader.position,
    kind,
    name,
    ...(ms === undefined ? {} : { within_us: ms * 1_000 }),
  };
}

/** Names of labels with their places. */
function parseLabelNames(
  reader: TableReader,
  key: string,
): readonly { readonly value: string; readonly position: LabelPattern["position"] }[] {
  return (reader.strings(key) ?? []).filter(({ value, position }) => {
    if (/^[\p{L}\p{N}._:-]{1,128}$/u.test(value)) return true;
    const message = `label ${quote(value)} is not 1 to 128 letters, digits or any of . _ : -`;
    reader.context.diagnostics.error(position, message);
    return false;
  });
}

function entries(reader: TableReader, key: string): readonly TableReader[] {
  const found = reader.children(key);
  if (found.length <= ENTRIES_MAX) return found;
  reader.error(key, `${key} has ${found.length} entries, the limit is ${ENTRIES_MAX}`);
  return [];
}

/** Predicates about what is said of an action: `args`, `tokens`, `risk`, `declared`, `opaque`. */
import type { ArgsPattern, ArgsStep, FlagPattern, NumberRange, TextPattern, TokenCount, TokenRange } from "./ast.ts";
import { quote } from "./diagnostic.ts";
import { type Located, type TableReader, typeName } from "./reader.ts";
import { isTable } from "./toml.ts";

/** Steps from the root of the arguments to one place. */
const ARGS_STEPS_MAX = 16;
/** Places that one `args` speaks of. */
const ARGS_PLACES_MAX = 64;
const TOKEN_COUNTS: readonly TokenCount[] = ["total", "input", "output", "cached"];
const RANGE_HINT = 'write a number, or a range such as "1000-2000", "1000-" or "-1000"';

/** `{ "$.path" = "/etc/**", "files[*].name" = ["a*", "b*"] }`; nested tables are the same as dots. */
export function parseArgs(
  reader: TableReader,
  patternsOf: (reader: TableReader, key: string) => readonly TextPattern[],
): readonly ArgsPattern[] {
  const root = reader.child("args");
  if (root === undefined) return [];
  const found = argsOf(root, { before: "", patternsOf });
  if (found.length === 0 && !reader.context.diagnostics.failed) {
    reader.error("args", "args names no place", 'write args = { "$.path" = "/etc/*" }');
  }
  if (found.length <= ARGS_PLACES_MAX) return found;
  reader.error("args", `args names ${found.length} places, the limit is ${ARGS_PLACES_MAX}`);
  return [];
}

interface ArgsContext {
  readonly before: string;
  readonly patternsOf: (reader: TableReader, key: string) => readonly TextPattern[];
}

function argsOf(reader: TableReader, { before, patternsOf }: ArgsContext): readonly ArgsPattern[] {
  return Object.keys(reader.table).flatMap((key): readonly ArgsPattern[] => {
    const place = before === "" ? key : `${before}.${key}`;
    if (isTable(reader.table[key])) {
      const child = reader.child(key);
      return child === undefined ? [] : argsOf(child, { before: place, patternsOf });
    }
    const steps = parseSteps(place);
    if (steps === undefined) {
      const message = `${quote(place)} is not a place in the arguments (at most ${ARGS_STEPS_MAX} steps)`;
      reader.error(key, message, 'write names with dots, [0] or [*], as in "$.files[*].path"');
      return [];
    }
    const patterns = patternsOf(reader, key);
    const text = `${place} = ${JSON.stringify(patterns.map((pattern) => pattern.text))}`;
    return [{ text, position: reader.at(key), steps, patterns }];
  });
}

/** The steps of `$.a.b[0][*]`; the `$` may be left out. */
function parseSteps(place: string): readonly ArgsStep[] | undefined {
  const rest = place === "$" ? "" : place.replace(/^\$\.?/, "");
  const steps: ArgsStep[] = [];
  const step = /\.?(?:([^.[\]]+)|\[(\d{1,9}|\*)\])/y;
  while (step.lastIndex < rest.length) {
    const match = step.exec(rest);
    if (match === null || steps.length >= ARGS_STEPS_MAX) return undefined;
    const name = match[1] ?? match[2] ?? "";
    steps.push(name === "*" ? { kind: "each" } : { kind: "key", name });
  }
  return steps;
}

/** A range for the total, or a table with one for each count: `{ input = "100000-" }`. */
export function parseTokens(reader: TableReader): readonly TokenRange[] {
  if (!isTable(reader.table["tokens"])) {
    return parseRanges(reader, "tokens").map((range) => ({ ...range, of: "total" as const }));
  }
  const child = reader.child("tokens");
  if (child === undefined) return [];
  child.refuseUnknown(TOKEN_COUNTS);
  return TOKEN_COUNTS.flatMap((of) =>
    child.has(of) ? parseRanges(child, of).map((range) => ({ ...range, text: `${of} ${range.text}`, of })) : []
  );
}

/** Inclusive ranges of whole numbers from 0. */
export function parseRanges(reader: TableReader, key: string): readonly NumberRange[] {
  return (reader.elements(key) ?? []).flatMap((located) => {
    const range = parseRange(located);
    if (range !== undefined) return [range];
    const found = typeof located.value === "string" ? quote(located.value) : typeName(located.value);
    reader.context.diagnostics.error(located.position, `${key} ${found} is not a range of numbers`, RANGE_HINT);
    return [];
  });
}

function parseRange({ value, position }: Located<unknown>): NumberRange | undefined {
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && value >= 0
      ? { text: String(value), position, from: value, to: value }
      : undefined;
  }
  const match = typeof value === "string" ? /^(\d{1,15})?(-)?(\d{1,15})?$/.exec(value) : null;
  if (match === null || (match[1] === undefined && match[3] === undefined)) return undefined;
  if (match[2] === undefined && match[3] !== undefined) return undefined;
  const from = Number(match[1] ?? 0);
  const to = match[2] === undefined ? from : Number(match[3] ?? Number.MAX_SAFE_INTEGER);
  return from <= to ? { text: match[0], position, from, to } : undefined;
}

/** `true` or `false`. */
export function parseFlag(reader: TableReader, key: string): readonly FlagPattern[] {
  const value = reader.table[key];
  if (typeof value === "boolean") return [{ value, text: String(value), position: reader.at(key) }];
  reader.error(key, `${key} is ${typeName(value)}, not true or false`);
  return [];
}

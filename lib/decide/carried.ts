/**
 * A snapshot on its way to another thread. The syntax trees travel as JSON: reading a policy's TOML again there would
 * cost ten times as much. Places in the files stay behind, and so does what only main asks for; nobody who decides
 * looks at them.
 */
import { type ActionType, invariant, type PolicyRef } from "../core/mod.ts";
import type { DefaultVerdict, PolicyFile, Predicates, RuleNode } from "./ast.ts";
import type { Position } from "./diagnostic.ts";
import type { NumberedLayer } from "./reference.ts";
import { PolicySnapshot } from "./snapshot.ts";

/** What stays behind. */
const NOWHERE: Position = Object.freeze({ file: "", line: 0, column: 0 });
const LEFT_OUT: ReadonlySet<string> = new Set(["position", "name_position", "action_position", "predicate_positions"]);

/** A rule without what is put back. */
type CarriedRule = Omit<RuleNode, "position" | "name_position" | "action_position" | "predicate_positions" | "tests">;

interface CarriedLayer {
  readonly file: Omit<PolicyFile, "defaults" | "config" | "rules">;
  readonly defaults: readonly (readonly [ActionType, DefaultVerdict])[];
  readonly rules: readonly { readonly index: number; readonly name: string; readonly node: CarriedRule }[];
}

interface Carried {
  readonly ref: PolicyRef;
  readonly layers: readonly CarriedLayer[];
}

/** The text that `takeSnapshot` reads. Throws `invariant` for a tree that JSON cannot hold, which is a defect. */
export function carrySnapshot({ ref, layers }: PolicySnapshot): string {
  return JSON.stringify({
    ref,
    layers: layers.map(({ file: { defaults, config: _config, rules: _rules, ...file }, rules }) => ({
      file: plain(file),
      defaults: [...defaults],
      rules: rules.map(({ index, name, node: { tests: _tests, ...node } }) => ({ index, name, node: plain(node) })),
    })),
  });
}

/**
 * The snapshot of a text that `carrySnapshot` wrote: it decides and lowers as the first one does. It has no warnings,
 * no `[config]`, no inline tests, and its rules lie nowhere. Throws `invariant` for any other text.
 */
export function takeSnapshot(text: string): PolicySnapshot {
  const carried: unknown = JSON.parse(text);
  invariant(isCarried(carried), "take a policy from another thread: it is none");
  return new PolicySnapshot({ ref: carried.ref, layers: carried.layers.map(takenLayer), warnings: [] });
}

function takenLayer({ file, defaults, rules }: CarriedLayer): NumberedLayer {
  const numbered = rules.map(({ index, name, node }) => ({ index, name, node: takenRule(node) }));
  return {
    file: { ...file, defaults: new Map(defaults), config: {}, rules: numbered.map(({ node }) => node) },
    rules: numbered,
  };
}

function takenRule(node: CarriedRule): RuleNode {
  return {
    ...node,
    position: NOWHERE,
    name_position: NOWHERE,
    action_position: NOWHERE,
    predicate_positions: new Map(),
    tests: [],
    predicates: takenPredicates(node.predicates),
    excepts: node.excepts.map(takenPredicates),
  };
}

/** Networks are the only bytes in a tree. */
function takenPredicates(predicates: Predicates): Predicates {
  const { address } = predicates;
  if (address === undefined) return predicates;
  return { ...predicates, address: address.map((cidr) => ({ ...cidr, bytes: Uint8Array.from(cidr.bytes) })) };
}

/** A copy that JSON holds as it is. */
function plain(value: unknown): unknown {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number") {
    invariant(Number.isFinite(value), "carry a policy to a thread: a number that is none");
    return value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return [...value];
  invariant(isPlainObject(value), `carry a policy to a thread: a ${typeof value}`);
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    const member = value[key];
    if (member !== undefined && !LEFT_OUT.has(key)) copy[key] = plain(member);
  }
  return copy;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Both ends are this program: the outline is enough to tell a defect. */
function isCarried(value: unknown): value is Carried {
  return typeof value === "object" && value !== null && "ref" in value && "layers" in value &&
    Array.isArray(value.layers);
}

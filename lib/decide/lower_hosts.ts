/** Host names for the kernel: what its table of names can hold, and which policies need it. */
import type { HostGlob, LoweredNetRule } from "../core/mod.ts";
import type { Predicates, TextPattern } from "./ast.ts";
import type { TextGlob } from "./glob.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import type { TypedLayer, TypedRule } from "./typed_rules.ts";

/** The longest name that the kernel compares (`AG_DNS_NAME_MAX`). */
const NAME_CHARS_MAX = 246;
/** What the kernel takes for a name; a pattern with anything else in it matches none. */
const NAME = /^[a-z0-9_.-]*$/;

/** The kernel's patterns, or why there are none. All or nothing: a part of a list would be another rule. */
export function lowerHosts(patterns: readonly TextPattern[]): readonly HostGlob[] | string {
  const hosts: HostGlob[] = [];
  for (const { text, globs } of patterns) {
    for (const glob of globs) {
      const host = lowerGlob(glob);
      if (host === undefined) return `host pattern ${JSON.stringify(text)} is decided in user space`;
      hosts.push(host);
    }
  }
  return hosts;
}

function lowerGlob(glob: TextGlob): HostGlob | undefined {
  if (glob.kind === "literal") return hostGlob(false, glob.text);
  const [star, ...rest] = glob.tokens;
  if (star?.kind !== "many") return undefined;
  let text = "";
  for (const token of rest) {
    if (token.kind !== "char") return undefined;
    text += String.fromCodePoint(token.code);
  }
  return hostGlob(true, text);
}

function hostGlob(suffix: boolean, text: string): HostGlob | undefined {
  return text.length <= NAME_CHARS_MAX && NAME.test(text) ? { suffix, text } : undefined;
}

/** Places in the kernel's table that a rule takes. */
export function hostPatternsOf(rules: readonly LoweredNetRule[]): number {
  return rules.reduce((sum, { match, except }) => sum + (match.hosts?.length ?? 0) + (except?.hosts?.length ?? 0), 0);
}

/** True if some rule, also one that only observes, asks for names: then the answers of resolvers must be watched. */
export function asksForNames(layers: readonly TypedLayer[]): boolean {
  return layers.some(({ file, rules }) => file.mode !== "disabled" && rules.some((rule) => ruleAsksForNames(rule)));
}

/** True if the rule asks for the names of addresses, or about look-ups. */
export function ruleAsksForNames({ node, types }: TypedRule): boolean {
  if (types.includes("net.dns")) return true;
  const asks = ({ host }: Predicates): boolean => host !== undefined;
  const named = types.includes("net.connect") || types.includes("net.send");
  return named && (asks(node.predicates) || node.excepts.some(asks));
}

/** True where some rule that is not switched off has a `host` predicate. */
export function wantsNames({ layers }: PolicySnapshot): boolean {
  const asks = ({ host }: Predicates): boolean => host !== undefined;
  return layers.some(({ file }) =>
    file.mode !== "disabled" && file.rules.some(({ predicates, excepts }) => asks(predicates) || excepts.some(asks))
  );
}

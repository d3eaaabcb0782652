/**
 * The kernel's copy against the snapshot: it never refuses what user space lets pass, and holds what it says it holds.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Event,
  isSpecialPurpose,
  type LoweredPolicy,
  type NetActionName,
  type NetMatch,
  parseAddress,
  type SessionInfo,
} from "../../../lib/core/mod.ts";
import { BASE_MECHANISMS, lower } from "../../../lib/decide/mod.ts";
import { cidrHolds } from "../../../lib/decide/net.ts";
import { normal } from "../../../lib/decide/reference_patterns.ts";
import { event, policy, policyText, rule } from "./arbitraries.ts";
import { load } from "./load.ts";

type Kernel = { readonly verdict: "allow" | "deny"; readonly rule_index: number } | undefined;

/** What the kernel's programs do with the maps, written down plainly. `undefined`: not theirs to decide. */
function kernel(policy: LoweredPolicy, { action, process, base }: Event): Kernel {
  switch (action.type) {
    case "net.connect":
    case "net.send":
    case "net.bind": {
      const { address, port, protocol, type } = action;
      const bytes = parseAddress(address);
      const special = bytes === undefined || isSpecialPurpose(bytes);
      const known = type === "net.bind" || action.host === undefined ? [] : action.hosts ?? [action.host];
      const names = known.map((name) => name.toLowerCase().replace(/\.$/, ""));
      const named = ({ hosts = [], cidrs }: NetMatch, permits: boolean): boolean =>
        hosts.length === 0 ||
        (names.some((name) => hosts.some(({ suffix, text }) => suffix ? name.endsWith(text) : name === text)) &&
          !(permits && special && cidrs.length === 0));
      const holds = (match: NetMatch, permits: boolean): boolean =>
        named(match, permits) &&
        (match.cidrs.length === 0 || match.cidrs.some((cidr) => bytes !== undefined && cidrHolds(cidr, bytes))) &&
        (match.ports.length === 0 || match.ports.some(({ from, to }) => port >= from && port <= to)) &&
        (match.protocols.length === 0 || match.protocols.some((name) => name === protocol));
      const matching = policy.net.filter((rule) =>
        rule.actions.some((name: NetActionName) => name === type) && holds(rule.match, rule.verdict === "allow") &&
        !(rule.except !== undefined && holds(rule.except, rule.verdict !== "allow"))
      );
      return conclude(matching, policy.net_default[type]);
    }
    case "exec": {
      const cwd = base ?? action.cwd ?? process?.cwd ?? "";
      const asked = action.requested_path;
      const names = [normal(action.path)];
      if (asked !== undefined && asked !== "") {
        names.push(/^[/@]/.test(asked) || !cwd.startsWith("/") ? normal(asked) : normal(`${cwd}/${asked}`));
      }
      const matching = policy.exec.filter(({ paths, names: bases, trees }) =>
        names.some((name) =>
          paths.includes(name) || bases.includes(name.slice(name.lastIndexOf("/") + 1)) ||
          trees.some((tree) => name === tree || name.startsWith(`${tree}/`))
        )
      );
      return conclude(matching, policy.exec_default);
    }
    default:
      return undefined;
  }
}

function conclude(
  matching: readonly { readonly verdict: "deny" | "ask" | "allow"; readonly rule_index: number }[],
  fallback: "allow" | "deny",
): Kernel {
  const refusing = matching.find(({ verdict }) => verdict !== "allow");
  if (refusing !== undefined) return { verdict: "deny", rule_index: refusing.rule_index };
  const [first] = matching;
  return first === undefined
    ? { verdict: fallback, rule_index: -1 }
    : { verdict: "allow", rule_index: first.rule_index };
}

/** Rules that the kernel might hold, in files that enforce. */
const lowerable = fc.tuple(
  policy,
  fc.array(rule.filter(({ action }) => /^(?:exec|net|\{exec)/.test(action)), { minLength: 2, maxLength: 6 }),
).map(([data, rules]) => ({ ...data, mode: "enforce", rules: rules.map((each) => ({ ...each, mode: "enforce" })) }));

/** Files of every kind, more of those that the kernel might hold. */
const file = fc.oneof({ weight: 3, arbitrary: lowerable }, { weight: 1, arbitrary: policy });

/** The event in a session whose home is the one that the policy was lowered for. */
function withHome(event: Event, home: string | undefined): Event {
  const { session, ...rest } = event;
  if (session === undefined && home === undefined) return rest;
  const { home: _, ...others } = session ?? SESSION;
  return { ...rest, session: home === undefined ? others : { ...others, home } };
}

const SESSION: SessionInfo = {
  session_id: "s" as SessionInfo["session_id"],
  agent: "a",
  principal: "a",
  root: { pid: 1, start: "1" },
};

const HOMES = fc.constantFrom<(string | undefined)[]>("/home/u", "/a", undefined);

test("the kernel never refuses what user space lets pass, and refuses what complete rules forbid", () => {
  let refused = 0;
  let held = 0;
  let by_name = 0;
  fc.assert(
    fc.property(
      fc.array(file, { minLength: 1, maxLength: 2 }),
      fc.array(event.filter(({ action }) => /^(?:net\.|exec$)/.test(action.type)), { minLength: 15, maxLength: 30 }),
      fc.tuple(HOMES, fc.boolean()),
      (layers, events, [home, names]) => {
        const snapshot = load(...layers.map((layer) => policyText(layer)));
        const { policy, report, in_kernel } = lower(snapshot, {
          host: { available: BASE_MECHANISMS, names },
          ...(home === undefined ? {} : { home }),
        });
        const asks = new Set(
          policy.net.flatMap(({ rule_index, match, except }) =>
            match.hosts === undefined && except?.hosts === undefined ? [] : [rule_index]
          ),
        );
        expect(names || asks.size === 0).toBe(true);
        expect(asks.size === 0 || policy.names === true).toBe(true);
        expect(report.map(({ rule_index }) => rule_index)).toEqual(snapshot.rules.map(({ index }) => index));
        for (const raw of events) {
          const each = withHome(raw, home);
          const verdict = kernel(policy, each);
          // The kernel decides programs when they start: what is inside a command line comes to it one by one.
          const ruling = snapshot.evaluate({ ...each, shown: { pid: 7, start: "7" } });
          if (verdict === undefined) continue;
          if (asks.has(verdict.rule_index)) by_name++;
          const forbidden = ruling.verdict === "deny" || ruling.verdict === "ask";
          if (verdict.verdict === "deny") {
            refused++;
            expect([forbidden, verdict, ruling]).toEqual([true, verdict, ruling]);
          }
          const kernel_holds = in_kernel.has(ruling.rule_index);
          // A script is forbidden by its interpreter in user space; what the kernel sees of it is its own affair.
          const by_interpreter = each.action.type === "exec" && each.action.interpreter !== undefined;
          if (forbidden && kernel_holds && each.action.type !== "net.listen" && !by_interpreter) {
            held++;
            expect([verdict.verdict, ruling]).toEqual(["deny", ruling]);
          }
        }
      },
    ),
    { numRuns: 1_000 },
  );
  // All of these happen, or this test says nothing.
  expect(Math.min(refused, held, by_name)).toBeGreaterThan(20);
}, 60_000);

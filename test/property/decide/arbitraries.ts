/** Random policies (as TOML text) and events over a small world, so that rules and events meet often. */
import fc from "fast-check";
import type { Action, Event, SessionInfo } from "../../../lib/core/mod.ts";

const SEGMENTS = ["a", "b", "ab", ".env", "x.pem", "y.tar.gz", "root", "home", "u", ".ssh", "é😀"];
const PATTERN_SEGMENTS = [
  ...SEGMENTS,
  "*",
  "**",
  "?",
  "a*",
  "*.pem",
  "[ab]",
  "[!a]*",
  "{a,b}",
  "*.gz",
  "?b",
  "*a*b*",
  ".*",
];

const segment = fc.constantFrom(...SEGMENTS);
const patternSegment = fc.constantFrom(...PATTERN_SEGMENTS);

/** Absolute normal paths, and now and then one that is not. */
export const pathName: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`) },
  { weight: 2, arbitrary: fc.array(segment, { maxLength: 3 }).map((parts) => ["/home/u", ...parts].join("/")) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "a", "@a", "@a/b", "pipe:[1]", "/a//b/", "/a/./b", "/a/../b", "/..", "/root"),
  },
);

const requestedName: fc.Arbitrary<string> = fc.oneof(
  pathName,
  fc.array(fc.oneof(segment, fc.constantFrom("..", ".")), { minLength: 1, maxLength: 3 }).map((parts) =>
    parts.join("/")
  ),
);

/** Path patterns that the parser accepts. */
export const pathPattern: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(patternSegment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`),
  },
  {
    weight: 3,
    arbitrary: fc.array(patternSegment, { minLength: 1, maxLength: 3 }).map((parts) => `**/${parts.join("/")}`),
  },
  { weight: 3, arbitrary: fc.array(patternSegment, { maxLength: 3 }).map((parts) => ["~", ...parts].join("/")) },
  { weight: 1, arbitrary: fc.constantFrom("/", "/**", "**", "@a", "@a*", "@a/**", "{~,/a}/b", "/a/{b,ab/**}") },
);

const bareName: fc.Arbitrary<string> = fc.constantFrom("a", "b", "ab", "a*", "?", "*.pem", "{a,b}", ".env");
const programPattern: fc.Arbitrary<string> = fc.oneof(bareName, pathPattern);
const text: fc.Arbitrary<string> = fc.constantFrom("a", "b", "ab", "abc", "");
const textPattern: fc.Arbitrary<string> = fc.constantFrom("a", "b", "a*", "*b", "?", "{a,ab}", "[a-b]*");
const host: fc.Arbitrary<string> = fc.constantFrom("a.b", "x.a.b", "y.x.a.b", "B.A", "c.", "c");
const hostPattern: fc.Arbitrary<string> = fc.constantFrom("a.b", "*.a.b", "*.b", "b.a", "C", "x*", "*");
const ADDRESSES = [
  "10.0.0.1",
  "10.0.1.1",
  "192.0.2.9",
  "::1",
  "2001:db8::1",
  "2001:db8:1::1",
  "::ffff:10.0.0.1",
  "nonsense",
];
const cidr: fc.Arbitrary<string> = fc.constantFrom(
  "10.0.0.0/24",
  "10.0.0.0/8",
  "0.0.0.0/0",
  "10.0.0.1",
  "::/0",
  "2001:db8::/32",
  "2001:db8::1",
  "192.0.2.8/31",
  "::ffff:10.0.0.0/120",
);
const port: fc.Arbitrary<string | number> = fc.constantFrom<(string | number)[]>(9, 80, "80-90", "1-65535", "0-63", 0);
const argvTokens: fc.Arbitrary<string[]> = fc.array(fc.constantFrom("...", "a", "b", "a*", "{a,ab}", "?"), {
  maxLength: 4,
});

/** Quotes a value for TOML; JSON strings and lists are valid TOML. */
function toml(value: unknown): string {
  return JSON.stringify(value);
}

function some<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(arbitrary, { minLength: 1, maxLength: 2 });
}

const PREDICATES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  path: some(pathPattern),
  new_path: some(pathPattern),
  exe: some(programPattern),
  by: some(programPattern),
  argv: argvTokens.filter((tokens) => tokens.length > 0),
  cwd: some(pathPattern),
  user: some(fc.constantFrom<(string | number)[]>(0, 1000, "root", "7")),
  agent: some(textPattern),
  principal: some(textPattern),
  session: some(textPattern),
  host: some(hostPattern),
  address: some(cidr),
  port: some(port),
  protocol: some(fc.constantFrom("tcp", "udp", "raw")),
  tool: some(textPattern),
  server: some(textPattern),
};

/** What each family of actions may ask without being refused as never holding. */
const FAMILIES: readonly { readonly actions: readonly string[]; readonly keys: readonly string[] }[] = [
  { actions: ["exec", "{exec,exec.failed}"], keys: ["path", "exe", "exe", "argv", "cwd"] },
  { actions: ["file.*", "file.read", "file.{read,write}", "*.write"], keys: ["path", "path"] },
  { actions: ["file.rename", "file.link", "file.symlink"], keys: ["path", "new_path"] },
  { actions: ["net.*", "net.connect"], keys: ["host", "address", "address", "port", "protocol"] },
  { actions: ["tool.call"], keys: ["tool", "server"] },
  { actions: ["unix.connect"], keys: ["path"] },
  { actions: ["*"], keys: ["path"] },
];
const COMMON_KEYS = ["by", "user", "agent", "principal", "session", "cwd"];

function predicateLines(
  keys: readonly string[],
  options: { readonly min: number },
): fc.Arbitrary<Record<string, unknown>> {
  const wanted = fc.uniqueArray(fc.constantFrom(...keys), { minLength: options.min, maxLength: 2 });
  const rare = fc.oneof(
    { weight: 4, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.constantFrom(...COMMON_KEYS).map((key) => [key]) },
  );
  return fc.tuple(wanted, rare).chain(([first, second]) => {
    const shape: Record<string, fc.Arbitrary<unknown>> = {};
    for (const key of [...first, ...second]) {
      const arbitrary = PREDICATES[key];
      if (arbitrary !== undefined) shape[key] = arbitrary;
    }
    return fc.record(shape);
  });
}

/** A rule as data; `ruleText` writes it. */
export interface RuleData {
  readonly action: string;
  readonly predicates: Readonly<Record<string, unknown>>;
  readonly except: readonly Readonly<Record<string, unknown>>[];
  readonly verdict: string;
  readonly mode: string;
}

/** A random rule. */
export const rule: fc.Arbitrary<RuleData> = fc.constantFrom(...FAMILIES).chain((family) =>
  fc.record({
    action: fc.constantFrom(...family.actions),
    predicates: predicateLines(family.keys, { min: 0 }),
    except: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Record<string, unknown>[]>([]) },
      { weight: 1, arbitrary: fc.array(predicateLines(family.keys, { min: 1 }), { minLength: 1, maxLength: 2 }) },
    ),
    verdict: fc.constantFrom("deny", "allow", "allow", "ask", "redact", "log"),
    mode: fc.constantFrom("enforce", "enforce", "enforce", "observe"),
  })
);

/** A policy file as data. */
export interface PolicyData {
  readonly mode: string;
  readonly defaults: Readonly<Record<string, string>>;
  readonly rules: readonly RuleData[];
}

/** A random policy file. */
export const policy: fc.Arbitrary<PolicyData> = fc.record({
  mode: fc.constantFrom("enforce", "enforce", "enforce", "observe", "disabled"),
  defaults: fc.dictionary(
    fc.constantFrom("exec", "file.*", "net", "tool", "*", "file.read"),
    fc.constantFrom("allow", "deny", "ask", "log"),
    { maxKeys: 3 },
  ),
  rules: fc.array(rule, { maxLength: 6 }),
});

/** The rule in TOML. */
export function ruleText(data: RuleData, name: string): string {
  const lines = ["[[rules]]", `name = ${toml(name)}`, `action = ${toml(data.action)}`];
  for (const [key, value] of Object.entries(data.predicates)) lines.push(`${key} = ${toml(value)}`);
  const tables = data.except.map((except) =>
    `{ ${Object.entries(except).map(([key, value]) => `${key} = ${toml(value)}`).join(", ")} }`
  );
  if (tables.length > 0) lines.push(`except = [${tables.join(", ")}]`);
  lines.push(`verdict = ${toml(data.verdict)}`, `mode = ${toml(data.mode)}`);
  return lines.join("\n");
}

/** The file in TOML; rules are named by `names`, else `r0`, `r1`, ... */
export function policyText(data: PolicyData, names?: readonly string[]): string {
  const head = ["version = 1", `mode = ${toml(data.mode)}`, "[default]"];
  for (const [key, value] of Object.entries(data.defaults)) head.push(`${toml(key)} = ${toml(value)}`);
  const rules = data.rules.map((entry, i) => ruleText(entry, names?.[i] ?? `r${i}`));
  return [...head, ...rules].join("\n");
}

const result = fc.constant("0");

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    type: fc.constant("exec" as const),
    path: pathName,
    requested_path: requestedName,
    argv: fc.array(fc.constantFrom("a", "b", "ab"), { maxLength: 5 }),
    cwd: pathName,
    interpreter: pathName,
    flags: fc.constantFrom<("args_truncated" | "script")[][]>([], ["args_truncated"]),
  }, { requiredKeys: ["type", "path", "argv"] }),
  fc.record({
    type: fc.constantFrom("file.read" as const, "file.write" as const, "file.create" as const),
    path: pathName,
    requested_path: requestedName,
    result,
  }, { requiredKeys: ["type", "path", "result"] }),
  fc.record({ type: fc.constant("file.delete" as const), path: pathName, requested_path: requestedName, result }, {
    requiredKeys: ["type", "path", "result"],
  }),
  fc.record({
    type: fc.constantFrom("file.rename" as const, "file.link" as const, "file.symlink" as const),
    path: fc.oneof(pathName, requestedName),
    new_path: pathName,
    requested_path: requestedName,
    requested_new_path: requestedName,
    result,
  }, { requiredKeys: ["type", "path", "new_path", "result"] }),
  fc.record({
    type: fc.constantFrom("net.connect" as const, "net.bind" as const, "net.listen" as const),
    protocol: fc.constantFrom("tcp" as const, "udp" as const, "raw" as const),
    address: fc.constantFrom(...ADDRESSES),
    port: fc.constantFrom(0, 9, 63, 64, 80, 90, 91, 65_535),
    host,
  }, { requiredKeys: ["type", "protocol", "address", "port"] }),
  fc.record({ type: fc.constant("unix.connect" as const), path: pathName, result }),
  fc.record({ type: fc.constant("tool.call" as const), tool: text, source: fc.constant("mcp"), server: text }, {
    requiredKeys: ["type", "tool", "source"],
  }),
  fc.record(
    { type: fc.constant("exec.failed" as const), requested_path: requestedName, errno: fc.constant("ENOENT") },
    {
      requiredKeys: ["type", "errno"],
    },
  ),
  fc.constant<Action>({ type: "guard.start", detail: "" }),
);

const session: fc.Arbitrary<SessionInfo> = fc.record({
  session_id: text.map((id) => id as SessionInfo["session_id"]),
  agent: text,
  principal: text,
  root: fc.constant({ pid: 1, start: "1" }),
  home: fc.constantFrom("/home/u", "/", "/a", "", "relative", "/a//b/", "/root"),
}, { requiredKeys: ["session_id", "agent", "principal", "root"] });

/** A random event. */
export const event: fc.Arbitrary<Event> = fc.record({
  time_us: fc.constant(0),
  action,
  session,
  process: fc.record({
    pid: fc.constant(7),
    start: fc.constant("7"),
    uid: fc.constantFrom(0, 7, 1000),
    exe: pathName,
    cwd: fc.oneof(pathName, fc.constant("/")),
  }, { requiredKeys: ["pid", "start"] }),
}, { requiredKeys: ["time_us", "action"] });

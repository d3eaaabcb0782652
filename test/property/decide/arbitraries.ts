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
  "127.0.0.1",
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

/** A value in TOML; JSON strings, numbers and lists of them are valid TOML. */
function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each: unknown) => toml(each)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)} = ${toml(each)}`).join(", ")} }`;
}

const mark = fc.record({
  within: fc.constantFrom("session", "5s", "20s"),
}).chain(({ within }) =>
  fc.constantFrom<Record<string, string>[]>(
    { label: "x", within },
    { label: "y", within },
    { rule: "mark-x", within },
    { rule: "mark-all", within },
  )
);
const range = fc.constantFrom<(string | number)[]>(0, "0-5", "10-", "-7", 9);

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
  ancestor: some(programPattern),
  group: some(textPattern),
  tag: some(textPattern),
  model: some(textPattern),
  tokens: fc.oneof(some(range), fc.record({ input: range, total: range, cached: range }, { requiredKeys: ["total"] })),
  declared: fc.boolean(),
  opaque: fc.boolean(),
  risk: some(range),
  time: fc.record({
    window: fc.constantFrom("00:00-12:00", "22:00-06:00", "01:30-02:30"),
    days: some(fc.constantFrom("mon-fri", "sun", "sat-mon")),
    zone: fc.constantFrom("UTC", "Europe/Oslo", "Asia/Kathmandu", "America/St_Johns"),
  }, { requiredKeys: [] }),
  rate: fc.record({
    count: fc.constantFrom(0, 1, 2, 3),
    per: fc.constantFrom("1s", "10s", "1h"),
    key: some(fc.constantFrom("session", "all", "path", "tool", "agent", "process", "exe", "address", "user")),
  }, { requiredKeys: ["count", "per"] }),
  after: some(mark),
  since: some(mark),
  label: some(fc.constantFrom("x", "y")),
  args: fc.record({
    "$.a": some(textPattern),
    "b[*].c": textPattern,
    "l[1]": textPattern,
    "$": some(textPattern),
  }, { requiredKeys: [] }).filter((args) => Object.keys(args).length > 0),
};

/** What each family of actions may ask without being refused as never holding. */
const FAMILIES: readonly { readonly actions: readonly string[]; readonly keys: readonly string[] }[] = [
  { actions: ["exec", "{exec,exec.failed}"], keys: ["path", "exe", "exe", "argv", "argv", "cwd", "opaque"] },
  { actions: ["file.*", "file.read", "file.{read,write}", "*.write"], keys: ["path", "path"] },
  { actions: ["file.rename", "file.link", "file.symlink"], keys: ["path", "new_path"] },
  {
    actions: ["net.*", "net.connect", "net.{connect,dns}"],
    keys: ["host", "host", "address", "address", "port", "protocol"],
  },
  { actions: ["tool.call"], keys: ["tool", "server", "args"] },
  { actions: ["tool.call", "{exec,tool.call}", "*"], keys: ["exe", "exe", "argv", "argv", "opaque", "cwd"] },
  { actions: ["unix.connect"], keys: ["path"] },
  { actions: ["*"], keys: ["path"] },
];
const COMMON_KEYS = [
  ...["by", "user", "agent", "principal", "session", "cwd", "ancestor", "group", "tag", "model", "tokens", "declared"],
  ...["risk", "time", "rate", "after", "after", "since", "label"],
];

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
    ).map((excepts) => excepts.map(({ rate: _rate, ...except }) => except)).map((excepts) =>
      excepts.filter((except) => Object.keys(except).length > 0)
    ),
    verdict: fc.constantFrom("deny", "allow", "allow", "ask", "redact", "log"),
    mode: fc.constantFrom("enforce", "enforce", "enforce", "observe"),
  })
);

/** Rules that set the marks which random rules ask about; they stand before all others. */
export const MARKING: readonly string[] = [
  '[[rules]]\nname = "mark-x"\naction = "file.*"\npath = ["/a/**", "**/b"]\nexcept = { path = "**/.env" }\n' +
  'verdict = "log"\nlabel = ["x"]',
  '[[rules]]\nname = "mark-y"\naction = ["exec", "net.*"]\nexcept = { agent = "ab" }\nverdict = "log"\n' +
  'label = "y"',
  '[[rules]]\nname = "mark-all"\naction = "*"\nagent = "a"\nverdict = "log"',
];

/** A rule that asks about the past more often than not. */
const pastRule: fc.Arbitrary<RuleData> = fc.record({
  action: fc.constantFrom("*", "file.*", "net.*", "exec", "file.read"),
  predicates: fc.constantFrom("after", "since", "label", "rate").chain((key) =>
    fc.record({
      [key]: PREDICATES[key] ?? fc.constant(""),
      agent: some(textPattern),
      label: some(fc.constantFrom("x", "y")),
    }, { requiredKeys: [key] })
  ),
  except: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Record<string, unknown>[]>([]) },
    { weight: 1, arbitrary: fc.record({ after: some(mark) }).map((except) => [except]) },
  ),
  verdict: fc.constantFrom("deny", "allow", "allow", "ask", "log"),
  mode: fc.constantFrom("enforce", "enforce", "enforce", "observe"),
});

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

/** A random policy file whose rules depend on what happened before. */
export const pastPolicy: fc.Arbitrary<PolicyData> = fc.record({
  mode: fc.constantFrom("enforce", "enforce", "enforce", "observe"),
  defaults: fc.dictionary(fc.constantFrom("exec", "file.*", "net", "*"), fc.constantFrom("allow", "deny", "ask"), {
    maxKeys: 2,
  }),
  rules: fc.array(fc.oneof(pastRule, pastRule, rule), { minLength: 1, maxLength: 6 }),
});

/** The rule in TOML. */
export function ruleText(data: RuleData, name: string): string {
  const lines = ["[[rules]]", `name = ${toml(name)}`, `action = ${toml(data.action)}`];
  for (const [key, value] of Object.entries(data.predicates)) lines.push(`${key} = ${toml(value)}`);
  if (data.except.length > 0) lines.push(`except = ${toml(data.except)}`);
  // For a log rule `label` is what it sets.
  lines.push(`verdict = ${toml(data.verdict)}`, `mode = ${toml(data.mode)}`);
  return lines.join("\n");
}

/** The file in TOML; rules are named by `names`, else `r0`, `r1`, ... */
export function policyText(data: PolicyData, names?: readonly string[]): string {
  const head = ["version = 1", `mode = ${toml(data.mode)}`, "[default]"];
  for (const [key, value] of Object.entries(data.defaults)) head.push(`${toml(key)} = ${toml(value)}`);
  const rules = data.rules.map((entry, i) => ruleText(entry, names?.[i] ?? `r${i}`));
  return [...head, ...MARKING, ...rules].join("\n");
}

const result = fc.constant("0");

/** Command lines of programs that start others; the rules know programs named a, b and ab. */
const commandLine: fc.Arbitrary<readonly string[]> = fc.oneof(
  fc.array(
    fc.constantFrom("a", "b a", "ab", "$X", "cd /a", "./b", "$(b)", "echo", "/a/b", "'a' b", 'eval "$Y"', "~/a"),
    {
      minLength: 1,
      maxLength: 3,
    },
  ).map((parts) => ["sh", "-c", parts.join(" && ")]),
  fc.constantFrom(
    ["sudo", "a", "b"],
    ["env", "X=1", "sh", "-c", "b; ab a"],
    ["python3", "-c", "os.system('a b')"],
    ["xargs", "b"],
    ["sh"],
  ),
);

const toolArgs: fc.Arbitrary<unknown> = fc.oneof(
  text,
  commandLine.map((argv) => ({ command: argv[2] ?? argv.join(" ") })),
  commandLine.map((argv) => ({ command: argv })),
  fc.constantFrom({ cmd: "a b" }, { command: [] }, { command: ["a", 3] }, { command: 7, cmd: ["b"] }, { command: "" }),
  fc.record({
    a: fc.oneof(text, fc.constant(1), fc.array(text, { maxLength: 2 })),
    b: fc.array(fc.record({ c: text }, { requiredKeys: [] }), { maxLength: 2 }),
    l: fc.array(text, { maxLength: 3 }),
  }, { requiredKeys: [] }),
);

const action: fc.Arbitrary<Action> = fc.oneof(
  commandLine.map((argv): Action => ({ type: "exec", path: `/bin/${argv[0] ?? ""}`, argv })),
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
    flags: fc.constantFrom<("append" | "reads")[][]>([], ["reads"], ["append", "reads"]),
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
    hosts: fc.array(host, { minLength: 2, maxLength: 3 }),
  }, { requiredKeys: ["type", "protocol", "address", "port"] }).map(({ host, hosts, ...net }): Action => {
    const first = hosts?.[0] ?? host;
    return { ...net, ...(first === undefined ? {} : { host: first }), ...(hosts === undefined ? {} : { hosts }) };
  }),
  host.map((name): Action => ({ type: "net.dns", name, answers: ["192.0.2.9"], ttl_s: 60 })),
  fc.record({ type: fc.constant("unix.connect" as const), path: pathName, result }),
  fc.record({
    type: fc.constant("tool.call" as const),
    tool: text,
    source: fc.constant("mcp"),
    server: text,
    args: toolArgs,
  }, {
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
  groups: fc.array(text, { maxLength: 2 }),
  tags: fc.array(text, { maxLength: 2 }),
}, { requiredKeys: ["session_id", "agent", "principal", "root"] });

/** A random event. */
export const event: fc.Arbitrary<Event> = fc.record({
  time_us: fc.integer({ min: 0, max: 2_000_000_000_000_000 }),
  action,
  session,
  process: fc.record({
    pid: fc.constant(7),
    start: fc.constant("7"),
    uid: fc.constantFrom(0, 7, 1000),
    exe: pathName,
    cwd: fc.oneof(pathName, fc.constant("/")),
  }, { requiredKeys: ["pid", "start"] }),
  ancestors: fc.array(pathName, { maxLength: 2 }),
  declared: fc.boolean(),
  risk: fc.constantFrom(0, 5, 9, 50),
  llm: fc.record({
    model: text,
    input_tokens: fc.constantFrom(0, 5, 20),
    output_tokens: fc.constantFrom(0, 5),
    cached_tokens: fc.constantFrom(0, 9),
  }, { requiredKeys: [] }),
  base: pathName,
  shown: fc.constant({ pid: 7, start: "7" }),
}, { requiredKeys: ["time_us", "action"] });

/** A story: events a few seconds apart, most of them of one session, so that marks and rates meet. */
export const story: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.tuple(event, fc.constantFrom(0, 1, 3, 8, 30, -5), fc.constantFrom("", "a", "a", "a")),
  { minLength: 10, maxLength: 30 },
).map((steps) => {
  let time_us = 1_700_000_000_000_000;
  return steps.map(([each, seconds, id]) => {
    time_us += seconds * 1_000_000;
    if (id === "") return { ...each, time_us };
    const session_id = id as SessionInfo["session_id"];
    const session = { agent: "a", principal: "a", root: { pid: 1, start: "1" }, ...each.session, session_id };
    return { ...each, time_us, session };
  });
});

/**
 * The same rules and the same actions for this policy engine and for two others, Cedar (WebAssembly) and casbin, in one
 * run: `bun test/bench/peers_bench.ts`. The others are no dependency of the product. To have them:
 *
 *     mkdir -p build/bench_peers && cp test/bench/peers/package.json build/bench_peers/
 *     (cd build/bench_peers && bun install --ignore-scripts)
 *
 * Without them their part is left out and the reason is printed. The answers of all engines are compared before
 * anything is measured.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { bench, do_not_optimize } from "mitata";
import type { Event } from "../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy } from "../../lib/decide/mod.ts";
import { printTable } from "./bench_table.ts";

/** Finds packages where the peers are installed, and nowhere else. */
const requirePeer = createRequire(join(import.meta.dir, "..", "..", "build", "bench_peers", "package.json"));

/** An action as every engine can ask about it. */
interface Question {
  readonly type: "file.read" | "exec";
  readonly path: string;
}

/** Answers a question: true if the action is allowed. */
type Engine = (question: Question) => boolean;

/** Rules that all three can say: an action type and a directory or a file that it must not touch. */
function rules(count: number): readonly Question[] {
  return Array.from({ length: count }, (_, i): Question => (
    i % 2 === 0 ? { type: "file.read", path: `/srv/data${i}/*` } : { type: "exec", path: `/opt/pkg${i}/bin/run` }
  ));
}

/** Most actions are named by no rule; every fourth is refused. */
const QUESTIONS: readonly Question[] = [
  { type: "file.read", path: "/home/u/work/node_modules/pkg/lib/index.js" },
  { type: "file.read", path: "/usr/lib/x86_64-linux-gnu/libc.so.6" },
  { type: "exec", path: "/usr/bin/git" },
  { type: "file.read", path: "/srv/data48/a/secret" },
  { type: "file.read", path: "/srv/other/readme.txt" },
  { type: "exec", path: "/opt/pkg49/bin/walk" },
  { type: "file.read", path: "/etc/passwd" },
  { type: "exec", path: "/opt/pkg51/bin/run" },
];

function ours(count: number): Engine {
  const lines = ["version = 1"];
  for (const { type, path } of rules(count)) {
    const pattern = path.replace(/\*$/, "**");
    lines.push("[[rules]]", `action = "${type}"`, `path = "${pattern}"`, 'verdict = "deny"');
  }
  const bytes = new TextEncoder().encode(lines.join("\n"));
  const loaded = loadPolicy([{ file: "bench.toml", bytes }], { generation: 1 });
  if (!loaded.ok) throw new Error(loaded.error.map((finding) => formatDiagnostic(finding)).join("\n"));
  const events = new Map(QUESTIONS.map((question) => [question, eventOf(question)]));
  return (question) => loaded.value.evaluate(events.get(question) ?? eventOf(question)).verdict === "allow";
}

function eventOf({ type, path }: Question): Event {
  return { time_us: 0, action: type === "exec" ? { type, path, argv: [path] } : { type, path, result: "0" } };
}

function cedar(count: number): Engine {
  const module = requirePeer("@cedar-policy/cedar-wasm/nodejs");
  const policies = ["permit(principal, action, resource);"];
  for (const { type, path } of rules(count)) {
    const test = path.endsWith("*") ? `context.path like "${path}"` : `context.path == "${path}"`;
    policies.push(`forbid(principal, action == Action::"${type}", resource) when { ${test} };`);
  }
  const id = `rules-${count}`;
  const parsed = call(module, "preparsePolicySet", id, { staticPolicies: policies.join("\n") });
  if (field(parsed, "type") !== "success") throw new Error(`parse the policies for Cedar: ${JSON.stringify(parsed)}`);
  return ({ type, path }) => {
    const answer = call(module, "statefulIsAuthorized", {
      principal: { type: "User", id: "u" },
      action: { type: "Action", id: type },
      resource: { type: "File", id: "f" },
      context: { path },
      preparsedPolicySetId: id,
      validateRequest: false,
      entities: [],
    });
    return field(field(answer, "response"), "decision") === "allow";
  };
}

async function casbin(count: number): Promise<Engine> {
  const module = requirePeer("casbin");
  const model = call(
    module,
    "newModelFromString",
    "[request_definition]\nr = obj, act\n[policy_definition]\np = obj, act, eft\n" +
      "[policy_effect]\ne = !some(where (p.eft == deny))\n" +
      "[matchers]\nm = r.act == p.act && keyMatch(r.obj, p.obj)",
  );
  const lines = rules(count).map(({ type, path }) => `p, ${path}, ${type}, deny`);
  const Adapter = field(module, "StringAdapter");
  if (typeof Adapter !== "function") throw new Error("casbin has no StringAdapter");
  const enforcer = await call(module, "newEnforcer", model, Reflect.construct(Adapter, [lines.join("\n")]));
  return ({ type, path }) => call(enforcer, "enforceSync", path, type) === true;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function call(target: unknown, name: string, ...args: readonly unknown[]): unknown {
  const found = field(target, name);
  if (typeof found !== "function") throw new Error(`a peer has no ${name}`);
  return Reflect.apply(found, target, args);
}

/** Engines that are there, and why others are not. */
async function engines(count: number): Promise<ReadonlyMap<string, Engine>> {
  const found = new Map<string, Engine>([["agentguard", ours(count)]]);
  for (const [name, make] of Object.entries({ cedar, casbin })) {
    try {
      found.set(name, await make(count));
    } catch (error) {
      console.log(`skipped: ${name}, ${count} rules: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    }
  }
  return found;
}

function compareAnswers(all: ReadonlyMap<string, Engine>): void {
  for (const question of QUESTIONS) {
    const answers = [...all].map(([name, engine]) => `${name} ${engine(question)}`);
    if (new Set(answers.map((answer) => answer.split(" ")[1])).size > 1) {
      throw new Error(`the engines disagree about ${question.type} of ${question.path}: ${answers.join(", ")}`);
    }
  }
}

for (const count of [100, 1_000, 10_000]) {
  const all = await engines(count);
  compareAnswers(all);
  for (const [name, engine] of all) {
    let at = 0;
    bench(`${count} rules: ${name}`, () => {
      const question = QUESTIONS[at++ & 7];
      if (question !== undefined) do_not_optimize(engine(question));
    });
  }
}

await printTable();

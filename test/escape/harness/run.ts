/**
 * Runs cases as guarded processes: those that share a guard one after the other in one session, the others each under a
 * guard of its own.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry } from "../../../lib/core/mod.ts";
import { EXECUTABLE, GuardSetup, run } from "../../support/mod.ts";
import { expectationOf, judge, ruleNames, shownOf } from "./judge.ts";
import { programIn } from "./programs.ts";
import { readRecord } from "./record.ts";
import type { EscapeCase, EscapeResult, Place, Seen } from "./types.ts";

const GUARD_MS = 900_000;
/** Of the driver, of a program that was called wrongly, of `timeout` that found nothing to start. */
const NOT_RUN: readonly number[] = [95, 96, 127];

/** Reads what the host can do: ids of the checks of `doctor` that are `ok`. */
export async function hostChecks(): Promise<ReadonlySet<string>> {
  const done = await run([EXECUTABLE, "doctor", "--json"]);
  if (done.exit_code !== 0) throw new Error(`doctor: exit ${done.exit_code}: ${done.stderr}`);
  const { checks }: { checks: readonly { readonly id: string; readonly state: string }[] } = JSON.parse(done.stdout);
  return new Set(checks.filter(({ state }) => state === "ok").map(({ id }) => id));
}

/** Where a case says nothing else. */
const PLAIN_HEAD = '[default]\n"*" = "allow"\n';
/** What a command keeps all its rights by. */
const BARE_HEAD = '[guard]\nprivileges = "sudo"\nbaseline = "none"\n\n[default]\n"*" = "allow"\n';

/** The cases that say something on a host with these checks, see `EscapeCase.bare`. */
export function casesFor(cases: readonly EscapeCase[], host: ReadonlySet<string>): readonly EscapeCase[] {
  return cases.filter(({ bare }) => bare !== true || host.has("probes.lsm"));
}

/** How cases are run. */
export interface RunOptions {
  /** A directory that `buildPrograms` filled. */
  readonly programs: string;
  /** See `hostChecks`. */
  readonly host: ReadonlySet<string>;
  /**
   * Seconds that one attempt may take, then it is ended; default 60. An attempt that hangs has not reached its aim, and
   * no case counts as refused because of it: an emulated machine needs more.
   */
  readonly attempt_s?: number;
}

/** Runs all cases. */
export async function runCases(
  cases: readonly EscapeCase[],
  options: RunOptions,
): Promise<readonly EscapeResult[]> {
  const ids = new Set(cases.flatMap(ruleNames));
  if (ids.size !== cases.flatMap(ruleNames).length) throw new Error("two escape cases have the same id");
  const [bare, guarded] = [true, false].map((wanted) => cases.filter((each) => (each.bare === true) === wanted));
  const groups = [
    guarded?.filter(({ alone }) => alone === undefined) ?? [],
    ...cases.filter(({ alone }) => alone === true).map((one) => [one]),
    ...Map.groupBy(cases.filter(({ alone }) => typeof alone === "string"), ({ alone }) => alone).values(),
    bare ?? [],
  ].filter((group) => group.length > 0);
  const results = new Map<string, EscapeResult>();
  for (const group of groups) for (const result of await runGroup(group, options)) results.set(result.id, result);
  return cases.flatMap(({ id }) => results.get(id) ?? []);
}

async function runGroup(
  cases: readonly EscapeCase[],
  options: RunOptions,
): Promise<readonly EscapeResult[]> {
  await using setup = await GuardSetup.create();
  const placed: readonly (readonly [EscapeCase, Place])[] = cases.map((
    escape,
  ) => [escape, placeOf(escape, setup, options)]);
  const lines: string[] = [];
  for (const [escape, place] of placed) {
    await mkdir(place.dir, { recursive: true });
    await escape.prepare?.(place);
    lines.push(attempt(escape, place, { outside: setup.dir.path, seconds: options.attempt_s ?? 60 }));
  }
  await writeFile(setup.policy, policyOf(placed));
  const driver = setup.dir.join("driver.sh");
  await writeFile(driver, lines.join(""));
  const [only] = cases.length === 1 ? cases : [];
  const flags = only?.flags ?? [];
  const done = await setup.guard(["/bin/sh", driver], { flags, deadline_ms: GUARD_MS });
  const { entries, faults } = readRecord(setup.state);
  const problems = [...alarms(entries, done.stderr), ...faults];
  const results: EscapeResult[] = [];
  for (const [escape, place] of placed) {
    const output = outputOf(escape, setup.dir.path);
    const shown = shownOf(escape, { entries, place });
    const odd = NOT_RUN.includes(output.status) && shown.label === "none";
    const started = !odd && (output.status >= 0 || escape.alone === true);
    const seen = { place, entries, ...output };
    const result = judge(escape, shown, {
      happened: await escape.happened(seen),
      host: options.host,
    });
    const own = started ? [] : [`never ran: the guard ended with ${done.exit_code}: ${done.stderr}`];
    const details = result.problems.length > 0
      ? [`status ${output.status}, said: ${output.stdout}${output.stderr}`]
      : [];
    const alarmed = expectationOf(escape, options.host).alarm === "may";
    const mine = problems.filter((problem) => isAbout(problem, escape, placed) && !(alarmed && isAlarm(problem)));
    results.push({ ...result, problems: [...result.problems, ...own, ...details, ...mine] });
  }
  return results;
}

const ALARM = "alarm: ";

function isAlarm(problem: string): boolean {
  return problem.startsWith(ALARM);
}

/** An alarm that names a rule is about that rule's case; what names none is about all. */
function isAbout(problem: string, escape: EscapeCase, placed: readonly (readonly [EscapeCase, Place])[]): boolean {
  const named = (each: EscapeCase): boolean => ruleNames(each).some((name) => problem.includes(`(${name})`));
  return named(escape) || !placed.some(([each]) => named(each));
}

function placeOf(
  { id }: EscapeCase,
  setup: GuardSetup,
  { programs, host }: RunOptions,
): Place {
  return { dir: join(setup.work, id), host, program: (name) => programIn(programs, name) };
}

/** The shell lines of one attempt; its output and status are kept outside of its directory. */
function attempt(
  escape: EscapeCase,
  place: Place,
  { outside, seconds }: { readonly outside: string; readonly seconds: number },
): string {
  const at = (suffix: string): string => quote(join(outside, `${escape.id}.${suffix}`));
  const words = escape.command(place).map(quote).join(" ");
  // Who is ended after the deed is there until then, however slow the machine is.
  const { mechanism } = expectationOf(escape, place.host);
  const stay = mechanism === "signal" ? `STAY_S=${seconds} ` : "";
  return `cd ${quote(place.dir)} || exit 96
${stay}timeout -k 5 ${seconds} ${words} > ${at("out")} 2> ${at("err")} < /dev/null
echo $? > ${at("status")}
`;
}

function outputOf({ id }: EscapeCase, outside: string): Pick<Seen, "stdout" | "stderr" | "status"> {
  const read = (suffix: string): string | undefined => {
    const path = join(outside, `${id}.${suffix}`);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const status = read("status")?.trim();
  // Without a status the driver was ended during the attempt, or before it.
  return { stdout: read("out") ?? "", stderr: read("err") ?? "", status: status ? Number(status) : -1 };
}

function policyOf(placed: readonly (readonly [EscapeCase, Place])[]): string {
  const heads = new Set(placed.map(([{ bare, head }]) => bare === true ? BARE_HEAD : head ?? PLAIN_HEAD));
  const [head, ...others] = heads;
  if (others.length > 0) throw new Error(`cases of one guard with different heads: ${others.join(" and ")}`);
  const rules = placed.flatMap(([escape, { dir }]) =>
    escape.rules.map((body, index) => {
      const text = body.replaceAll("@DIR@", dir);
      return `[[rules]]\nname = "${ruleNames(escape)[index]}"\nenforce = "best"\n${text.trim()}\n`;
    })
  );
  return `version = 1\nname = "escape"\nmode = "enforce"\n\n${head}\n${rules.join("\n")}`;
}

/** What makes a whole run wrong: the kernel and user space disagree, or nothing was recorded. */
function alarms(entries: readonly Entry[], stderr: string): readonly string[] {
  const mismatches = entries.flatMap(({ action }) => action?.type === "guard.mismatch" ? [action.detail] : []);
  return [
    ...mismatches.map((detail) => `${ALARM}${detail}`),
    ...(entries.length > 0 ? [] : [`nothing was recorded: ${stderr}`]),
  ];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

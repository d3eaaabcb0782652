/** The other kernels: what must hold there, in virtual machines that run beside each other. */

import { mustRun } from "../support/command.ts";
import { inRoot, toolPath } from "../support/paths.ts";
import { type FileResult, isFileResult, PROGRESS } from "../vm/file_result.ts";
import { runGuest } from "../vm/guest.ts";
import { fetchKernel, type Kernel, KERNELS } from "../vm/kernel.ts";
import { payloadImage, PROGRAMS } from "../vm/payload.ts";
import { userlandImage } from "../vm/userland.ts";
import { reasonOf } from "./bun_tests.ts";
import { countFailures, parseJunit } from "./junit.ts";
import { NOTHING, type Outcome, sum } from "./outcome.ts";

/** A loaded host emulates a guest ten times slower than a quiet one. */
const GUEST_MS = 25 * 60_000;
/** The part of it for the test files. */
const FILES_S = 20 * 60;

/** The tests whose meaning depends on the kernel. */
const FILES: readonly string[] = [
  "test/kernel/hold_layout_test.ts",
  "test/kernel/launch_baseline_test.ts",
  "test/kernel/probes_test.ts",
  "test/kernel/probes_policy_test.ts",
];

/** Runs in the guest; every line of `$VM_RESULTS` is one check, one case of the escape suite, or one test file. */
const COMMAND = `
export PATH="$PWD/.tools/bin:$PATH"
check() { # NAME STATUS EXPECTED
  [ "$2" = "$3" ] && passed=true || passed=false
  echo "{\\"name\\":\\"$1\\",\\"passed\\":$passed,\\"detail\\":\\"status $2, expected $3\\"}" > "$VM_RESULTS"
}
dist/agentguard doctor --json > /tmp/doctor.json; check "doctor" $? 0
for group in process syscall scope network iterator lsm; do
  grep -q "{\\"id\\":\\"probes.$group\\"[^}]*\\"state\\":\\"ok\\"" /tmp/doctor.json; check "programs load: $group" $? 0
done
dist/agentguard --policy examples/policy.toml -- bash examples/demo.sh; check "examples/demo.sh" $? 7
dist/agentguard audit verify; check "audit verify" $? 0
bun test/escape/main.ts --json --seconds 300 --programs ${PROGRAMS} > "$VM_RESULTS"; check "escape suite" $? 0
echo "${PROGRESS}escape suite done"
bun scripts/vm/kernel_tests.ts "$VM_RESULTS" ${FILES_S} ${FILES.join(" ")}; check "test files" $? 0
`;

/** One check of a guest, or one case of its escape suite. */
interface Line {
  readonly name?: string;
  readonly passed?: boolean;
  readonly detail?: string;
  readonly id?: string;
  readonly problems?: readonly string[];
}

/** Boots every kernel and counts what held there. Skipped only where there is no emulator. */
export async function runVirtualMachines(): Promise<Outcome> {
  if (Bun.which("qemu-system-x86_64") === null || process.arch !== "x64") {
    return { ...NOTHING, skips: [{ name: "other kernels", reason: "qemu-system-x86_64 cannot be installed here" }] };
  }
  await mustRun([toolPath("bun"), "test/escape/main.ts", "--build", inRoot(PROGRAMS)]);
  const images = { userland: await userlandImage(), payload: await payloadImage(COMMAND, "gate") };
  const kernels: Kernel[] = [];
  for (const name of Object.keys(KERNELS)) kernels.push(await fetchKernel(name));
  return sum(await Promise.all(kernels.map((kernel) => runKernel(kernel, images))));
}

async function runKernel(
  kernel: Kernel,
  images: { readonly userland: string; readonly payload: string },
): Promise<Outcome> {
  const title = `Linux ${kernel.release}`;
  let rest = "";
  const onOutput = (text: string): void => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith(PROGRESS)) console.error(`${title}: ${line.trim()}`);
  };
  const { code, results, output, console: said } = await runGuest(kernel, {
    ...images,
    timeout_ms: GUEST_MS,
    behind: true,
    onOutput,
  });
  const lines = results.filter(isLine);
  const failed = lines.filter(({ passed, problems }) => passed === false || (problems ?? []).length > 0);
  const files = results.filter(isFileResult).map((result) => outcomeOf(result, title));
  const missing = FILES.length - files.length;
  const ended = code === undefined ? [`${title}: the guest ended before its command\n${said}`] : [];
  const shown = failed.map((line) => `${title}: ${JSON.stringify(line)}`);
  const checks: Outcome = {
    passed: lines.length - failed.length,
    failed: failed.length + ended.length + missing + (lines.length === 0 ? 1 : 0),
    skips: [],
    output: [...shown, ...ended, output].join("\n"),
  };
  return sum([checks, ...files]);
}

/** The tests of one file, counted as those of this kernel are. */
function outcomeOf(result: FileResult, title: string): Outcome {
  const report = parseJunit(result.junit);
  return {
    passed: report.passed,
    failed: countFailures(report, result.summary, result.code),
    skips: report.skipped.map((each) => ({ name: `${title}: ${each.name}`, reason: reasonOf(each) })),
    output: `${title}: ${result.file}: exit ${result.code}\n${result.output}`,
  };
}

function isLine(value: unknown): value is Line {
  return typeof value === "object" && value !== null && ("passed" in value || "problems" in value);
}

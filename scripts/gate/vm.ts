/** The other kernels: what must hold there, in virtual machines. */

import { mustRun } from "../support/command.ts";
import { inRoot, toolPath } from "../support/paths.ts";
import { runGuest } from "../vm/guest.ts";
import { fetchKernel, KERNELS } from "../vm/kernel.ts";
import { payloadImage, PROGRAMS } from "../vm/payload.ts";
import { userlandImage } from "../vm/userland.ts";
import { NOTHING, type Outcome, sum } from "./outcome.ts";

/** A loaded host emulates a guest ten times slower than a quiet one. */
const GUEST_MS = 20 * 60_000;

/** Runs in the guest; every line of `$VM_RESULTS` is one check. */
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
bun test/escape/main.ts --json --programs ${PROGRAMS} > "$VM_RESULTS"; check "escape suite" $? 0
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
  const userland = await userlandImage();
  const payload = await payloadImage(COMMAND, "gate");
  const outcomes: Outcome[] = [];
  for (const name of Object.keys(KERNELS)) {
    const kernel = await fetchKernel(name);
    const { code, results, output, console } = await runGuest(kernel, { userland, payload, timeout_ms: GUEST_MS });
    const lines = results.filter(isLine);
    const failed = lines.filter(({ passed, problems }) => passed === false || (problems ?? []).length > 0);
    const ended = code === undefined ? [`Linux ${kernel.release}: the guest ended before its command\n${console}`] : [];
    const shown = failed.map((line) => `Linux ${kernel.release}: ${JSON.stringify(line)}`);
    outcomes.push({
      passed: lines.length - failed.length,
      failed: failed.length + ended.length + (lines.length === 0 ? 1 : 0),
      skips: [],
      output: [...shown, ...ended, output].join("\n"),
    });
  }
  return sum(outcomes);
}

function isLine(value: unknown): value is Line {
  return typeof value === "object" && value !== null && ("passed" in value || "problems" in value);
}

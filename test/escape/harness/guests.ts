/** The suite on the kernels of the virtual machines, which run beside each other. */
import { runGuest } from "../../../scripts/vm/guest.ts";
import { fetchKernel, KERNELS } from "../../../scripts/vm/kernel.ts";
import { payloadImage, PROGRAMS } from "../../../scripts/vm/payload.ts";
import { userlandImage } from "../../../scripts/vm/userland.ts";
import { buildPrograms } from "./programs.ts";
import type { KernelResult } from "./table.ts";

const GUEST_MS = 20 * 60_000;

/** Runs every case on every guest. Throws where a guest did not come to its end. */
export async function runGuests(): Promise<readonly KernelResult[]> {
  await buildPrograms(PROGRAMS);
  const command = `bun test/escape/main.ts --json --seconds 300 --programs ${PROGRAMS} > "$VM_RESULTS"`;
  const userland = await userlandImage();
  const payload = await payloadImage(`export PATH="$PWD/.tools/bin:$PATH"\n${command}\n`, "escape");
  const found = await Promise.all(
    Object.keys(KERNELS).map(async (name) => {
      const kernel = await fetchKernel(name);
      const guest = await runGuest(kernel, { userland, payload, timeout_ms: GUEST_MS });
      if (guest.code === undefined) throw new Error(`Linux ${kernel.release}: the guest ended early\n${guest.console}`);
      return guest.results.filter(isResult);
    }),
  );
  return found.flat();
}

function isResult(value: unknown): value is KernelResult {
  return typeof value === "object" && value !== null && "kernel" in value && "problems" in value;
}

/** Runs a command in a virtual machine with another kernel. */

import { fetchKernel, KERNELS } from "./vm/kernel.ts";
import { runGuest } from "./vm/guest.ts";
import { payloadImage } from "./vm/payload.ts";
import { userlandImage } from "./vm/userland.ts";
import { runScript } from "./support/cli.ts";

const HELP = `
Runs a command in a virtual machine with another kernel, in this repository as it is now.

usage: bun scripts/vm.ts [--kernel NAME] [--seconds N] [--processors N] [--console] [--list] -- COMMAND [ARGUMENT...]

  --kernel NAME   which kernel; default the first of --list
  --seconds N     switch the machine off after this time; default 600
  --processors N  how many it has; default 1
  --console       print what the kernel says, too
  --list          print the kernels

The machine is emulated (no KVM), has 2 GB, the programs of this machine's Debian packages that the
tests use, this repository at the same path, and security modules landlock, lockdown, yama and bpf. What the command
changes is gone afterwards. Its exit code is that of the script; 125 where the machine ended before the command.
Needs qemu-system-x86_64 and dist/agentguard (scripts/build.sh); kernels come from Debian's archive, once.
`;

const options = { kernel: "value", seconds: "value", processors: "value", console: "flag", list: "flag" } as const;

await runScript({ help: HELP, options, command: true }, async (given, command) => {
  if (given["list"] === true) {
    console.log(Object.keys(KERNELS).join("\n"));
    return 0;
  }
  if (command.length === 0) throw new Error("give a command after --");
  const name = typeof given["kernel"] === "string" ? given["kernel"] : Object.keys(KERNELS)[0] ?? "";
  const seconds = Number(given["seconds"] ?? 600);
  if (!(seconds > 0)) throw new Error("--seconds takes a number above 0");
  const processors = Number(given["processors"] ?? 1);
  if (!(processors >= 1)) throw new Error("--processors takes a number from 1");
  const kernel = await fetchKernel(name);
  const script = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { code, results, console: said } = await runGuest(kernel, {
    userland: await userlandImage(),
    payload: await payloadImage(`export PATH="$PWD/.tools/bin:$PATH"\n${script}\n`, `payload-${name}`),
    timeout_ms: seconds * 1000,
    processors,
    onOutput: (text) => process.stdout.write(text),
  });
  for (const result of results) console.log(JSON.stringify(result));
  if (given["console"] === true || code === undefined) console.error(said);
  return code ?? 125;
});

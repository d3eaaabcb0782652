/** One run of a virtual machine: boot, one command, off. Emulated: no right or module of the host is needed. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inRoot } from "../support/paths.ts";
import { cpio } from "./cpio.ts";
import type { Kernel } from "./kernel.ts";
import { busybox } from "./payload.ts";

/** How a guest is run. */
export interface GuestOptions {
  readonly userland: string;
  readonly payload: string;
  /** Milliseconds until it is switched off from outside. */
  readonly timeout_ms: number;
  /** Default 1: where guests share processors, two of one guest wait for each other most of the time. */
  readonly processors?: number;
  /** What runs beside it goes first on the processors; default false. */
  readonly behind?: boolean;
  /** Takes what the command prints, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** What a guest left behind. */
export interface GuestResult {
  /** The command's exit code; `undefined` where the guest ended before it. */
  readonly code: number | undefined;
  /** What the command wrote to `$VM_RESULTS`: one JSON value per line. */
  readonly results: readonly unknown[];
  readonly output: string;
  /** What the kernel and the two start scripts said. */
  readonly console: string;
}

/** Gives way to others: within its group of processes, and as a group where the kernel weighs groups. */
const BEHIND = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "5", "sh", "-c"];
const BEHIND_SCRIPT = 'if [ -w /proc/self/autogroup ]; then echo 5 > /proc/self/autogroup; fi; exec "$@"';

const KERNEL_LINE = [
  "console=ttyS0",
  "loglevel=4",
  "panic=-1",
  // The order of Debian's kernels with BPF at the end, without the modules that need a policy of their own.
  "lsm=landlock,lockdown,yama,bpf",
  // Emulated machines are slow: a watchdog that fires is no finding.
  "nowatchdog",
  // What they do against attacks on processors costs time there and changes nothing that is tested.
  "mitigations=off",
].join(" ");

/** Boots, runs the payload's command, returns when the guest is off. */
export async function runGuest(kernel: Kernel, options: GuestOptions): Promise<GuestResult> {
  const work = mkdtempSync(join(tmpdir(), "agentguard-vm-"));
  const at = (name: string): string => join(work, name);
  try {
    writeFileSync(at("initramfs"), await initramfs(kernel));
    writeFileSync(at("results"), "");
    const disk = (file: string): readonly string[] => ["-drive", `file=${file},if=virtio,format=raw,snapshot=on`];
    const argv = [
      ...[
        "qemu-system-x86_64",
        "-accel",
        // Room for what was translated: the programs are large.
        "tcg,thread=multi,tb-size=512",
        "-cpu",
        "max",
        "-m",
        "2048",
        "-smp",
        String(options.processors ?? 1),
      ],
      ...["-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel.image, "-initrd", at("initramfs")],
      ...["-append", KERNEL_LINE, ...disk(options.userland), ...disk(options.payload)],
      ...["-serial", `file:${at("console")}`, "-serial", "stdio", "-serial", `file:${at("results")}`],
    ];
    const behind = options.behind === true;
    const child = Bun.spawn(behind ? [...BEHIND, BEHIND_SCRIPT, "sh", ...argv] : argv, {
      // The leader of a session has a group of its own.
      detached: behind,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // The files that hold what the guest writes are made here and have no name.
      env: { ...process.env, TMPDIR: work },
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout_ms);
    const [output, errors] = await Promise.all([collect(child.stdout, options.onOutput), child.stderr.text()]);
    await child.exited;
    clearTimeout(timer);
    const results = jsonLines(readFileSync(at("results"), "utf8"));
    const end = results.find(isEnd);
    return {
      code: end?.exit,
      results: results.filter((each) => each !== end),
      output,
      console: `${read(at("console"))}${errors}`,
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function initramfs(kernel: Kernel): Promise<Uint8Array> {
  const folder = 0o040755;
  const program = 0o100755;
  return cpio([
    ...["bin", "proc", "sys", "dev", "modules"].map((path) => ({ path, mode: folder })),
    { path: "bin/busybox", mode: program, bytes: new Uint8Array(readFileSync(await busybox())) },
    { path: "init", mode: program, bytes: new Uint8Array(readFileSync(inRoot("scripts/vm/init.sh"))) },
    ...kernel.modules.map(({ name, bytes }, index) => ({
      path: `modules/${index}-${name}.ko`,
      mode: 0o100644,
      bytes,
    })),
  ]);
}

async function collect(stream: ReadableStream<Uint8Array>, take?: (text: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    all += text;
    take?.(text);
  }
  return all;
}

function jsonLines(text: string): readonly unknown[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((line): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      return { broken: line };
    }
  });
}

function isEnd(value: unknown): value is { readonly exit: number } {
  return typeof value === "object" && value !== null && "exit" in value && typeof value.exit === "number";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Programs at security hooks: an object of its own, tried where the kernel may take it, sharing the probes' maps. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { AgConfig } from "../../../probes/abi.gen.ts";
import { type BpfLink, type BpfMap, BpfObject, hooksRefused, type Libbpf, type Shim } from "../../../ffi/mod.ts";
import { AgentguardError, err, ok, type Result } from "../../core/mod.ts";
import type { OwnNumber } from "./own_number.ts";
import type { ProbeSupport } from "./port.ts";

/** Every hook; they protect together or not at all. */
const PROGRAMS: readonly string[] = [
  "ag_lsm_open",
  "ag_lsm_unlink",
  "ag_lsm_rmdir",
  "ag_lsm_mkdir",
  "ag_lsm_mknod",
  "ag_lsm_symlink",
  "ag_lsm_link",
  "ag_lsm_rename",
  "ag_lsm_chmod",
  "ag_lsm_chown",
  "ag_lsm_truncate",
  "ag_lsm_unix_stream",
  "ag_lsm_unix_send",
  "ag_lsm_forget",
  "ag_lsm_exec",
  "ag_lsm_mmap",
  "ag_lsm_mprotect",
  "ag_lsm_kill",
  "ag_lsm_sigio",
  "ag_lsm_trace",
  "ag_lsm_limit",
  "ag_lsm_nice",
  "ag_lsm_ioprio",
  "ag_lsm_scheduler",
  "ag_lsm_memory",
  "ag_lsm_clone",
  "ag_lsm_bpf",
];

/** ftruncate has a hook of its own since Linux 6.2, the release that also brought bpf_rdonly_cast. */
const SINCE_6_2: readonly string[] = ["ag_lsm_ftruncate"];
const TRIAL = "ag_lsm_trial";

/** Where the kernel says which security modules it runs; "bpf" must be among them for any hook to be called. */
const LSM_LIST = "/sys/kernel/security/lsm";

/** What loading needs. */
export interface LsmParts {
  readonly bpf: Libbpf;
  readonly shim: Shim;
  readonly image: Uint8Array;
  readonly self: OwnNumber;
  /** The object whose maps are shared. */
  readonly probes: BpfObject;
}

/** The loaded programs. */
export class LsmPrograms implements Disposable {
  /** Names of the maps that only these programs have. */
  readonly maps: ReadonlySet<string>;
  readonly #object: BpfObject;
  readonly #programs: readonly string[];
  #links: BpfLink[] = [];

  private constructor(object: BpfObject, programs: readonly string[], maps: ReadonlySet<string>) {
    this.#object = object;
    this.#programs = programs;
    this.maps = maps;
  }

  /** Loads, and tries whether the kernel really calls such programs. The text says why it does not. */
  static load(parts: LsmParts): Result<LsmPrograms, string> {
    const listed = securityModules();
    if (listed !== undefined && !listed.includes("bpf")) {
      return err(`the kernel runs without the security module bpf (${listed.join(",")}); boot with lsm=...,bpf`);
    }
    const refused = hooksRefused(parts.shim);
    if (refused !== undefined) return err(`${refused}: the kernel takes no program at a security hook`);
    const shared = new Map(parts.probes.mapNames().map((name) => [name, parts.probes.map(name).fd]));
    let reason = "";
    for (const has_cast of [true, false]) {
      const programs = has_cast ? [...PROGRAMS, ...SINCE_6_2] : PROGRAMS;
      const loaded = BpfObject.load(parts.bpf, parts.shim, parts.image, {
        programs: [...programs, TRIAL],
        shared,
        data: { ".rodata.config": configBytes(parts.self, has_cast) },
      });
      if (loaded.ok) {
        const own = new Set(loaded.value.mapNames().filter((name) => !shared.has(name)));
        return tried(new LsmPrograms(loaded.value, programs, own));
      }
      reason = `${loaded.error.errno}: ${loaded.error.log.split("\n").find((line) => line.includes("failed")) ?? ""}`;
      if (loaded.error.errno === "EPERM") break;
    }
    return err(reason);
  }

  /** A map of these programs. */
  map(name: string): BpfMap {
    return this.#object.map(name);
  }

  /** From now on the hooks decide. Throws `io` where one cannot be attached: then none is. */
  attach(): void {
    if (this.#links.length > 0) return;
    for (const program of this.#programs) {
      const link = this.#object.attach(program);
      if (!link.ok) {
        this.detach();
        throw new AgentguardError("io", link.error);
      }
      this.#links.push(link.value);
    }
  }

  /** The hooks cost nothing any more. */
  detach(): void {
    for (const link of this.#links) link[Symbol.dispose]();
    this.#links = [];
  }

  /** True if the kernel calls a program at a hook: it counts the opening of a file by this process. */
  isCalled(): boolean {
    const link = this.#object.attach(TRIAL);
    if (!link.ok) return false;
    try {
      closeSync(openSync("/proc/self/status", "r"));
      const hits = new Uint8Array(4);
      this.map("lsm_hits").lookup(new Uint8Array(4), hits);
      return hits[0] === 1;
    } finally {
      link.value[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.detach();
    this.#object[Symbol.dispose]();
  }
}

/** How `doctor` and the status name what came of loading. */
export function lsmSupport(lsm: Result<LsmPrograms, string>): ProbeSupport {
  const detail = lsm.ok ? "programs at security hooks, called by the kernel" : lsm.error;
  return { group: "lsm", available: lsm.ok, detail };
}

function tried(programs: LsmPrograms): Result<LsmPrograms, string> {
  if (programs.isCalled()) return ok(programs);
  programs[Symbol.dispose]();
  return err("programs load, and the kernel does not call them: boot with lsm=...,bpf");
}

function securityModules(): readonly string[] | undefined {
  try {
    return readFileSync(LSM_LIST, "utf8").trim().split(",");
  } catch {
    return undefined; // securityfs is not mounted: the trial tells
  }
}

function configBytes(self: OwnNumber, has_cast: boolean): Uint8Array {
  const config = new Uint8Array(AgConfig.SIZE);
  const view = new DataView(config.buffer);
  view.setUint32(AgConfig.self, self.tgid, true);
  view.setUint32(AgConfig.pid_level, self.level, true);
  view.setUint32(AgConfig.has_cast, has_cast ? 1 : 0, true);
  return config;
}

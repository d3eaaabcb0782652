/**
 * What a reader of a strace log must remember between lines: threads, working directories, images, files that exist.
 */
import { existsSync, readFileSync } from "node:fs";
import { type Call, printedFd, printedString } from "../../support/mod.ts";
import { absolute, resolveDirectory } from "./paths.ts";

interface ProcessState {
  cwd: string;
  /** Path of the image; undefined until the first exec is seen. */
  exe: string | undefined;
}

const CLONES: ReadonlySet<string> = new Set(["fork", "vfork", "clone", "clone3"]);

/** True for a call that makes a process or a thread. */
export function isClone(call: Call): boolean {
  return CLONES.has(call.name);
}

/** True for a clone call that makes a thread. */
export function makesThread(call: Call): boolean {
  return call.args.some((argument) => argument.includes("CLONE_THREAD"));
}

/** The state of the traced tree. Processes that share their working directory without being threads do not occur. */
export class TreeModel {
  readonly #root: string;
  readonly #processes: Map<number, ProcessState> = new Map();
  readonly #threads: Map<number, number> = new Map();
  readonly #files: Set<string> = new Set();

  /** `root` is the directory that is empty when the log begins, and the working directory of its first process. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The process of a thread. */
  pid(tid: number): number {
    return this.#threads.get(tid) ?? tid;
  }

  /** The working directory of a thread's process. */
  cwd(tid: number): string {
    return this.#state(tid).cwd;
  }

  /** The image of a thread's process; undefined before the first exec. */
  exe(tid: number): string | undefined {
    return this.#state(tid).exe;
  }

  /** Every pid and tid that the log has shown. */
  knows(id: number): boolean {
    return this.#processes.has(id) || this.#threads.has(id);
  }

  /** The directory that a `dirfd` argument names; undefined for a bad descriptor. */
  directory(tid: number, argument: string | undefined): string | undefined {
    const printed = printedFd(argument);
    if (printed === undefined) return undefined;
    if (printed.fd !== -100) return printed.path;
    if (printed.path !== undefined && printed.path !== this.cwd(tid)) {
      throw new Error(`follow working directories: ${tid} is in ${printed.path}, not in ${this.cwd(tid)}`);
    }
    return this.cwd(tid);
  }

  /** The call begins: a child inherits what its parent has now. */
  begin(call: Call): void {
    if (!isClone(call) || call.value === undefined || call.value <= 0) return;
    if (makesThread(call)) this.#threads.set(call.value, this.pid(call.tid));
    else this.#processes.set(call.value, { ...this.#state(call.tid) });
  }

  /** The call ended: what later calls depend on changes. */
  end(call: Call): void {
    if (call.value === undefined || call.value < 0) return;
    const state = this.#state(call.tid);
    if (call.name === "chdir") {
      state.cwd = resolveDirectory(absolute(state.cwd, printedString(call.args[0]) ?? ""));
    } else if (call.name === "fchdir") {
      state.cwd = printedFd(call.args[0])?.path ?? state.cwd;
    }
  }

  /** The process runs another image. */
  setExe(tid: number, exe: string): void {
    this.#state(tid).exe = exe;
  }

  /** True if the name existed before the call that is looked at. */
  exists(path: string): boolean {
    if (path.startsWith(`${this.#root}/`)) return this.#files.has(path);
    return existsSync(path);
  }

  /** The name was made. */
  add(path: string): void {
    this.#files.add(path);
  }

  /** The name was removed. */
  remove(path: string): void {
    this.#files.delete(path);
  }

  /** The name became another one, with everything below it. */
  move(from: string, to: string): void {
    const moved = Array.from(this.#files).filter((path) => path === from || path.startsWith(`${from}/`));
    for (const path of moved) {
      this.#files.delete(path);
      this.#files.add(to + path.slice(from.length));
    }
  }

  #state(tid: number): ProcessState {
    const pid = this.pid(tid);
    const known = this.#processes.get(pid);
    if (known !== undefined) return known;
    const first: ProcessState = { cwd: this.#root, exe: undefined };
    this.#processes.set(pid, first);
    return first;
  }
}

/** The first line of a script, split as the kernel does (fs/binfmt_script.c); undefined for other files. */
export function shebang(path: string): { readonly interpreter: string; readonly argument?: string } | undefined {
  const start = readFileSync(path).subarray(0, 256).toString("latin1");
  if (!start.startsWith("#!")) return undefined;
  const line = (start.slice(2).split("\n")[0] ?? "").trim();
  const [, interpreter, argument] = /^(\S+)(?:\s+(.*))?$/.exec(line) ?? [];
  if (interpreter === undefined) return undefined;
  return argument === undefined ? { interpreter } : { interpreter, argument };
}

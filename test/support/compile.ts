/** Builds the C programs of the tests. */
import { run } from "./run.ts";
import { TempDir } from "./temp.ts";

/** How one program is built. */
export interface CompileOptions {
  /** Beside those of every program. */
  readonly flags?: readonly string[];
  /** With musl-gcc, needing no shared library; default false. */
  readonly static_link?: boolean;
  /** Macros, `NAME=VALUE`. */
  readonly define?: readonly string[];
}

/** musl has its own C headers; the kernel's come after them from the distribution. */
const MACHINE = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const KERNEL_HEADERS: readonly string[] = ["-idirafter", "/usr/include", "-idirafter", `/usr/include/${MACHINE}`];

/** Builds each C source at most once, into one temporary directory. */
export class Compiler implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #built: Map<string, Promise<string>> = new Map();

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  /** Makes the directory of the programs. */
  static async create(): Promise<Compiler> {
    return new Compiler(await TempDir.create());
  }

  /** The directory that the programs are in. */
  get path(): string {
    return this.#dir.path;
  }

  /** Returns the path of the program `name` built from `source`; throws with the compiler's words. */
  compile(source: string, name: string, options: CompileOptions = {}): Promise<string> {
    const known = this.#built.get(name);
    if (known !== undefined) return known;
    const built = this.#compile(source, this.#dir.join(name), options);
    this.#built.set(name, built);
    return built;
  }

  /** Removes the programs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#built.values());
    await this.#dir[Symbol.asyncDispose]();
  }

  async #compile(source: string, target: string, options: CompileOptions): Promise<string> {
    const compiler = options.static_link === true ? ["musl-gcc", "-static", ...KERNEL_HEADERS] : ["gcc"];
    const macros = (options.define ?? []).map((each) => `-D${each}`);
    const flags = ["-O1", "-Wall", "-Werror", "-pthread", ...options.flags ?? [], ...macros];
    const done = await run([...compiler, ...flags, source, "-o", target]);
    if (done.exit_code !== 0) throw new Error(`compile ${source}: ${done.stderr}`);
    return target;
  }
}

/** Temporary directories that remove themselves. */
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory below the system's temporary one, removed with everything in it at the end of the scope. */
export class TempDir implements AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a new one that every user may enter, so that a test can drop its rights inside. */
  static async create(): Promise<TempDir> {
    const path = await realpath(await mkdtemp(join(tmpdir(), "agentguard-test-")));
    await chmod(path, 0o755);
    return new TempDir(path);
  }

  /** A path inside. */
  join(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Removes it; a second call does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

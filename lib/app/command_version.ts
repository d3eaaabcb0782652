/** `agentguard version` */
import { EXIT, type VersionCommand } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf } from "./command_io.ts";

/** What this executable is. */
export interface BuildInfo {
  /** Semantic version (semver.org). */
  readonly version: string;
  /** Hash of the commit it was built from, if known. */
  readonly commit?: string;
  /** Version of the Bun runtime inside. */
  readonly bun: string;
  /** For example `linux-x64`. */
  readonly platform: string;
}

/** Prints version, commit, runtime and platform, or the notices of everything embedded. */
export function commandVersion(
  command: VersionCommand,
  io: CommandIo,
  options: { readonly build: BuildInfo; readonly notices: () => string },
): Promise<number> {
  return exitCodeOf(io, async () => {
    const { build } = options;
    if (command.licenses) {
      const notices = options.notices();
      await io.stdout.write(notices.endsWith("\n") ? notices : `${notices}\n`);
    } else if (configOf(io, command.flags).json.value) await io.stdout.write(`${JSON.stringify(build)}\n`);
    else {
      const commit = build.commit === undefined ? "" : ` (${build.commit})`;
      await io.stdout.write(`agentguard ${build.version}${commit}, bun ${build.bun}, ${build.platform}\n`);
    }
    return EXIT.ok;
  });
}

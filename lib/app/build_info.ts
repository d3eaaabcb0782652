/** What this executable is. */
import { readFileSync } from "node:fs";
import licenses_file from "../../build/licenses.txt" with { type: "file" };
import manifest from "../../package.json" with { type: "json" };
import type { BuildInfo } from "./command_version.ts";

/** Version, runtime and platform. */
export const BUILD_INFO: BuildInfo = {
  version: manifest.version,
  bun: Bun.version,
  platform: `${process.platform}-${process.arch}`,
};

/** Notices of everything that the executable embeds. */
export function notices(): string {
  return readFileSync(licenses_file, "utf8");
}

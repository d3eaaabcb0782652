/** Where things are. */
import { join, resolve } from "node:path";

/** The root of the repository. */
export const REPOSITORY: string = resolve(import.meta.dir, "../..");

/** The executable under test. */
export const EXECUTABLE: string = join(REPOSITORY, "dist/agentguard");

/** The interpreter itself: a `python3` on PATH may be a script that starts many programs first. */
export const PYTHON = "/usr/bin/python3";

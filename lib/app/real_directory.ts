/** Where a name leads to. */
import { realpathSync } from "node:fs";

/** Follows links as this process sees them; `undefined` where the directory is gone. */
export function realDirectory(directory: string): string | undefined {
  try {
    return realpathSync.native(directory);
  } catch {
    return undefined; // the action keeps the flag `requested_only`
  }
}

/** Variables that hold the guard's own secrets: the guarded command does not get them. */
import type { ApprovalSettings, SecretSource } from "../core/mod.ts";

/** Names of the variables that the settings read secrets from. */
export function secretVariables({ totp, listen, webhook, slack }: ApprovalSettings): readonly string[] {
  const sources: readonly (SecretSource | undefined)[] = [totp, listen?.token, webhook?.secret, slack?.url];
  return sources.flatMap((source) => source !== undefined && "env" in source ? [source.env] : []);
}

/** An environment (NUL-terminated `NAME=value`, any bytes) without these variables. */
export function withoutVariables(
  environment: Uint8Array<ArrayBuffer>,
  names: readonly string[],
): Uint8Array<ArrayBuffer> {
  if (names.length === 0) return environment;
  // Latin-1 keeps every byte as it is.
  const entries = Buffer.from(environment).toString("latin1").split("\0");
  const kept = entries.filter((entry) => !names.some((name) => entry.startsWith(`${name}=`)));
  return new Uint8Array(Buffer.from(kept.join("\0"), "latin1"));
}
